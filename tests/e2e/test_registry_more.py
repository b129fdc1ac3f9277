# SPDX-License-Identifier: LGPL-2.1-or-later
"""Registries that put off, redirect, change their minds about tokens, and the many places of credentials."""

import base64
import email.utils
import gzip
import json
import os
import shutil
import ssl
import subprocess
import time

import pytest

import registries
from depots import pull, serve  # noqa: F401 (pull is a fixture)
from registries import Image, Memory, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Reply, Tokens, digest, memory, noise

pytestmark = pytest.mark.anywhere


# ---- tokens, waits ---------------------------------------------------------------------------------------------------

def test_a_token_that_expires_while_a_blob_comes(pull):
    """The blob is cut when its token has just expired: it goes on by Range, with a new one."""
    image = Image([{"big": noise(700000)}])
    name = image.layers[0]["digest"]
    data = image.blobs[name]

    def cut(request):
        if name not in request.path or "Range" in request.headers:
            return None

        def write(handler):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data[:300000])
            handler.wfile.flush()
            tokens.left.clear()
        return Reply(write=write)

    tokens = Tokens(memory(image, faults=cut))
    with serve(tokens) as server:
        pull(f"{server.host}/team/app:1")
    tokens.close()
    resumed = [request.headers for request in server.requests if name in request.path and "Range" in request.headers]
    assert len(resumed) == 2 and resumed[0]["Range"] == resumed[1]["Range"] != "bytes=0-"
    assert resumed[0]["Authorization"] != resumed[1]["Authorization"] == f"Bearer token-{len(tokens.asked)}"
    assert pull.blobs() == {*image.blobs, image.digest}


@pytest.mark.parametrize("after, waits", [(lambda: email.utils.formatdate(time.time() - 100, usegmt=True), True),
                                          (lambda: email.utils.formatdate(time.time() + 86400, usegmt=True), False),
                                          (lambda: "soon", True), (lambda: "-5", True), (lambda: "99999999999999999999", True)])
