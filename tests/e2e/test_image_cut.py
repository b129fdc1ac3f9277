# SPDX-License-Identifier: LGPL-2.1-or-later
"""The store when a command is cut off: killed at any system call, or without room.  The next command works as if nothing
had happened, nothing half made is visible, and prune leaves nothing of it.

strace(1) kills.  20 random places of each command are tried; NOOK_KILLS=200 tries as many.
"""

import contextlib
import json
import os
import random
import re
import shutil
import subprocess

import pytest

import hostile_tars as tars
import images

pytestmark = [
    pytest.mark.anywhere,
    pytest.mark.skipif(not shutil.which("strace"), reason="strace kills at the N-th system call"),
    pytest.mark.skipif("ASAN_OPTIONS" in os.environ and "asan" in os.environ.get("NOOK_BUILD", ""), reason="a sanitizer and strace are slow together"),
]

KILLS = int(os.environ.get("NOOK_KILLS", "20"))
LAYERS = [images.busybox_layer(), tars.archive(*[tars.file(f"d/{i}", b"x" * 3000) for i in range(40)], tars.file(".wh.gone", b"")),
          tars.archive(tars.hardlink("again", "d/7"))]


@pytest.fixture
def layout(space):
    layout = images.Layout(space / "oci")
    layout.image("t", LAYERS, {"Cmd": ["echo", "whole"], "Env": ["PATH=/bin"]})
    return layout


def judge(nook, layout):
    """The store is whole whatever was done to it: what is visible can be run, the same command works, nothing is left."""
    for image in json.loads(nook("images", "--format", "json")):
        assert nook("run", "--rm", f"{image['repository']}:{image['tag']}" if image["repository"] != "<none>" else image["id"]) == "whole\n"
    nook("load", "--name", "t:1", layout.source("t"))
    assert nook("run", "--rm", "t:1") == "whole\n"
    assert nook("run", "--rm", "t:1", "sh", "-c", "test -s /again && echo linked") == "linked\n"
    nook("image", "prune")
    store = images.store_of(nook)
    assert store["ingest"] == [] and len(store["layers"]) == 3


class Killer:
    """Runs a command of nook under strace, killed at its N-th system call."""

    def __init__(self, nook, *line):
        self.nook, self.argv = nook, nook.argv(*line)
        self.log = nook.space / "strace.log"

    def run(self, *options):
        return subprocess.run(["strace", "-f", "-qq", "-o", self.log, *options, *self.argv], env=self.nook.environment, cwd=self.nook.space,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False).returncode

    def places(self):
        """How often the command's own process makes each call."""
        counts, first = {}, None
        for line in self.log.read_text(errors="replace").splitlines():
            call = re.match(r"(\d+) +(\w+)\(", line)
            if call:
                first = first or call[1]
                if call[1] == first:
                    counts[call[2]] = counts.get(call[2], 0) + 1
        # Before main() nothing is nook's.
        return [(name, n) for name, count in counts.items() for n in range(1, count + 1)
                if name not in ("execve", "mmap", "mprotect", "brk", "close", "munmap", "arch_prctl", "prlimit64", "set_tid_address", "rseq")]


@pytest.mark.parametrize("before", [False, True], ids=["into-nothing", "beside-another"])
def test_a_load_that_is_killed_anywhere(nook, layout, before):
    if before:
        layout.image("other", LAYERS[:1], {"Cmd": ["echo", "whole"], "Env": ["PATH=/bin"]})
    killer = Killer(nook, "load", "--name", "t:1", layout.source("t"))
    assert killer.run() == 0
    places = killer.places()
    chosen = random.Random(os.environ.get("NOOK_SEED", "7")).sample(places, min(KILLS // 2, len(places)))
    for name, n in chosen:
        nook("rmi", "--all", "--force")
        if before:
            nook("load", "--name", "other:1", layout.source("other"))
        killer.run("-e", f"inject={name}:signal=KILL:when={n}")
        try:
            judge(nook, layout)
        except AssertionError as error:
            raise AssertionError(f"killed at {name} number {n}") from error


def test_a_removal_that_is_killed_anywhere(nook, layout):
    nook("load", "--name", "t:1", layout.source("t"))
    killer = Killer(nook, "rmi", "t:1")
    assert killer.run() == 0
    places = killer.places()
    for name, n in random.Random(os.environ.get("NOOK_SEED", "7")).sample(places, min(KILLS // 2, len(places))):
        nook("load", "--name", "t:1", layout.source("t"))
        killer.run("-e", f"inject={name}:signal=KILL:when={n}")
        try:
            judge(nook, layout)
        except AssertionError as error:
            raise AssertionError(f"killed at {name} number {n}") from error


@contextlib.contextmanager
def small(path, size):
    path.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.mark.user("root")
@pytest.mark.parametrize("room_kib", [64, 160, 400, 1200, 2400, 3000])
def test_a_store_without_room(nook, layout, room_kib):
    """The image takes some 3.5 MiB.  When there is room again it is loaded as if nothing had been."""
    with small(nook.root, "16m"):
        filler = nook.root / "filler"
        free = os.statvfs(nook.root)
        filler.write_bytes(bytes(free.f_bavail * free.f_frsize - room_kib * 1024))
        result = nook.result("load", "--name", "t:1", layout.source("t"))
        assert result.code == 125, str(result)
        assert "No space left" in result.err or "full" in result.err, result.err
        filler.unlink()
        assert nook("images", "-q") == ""
        judge(nook, layout)
