# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of nook-oci's clients share: an image, daemons with a place of their own, a terminal."""

import contextlib
import hashlib
import io
import json
import os
import pathlib
import select
import shutil
import subprocess
import tarfile
import tempfile
import time

import pexpect
import pytest

import roots
import runner

# Programs of Debian's packages, whatever else is called so on this machine.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
IMAGE = "docker.io/library/busybox:latest"
GRACE = 10.0
LIMITS = ("nofile=4096:4096", "nproc=4096:4096")  # clients ask for a million, which not every root may have

# Ends with 5 when it is asked to, and says so; nothing in it waits for the clock alone.
SERVICE = 'trap "echo term; exit 5" TERM; trap "echo usr1" USR1; echo started; while :; do sleep 0.05; done'


def program(name, package):
    found = shutil.which(name, path=PATH)
    if not found:
        pytest.skip(f"{name} is not installed: apt-get install {package}")
    return found


def add_file(archive, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def make_image(path, layer):
    """An archive as `docker save` writes it, of one layer."""
    data = layer.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}}).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    with tarfile.open(path, "w") as archive:
        add_file(archive, name, config)
        add_file(archive, f"{digest}.tar", data)
        manifest = [{"Config": name, "RepoTags": [IMAGE], "Layers": [f"{digest}.tar"]}]
        add_file(archive, "manifest.json", json.dumps(manifest).encode())


@pytest.fixture(scope="session")
def image_archive():
    """A busybox image, to be loaded or imported."""
    with tempfile.TemporaryDirectory(prefix="nook-image.") as top:
        top = pathlib.Path(top)
        root = roots.make_busybox(top / "root")
        with tarfile.open(top / "layer.tar", "w") as archive:
            archive.add(root, arcname=".")
        make_image(top / "image.tar", top / "layer.tar")
        yield top / "image.tar"


class Client:
    """A command line program with fixed first arguments."""

    def __init__(self, argv, env=None, cwd=None):
        self.argv, self.cwd = [str(word) for word in argv], cwd
        sanitizers = {name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}
        self.env = {"PATH": PATH, "HOME": str(cwd), "LANG": "C.UTF-8", "TMPDIR": str(cwd), **sanitizers, **(env or {})}

    def result(self, *args, input=None):
        argv = [*self.argv, *map(str, args)]
        done = subprocess.run(argv, env=self.env, cwd=self.cwd, text=True, errors="replace", input=input or "",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=runner.TIMEOUT, check=False)
        return runner.Result(argv, done.returncode, done.stdout, done.stderr)

    def __call__(self, *args, **options):
        result = self.result(*args, **options)
        assert result.code == 0, str(result)
        return result.out

    def fails(self, code, *args, **options):
        """Asks for this exit status and returns what was printed on stderr."""
        result = self.result(*args, **options)
        assert result.code == code, str(result)
        return result.err

    def on_terminal(self, *args, rows=31, columns=97):
        """Runs on a terminal of this size: (exit status, what was shown)."""
        child = pexpect.spawn(self.argv[0], [*self.argv[1:], *map(str, args)], env=self.env, cwd=self.cwd, encoding="utf-8",
                              dimensions=(rows, columns), timeout=runner.TIMEOUT)
        child.expect(pexpect.EOF)
        child.close()
        return child.exitstatus, child.before

    def until(self, words, *args):
        """Asks again until WORDS are printed: clients have no way to wait for a line of a log."""
        deadline = time.monotonic() + GRACE
        while words not in (text := self(*args)):
            assert time.monotonic() < deadline, f"{words!r} does not come in {text!r}"
        return text


@contextlib.contextmanager
def daemon(argv, log, ready, env=None):
    """A daemon that is ready; ended by its pid, however the test went."""
    with open(log, "wb") as out:
        process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   env={"PATH": PATH, **(env or {})}, start_new_session=True)
    try:
        deadline = time.monotonic() + 3 * GRACE
        while not ready():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")[-4000:]
            select.select([], [], [], 0.02)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def group_tops(name):
    tops = [pathlib.Path("/sys/fs/cgroup", name)]
    return tops + [path / name for path in pathlib.Path("/sys/fs/cgroup").iterdir() if path.is_dir()]


def remove_groups(name):
    """Clients leave the groups above their containers' for ever; what is left in them has GRACE to end."""
    deadline = time.monotonic() + GRACE
    for top in group_tops(name):
        for path, _, _ in os.walk(top, topdown=False):
            while True:
                try:
                    os.rmdir(path)
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    select.select([], [], [], 0.02)


def groups_named(name):
    """Groups whose path ends with NAME's, one for each hierarchy that has it."""
    return [str(top) for top in group_tops(name) if top.is_dir()]


def read_group(name, controller, file):
    return pathlib.Path("/sys/fs/cgroup", controller, name, file).read_text().strip()