def test_retry_after(pull, after, waits):
    """In seconds or as a date; what is neither counts as if it were not there."""
    def busy(request):
        return Reply(429, {"Retry-After": after()}) if request.count == 0 else None

    with serve(memory(faults=busy)) as server:
        if waits:
            pull(f"{server.host}/team/app:1")
        else:
            assert "HTTP 429" in pull.fails(f"{server.host}/team/app:1")
            assert len(server.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_errors_of_a_server_that_pass(pull, status):
    with serve(memory(faults=lambda request: Reply(status) if request.count < 2 else None)) as server:
        pull(f"{server.host}/team/app:1")
        assert max(server.counts.values()) == 3
    with serve(lambda request: Reply(status)) as server:
        assert f"HTTP {status}" in pull.nook.fails(125, "pull", "--retry", "1", f"{server.host}/x:1")
        assert len(server.requests) == 2


# ---- redirects -------------------------------------------------------------------------------------------------------

def test_cookies_are_never_sent(pull):
    image = Image()
    cookie = {"Set-Cookie": ["session=secret; Path=/", "other=x; Domain=127.0.0.1"]}
    with serve(lambda request: Reply(200, cookie, image.blobs[request.path.strip("/")])) as elsewhere:
        def to_elsewhere(request):
            where = f"http://{elsewhere.host}/{request.path.rsplit('/', 1)[1]}"
            return Reply(307, {"Location": where, **cookie}) if "/blobs/" in request.path else None

        registry = memory(image, faults=to_elsewhere)

        def with_cookie(request):
            reply = registry(request)
            reply.headers.update(cookie)
            return reply

        with serve(with_cookie) as server:
            pull(f"{server.host}/team/app:1")
        assert elsewhere.requests and not [r for r in elsewhere.requests + server.requests if "Cookie" in r.headers]


@pytest.mark.parametrize("challenge", ['Bearer realm="http://{host}/token",service="x"', 'Basic realm="x"'], ids=["token", "basic"])
def test_passwords_are_for_the_registry_itself(pull, challenge):
    """A store that it redirects to may not ask for them, nor name a token server of its own."""
    image, hosts = Image(), []

    def ask(request):
        if request.path.startswith("/token"):
            return Reply.json({"token": "theirs"})
        return Reply(401, {"WWW-Authenticate": challenge.format(host=hosts[0])})

    with serve(ask) as elsewhere:
        hosts.append(elsewhere.host)
        tokens = Tokens(memory(image, faults=lambda request: Reply(307, {"Location": f"http://{elsewhere.host}{request.path}?signature=secret"})
                               if "/blobs/" in request.path else None), users={"alice": "secret"})
        with serve(tokens) as server:
            pull.nook("login", "-u", "alice", "--password-stdin", server.host, input="secret")
            err = pull.fails(f"{server.host}/team/app:1")
        tokens.close()
        assert "wants an authorization of its own" in err and elsewhere.host in err and "secret" not in err
        assert elsewhere.requests and not [r.path for r in elsewhere.requests if "Authorization" in r.headers or r.path.startswith("/token")]


def trust(space, host, authority, *more):
    certs = space / ".config/containers/certs.d" / host
    certs.mkdir(parents=True)
    shutil.copy(authority, certs / "ca.crt")
    for path, name in more:
        shutil.copy(path, certs / name)


def test_a_downgrade_is_refused(pull, space):
    image = Image()
    tls = registries.certificate(space)
    with serve(lambda request: Reply(body=image.blobs[request.path.strip("/")])) as plain:
        def down(request):
            return Reply(307, {"Location": f"http://{plain.host}/{request.path.rsplit('/', 1)[1]}"}) if "/blobs/" in request.path else None

        with serve(memory(image, faults=down), tls=tls) as server:
            trust(space, server.host, tls[0])
            assert "redirects from https to http" in pull.fails(f"{server.host}/team/app:1")
        assert plain.requests == []


def test_a_client_certificate_is_for_one_host(pull, space):
    """The registry wants one; the store that it redirects to is not told who asks."""
    image = Image()
    tls, client = registries.certificate(space), registries.certificate(space, stem="client")
    seen = []

    def note(handler):
        seen.append(handler.connection.getpeercert(binary_form=True))

    with serve(lambda request: Reply(body=image.blobs[request.path.strip("/")]), tls=tls, client_ca=(client[0], ssl.CERT_OPTIONAL), look=note) as store:
        def to_store(request):
            return Reply(307, {"Location": f"https://{store.host}/{request.path.rsplit('/', 1)[1]}"}) if "/blobs/" in request.path else None

        with serve(memory(image, faults=to_store), tls=tls, client_ca=(client[0], ssl.CERT_REQUIRED)) as server:
            trust(space, server.host, tls[0])
            assert pull.nook.result("pull", "--retry", "0", f"{server.host}/team/app:1").code == 125
            shutil.rmtree(space / ".config")
            trust(space, server.host, tls[0], (client[0], "me.cert"), (client[1], "me.key"))
            pull(f"{server.host}/team/app:1")
    assert len(seen) == 3 and set(seen) == {None}


# ---- mirrors ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("policy, by_tag, by_digest", [("all", True, True), ("digest-only", False, True), ("tag-only", True, False)])
def test_what_a_mirror_is_asked_for(pull, policy, by_tag, by_digest):
    image = Image()
    for wanted, expected in ((":1", by_tag), (f"@{image.digest}", by_digest)):
        with serve(memory(image)) as mirror, serve(memory(image)) as origin:
            pull.configure(f'[[registry]]\nprefix = "app.example"\nlocation = "{origin.host}"\n'
                           f'[[registry.mirror]]\nlocation = "{mirror.host}"\npull-from-mirror = "{policy}"\n')
            pull(f"app.example/team/app{wanted}")
            assert bool(mirror.requests) == expected and bool(origin.requests) != expected
        pull.nook("rmi", "--all", "--force")


# ---- credentials -----------------------------------------------------------------------------------------------------

def helper(space, name, script):
    path = space / f"docker-credential-{name}"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)


