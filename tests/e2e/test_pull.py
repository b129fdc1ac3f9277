# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook pull: what comes from a registry is what was put there, or nothing is visible; of whichever platform and from whichever mirror."""

import gzip
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import conftest
import hostile_tars as tars
import registries
from depots import assert_has, pull, serve  # noqa: F401 (pull is a fixture)
from registries import DOCKER_MANIFEST, Image, Memory, OCI_MANIFEST, Reply, digest, index_of, memory, noise, only

pytestmark = pytest.mark.anywhere

HERE = os.uname().machine
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(HERE, HERE)


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
