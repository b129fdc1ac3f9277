# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook pull: what comes from a registry is what was put there, or nothing is visible; whatever stands in between."""

import gzip
import hashlib
import json
import os
import pathlib
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest

import conftest
import hostile_tars as tars
import leaks
import registries
from depots import pull, serve  # noqa: F401 (pull is a fixture)
from registries import DOCKER_MANIFEST, Image, Memory, OCI_INDEX, OCI_MANIFEST, Reply, Tokens, digest, noise

pytestmark = pytest.mark.anywhere

HERE = os.uname().machine
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(HERE, HERE)


def memory(image=None, repository="team/app", tag="1", faults=None):
    registry = Memory(faults)
    registry.add(repository, tag, image or Image())
    return registry


def assert_has(pull, image):
    assert pull.blobs() == {*image.blobs, image.digest}
    assert len(pull.layers()) == len(image.layers)
    assert pull.ingest() == []


# ---- the plain case --------------------------------------------------------------------------------------------------

def test_an_image_of_debians_registry(pull, space):
    image = Image(labels={"a": "b"})
    with registries.Registry(space / "registry") as registry:
        registries.upload(registry.host, "team/app", "1.0", image)
        result = pull.nook.result("pull", f"{registry.host}/team/app:1.0")
        assert (result.code, result.out) == (0, f"{registry.host}/team/app:1.0\n"), str(result)
        lines = result.err.splitlines()
        assert lines[0] == f"pulling {registry.host}/team/app:1.0" and lines[-1] == f"digest: {image.digest}"
        assert_has(pull, image)
        assert pull.names() == [f"{registry.host}/team/app:1.0"]
        again = pull.nook.result("pull", f"{registry.host}/team/app:1.0")
        assert again.err.splitlines()[-1].endswith("is up to date")
        assert pull(f"{registry.host}/team/app@{image.digest}", "-q") == f"{registry.host}/team/app@{image.digest}\n"
        assert "manifest unknown" in pull.nook.fails(125, "pull", f"{registry.host}/team/app:2.0")


def test_quiet_says_the_name_only(pull):
    with serve(memory()) as server:
        result = pull.nook.result("pull", "--quiet", f"{server.host}/team/app:1")
        assert (result.code, result.out, result.err) == (0, f"{server.host}/team/app:1\n", "")


def test_docker_types_and_several_threads(pull):
    image = Image([{f"f{i}": noise(30000, i)} for i in range(12)], manifest_type=DOCKER_MANIFEST,
                  config_type="application/vnd.docker.container.image.v1+json")
    with serve(memory(image)) as server:
        pull(f"{server.host}/team/app:1")
    assert_has(pull, image)


def test_a_layer_twice_in_an_image(pull):
    image = Image([{"a": noise(9000)}, {"a": noise(9000)}, {"b": b"b"}])
    with serve(memory(image)) as server:
        pull(f"{server.host}/team/app:1")
        assert server.paths().count(f"/v2/team/app/blobs/{image.layers[0]['digest']}") == 1
    assert len(pull.layers()) == 2


def test_bars_on_a_terminal(pull):
    pexpect = pytest.importorskip("pexpect")
    with serve(memory()) as server:
        child = pexpect.spawn(str(pull.nook.program), ["pull", f"{server.host}/team/app:1"], env=pull.nook.environment, encoding="utf-8")
        child.expect(pexpect.EOF)
        child.close()
    assert child.exitstatus == 0 and "\x1b[K" in child.before and "pulled" in child.before


class Screen:
    """As much of a terminal as bars need: lines that wrap, cursor up, erase."""

    def __init__(self, rows, columns):
        self.columns, self.lines, self.row, self.column = columns, [""] * rows, 0, 0
        self.wrapped = 0

    def feed(self, text):
        for piece in re.findall(r"\x1b\[(\d*)([A-Z])|([\s\S])", text):
            count, command, letter = piece
            if command == "A":
                self.row = max(0, self.row - int(count or 1))
            elif command == "K":
                self.lines[self.row] = self.lines[self.row][:self.column]
            elif command == "J":
                self.lines[self.row:] = [self.lines[self.row][:self.column]] + [""] * (len(self.lines) - self.row - 1)
            elif letter == "\r":
                self.column = 0
            elif letter == "\n":
                self.down()
            else:
                assert letter.isprintable(), repr(letter)
                if self.column == self.columns:
                    self.column, self.wrapped = 0, self.wrapped + 1
                    self.down()
                self.lines[self.row] = self.lines[self.row][:self.column].ljust(self.column) + letter + self.lines[self.row][self.column + 1:]
                self.column += 1

    def down(self):
        self.row += 1
        if self.row == len(self.lines):
            self.lines, self.row = self.lines[1:] + [""], self.row - 1