HELPERS = {
    "junk": ("echo 'this is no json'", "docker-credential-junk:1"),
    "empty": ("exit 0", ""),
    "refuses": ("echo the vault is locked; exit 1", "the vault is locked"),
    "huge": ("head -c 100000000 /dev/zero | tr '\\0' x", "prints more than 64 KiB"),
    "list": ("echo '[1, 2]'", ""),
    "killed": ("kill -9 $$", "docker-credential-killed get"),
    "escapes": ("printf '\\033[2Jgone\\n'; exit 1", "gone"),
}
if os.environ.get("NOOK_SWEEP") == "all":
    HELPERS["hangs"] = ("exec sleep 1000", "timed out")  # for the 30 seconds that a helper has


@pytest.mark.parametrize("name", HELPERS)
def test_helpers_that_misbehave(pull, space, name):
    script, words = HELPERS[name]
    helper(space, name, script + "\n")
    pull.nook.environment["PATH"] += f":{space}"
    (space / "auth.json").write_text(json.dumps({"credsStore": name}))
    with serve(memory()) as server:
        err = pull.fails(f"{server.host}/team/app:1", "--authfile", space / "auth.json")
        assert words.lower() in err.lower() and "\x1b" not in err, err
        assert server.requests == []


def encoded(user, word="word"):
    return base64.b64encode(f"{user}:{word}".encode()).decode()


def test_auth_files_in_their_order(pull, space):
    """The first file that knows the registry counts; within one the longest name; a variable or option stands alone."""
    def note(request):
        who.append(base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode() if "Authorization" in request.headers else None)
        return None if who[-1] else Reply(401, {"WWW-Authenticate": 'Basic realm="x"'})

    who = []
    files = {"option": space / "option.json", "variable": space / "variable.json", "runtime": space / "runtime/containers/auth.json",
             "config": space / ".config/containers/auth.json", "docker": space / ".docker/config.json"}
    with serve(memory(faults=note)) as server:
        for name, path in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"auths": {server.host: {"auth": encoded(name)}, f"{server.host}/team": {"auth": encoded(f"{name}-team")},
                                                  f"{server.host}/team/app": {"auth": encoded(f"{name}-app")}, f"{server.host}/te": {"auth": encoded("no")}}}))

        def asked(*options):
            who.clear()
            pull.nook("manifest", "inspect", *options, f"{server.host}/team/app:1")
            return who[-1].partition(":")[0]

        assert asked("--authfile", files["option"]) == "option-app"
        pull.nook.environment["REGISTRY_AUTH_FILE"] = str(files["variable"])
        assert asked() == "variable-app"
        del pull.nook.environment["REGISTRY_AUTH_FILE"]
        for name in ("runtime", "config", "docker"):
            assert asked() == f"{name}-app"
            files[name].unlink()
        pull.nook.environment["DOCKER_CONFIG"] = str(space / "elsewhere")
        (space / "elsewhere").mkdir()
        (space / "elsewhere/config.json").write_text(json.dumps({"auths": {f"{server.host}/team": {"auth": encoded("moved")}}}))
        assert asked() == "moved"


def test_logout_of_everything(pull, space):
    with serve(memory()) as server, serve(memory()) as second:
        for host in (server.host, second.host):
            pull.nook("login", "-u", "alice", "--password-stdin", host, input="secret")
        docker = space / ".docker/config.json"
        docker.parent.mkdir()
        docker.write_text(json.dumps({"auths": {"old.example": {"auth": encoded("old")}}, "detachKeys": "ctrl-x"}))
        pull.nook("logout", "--all")
        assert json.loads((space / "runtime/containers/auth.json").read_text())["auths"] == {}
        assert json.loads(docker.read_text()) == {"auths": {}, "detachKeys": "ctrl-x"}
        for host in (server.host, second.host):
            pull.nook.fails(125, "login", "--get-login", host)


