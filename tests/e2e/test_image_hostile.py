# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images that somebody made to do harm: refused with a message that names the entry, or harmless."""

import gzip
import io
import json
import os
import pathlib
import re
import subprocess
import tarfile
import zlib

import pytest

import hostile_layers
import hostile_tars as tars
import images
from roots import tmpfs

pytestmark = pytest.mark.anywhere

ROOT = os.geteuid() == 0
CASES = [case for case in hostile_layers.CASES if ROOT or not case.root_only]


class Outside:
    """A directory beside the store that nothing may touch."""

    def __init__(self, space):
        self.path = space / "outside"
        self.path.mkdir()
        (self.path / "secret").write_text("secret")
        self.before = self.look()

    def look(self):
        return [(str(p), p.lstat().st_mode, p.lstat().st_nlink, p.lstat().st_mtime_ns, p.lstat().st_uid) for p in sorted(self.path.rglob("*"))]


def blob_image(layout, tag, blob, diff_id):
    """An image whose layer is this blob, whatever is in it."""
    document = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
    layout.manifest(tag, {"schemaVersion": 2, "config": layout.descriptor(images.to_json(document), images.OCI + "config.v1+json"),
                          "layers": [layout.descriptor(blob, images.OCI + "layer.v1.tar+gzip")]})


def plain(blob):
    """What a layer unpacks to, for its DiffID; a blob that cannot be unpacked has none that could be right."""
    try:
        if blob[:2] == b"\x1f\x8b":
            return gzip.decompress(blob)
        if blob[:4] == b"\x28\xb5\x2f\xfd":
            return subprocess.run(["zstd", "-q", "-dc"], input=blob, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    except (OSError, EOFError, subprocess.CalledProcessError, zlib.error):
        return b"none"
    return blob


@pytest.fixture(scope="module")
def nothing_is_left():
    """Whether a store is as it was before anything was tried."""
    def check(nook):
        assert nook("images", "-q") == ""
        left = images.store_of(nook)
        assert left["layers"] == [] and [name for name in left["ingest"] if not name.startswith("sha256-")] == []
    return check


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_a_hostile_layer(nook, layout, space, case, nothing_is_left):
    outside = Outside(space)
    blob = case.layer(outside.path)
    blob_image(layout, "t", blob, images.sha256(plain(blob)))
    result = nook.result("load", "--name", "evil", layout.source("t"))
    assert outside.look() == outside.before, "the outside was touched"
    if case.refused is not None:
        assert result.code == 125 and case.refused in result.err, str(result)
        assert result.err.count("\n") <= 2 and "\x1b" not in result.err
        # The entry's name stands in front, or the layer's where no entry can be made out.
        assert re.match(r'nook: unpack "[^"]+.*": ', result.err), result.err
        nothing_is_left(nook)
        return
    assert result.code == 0, str(result)
    if case.check:
        layer = json.loads(nook("inspect", "evil"))[0]["layers"][0]
        assert case.check(layer), subprocess.run(["ls", "-laR", layer], capture_output=True, text=True, check=False).stdout[:3000]


def test_there_are_enough_of_them():
    assert len(hostile_layers.CASES) >= 60
    assert len({case.name for case in hostile_layers.CASES}) == len(hostile_layers.CASES)


# ---- too much of everything ------------------------------------------------------------------------------------------

def test_a_gzip_bomb_ends_before_the_disk_does(nook, layout, nothing_is_left):
    """64 GiB in 64 MiB would take the disk; it is over after the first."""
    head = gzip.compress(tars.header("bomb", 64 << 30), 1, mtime=0)
    zeros = gzip.compress(bytes(64 << 20), 9, mtime=0)
    blob_image(layout, "t", head + zeros * 1024, "sha256:" + "0" * 64)
    assert "200 times its size" in nook.fails(125, "load", layout.source("t"))
    nothing_is_left(nook)


@pytest.mark.plain
@pytest.mark.user("root")
@pytest.mark.parametrize("count", [1_000_000, 5_000_000] if os.environ.get("NOOK_SWEEP") == "all" else [1_000_000])
def test_a_million_empty_files(nook, layout, count, nothing_is_left):
    """They are no harm; five million (NOOK_SWEEP=all) are more than an image may have."""
    with tmpfs(nook.root, "12g"):
        blob, diff_id = hostile_layers.million(count)
        blob_image(layout, "t", blob, diff_id)
        result = nook.result("load", "--name", "many", layout.source("t"), timeout=600)
        if count > 4 << 20:
            assert result.code == 125 and "entries" in result.err, str(result)
        else:
            assert result.code == 0, str(result)
            with os.scandir(json.loads(nook("inspect", "many"))[0]["layers"][0] + "/f") as found:
                assert sum(1 for _ in found) == count
            nook("rmi", "many")
        nothing_is_left(nook)


# ---- documents that lie ----------------------------------------------------------------------------------------------

GOOD = tars.archive(tars.file("ok", b"fine"))


def good_parts(layout):
    document = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [images.sha256(GOOD)]}}
    return {"schemaVersion": 2, "mediaType": images.OCI + "manifest.v1+json",
            "config": layout.descriptor(images.to_json(document), images.OCI + "config.v1+json"),
            "layers": [layout.descriptor(gzip.compress(GOOD, mtime=0), images.OCI + "layer.v1.tar+gzip")]}