@pytest.mark.parametrize("rows, columns, layers", [(24, 80, 3), (24, 20, 3), (24, 40, 3), (5, 80, 12), (3, 13, 4), (50, 200, 30)])
def test_bars_of_any_width(pull, rows, columns, layers):
    """One line a layer, never wrapped, drawn anew in its place."""
    pexpect = pytest.importorskip("pexpect")
    image = Image([{f"f{i}": noise(200000, i)} for i in range(layers)])
    seen = threading.Event()

    def slow(request):
        """The second half of a layer comes when the first was drawn."""
        if "/blobs/" not in request.path or request.path.endswith(image.config["digest"]):
            return None
        data = image.blobs[request.path.rsplit("/", 1)[1]]

        def write(handler):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data[:len(data) // 2])
            handler.wfile.flush()
            seen.wait(20)
            handler.wfile.write(data[len(data) // 2:])
        return Reply(write=write)

    with serve(memory(image, faults=slow)) as server:
        pull.configure(f'[[registry]]\nprefix = "a.b"\nlocation = "{server.host}"\n')
        child = pexpect.spawn(str(pull.nook.program), ["pull", "a.b/team/app:1"], env=pull.nook.environment, encoding="utf-8", dimensions=(rows, columns))
        child.expect(r"\d %|\[=+[> ]+\] \d")
        text = child.before + child.after
        seen.set()
        child.expect(pexpect.EOF)
        text += child.before
        child.close()
    assert child.exitstatus == 0, text
    screen = Screen(rows + layers + 10, columns)
    bars = text[:text.rindex("digest: ")]
    screen.feed(bars[bars.index("\n") + 1:] if columns > 30 else bars[bars.index("\r\x1b[K"):])
    shown = [line for line in screen.lines if line.strip()]
    assert screen.wrapped == 0, shown
    assert len(shown) == min(layers, rows - 1, 16), shown
    assert all("pulled"[:columns - 9] in line for line in shown), shown


def test_a_terminal_that_is_resized(pull):
    """Each redraw asks anew how wide it is."""
    pexpect = pytest.importorskip("pexpect")
    image = Image([{"big": noise(300000)}])
    name = image.layers[0]["digest"]
    resized = threading.Event()

    def slow(request):
        def write(handler):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % image.layers[0]["size"] + image.blobs[name][:100000])
            handler.wfile.flush()
            resized.wait(20)
            handler.wfile.write(image.blobs[name][100000:])
        return Reply(write=write) if name in request.path else None

    with serve(memory(image, faults=slow)) as server:
        child = pexpect.spawn(str(pull.nook.program), ["pull", f"{server.host}/team/app:1"], env=pull.nook.environment, encoding="utf-8", dimensions=(24, 100))
        child.expect(r"\[=+> *\] \d+ kB / \d+ kB")
        child.setwinsize(24, 20)
        child.expect(r"\x1b\[J.*\r\x1b\[K[0-9a-f]{6}  \d+ %\r\n")
        resized.set()
        child.expect(pexpect.EOF)
        child.close()
    assert child.exitstatus == 0


# What a process was before exec counts as its memory too, so that somebody small starts it.
SMALL = "import os, sys; _, status, usage = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0); print(status, usage.ru_maxrss)"


@pytest.mark.plain
def test_http2_and_memory(pull, space):
    """Three large layers over one connection, in bounded memory."""
    image = Image([{f"f{i}": noise(14 << 20, i)} for i in range(3)])
    tls = registries.certificate(space)
    with registries.Http2Server(memory(image), tls) as server:
        host = f"localhost:{server.port}"
        certs = space / ".config/containers/certs.d" / host
        certs.mkdir(parents=True)
        shutil.copy(tls[0], certs / "ca.crt")
        line = [sys.executable, "-I", "-S", "-c", SMALL, pull.nook.program, "pull", "-q", f"{host}/team/app:1"]
        done = subprocess.run(line, env=pull.nook.environment, text=True, capture_output=True, check=True)
        name, status, largest = done.stdout.split()
        assert (name, status, server.connections) == (f"{host}/team/app:1", "0", 1), done.stderr
    assert_has(pull, image)
    assert int(largest) < 28 * 1024


def peak_of(pull, *args):
    """The memory of the largest process that the command was, in KiB."""
    line = [sys.executable, "-I", "-S", "-c", SMALL, *map(str, pull.nook.argv(*args))]
    done = subprocess.run(line, env=pull.nook.environment, text=True, capture_output=True, check=True)
    status, largest = done.stdout.splitlines()[-1].split()
    assert status == "0", done.stderr
    return int(largest)


def packed_image(packed, plain):
    """An image of layers that are compressed already: (blob, DiffID)."""
    image = Image()
    image.blobs, image.layers = {}, []
    for data in packed:
        image.layers.append({"mediaType": registries.OCI_LAYER + "+gzip", "digest": image.add(data), "size": len(data)})
    config = {"architecture": ARCHITECTURE, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": plain}}
    image.config = image.describe(config, registries.OCI_CONFIG)
    image.document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": image.config, "layers": image.layers}
    return image


def one_large_file(size):
    """Mostly zeros, but not as many as a bomb has; each block of 64 MiB is a gzip member of its own."""
    block = (noise(10000) + bytes((1 << 20) - 10000)) * 64
    member, count = gzip.compress(block, 1, mtime=0), size // len(block)
    head = tars.header("large", count * len(block))
    plain = hashlib.sha256(head)
    for _ in range(count):
        plain.update(block)
    plain.update(tars.END)
    return packed_image([gzip.compress(head, mtime=0) + member * count + gzip.compress(tars.END, mtime=0)], ["sha256:" + plain.hexdigest()])


def many_files(count):
    data = b"".join(tars.header(f"d{i % 500}/{i}") for i in range(count)) + tars.END
    return packed_image([gzip.compress(data, 1, mtime=0)], [digest(data)])


ALL = os.environ.get("NOOK_SWEEP") == "all"


@pytest.mark.plain
@pytest.mark.parametrize("make", [
    pytest.param(lambda: one_large_file((2 << 30) if ALL else (256 << 20)), id="a-large-file"),
    pytest.param(lambda: many_files(200_000 if ALL else 10_000), id="many-files"),
    pytest.param(lambda: Image([{f"f{i}": noise(5000, i)} for i in range(100)]), id="a-hundred-layers"),
])
def test_memory_whatever_the_image(pull, make):
    """NOOK_SWEEP=all: a file of 2 GiB, 200,000 files."""
    with serve(memory(make())) as server:
        assert peak_of(pull, "pull", "-q", f"{server.host}/team/app:1") < 28 * 1024


@pytest.mark.user("root")
def test_run_pulls_what_is_not_here(pull):
    busybox = pathlib.Path("/bin/busybox").read_bytes()
    image = Image([{"bin/busybox": busybox}], modes={"bin/busybox": 0o755})
    with serve(memory(image)) as server:
        assert pull.nook("run", "--rm", f"{server.host}/team/app:1", "/bin/busybox", "echo", "hello") == "hello\n"
        before = len(server.requests)
        assert pull.nook("run", "--rm", f"{server.host}/team/app:1", "/bin/busybox", "echo", "again") == "again\n"
        assert len(server.requests) == before


# ---- platforms -------------------------------------------------------------------------------------------------------

def index_of(registry, images, repository="team/app", tag="1", media_type=OCI_INDEX):
    for image in images:
        registry.add(repository, "unused", image)
    entries = [image.descriptor(architecture) for image, architecture in images.items()]
    entries.insert(0, {**entries[0], "digest": digest(b"no"), "platform": {"os": "unknown", "architecture": "unknown"}})
    return registry.add_document(repository, tag, media_type, {"schemaVersion": 2, "mediaType": media_type, "manifests": entries})


def test_the_platform_of_an_index(pull):
    images = {Image([{"f": name.encode()}], name): name for name in ("s390x", "amd64", "arm64")}
    by_name = {name: image for image, name in images.items()}
    registry = Memory()
    index_of(registry, images)
    with serve(registry) as server:
        pull(f"{server.host}/team/app:1")
        assert by_name[ARCHITECTURE].digest in pull.blobs() and by_name["s390x"].digest not in pull.blobs()
        pull(f"{server.host}/team/app:1", "--platform", "linux/s390x")
        assert by_name["s390x"].digest in pull.blobs()
        err = pull.nook.fails(125, "pull", "--platform", "linux/riscv64", f"{server.host}/team/app:1")
        assert "linux/s390x" in err and "linux/amd64" in err and "unknown" not in err


def test_all_platforms(pull):
    images = {Image([{"f": name.encode()}], name): name for name in ("s390x", "amd64", "arm64")}
    registry = Memory()
    index_of(registry, images)
    with serve(registry) as server:
        pull(f"{server.host}/team/app:1", "--all-platforms")
    assert {image.digest for image in images} <= pull.blobs()
    assert pull.names() == [f"{server.host}/team/app:1"]


# ---- what a registry may not do --------------------------------------------------------------------------------------

def only(path_part, reply):
    """A fault for paths that hold PATH_PART."""
    return lambda request: (reply(request) if callable(reply) else reply) if path_part in request.path else None


def test_content_that_is_not_what_was_promised(pull):
    image = Image()
    layer = image.layers[0]
    garbled = bytearray(image.blobs[layer["digest"]])
    garbled[len(garbled) // 2] ^= 1
    wrong_manifest = image.manifest.replace(b'"schemaVersion": 2', b'"schemaVersion":  2')
    type_of = {"Content-Type": OCI_MANIFEST}
    faults = {
        "its content is sha256:": only(layer["digest"], Reply(body=bytes(garbled))),
        "and not the ": only(layer["digest"], Reply(body=image.blobs[layer["digest"]] + b"more")),
        " bytes": only(layer["digest"], Reply(body=image.blobs[layer["digest"]][:100])),
        "the manifest's digest is": only("manifests", Reply(200, {**type_of, "Docker-Content-Digest": digest(b"")}, image.manifest)),
        "a digest that is none": only("manifests", Reply(200, {**type_of, "Docker-Content-Digest": "sha256:../../x"}, image.manifest)),
        "application/vnd.oci.image.manifest": only("manifests", Reply(200, {"Content-Type": OCI_INDEX}, image.manifest)),
        "manifest unknown": only("manifests", Reply.json({"errors": [{"code": "X", "message": "manifest unknown"}]}, 404)),
        "longer than 4096 KiB": only("manifests", Reply(200, type_of, b" " * (5 << 20))),
    }
    for words, fault in faults.items():
        with serve(memory(image, faults=fault)) as server:
            assert words in pull.fails(f"{server.host}/team/app:1", "--retry", "0")
    with serve(memory(image, faults=only(image.digest, Reply(200, type_of, wrong_manifest)))) as server:
        assert "the manifest's digest is" in pull.fails(f"{server.host}/team/app@{image.digest}")
    with serve(memory(image)) as server:  # and nothing of all that is in the way now
        pull(f"{server.host}/team/app:1")
    assert_has(pull, image)


def test_a_body_that_could_be_two_things(pull):
    image = Image()
    confused = json.dumps({**image.document, "manifests": [image.descriptor()]}).encode()
    for data, words in ((confused, "manifest and index at once"), (b'{"schemaVersion":1,"fsLayers":[]}', "schema"), (b"<html>", "")):
        fault = only("manifests", Reply(200, {"Content-Type": OCI_MANIFEST}, data))
        with serve(memory(image, faults=fault)) as server:
            assert words in pull.fails(f"{server.host}/team/app:1")


def test_an_endless_body(pull):
    image = Image()

    def endless(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(1 << 20):
            handler.wfile.write(b"10000\r\n" + bytes(65536) + b"\r\n")

    for part, words in ((image.layers[0]["digest"], "more of it than"), ("manifests", "longer than")):
        with serve(memory(image, faults=only(part, Reply(write=endless)))) as server:
            assert words in pull.fails(f"{server.host}/team/app:1", "--retry", "0")


def test_an_endless_header(pull):
    def endless(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for i in range(1 << 16):
            handler.wfile.write(b"X-%d: %s\r\n" % (i, b"x" * 1000))

    with serve(memory(faults=only("manifests", Reply(write=endless)))) as server:
        assert "header" in pull.fails(f"{server.host}/team/app:1", "--retry", "0")


def test_a_silent_server(pull):
    def silent(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nx" % image.layers[1]["size"])
        handler.wfile.flush()
        handler.connection.settimeout(20)
        handler.rfile.read(1)  # until the client hangs up

    image = Image()
    with serve(memory(image, faults=only(image.layers[1]["digest"], Reply(write=silent)))) as server:
        err = pull.fails(f"{server.host}/team/app:1", "--retry", "0", "--timeout", "1s")
        assert "too slow" in err or "timed out" in err.lower()


def test_redirects(pull):
    image = Image()
    seen = []

    def elsewhere(request):
        seen.append(request)
        return registries.ranged(request, image.blobs[request.path.strip("/")])

    with serve(elsewhere) as store:
        def to_store(request):
            name = request.path.rsplit("/", 1)[1]
            return Reply(307, {"Location": f"http://{store.host}/{name}"}) if "/blobs/" in request.path else None

        tokens = Tokens(memory(image, faults=to_store), users={"alice": "secret"})
        with serve(tokens) as server:
            pull.nook("login", "-u", "alice", "--password-stdin", server.host, input="secret")
            pull(f"{server.host}/team/app:1")
        tokens.close()
    assert len(seen) == 3 and not any("Authorization" in request.headers for request in seen)
    assert any("Bearer" in request.headers.get("Authorization", "") for request in server.requests if "/blobs/" in request.path)


@pytest.mark.parametrize("target, words", [
    ("{self}", "redirects more than"),
    ("file:///etc/passwd", "no http or https address"),
    ("http://192.0.2.1/x", "plain http elsewhere"),
    ("", "no http or https address"),
])
def test_redirects_that_are_not_followed(pull, target, words):
    def away(request):
        return Reply(302, {"Location": target.format(self=request.path)}) if target else Reply(302)

    with serve(memory(faults=only("manifests", away))) as server:
        assert words in pull.fails(f"{server.host}/team/app:1")
        assert len(server.requests) <= 25


# ---- cuts and waits --------------------------------------------------------------------------------------------------

def test_a_cut_blob_goes_on_where_it_ended(pull):
    image = Image([{"big": noise(700000)}])
    name = image.layers[0]["digest"]

    def cut(request):
        if name not in request.path or request.count >= 4:
            return None
        reply = registries.ranged(request, image.blobs[name])
        reply.cut = 150000
        return reply

    with serve(memory(image, faults=cut)) as server:
        pull(f"{server.host}/team/app:1")
        ranges = [request.headers.get("Range") for request in server.requests if name in request.path]
    assert ranges[0] is None and len(ranges) == 5
    starts = [int(text[len("bytes="):-1]) for text in ranges[1:]]
    assert starts == sorted(set(starts)) and starts[0] > 0
    assert_has(pull, image)


@pytest.mark.parametrize("how", ["no ranges", "other place", "other size", "416"])
def test_a_server_that_does_not_go_on_there(pull, how):
    image = Image([{"big": noise(300000)}])
    name = image.layers[0]["digest"]
    data = image.blobs[name]

    def faulty(request):
        if name not in request.path:
            return None
        if request.count == 0:
            return Reply(body=data, cut=100000)
        if how == "no ranges":
            return Reply(body=data)
        if "Range" in request.headers and how == "416":
            return Reply(416)
        if how == "other place":
            return Reply(206, {"Content-Range": f"bytes 5-{len(data) - 1}/{len(data)}"}, data[5:])
        if how == "other size":
            first = int(request.headers["Range"][6:-1])
            return Reply(206, {"Content-Range": f"bytes {first}-{len(data)}/{len(data) + 1}"}, data[first:] + b"x")
        return None

    with serve(memory(image, faults=faulty)) as server:
        if how.startswith("other"):
            assert "continues at another place" in pull.fails(f"{server.host}/team/app:1")
        else:
            pull(f"{server.host}/team/app:1")
            assert_has(pull, image)


def test_a_pull_that_was_ended_is_resumed(pull):
    """Ctrl-C and kill -9 in the middle: nothing has a name, and the next pull fetches only what is missing."""
    image = Image([{"small": b"x"}, {"big": noise(900000)}])
    name = image.layers[1]["digest"]
    data = image.blobs[name]

    for number, sent in ((signal.SIGINT, 300000), (signal.SIGKILL, 500000)):
        def stall(request, sent=sent):
            if name not in request.path:
                return None

            def write(handler):
                reply = registries.ranged(request, data)
                head = f"HTTP/1.1 {reply.status} OK\r\nContent-Length: {len(reply.body)}\r\n"
                head += "".join(f"{key}: {value}\r\n" for key, value in reply.headers.items())
                handler.wfile.write(head.encode() + b"\r\n" + reply.body[:sent - (len(data) - len(reply.body))])
                handler.wfile.flush()
                handler.rfile.read(1)  # until the client is gone
            return Reply(write=write)

        with serve(memory(image, faults=stall)) as server:
            pull.configure(f'[[registry]]\nprefix = "app.example"\nlocation = "{server.host}"\n')
            process = pull.nook.start("pull", "app.example/team/app:1")
            partial = pull.images / "ingest" / name.replace(":", "-")
            wait_until(lambda: partial.exists() and partial.stat().st_size > sent - 70000, process)
            process.send_signal(number)
            process.communicate()
            assert process.returncode == -number
        assert pull.names() == []
        wait_for_orphans()

    with serve(memory(image)) as server:
        pull.configure(f'[[registry]]\nprefix = "app.example"\nlocation = "{server.host}"\n')
        pull("app.example/team/app:1")
        start = [request.headers.get("Range") for request in server.requests if name in request.path]
    assert len(start) == 1 and int(start[0][6:-1]) >= 400000
    assert_has(pull, image)


def wait_for_orphans():
    """An unpacker whose nook was killed holds its directory until it has noticed."""
    deadline = time.monotonic() + 30
    while left := leaks.processes():
        assert time.monotonic() < deadline, left
        select.select([], [], [], 0.01)


def wait_until(ready, process):
    """For what a file system shows: inotify has no event for a size."""
    deadline = time.monotonic() + 30
    while not ready():
        assert process.poll() is None and time.monotonic() < deadline
        select.select([], [], [], 0.01)


def test_bytes_of_an_earlier_pull_may_be_wrong(pull):
    image = Image([{"big": noise(300000)}])
    name = image.layers[0]["digest"]
    bad = bytes(100000)

    with serve(memory(image, faults=only(name, Reply(body=bad + image.blobs[name][len(bad):], cut=200000)))) as server:
        pull.fails(f"{server.host}/team/app:1", "--retry", "0")
    assert pull.ingest()
    with serve(memory(image)) as server:
        pull(f"{server.host}/team/app:1")
    assert_has(pull, image)


def test_put_off_with_429_and_503(pull):
    image = Image()

    def busy(request):
        if request.count == 0:
            return Reply.json({"errors": [{"code": "TOOMANYREQUESTS", "message": "slow down"}]}, 429, **{"Retry-After": "0"})
        return Reply(503) if request.count == 1 else None

    with serve(memory(image, faults=busy)) as server:
        pull(f"{server.host}/team/app:1")
    assert_has(pull, image)
    with serve(lambda request: Reply.json({"errors": [{"message": "come back tomorrow"}]}, 429, **{"Retry-After": "86400"})) as server:
        assert "come back tomorrow (HTTP 429)" in pull.nook.fails(125, "pull", f"{server.host}/x:1")
        assert len(server.requests) == 1


@pytest.mark.parametrize("count", [2, 16])
def test_pulls_at_once_fetch_each_blob_once(pull, count):
    image = Image([{f"f{i}": noise(200000, i)} for i in range(4)])
    with serve(memory(image)) as server:
        for process in [pull.nook.start("pull", f"{server.host}/team/app:1") for _ in range(count)]:
            _, err = process.communicate()
            assert process.returncode == 0, err
        fetched = [path for path in server.paths() if "/blobs/" in path]
    assert sorted(fetched) == sorted({f"/v2/team/app/blobs/{name}" for name in image.blobs})
    assert_has(pull, image)


# ---- who asks --------------------------------------------------------------------------------------------------------

def test_anonymous_tokens(pull):
    tokens = Tokens(memory())
    with serve(tokens) as server:
        pull(f"{server.host}/team/app:1")
    tokens.close()
    method, form, authorization = tokens.asked[0]
    assert (method, authorization) == ("GET", None)
    assert form == {"service": ["here, and there"], "scope": ["repository:team/app:pull"]}


def test_a_token_that_expires_in_the_middle(pull):
    image = Image([{f"f{i}": noise(3000, i)} for i in range(8)])
    tokens = Tokens(memory(image), uses=2)
    with serve(tokens) as server:
        pull(f"{server.host}/team/app:1")
    tokens.close()
    assert len(tokens.asked) >= 4
    assert_has(pull, image)


def test_a_token_that_is_never_good_enough(pull):
    tokens = Tokens(memory(), uses=0)
    with serve(tokens) as server:
        assert "authentication required (HTTP 401)" in pull.fails(f"{server.host}/team/app:1")
        assert len(server.requests) < 8
    tokens.close()


def test_an_identity_token(pull, space):
    tokens = Tokens(memory(), refresh="refresh-me")
    with serve(tokens) as server:
        (space / ".docker").mkdir()
        (space / ".docker/config.json").write_text(json.dumps({"auths": {server.host: {"identitytoken": "refresh-me"}}}))
        pull(f"{server.host}/team/app:1")
    tokens.close()
    assert tokens.asked[0][0] == "POST" and tokens.asked[0][1]["scope"] == ["repository:team/app:pull"]


def test_wrong_credentials(pull):
    tokens = Tokens(memory(), users={"alice": "secret"})
    with serve(tokens) as server:
        assert "incorrect username or password" in pull.nook.fails(125, "login", "-u", "alice", "--password-stdin", server.host, input="no")
        assert "incorrect username or password" in pull.fails(f"{server.host}/team/app:1")
    tokens.close()


def test_tokens_are_not_fetched_from_http_elsewhere(pull):
    challenge = {"WWW-Authenticate": 'Bearer realm="http://192.0.2.1/token",service="x"'}
    with serve(lambda request: Reply(401, challenge)) as server:
        assert "plain http is not allowed there" in pull.fails(f"{server.host}/team/app:1")


def test_login_with_tls_and_basic(pull, space):
    tls = registries.certificate(space)
    with registries.Registry(space / "registry", tls=tls, users={"alice": "sec:ret"}) as registry:
        assert "certificate" in pull.nook.fails(125, "login", "-u", "alice", "--password-stdin", registry.host, input="sec:ret")
        certs = space / ".config/containers/certs.d" / registry.host
        certs.mkdir(parents=True)
        shutil.copy(tls[0], certs / "ca.crt")
        assert "HTTP 401" in pull.nook.fails(125, "login", "-u", "alice", "--password-stdin", registry.host, input="wrong")
        assert pull.nook("login", "-u", "alice", "--password-stdin", registry.host, input="sec:ret\n") == "Login Succeeded\n"
        kept = space / "runtime/containers/auth.json"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert pull.nook("login", "--get-login", registry.host) == "alice\n"
        assert "manifest unknown" in pull.fails(f"{registry.host}/team/app:1")
        pull.nook("logout", registry.host)
        assert registry.host not in json.loads(kept.read_text())["auths"]
        assert "wants a user name and password" in pull.fails(f"{registry.host}/team/app:1")
        assert "nobody is logged in" in pull.nook.fails(125, "logout", registry.host)


def test_login_asks_at_the_terminal(pull):
    pexpect = pytest.importorskip("pexpect")
    tokens = Tokens(memory(), users={"alice": "secret"})
    with serve(tokens) as server:
        for answers, status, sign in ((("alice", "secret"), 0, None), (("alice", None), None, signal.SIGINT)):
            child = pexpect.spawn(str(pull.nook.program), ["login", server.host], env=pull.nook.environment, encoding="utf-8", timeout=20)
            child.expect("Username: ")
            child.sendline(answers[0])
            child.expect("Password: ")
            if answers[1]:
                child.sendline(answers[1])
            else:
                child.sendintr()
            child.expect(pexpect.EOF)
            assert "secret" not in child.before
            child.close()
            assert (child.exitstatus, child.signalstatus) == (status, sign)
        assert pull.nook("login", "--get-login", server.host) == "alice\n"
    tokens.close()


def test_a_credential_helper(pull, space):
    (space / "docker-credential-file").write_text(
        "#!/bin/sh\nread -r line\ncase $1 in\nstore) echo \"$line\" >$HOME/kept;;\n"
        "get) [ -e $HOME/kept ] && cat $HOME/kept || { echo credentials not found; exit 1; };;\nerase) rm $HOME/kept;;\nesac\n")
    (space / "docker-credential-file").chmod(0o755)
    auth = space / "auth.json"
    auth.write_text('{"credsStore": "file"}')
    pull.nook.environment["PATH"] += f":{space}"
    tokens = Tokens(memory(), users={"alice": "secret"})
    with serve(tokens) as server:
        pull.nook("login", "--authfile", auth, "-u", "alice", "--password-stdin", server.host, input="secret")
        assert json.loads((space / "kept").read_text()) == {"ServerURL": server.host, "Username": "alice", "Secret": "secret"}
        assert "secret" not in auth.read_text()
        pull(f"{server.host}/team/app:1", "--authfile", auth)
        pull.nook("logout", "--authfile", auth, server.host)
    tokens.close()
    assert not (space / "kept").exists()


def test_a_certificate_for_another_name(pull, space):
    tls = registries.certificate(space, names="DNS:elsewhere.example")
    with serve(memory(), tls=tls) as server:
        certs = space / ".config/containers/certs.d" / server.host
        certs.mkdir(parents=True)
        shutil.copy(tls[0], certs / "ca.crt")
        assert "127.0.0.1" in pull.fails(f"{server.host}/team/app:1")
        pull(f"{server.host}/team/app:1", "--tls-verify=false")


# ---- registries.conf -------------------------------------------------------------------------------------------------

def test_mirrors_are_asked_first(pull):
    image = Image()
    name = image.layers[1]["digest"]
    broken = memory(image, "hub/team/app", faults=only(name, Reply(404)))
    with serve(broken) as mirror, serve(lambda request: Reply(500)) as dead, serve(memory(image)) as origin:
        pull.configure(f'[[registry]]\nprefix = "app.example"\nlocation = "{origin.host}"\n'
                       f'[[registry.mirror]]\nlocation = "{dead.host}"\n[[registry.mirror]]\nlocation = "{mirror.host}/hub"\n')
        assert pull("app.example/team/app:1", "--retry", "0") == "app.example/team/app:1\n"
        assert [path for path in origin.paths() if "/blobs/" in path] == [f"/v2/team/app/blobs/{name}"]
        assert len(dead.requests) <= 2
    assert_has(pull, image)


def test_blocked_and_short_names(pull):
    with serve(memory(repository="library/app")) as server:
        pull.configure(f'[[registry]]\nprefix = "bad.example"\nblocked = true\n'
                       f'[[registry]]\nprefix = "docker.io"\nlocation = "{server.host}"\n[aliases]\n"other" = "bad.example/x"\n')
        assert "blocks" in pull.fails("bad.example/team/app")
        assert "blocks" in pull.fails("other:2")
        assert pull("app:1") == "docker.io/library/app:1\n"
        pull.configure(f'unqualified-search-registries = ["127.0.0.1:1", "{server.host}"]\n')
    with serve(lambda request: Reply(404)) as nothing, serve(memory(repository="app")) as server:
        pull.configure(f'unqualified-search-registries = ["{nothing.host}", "{server.host}"]\n')
        assert pull("app:1") == f"{server.host}/app:1\n"


def test_what_the_manual_shows(pull):
    page = (conftest.SOURCE / "docs/registries.md").read_text()
    text = "".join(line[4:] + "\n" for line in page.partition("in `registries.conf`:")[2].partition("\n- ")[0].splitlines())
    with serve(memory(repository="hub/library/app")) as mirror:
        pull.configure(text.replace("mirror.example", mirror.host))
        assert "blocks" in pull.fails("registry.example/forbidden/app")
        assert "registry.example/v2/team/tools" in pull.fails("tools:1", "--retry", "0")
        assert pull("app:1") == "docker.io/library/app:1\n"


# ---- looking ---------------------------------------------------------------------------------------------------------

def test_manifest_inspect(pull, space):
    images = {Image([{"f": name.encode()}], name): name for name in ("s390x", "amd64")}
    registry = Memory()
    data = index_of(registry, images)
    signature = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{"mediaType": OCI_MANIFEST, "digest": digest(b"s"), "size": 1}]}
    registry.add_document("team/app", digest(data).replace(":", "-"), OCI_INDEX, signature)
    with serve(registry) as server:
        assert pull.nook("manifest", "inspect", "--raw", f"{server.host}/team/app:1").encode() == data
        assert json.loads(pull.nook("manifest", "inspect", f"{server.host}/team/app:1")) == json.loads(data)
        one = pull.nook("manifest", "inspect", "--platform", "s390x", f"{server.host}/team/app:1")
        assert json.loads(one) == next(image for image in images if images[image] == "s390x").document
        assert json.loads(pull.nook("manifest", "inspect", "--referrers", f"{server.host}/team/app:1")) == signature
        assert "manifest unknown" in pull.nook.fails(125, "manifest", "inspect", f"{server.host}/team/app:9")
    assert not (pull.images / "depot.db").exists()


def test_search_with_filters(pull):
    found = [{"name": "team/a", "star_count": 3, "is_official": True}, {"name": "team/b", "star_count": 30}, {"name": "team/c"}]

    def names(*options):
        out = pull.nook("search", "--format", "json", *options, f"{server.host}/team")
        return [row["name"].rpartition("/")[2] for row in json.loads(out)]

    with serve(lambda request: Reply.json({"results": found}) if "v1/search" in request.path else Reply(404)) as server:
        assert names() == ["a", "b", "c"]
        assert names("--filter", "stars=3") == ["a", "b"] and names("-f", "stars=4") == ["b"]
        assert names("-f", "is-official=true") == ["a"] and names("-f", "is-official=false", "-f", "stars=1") == ["b"]
        assert "neither stars=N" in pull.nook.fails(125, "search", "-f", "colour=red", f"{server.host}/team")


def test_search_and_tags_in_pages(pull):
    names = [f"team/app{i}" for i in range(5)] + ["other"]

    def pages(request):
        key = "tags" if "tags" in request.path else "repositories"
        if "v1/search" in request.path:
            return Reply(404)
        last = int(request.query.get("last", ["0"])[0])
        headers = {"Link": f'<{request.path.split("?")[0]}?last={last + 2}&n=2>; rel="next"'} if last + 2 < len(names) else {}
        return Reply.json({key: names[last:last + 2]}, **headers)

    with serve(pages) as server:
        out = pull.nook("search", f"{server.host}/app")
        assert [line.split()[0] for line in out.splitlines()[1:]] == [f"{server.host}/{name}" for name in names[:5]]
        assert pull.nook("search", "--list-tags", f"{server.host}/team/app").split() == names
        assert len(json.loads(pull.nook("search", "--format", "json", "--limit", "2", f"{server.host}/app"))) == 2
    with serve(lambda request: Reply(200, {"Link": f'<{request.path}x>; rel="next"'}, b'{"repositories": []}') if "v2" in request.path
               else Reply(404)) as server:
        pull.nook("search", f"{server.host}/app")  # pages without end