# ---- formats ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("media_type", ["application/vnd.docker.distribution.manifest.v1+json", "application/vnd.docker.distribution.manifest.v1+prettyjws"])
def test_schema_1(pull, media_type):
    old = {"schemaVersion": 1, "name": "team/app", "tag": "1", "architecture": "amd64", "fsLayers": [{"blobSum": digest(b"")}], "history": []}
    registry = Memory()
    registry.add_document("team/app", "1", media_type, old)
    with serve(registry) as server:
        assert "schema 1" in pull.fails(f"{server.host}/team/app:1")


@pytest.mark.parametrize("media_type", [
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.oci.image.layer.v1.tar+gzip"])
def test_layers_of_every_name(pull, media_type):
    image = Image([{"etc/one": b"one"}])
    image.layers[0]["mediaType"] = media_type
    with serve(memory(image)) as server:
        pull(f"{server.host}/team/app:1")
    assert len(pull.layers()) == 1 and image.digest in pull.blobs()


def test_a_layer_that_lies_elsewhere(pull, space):
    """The registry does not have it: its URLs are tried, but only those with https, and without credentials."""
    image = Image([{"etc/one": b"one"}])
    name = image.layers[0]["digest"]
    with serve(lambda request: Reply(body=image.blobs[name])) as plain:
        image.layers[0].update(mediaType="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                               urls=[f"http://{plain.host}/x", "https://127.0.0.1:1/y", "file:///etc/passwd"])
        registry = memory(image)
        del registry.blobs[name]
        with serve(registry) as server:
            assert "127.0.0.1:1" in pull.fails(f"{server.host}/team/app:1", "--retry", "0")
        assert plain.requests == []


class Elsewhere:
    """A layer that its registry does not have, and servers that do, or say so."""

    def __init__(self, pull, space):
        self.pull, self.space, self.image = pull, space, Image([{"etc/one": noise(90000)}])
        self.name = self.image.layers[0]["digest"]
        self.data = self.image.blobs[self.name]
        self.tls = registries.certificate(space)

    def serve(self, reply, **options):
        server = serve(reply if callable(reply) else lambda request: reply, tls=self.tls, **options)
        trust(self.space, server.host, self.tls[0])
        return server

    def __call__(self, *urls, fails=False):
        self.image.layers[0].update(mediaType="application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", urls=list(urls))
        registry = memory(self.image)
        del registry.blobs[self.name]
        with serve(Tokens(registry, {"alice": "secret"})) as server:
            self.pull.nook("login", "-u", "alice", "--password-stdin", server.host, input="secret")
            name = f"{server.host}/team/app:1"
            return self.pull.fails(name, "--retry", "0") if fails else self.pull(name)


@pytest.fixture
def elsewhere(pull, space):
    return Elsewhere(pull, space)


def test_a_layer_that_comes_from_its_url(elsewhere):
    """Nothing of what the registry is told goes there."""
    with elsewhere.serve(lambda request: Reply(body=elsewhere.data)) as server:
        elsewhere(f"https://{server.host}/some/where?key=1")
    (request,) = server.requests
    assert request.path == "/some/where?key=1" and not {"Authorization", "Cookie", "Range"} & set(request.headers)
    assert elsewhere.name in elsewhere.pull.blobs() and len(elsewhere.pull.layers()) == 1 and elsewhere.pull.ingest() == []


LIES = {
    "other bytes": (lambda data: Reply(body=noise(len(data), 9)), "its content is"),
    "a byte changed": (lambda data: Reply(body=data[:-1] + bytes([data[-1] ^ 1])), "its content is"),
    "too short": (lambda data: Reply(body=data[:-100]), "and not the"),
    "too long": (lambda data: Reply(body=data + b"more"), "and not the"),
    "too short, unannounced": (lambda data: Reply(write=unannounced(data[:-100])), "bytes"),
    "too long, unannounced": (lambda data: Reply(write=unannounced(data + b"more")), "more of it"),
    "cut": (lambda data: Reply(body=data, cut=5000), ""),
    "nothing": (lambda data: Reply(404), "HTTP 404"),
    "a part": (lambda data: Reply(206, {"Content-Range": f"bytes 10-{len(data) - 1}/{len(data)}"}, data[10:]), "another place"),
    "wants a password": (lambda data: Reply(401, {"WWW-Authenticate": 'Basic realm="x"'}), "HTTP 401"),
    "a long way": (lambda data: Reply(302, {"Location": "/again"}), "redirects more than"),
    "to a file": (lambda data: Reply(302, {"Location": "file:///etc/passwd"}), "redirects to no http"),
    "to plain http": (lambda data: Reply(302, {"Location": "http://127.0.0.1:1/x"}), "from https to http"),
}


def unannounced(data):
    def write(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + data)
        handler.close_connection = True
    return write


@pytest.mark.parametrize("lie", LIES)
def test_a_url_that_lies(elsewhere, lie):
    """It is refused with a reason; what the next one has is taken."""
    reply, words = LIES[lie]
    with elsewhere.serve(lambda request: reply(elsewhere.data)) as liar, elsewhere.serve(lambda request: Reply(body=elsewhere.data)) as honest:
        error = elsewhere(f"https://{liar.host}/x", fails=True)
        assert words in error, error
        assert not any("Authorization" in request.headers for request in liar.requests)
        elsewhere(f"https://{liar.host}/x", f"https://{honest.host}/x")
        assert len(honest.requests) == 1 and elsewhere.name in elsewhere.pull.blobs() and elsewhere.pull.ingest() == []


def test_a_url_that_leads_to_another_host(elsewhere, space):
    """Neither credentials nor a certificate go with it, nor to the first one."""
    client = registries.certificate(space, stem="client")
    seen = []

    def note(handler):
        seen.append(handler.connection.getpeercert(binary_form=True))

    options = {"client_ca": (client[0], ssl.CERT_OPTIONAL), "look": note}
    with elsewhere.serve(lambda request: Reply(body=elsewhere.data), **options) as store:
        with elsewhere.serve(lambda request: Reply(302, {"Location": f"https://{store.host}/there", "Set-Cookie": "a=b"}), **options) as first:
            for host in first.host, store.host:
                for path, name in (client[0], "me.cert"), (client[1], "me.key"):
                    shutil.copy(path, space / ".config/containers/certs.d" / host / name)
            auths = {host: {"auth": encoded("alice", "secret")} for host in (first.host, store.host)}
            (space / ".docker").mkdir()
            (space / ".docker/config.json").write_text(json.dumps({"auths": auths}))
            elsewhere(f"https://{first.host}/here")
    assert [request.path for request in first.requests + store.requests] == ["/here", "/there"]
    assert not {"Authorization", "Cookie"} & {*store.requests[0].headers, *first.requests[-1].headers}
    assert seen and set(seen) == {None}


@pytest.mark.parametrize("url", ["file:///etc/passwd", "FILE:///etc/passwd", "ftp://127.0.0.1/x", "http://127.0.0.1:1/x", "https://alice:secret@127.0.0.1:1/x",
                                 "/etc/passwd", "", "https://", "nonsense", "https://../x", "gopher://127.0.0.1:1/x"])
def test_what_is_no_url_of_a_layer(elsewhere, url):
    """It is passed over: what is told is that the registry has nothing, and the next one is tried."""
    error = elsewhere(url, fails=True)
    assert "blob unknown" in error or ".." in url, error
    with elsewhere.serve(lambda request: Reply(body=elsewhere.data)) as server:
        elsewhere(url, f"https://{server.host}/x")


def test_a_url_whose_certificate_nobody_trusts(elsewhere, space):
    with elsewhere.serve(lambda request: Reply(body=elsewhere.data)) as server:
        shutil.rmtree(space / ".config/containers/certs.d" / server.host)
        assert "certificate" in elsewhere(f"https://{server.host}/x", fails=True).lower()
        assert server.requests == []


def test_variants(pull):
    """What was asked for exactly, then what an older variant can stand for."""
    offered = [("arm", "v5"), ("arm", "v6"), ("arm", "v7"), ("arm64", "v8"), ("amd64", None), ("386", None)]
    images = {pair: Image([{"f": f"{pair}".encode()}], pair[0]) for pair in offered}
    registry = Memory()
    entries = []
    for (architecture, variant), image in images.items():
        registry.add("team/app", "unused", image)
        entries.append(image.descriptor(architecture, **({"variant": variant} if variant else {})))
    registry.add_document("team/app", "1", OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
    with serve(registry) as server:
        for asked, found in {"linux/arm64/v8": ("arm64", "v8"), "linux/arm64": ("arm64", "v8"), "arm64": ("arm64", "v8"), "linux/arm/v7": ("arm", "v7"),
                             "linux/arm": ("arm", "v7"), "linux/arm/v6": ("arm", "v6"), "linux/arm/v8": ("arm", "v7"), "linux/amd64/v3": ("amd64", None),
                             "linux/386": ("386", None), "linux/armhf": ("arm", "v7")}.items():
            told = json.loads(pull.nook("manifest", "inspect", "--platform", asked, f"{server.host}/team/app:1"))
            assert told == images[found].document, asked
        assert "linux/arm/v5" in pull.nook.fails(125, "manifest", "inspect", "--platform", "linux/arm/v4", f"{server.host}/team/app:1")
        assert "is not OS/ARCHITECTURE" in pull.nook.fails(125, "pull", "--platform", "linux/", f"{server.host}/team/app:1")


def test_multi_member_gzip_and_zstd_frames(pull):
    """Members and frames one after the other, one of them to be skipped, as parallel compressors and zstd:chunked write them."""
    plain = registries.tar({"etc/one": noise(100000)}, {})
    members = gzip.compress(plain[:40000], mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(plain[40000:], mtime=0)
    for packed, suffix in ((members, "+gzip"), (zstd_frames(plain), "+zstd"), (plain, "")):
        image = Image()
        image.blobs, image.layers = {}, [{"mediaType": OCI_LAYER + suffix, "size": len(packed)}]
        image.layers[0]["digest"] = image.add(packed)
        image.config = image.describe({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest(plain)]}},
                                      registries.OCI_CONFIG)
        image.document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": image.config, "layers": image.layers}
        with serve(memory(image)) as server:
            pull(f"{server.host}/team/app:1")
            pull.nook("rmi", "--all", "--force")


def zstd_frames(plain):
    def frame(data):
        return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return frame(plain[:40000]) + b"\x50\x2a\x4d\x18\x04\0\0\0skip" + frame(plain[40000:])


# ---- looking ---------------------------------------------------------------------------------------------------------

def test_a_search_of_the_registrys_own(pull):
    found = {"num_results": 2, "results": [
        {"name": "team/app", "description": "first\nline \x1b[2J", "star_count": 7, "is_official": True},
        {"name": "team/other", "description": "x" * 100, "star_count": 0, "is_official": False}]}
    with serve(lambda request: Reply.json(found) if request.path.startswith("/v1/search?q=app%2Fx") else Reply(404)) as server:
        out = pull.nook("search", f"{server.host}/app/x")
        assert "\x1b" not in out and out.count("\n") == 3 and "[OK]" in out and "..." in out
        rows = json.loads(pull.nook("search", "--format", "json", f"{server.host}/app/x"))
        assert [row["name"] for row in rows] == ["team/app", "team/other"] and rows[0]["stars"] == 7
        assert "x" * 100 in pull.nook("search", "--no-trunc", f"{server.host}/app/x")
