# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook push: what a registry has afterwards is what the depot has; skopeo reads it."""

import gzip
import json
import os
import pathlib
import select
import signal
import subprocess
import tarfile
import threading
import urllib.parse

import pytest

import images
import registries
from depots import pull, serve  # noqa: F401 (pull is a fixture)
from registries import DOCKER_MANIFEST, Image, Memory, OCI_LAYER, OCI_MANIFEST, Registry, Reply, Tokens, digest, noise

pytestmark = pytest.mark.anywhere


@pytest.fixture
def registry(space):
    with Registry(space / "registry") as running:
        yield running


@pytest.fixture
def have(pull):
    """Gives the depot an image under the name first.example/app:1."""
    def get(image):
        memory = Memory()
        memory.add("app", "1", image)
        with serve(memory) as server:
            pull.configure(f'[[registry]]\nprefix = "first.example"\nlocation = "{server.host}"\n')
            pull("first.example/app:1", "-q")
        pull.configure("")
        return "first.example/app:1"
    return get


def skopeo(*args):
    # An ordinary user's auth file would lie in /run/containers, which root's podman closes to others.
    done = subprocess.run(["skopeo", "--insecure-policy", *args], env={**os.environ, "XDG_RUNTIME_DIR": "/nonexistent"}, text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_was_pushed_is_what_was_pulled(pull, have, registry, space):
    image = Image([{"etc/a": noise(40000)}, {"etc/b": b"b"}], labels={"x": "y"})
    name = have(image)
    result = pull.nook.result("push", "--digestfile", space / "digest", name, f"{registry.host}/team/app:2")
    assert (result.code, result.out) == (0, f"{registry.host}/team/app:2\n"), str(result)
    assert result.err.splitlines()[-1] == f"digest: {image.digest}" == f"digest: {(space / 'digest').read_text()}"
    assert registry.manifest("team/app", "2") == image.document
    skopeo("copy", "--src-tls-verify=false", f"docker://{registry.host}/team/app:2", f"dir:{space}/out")
    assert {digest(path.read_bytes()) for path in (space / "out").iterdir()} >= {*image.blobs, image.digest}
    again = pull.nook.result("push", name, f"{registry.host}/team/app:3")
    assert again.err.count("is there already") == 3
    assert registry.manifest("team/app", "3") == image.document


def sparse_layer(space):
    with (space / "holes").open("wb") as out:
        out.seek(4 << 20)
        out.write(b"middle")
        out.truncate(16 << 20)
    return subprocess.run(["tar", "-C", space, "--sparse", "-c", "holes"], stdout=subprocess.PIPE, check=True).stdout


@pytest.mark.user("root")
def test_a_round_trip_of_every_oddity(pull, registry, space):
    """Pushed, pulled, saved, loaded, run, exported in two ways: the same digests, and the same trees in every respect."""
    nook, layout = pull.nook, images.Layout(space / "layout")
    digest = layout.image("odd", [images.busybox_layer(), images.oddities(), sparse_layer(space)], {"Env": ["PATH=/bin"]})
    nook("load", "--name", "odd:1", layout.source("odd"))
    _, odd, _ = json.loads(nook("inspect", "odd:1"))[0]["layers"]
    before = images.look(pathlib.Path(odd))
    nook("push", "-q", "odd:1", f"{registry.host}/odd:1")
    nook("rmi", "-a", "-f")
    pull(f"{registry.host}/odd:1")
    nook("save", "--format", "oci-archive", "-o", space / "odd.tar", f"{registry.host}/odd:1")
    nook("rmi", "-a", "-f")
    nook("load", "--name", "odd:2", f"oci-archive:{space}/odd.tar")
    assert json.loads(nook("inspect", "odd:2"))[0]["digest"] == digest
    nook("run", "--name", "c", "odd:2", "true")
    nook("export", "c", space / "c.tar")
    nook("import", space / "c.tar", "c:1")
    imported = pathlib.Path(json.loads(nook("inspect", "c:1"))[0]["layers"][0])
    nook("export", "--format", "ext4", "--size", "64m", "c", space / "c.img")
    mounted = space / "mnt"
    mounted.mkdir()
    subprocess.run(["mount", "-o", "loop,ro", space / "c.img", mounted], check=True)
    try:
        for after in imported, mounted:
            seen = images.look(after)
            # The top got places for what is mounted in it; ext4 knows no year 2500 (2446 is its last).
            late = {b"far"} if after is mounted else set()
            assert {name for name in before if seen.get(name) != before[name]} <= {b".", *late}
            assert (after / "holes").stat().st_size == 16 << 20 and (after / "holes").stat().st_blocks * 512 <= 64 << 10
            assert (after / "holes").read_bytes()[4 << 20:][:7] == b"middle\0"
    finally:
        subprocess.run(["umount", mounted], check=True)
    nook("rm", "c")


def test_skopeo_pushes_what_nook_pulls(pull, registry, space):
    image = Image([{"etc/a": noise(40000)}, {"etc/b": b"b"}])
    registries.upload(registry.host, "team/app", "1", image)
    skopeo("copy", "--src-tls-verify=false", f"docker://{registry.host}/team/app:1", f"oci:{space}/layout:1")
    for form, media_type in (("oci", OCI_MANIFEST), ("v2s2", DOCKER_MANIFEST)):
        skopeo("copy", "--format", form, "--dest-tls-verify=false", f"oci:{space}/layout:1", f"docker://{registry.host}/by/skopeo:{form}")
        pull(f"{registry.host}/by/skopeo:{form}")
        assert json.loads(pull.nook("manifest", "inspect", f"{registry.host}/by/skopeo:{form}"))["mediaType"] == media_type
    skopeo("copy", "--dest-tls-verify=false", "--dest-compress-format", "zstd", "--dest-compress", f"oci:{space}/layout:1",
           f"docker://{registry.host}/by/skopeo:zstd")
    pull(f"{registry.host}/by/skopeo:zstd")


def test_the_name_says_where(pull, have, registry):
    image = Image()
    name = have(image)
    pull.configure(f'[[registry]]\nprefix = "first.example"\nlocation = "{registry.host}/mapped"\n'
                   f'[[registry.mirror]]\nlocation = "127.0.0.1:1"\n')
    pull.nook("push", name)
    assert registry.manifest("mapped/app", "1") == image.document
    assert "no such image" in pull.nook.fails(125, "push", "other.example/x:1")


def test_a_large_layer_whole_and_in_pieces(pull, have, registry):
    image = Image([{"big": noise(6 << 20)}])
    name = have(image)
    patches = []

    def watch(request):
        if request.method == "PATCH":
            patches.append((len(request.body), request.headers.get("Content-Range")))
        return registry.proxied(request)

    with serve(watch) as server:
        pull.nook("push", name, f"{server.host}/whole:1")
        assert [size for size, _ in patches] == [image.layers[0]["size"]] and patches[0][1] is None
        patches.clear()
        pull.nook("push", "--chunk-size", "1m", name, f"{server.host}/pieces:1")
        assert [size for size, _ in patches].count(1 << 20) == 6 and "5242880-6291455" in [place for _, place in patches]
    assert image.layers[0]["digest"] in registry.blobs()


class Uploads:
    """The writing half of a registry, strict about order; FAULTS(request, self) may answer instead."""

    def __init__(self, faults=lambda request, uploads: None, least=0):
        self.blobs, self.manifests, self.sessions, self.faults, self.least = {}, {}, {}, faults, least
        self.media_types = {}

    def accept(self, session, data):
        self.sessions[session] += data
        size = len(self.sessions[session])
        return Reply(202, {"Location": f"/upload/{session}?state=a%20b", "Range": f"0-{size - 1}"})

    def __call__(self, request):
        answer = self.faults(request, self)
        if answer:
            return answer
        parts = urllib.parse.urlsplit(request.path)
        last = parts.path.rsplit("/", 1)[1]
        if request.method == "POST":
            session = f"s{len(self.sessions)}"
            self.sessions[session] = b""
            headers = {"Location": f"/upload/{session}?state=a%20b"}
            if self.least:
                headers["OCI-Chunk-Min-Length"] = str(self.least)
            return Reply(202, headers)
        if parts.path.startswith("/upload/"):
            if last not in self.sessions:
                return Reply(404)
            have = len(self.sessions[last])
            if request.method == "GET":
                return Reply(204, {"Location": f"/upload/{last}?state=a%20b", "Range": f"0-{max(have - 1, 0)}"})
            place = request.headers.get("Content-Range")
            if place and place != f"{have}-{have + len(request.body) - 1}":
                return Reply(416)
            answer = self.accept(last, request.body)
            if request.method == "PATCH":
                return answer
            data = self.sessions.pop(last)
            if [digest(data)] != request.query["digest"]:
                return Reply.json({"errors": [{"code": "DIGEST_INVALID", "message": "digest invalid"}]}, 400)
            self.blobs[digest(data)] = data
            return Reply(201, {"Docker-Content-Digest": digest(data)})
        if "/blobs/" in parts.path:
            return Reply(200 if last in self.blobs else 404)
        if request.method == "PUT":
            self.manifests[last], self.media_types[last] = request.body, request.headers["Content-Type"]
            return Reply(201, {"Docker-Content-Digest": digest(request.body)})
        if last in self.manifests:
            return Reply(200, {"Content-Type": self.media_types[last]}, self.manifests[last])
        return Reply(404)


def assert_pushed(uploads, image, tag="1"):
    assert uploads.blobs == image.blobs
    assert uploads.manifests[tag] == image.manifest


@pytest.mark.parametrize("least, asked, size", [(0, "1m", 1 << 20), (2 << 20, "1m", 2 << 20)])
def test_pieces(pull, have, least, asked, size):
    image = Image([{"big": noise(5 << 20)}])
    name = have(image)
    uploads = Uploads(least=least)
    with serve(uploads) as server:
        pull.nook("push", "--chunk-size", asked, name, f"{server.host}/app:1")
        sent = [len(request.body) for request in server.requests if request.method == "PATCH"]
    assert set(sent[:-2]) <= {size, image.config["size"]} and len(sent) >= 3
    assert_pushed(uploads, image)


@pytest.mark.parametrize("forgets", [False, True])
def test_an_upload_that_was_cut_goes_on(pull, have, forgets):
    image = Image([{"big": noise(6 << 20)}])
    name = have(image)
    cuts = []

    def cut(request, uploads):
        if request.method != "PATCH" or cuts:
            return None
        cuts.append(request)
        session = urllib.parse.urlsplit(request.path).path.rsplit("/", 1)[1]
        if forgets:
            del uploads.sessions[session]
        else:
            uploads.sessions[session] += request.body[:1 << 20]
        return Reply(500, cut=0, write=lambda handler: handler.connection.close())

    uploads = Uploads(cut)
    with serve(uploads) as server:
        pull.nook("push", name, f"{server.host}/app:1")
        sent = [len(request.body) for request in server.requests if request.method == "PATCH"]
    assert sent[1:] == [sent[0] - (0 if forgets else 1 << 20)]
    assert_pushed(uploads, image)


def test_a_lost_answer_and_a_put_off(pull, have):
    image = Image()
    name = have(image)
    lost = []

    def faults(request, uploads):
        if request.method == "PUT" and "digest=" in request.path and not lost:
            lost.append(request)
            uploads.faults = lambda request, uploads: None
            uploads(request)
            return Reply(write=lambda handler: handler.connection.close())
        return None

    uploads = Uploads(faults)
    with serve(uploads) as server:
        pull.nook("push", name, f"{server.host}/app:1")
    assert_pushed(uploads, image)

    def busy(request, uploads):
        return Reply(503, {"Retry-After": "0"}) if request.count == 0 else None

    uploads = Uploads(busy)
    with serve(uploads) as server:
        pull.nook("push", name, f"{server.host}/app:1")
    assert_pushed(uploads, image)


def test_a_push_that_was_ended_goes_on(pull, have):
    """Ctrl-C while the large layer goes: the registry has no manifest, and what it has is not sent again."""
    image = Image([{"small": b"x"}, {"big": noise(6 << 20)}])
    name = have(image)
    reached, ended = threading.Event(), threading.Event()

    def stall(request, uploads):
        if request.method != "PATCH" or ended.is_set():
            return None
        reached.set()
        ended.wait(20)
        return Reply(500)

    uploads = Uploads(stall)
    with serve(uploads) as server:
        process = pull.nook.start("push", name, f"{server.host}/app:1")
        assert reached.wait(20)
        # The small ones are there before the large one is answered.
        while len(uploads.blobs) < 2:
            select.select([], [], [], 0.01)
        process.send_signal(signal.SIGINT)
        process.communicate()
        ended.set()
        assert process.returncode == -signal.SIGINT and not uploads.manifests
        before = len(server.requests)
        pull.nook("push", name, f"{server.host}/app:1")
        sent = [len(request.body) for request in server.requests[before:] if request.method in ("PATCH", "PUT") and "manifests" not in request.path]
    assert_pushed(uploads, image)
    assert sum(sent) == image.layers[1]["size"]


def test_where_a_push_may_fail(pull, have):
    image = Image()
    name = have(image)
    denied = {"errors": [{"code": "DENIED", "message": "not yours"}]}
    cases = [
        (lambda request, uploads: Reply.json(denied, 403) if request.method == "POST" else None, "not yours (HTTP 403)"),
        (lambda request, uploads: Reply(202) if request.method == "POST" else None, "where the upload goes on"),
        (lambda request, uploads: Reply(202, {"Location": "ftp://x/"}) if request.method == "POST" else None, "where the upload goes on"),
        (lambda request, uploads: Reply.json(denied, 400) if "manifests" in request.path else None, "not yours (HTTP 400)"),
        (lambda request, uploads: Reply(201, {"Docker-Content-Digest": digest(b"")}) if "manifests" in request.path else None, "stored sha256:"),
    ]
    for faults, words in cases:
        uploads = Uploads(faults)
        with serve(uploads) as server:
            assert words in pull.nook.fails(125, "push", "--retry", "1", name, f"{server.host}/app:1")
            if "manifests" not in words:
                assert not uploads.manifests


def test_mounted_from_another_repository(pull, registry):
    image = Image()
    registries.upload(registry.host, "team/base", "1", image)
    tokens = Tokens(registry.proxied)
    with serve(tokens) as server:
        pull(f"{server.host}/team/base:1")
        pull.nook("push", f"{server.host}/team/base:1", f"{server.host}/team/app:1")
        mounts = [request.path for request in server.requests if "mount=" in request.path]
        assert len(set(mounts)) == 3 and all("from=team%2Fbase" in path for path in mounts)
        assert not [request for request in server.requests if request.method in ("PATCH", "PUT") and "/blobs/" in request.path]
    tokens.close()
    scopes = [form["scope"] for _, form, _ in tokens.asked]
    assert ["repository:team/app:pull,push", "repository:team/base:pull"] in scopes
    assert registry.manifest("team/app", "1") == image.document


def test_basic_and_tls(pull, have, space):
    name = have(Image())
    tls = registries.certificate(space)
    with Registry(space / "secure", tls=tls, users={"bob": "word"}) as secure:
        where = f"localhost:{secure.port}"
        certs = space / ".config/containers/certs.d" / where
        certs.mkdir(parents=True)
        os.link(tls[0], certs / "own.crt")
        assert "user name and password" in pull.nook.fails(125, "push", name, f"{where}/app:1")
        pull.nook("login", "-u", "bob", "--password-stdin", where, input="word")
        pull.nook("push", name, f"{where}/app:1")
        pull(f"{where}/app:1")


@pytest.mark.parametrize("how", ["gzip", "zstd", "none"])
def test_layers_that_were_never_compressed(pull, registry, space, how):
    """docker save writes plain layers; the manifest that is sent says what they became."""
    image = Image([{"etc/text": b"text " * 20000}, {"etc/b": b"b"}])
    plain = [gzip.decompress(image.blobs[layer["digest"]]) for layer in image.layers]
    (space / "manifest.json").write_text(json.dumps([{"Config": "config.json", "RepoTags": ["plain.example/app:1"],
                                                     "Layers": [f"{i}.tar" for i in range(len(plain))]}]))
    (space / "config.json").write_bytes(image.blobs[image.config["digest"]])
    with tarfile.open(space / "saved.tar", "w") as archive:
        for i, data in enumerate(plain):
            (space / f"{i}.tar").write_bytes(data)
            archive.add(space / f"{i}.tar", f"{i}.tar")
        archive.add(space / "config.json", "config.json")
        archive.add(space / "manifest.json", "manifest.json")
    pull.nook("load", "-i", space / "saved.tar")
    pull.nook("push", "--compression", how, "plain.example/app:1", f"{registry.host}/app:1")
    sent = registry.manifest("app", "1")
    assert [layer["mediaType"] for layer in sent["layers"]] == [OCI_LAYER + {"gzip": "+gzip", "zstd": "+zstd", "none": ""}[how]] * 2
    assert how == "none" or sent["layers"][0]["size"] < len(plain[0]) / 10
    skopeo("copy", "--src-tls-verify=false", f"docker://{registry.host}/app:1", f"oci:{space}/out:1")
    pull(f"{registry.host}/app:1")
    assert "is none of gzip" in pull.nook.fails(125, "push", "--compression", "lzma", "plain.example/app:1", f"{registry.host}/app:1")


def test_referrers_of_an_older_registry(pull, have):
    subject = Image()
    signature = Image([{"sig": b"s"}])
    signature.document["subject"] = subject.descriptor()
    signature.document["artifactType"] = "application/vnd.example.signature"
    name = have(signature)
    uploads = Uploads()
    tag = subject.digest.replace(":", "-")
    with serve(uploads) as server:
        for _ in range(2):
            pull.nook("push", name, f"{server.host}/app:sig")
    index = json.loads(uploads.manifests[tag])
    assert [entry["digest"] for entry in index["manifests"]] == [signature.digest]
    assert index["manifests"][0]["artifactType"] == "application/vnd.example.signature"