def flip(layout, digest):
    path = layout.path / "blobs/sha256" / digest.partition(":")[2]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


LIES = {
    "layer-flipped": (lambda layout, m: flip(layout, m["layers"][0]["digest"]), ""),
    "config-flipped": (lambda layout, m: flip(layout, m["config"]["digest"]), ""),
    "layer-size": (lambda layout, m: m["layers"][0].update(size=m["layers"][0]["size"] - 1), "more of it"),
    "layer-size-larger": (lambda layout, m: m["layers"][0].update(size=m["layers"][0]["size"] + 1), "bytes came"),
    "config-size": (lambda layout, m: m["config"].update(size=3), "more of it"),
    "digest-with-path": (lambda layout, m: m["layers"][0].update(digest="sha256:../../../../../etc/passwd"), "no digest"),
    "digest-upper-case": (lambda layout, m: m["layers"][0].update(digest=m["layers"][0]["digest"].upper()), "no digest"),
    "digest-unknown": (lambda layout, m: m["layers"][0].update(digest="md5:" + "0" * 32), "no digest"),
    "layers-and-manifests": (lambda layout, m: m.update(manifests=[]), "manifest and index at once"),
    "schema-1": (lambda layout, m: m.update(schemaVersion=1), "schema 1"),
    "layer-missing": (lambda layout, m: m["layers"].append(dict(m["layers"][0], digest="sha256:" + "0" * 64)), ""),
    "layer-count": (lambda layout, m: m["layers"].append(dict(m["layers"][0])), "2 layers"),
    "unknown-layer-type": (lambda layout, m: m["layers"][0].update(mediaType="text/plain"), "no layer that is known"),
    "artifact": (lambda layout, m: m["config"].update(mediaType="application/vnd.oci.empty.v1+json"), "artifact"),
    "negative-size": (lambda layout, m: m["layers"][0].update(size=-5), "between"),
    "huge-size": (lambda layout, m: m["layers"][0].update(size=2 ** 63), "beyond all bounds"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_document_that_lies(nook, layout, lie, nothing_is_left):
    change, words = LIES[lie]
    manifest = good_parts(layout)
    change(layout, manifest)
    layout.manifest("t", manifest)
    assert words in nook.fails(125, "load", "--name", "evil", layout.source("t"))
    nothing_is_left(nook)


def test_a_wrong_diff_id(nook, layout, nothing_is_left):
    blob_image(layout, "t", gzip.compress(GOOD, mtime=0), "sha256:" + "1" * 64)
    assert "DiffID" in nook.fails(125, "load", layout.source("t"))
    nothing_is_left(nook)


def test_documents_that_are_too_large(nook, layout, space):
    manifest = good_parts(layout)
    manifest["annotations"] = {"x": "y" * (5 << 20)}
    layout.manifest("t", manifest)
    assert "at most" in nook.fails(125, "load", layout.source("t"))


@pytest.mark.parametrize("depth", [3, 6])
def test_indexes_in_indexes(nook, layout, depth):
    inner = images.to_json(good_parts(layout))
    kind = images.OCI + "manifest.v1+json"
    for _ in range(depth):
        entry = layout.descriptor(inner, kind)
        inner = images.to_json({"schemaVersion": 2, "mediaType": images.OCI + "index.v1+json", "manifests": [entry]})
        kind = images.OCI + "index.v1+json"
    layout.manifest("t", json.loads(inner))
    if depth == 3:
        nook("load", "--name", "x", layout.source("t"))
    else:
        assert "nested too deeply" in nook.fails(125, "load", layout.source("t"))


def test_a_platform_that_is_not_there(nook, layout):
    entry = dict(layout.descriptor(images.to_json(good_parts(layout)), images.OCI + "manifest.v1+json"),
                 platform={"os": "linux", "architecture": "s390x"})
    unknown = dict(entry, platform={"os": "unknown", "architecture": "unknown"})
    layout.manifest("t", {"schemaVersion": 2, "mediaType": images.OCI + "index.v1+json", "manifests": [unknown, entry]})
    err = nook.fails(125, "load", layout.source("t"))
    assert "linux/s390x" in err and "unknown" not in err


@pytest.mark.parametrize("labels, words", [
    ({"long": "y" * (3 << 20)}, "at most 4128768"),
    ({"quoted": '"' * (1 << 20)}, "at most 4128768"),
    ({str(n): "" for n in range(65536)}, "at most 65536"),
], ids=["long", "quoted", "many"])
def test_labels_that_no_state_can_hold(nook, layout, labels, words):
    """Such a container would run, but no command could find it."""
    layout.image("t", [images.busybox_layer()], {"Cmd": ["sleep", "1000"], "Env": ["PATH=/bin"], "Labels": labels})
    assert words in nook.fails(125, "run", "--name", "heavy", layout.source("t"))
    assert nook("ps", "-aq") == ""


def test_labels_that_a_state_holds(nook, layout):
    layout.image("t", [images.busybox_layer()], {"Cmd": ["true"], "Env": ["PATH=/bin"], "Labels": {"long": "y" * (1 << 20)}})
    nook("run", "--name", "heavy", layout.source("t"))
    assert json.loads(nook("inspect", "heavy"))[0]["annotations"]["long"] == "y" * (1 << 20)


@pytest.mark.parametrize("said, names", [
    ("quay.io/team/app@sha256:" + "0" * 64, []),
    ("quay.io/team/app:1@sha256:" + "0" * 64, ["quay.io/team/app:1"]),
    ("quay.io/team/app@{digest}", ["quay.io/team/app@{digest}"]),
], ids=["digest", "tag-and-digest", "right"])
def test_no_file_takes_a_digest_that_is_not_its_own(nook, layout, said, names):
    """Who runs an image by its digest trusts that it is that one."""
    manifest = good_parts(layout)
    digest = layout.manifest("t", manifest)
    layout.manifests[-1]["annotations"]["io.containerd.image.name"] = said.format(digest=digest)
    layout.write_index()
    nook("load", layout.source("t"))
    assert json.loads(nook("inspect", digest))[0]["names"] == [name.format(digest=digest) for name in names]


def test_no_docker_archive_takes_a_digest(nook, layout, space):
    layout.image("t", [GOOD])
    nook("load", "--name", "honest", layout.source("t"))
    nook("save", "--format", "docker-archive", "-o", space / "a.tar", "honest")
    nook("rmi", "honest")
    lie = "quay.io/team/app@sha256:" + "0" * 64
    with tarfile.open(space / "a.tar") as honest, tarfile.open(space / "b.tar", "w") as archive:
        for member in filter(tarfile.TarInfo.isreg, honest):
            data = honest.extractfile(member).read()
            if member.name == "manifest.json":
                data = images.to_json([dict(json.loads(data)[0], RepoTags=[lie])])
            if member.name != "index.json":
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    nook("load", f"docker-archive:{space / 'b.tar'}")
    assert lie not in nook("images", "--digests") and nook.result("inspect", lie).code == 1


def test_no_name_with_a_digest_is_given(nook, layout):
    layout.image("t", [GOOD])
    assert "only what is in an image can give it" in nook.fails(125, "load", "--name", "app@sha256:" + "0" * 64, layout.source("t"))


def test_terabytes_of_holes_are_no_work(nook, layout):
    """GNU tar's form of a file that is one byte and a hole."""
    size = 4 << 40
    body = b"1\n0\n1\n".ljust(512, b"\0") + b"x".ljust(512, b"\0")
    records = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "wide", "GNU.sparse.realsize": str(size)}
    layout.image("t", [images.busybox_layer(), tars.archive(tars.file("GNUSparseFile.0/wide", body, pax_headers=records))],
                 {"Cmd": ["touch", "/wide"], "Env": ["PATH=/bin"]})
    nook("load", "--name", "wide", layout.source("t"))
    assert nook("system", "check") == ""
    nook("run", "--name", "wider", "wide")
    assert "/wide" not in nook("diff", "wider")
    layer = pathlib.Path(json.loads(nook("inspect", "wide"))[0]["layers"][0])
    before = (layer / "wide").stat().st_mtime_ns
    with open(layer / "wide", "r+b") as file:
        file.seek(size - 1)
        file.write(b"x")
    os.utime(layer / "wide", ns=(before, before))
    assert "was changed at ./wide" in nook.result("system", "check").out


# ---- words for the terminal -------------------------------------------------------------------------------------------

WORDS = "\x1b]0;owned\x07\u009b31m\x7f\r\n  9 caps  all"
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@pytest.fixture
def speaking(nook, layout):
    layout.image("t", [images.busybox_layer()],
                 {"Cmd": ["true", WORDS], "Env": ["PATH=/bin", f"A={WORDS}"], "Labels": {WORDS: WORDS}, "ExposedPorts": {WORDS: {}},
                  "Healthcheck": {"Test": [WORDS]}, "StopSignal": WORDS},
                 author=WORDS, history=[{"created_by": WORDS, "comment": WORDS, "author": WORDS}])
    nook("load", "--name", "speaking", layout.source("t"))
    nook("run", "--name", "spoken", "speaking")
    return nook


@pytest.mark.parametrize("line", [
    "images", "images;--format;json", "inspect;speaking", "inspect;-f;{{json .Config}};speaking", "history;--no-trunc;speaking",
    "history;--format;json;speaking", "ps;-a;--no-trunc", "ps;-a;--format;json", "inspect;spoken", "run;--explain;speaking",
    "run;--explain=json;speaking",
])
def test_no_words_of_an_image_reach_the_terminal(speaking, line):
    result = speaking.result(*line.split(";"))
    assert not CONTROLS.search(result.out + result.err), str(result)
    assert "\n  9 caps  all" not in result.out


def test_one_value_of_an_image_on_a_terminal(speaking):
    """A program gets it as it is."""
    line = ["inspect", "-f", "{{.Author}}", "speaking"]
    assert speaking(*line).replace("\r", "") == WORDS.replace("\r", "") + "\n"
    master, slave = os.openpty()
    with speaking.start(*line, stdout=slave) as process:
        os.close(slave)
        assert process.wait(timeout=60) == 0
    shown = os.read(master, 4096).decode()
    os.close(master)
    assert shown == "\\x1b]0;owned\\x07\\xc2\\x9b31m\\x7f\\x0d\r\n  9 caps  all\r\n"
