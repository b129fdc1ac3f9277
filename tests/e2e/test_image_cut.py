# SPDX-License-Identifier: LGPL-2.1-or-later
"""The store when a command is cut off: killed at any system call, or without room.  The next command works as if nothing
had happened, nothing half made is visible, and prune leaves nothing of it.

strace(1) kills, whichever process of the command comes to its N-th call first.  A few random places of each command are tried;
NOOK_KILLS=200 tries as many, NOOK_SEED chooses others.  Each group of tests (root, a user) has places of its own, so that a run of
both comes to more than 200.  NOOK_SWEEP=all tries every size of a full disk.
"""

import collections
import json
import os
import random
import re
import shutil
import subprocess

import pytest

import hostile_tars as tars
import images
from depots import serve
from registries import Reply
from roots import tmpfs

pytestmark = [
    pytest.mark.anywhere,
    pytest.mark.skipif(not shutil.which("strace"), reason="strace kills at the N-th system call"),
    pytest.mark.skipif("ASAN_OPTIONS" in os.environ and "asan" in os.environ.get("NOOK_BUILD", ""), reason="a sanitizer and strace are slow together"),
]

KILLS = int(os.environ.get("NOOK_KILLS", "105"))
GROUP = "root" if os.geteuid() == 0 else "user"
BATCH = 7  # of one test, which has two minutes
ALL = os.environ.get("NOOK_SWEEP") == "all"
LAYERS = [images.busybox_layer(), tars.archive(*[tars.file(f"d/{i}", b"x" * 3000) for i in range(40)], tars.file(".wh.gone", b"")),
          tars.archive(tars.hardlink("again", "d/7"))]


@pytest.fixture
def layout(space):
    layout = images.Layout(space / "oci")
    layout.image("t", LAYERS, {"Cmd": ["echo", "whole"], "Env": ["PATH=/bin"]})
    layout.image("other", LAYERS[:1], {"Cmd": ["echo", "whole"], "Env": ["PATH=/bin"]})
    return layout


def judge(nook, layout):
    """The store is whole whatever was done to it: what is visible can be run, the same command works, nothing is left."""
    nook.result("rmi", "made:1")  # of a command that was killed when its work was done
    for image in json.loads(nook("images", "--format", "json")):
        assert nook("run", "--rm", f"{image['repository']}:{image['tag']}" if image["repository"] != "<none>" else image["id"]) == "whole\n"
    nook("load", "--name", "t:1", layout.source("t"))
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
        """How often a process of the command makes each call, at most."""
        counts = collections.Counter()
        for line in self.log.read_text(errors="replace").splitlines():
            call = re.match(r"(\d+) +(\w+)\(", line)
            if call:
                counts[call[1], call[2]] += 1
        most = {}
        for (_, name), count in counts.items():
            most[name] = max(count, most.get(name, 0))
        # Before main() nothing is nook's, and a wait that is interrupted is no place.
        return [(name, n) for name, count in most.items() for n in range(1, count + 1)
                if name not in ("execve", "mmap", "mprotect", "brk", "close", "munmap", "arch_prctl", "prlimit64", "set_tid_address", "rseq",
                                "set_robust_list", "restart_syscall", "futex", "poll", "madvise", "rt_sigprocmask", "rt_sigaction")]


class Command:
    """A command that changes the store, and what has to be there before it."""

    def __init__(self, prepare, *line):
        self.prepare, self.line = prepare, line


def base(nook, layout):
    nook("load", "--name", "t:1", layout.source("t"))


def other(nook, layout):
    nook("load", "--name", "other:1", layout.source("other"))


def dangling(nook, layout):
    base(nook, layout)
    other(nook, layout)
    nook("tag", "other:1", "t:1")
    nook("rmi", "other:1")


def worker(nook, layout):
    base(nook, layout)
    nook.result("rm", "-f", "worker")
    nook("run", "--name", "worker", "t:1", "sh", "-c", "echo new >/new; rm /d/3")


def damaged(nook, layout):
    base(nook, layout)
    layer = json.loads(nook("inspect", "t:1"))[0]["layers"][0]
    subprocess.run(["rm", "-rf", layer], check=True)


OUTPUT = "out"  # beside the store


COMMANDS = {
    "load": Command(lambda nook, layout: None, "load", "--name", "t:1", "{layout}"),
    "load-beside-another": Command(other, "load", "--name", "t:1", "{layout}"),
    "pull": Command(lambda nook, layout: None, "pull", "-q", "{registry}/t:1"),
    "rmi": Command(base, "rmi", "t:1"),
    "prune": Command(dangling, "image", "prune"),
    "commit": Command(worker, "commit", "worker", "made:1"),
    "import": Command(base, "import", "-c", 'CMD ["echo", "whole"]', "-c", "ENV PATH=/bin", "{tar}", "made:1"),
    "bootstrap": Command(base, "bootstrap", "--from", "{root}", "-c", 'CMD ["echo", "whole"]', "-c", "ENV PATH=/bin", "--name", "made:1"),
    "tag": Command(base, "tag", "t:1", "made:1"),
    "prune-all": Command(dangling, "prune"),
    "save": Command(base, "save", "-o", "{out}", "t:1"),
    "save-oci": Command(base, "save", "--format", "oci", "-o", "{out}", "t:1"),
    "export": Command(worker, "export", "-o", "{out}", "worker"),
    "export-oci": Command(worker, "export", "--format", "oci", "-o", "{out}", "worker"),
    "repair": Command(damaged, "system", "check", "--repair"),
}


@pytest.fixture
def registry(layout):
    """The image of the layout, in a registry."""
    def answer(request):
        name = request.path.rsplit("/", 1)[1]
        if "/manifests/" in request.path:
            return Reply(200, {"Content-Type": images.OCI + "manifest.v1+json"}, manifest)
        path = layout.path / "blobs/sha256" / name.partition(":")[2]
        return Reply(200, {}, path.read_bytes()) if path.is_file() else Reply(404)

    manifest = (layout.path / "blobs/sha256" / layout.manifests[0]["digest"].partition(":")[2]).read_bytes()
    with serve(answer) as server:
        yield server.host


def words_of(command, layout, registry, space):
    (space / "root.tar").write_bytes(LAYERS[0])
    if not (space / "root").exists():
        (space / "root").mkdir()
        subprocess.run(["tar", "-xf", space / "root.tar", "-C", space / "root", "--no-same-owner"], check=True)
    return [word.format(layout=layout.source("t"), registry=registry, tar=space / "root.tar", root=space / "root", out=space / OUTPUT)
            for word in command.line]


def remove_output(space):
    subprocess.run(["rm", "-rf", space / OUTPUT], check=True)


def judge_output(nook, name, line):
    """What a command that was cut off has written, if it shows anything, is whole; the same command writes it then."""
    out = nook.space / OUTPUT
    for again in False, True:
        if again:
            nook(*line)
        if name.startswith("save") and (again or (out.is_file() or (out / "index.json").exists())):
            nook("load", "--name", "t:1", f"oci:{out}" if out.is_dir() else out)
        elif name.startswith("export") and (again or out.exists()):
            assert nook("run", "--rm", *(["-e", "PATH=/bin"] if name == "export" else []), f"img:{out}", "sh", "-c", "cat /new") == "new\n"
            nook("image", "prune")  # an image in an archive is loaded
    assert sorted(path.name for path in nook.space.glob(f"*{OUTPUT}*")) == [OUTPUT]


@pytest.mark.parametrize("batch", range(-(-KILLS // len(COMMANDS) // BATCH)))
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_killed_anywhere(nook, layout, registry, space, name, batch):
    command = COMMANDS[name]
    line = words_of(command, layout, registry, space)
    killer = Killer(nook, *line)
    command.prepare(nook, layout)
    assert killer.run() == 0
    places = killer.places()
    chosen = random.Random(f"{os.environ.get('NOOK_SEED', '7')} {GROUP} {name} {batch}").sample(places, min(max(KILLS // len(COMMANDS), 1), BATCH))
    for call, n in chosen:
        nook.result("rm", "-f", "worker")
        nook("rmi", "--all", "--force")
        command.prepare(nook, layout)
        remove_output(space)
        killer.run("-e", f"inject={call}:signal=KILL:when={n}")
        try:
            if name == "repair":
                nook("system", "check", "--repair")
            if f"{space / OUTPUT}" in line:
                judge_output(nook, name, line)
            judge(nook, layout)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            raise AssertionError(f"{name} killed at {call} number {n}") from error
    nook.result("rm", "-f", "worker")


@pytest.mark.user("root")
@pytest.mark.parametrize("room_kib", range(32, 3100, 64) if ALL else [64, 160, 400, 1200, 2400, 3000])
@pytest.mark.parametrize("name", ["load", "pull"])
def test_a_store_without_room(nook, layout, registry, space, name, room_kib):
    """The image takes some 3.5 MiB.  When there is room again it is loaded as if nothing had been."""
    with tmpfs(nook.root, "16m"):
        filler = nook.root / "filler"
        free = os.statvfs(nook.root)
        filler.write_bytes(bytes(free.f_bavail * free.f_frsize - room_kib * 1024))
        result = nook.result(*words_of(COMMANDS[name], layout, registry, space))
        assert result.code == 125, str(result)
        assert "No space left" in result.err or "full" in result.err, result.err
        filler.unlink()
        assert nook("images", "-q") == ""
        judge(nook, layout)


@pytest.mark.user("root")
@pytest.mark.parametrize("room_kib", range(0, 3100, 64) if ALL else [0, 4, 40, 160, 1200])
@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("load", "load-beside-another", "pull", "repair")])
def test_a_command_without_room(nook, layout, registry, space, name, room_kib):
    """With an image in the store already, and what is written beside it on the same disk.  What nobody needs can be taken away from a full disk, too."""
    line = words_of(COMMANDS[name], layout, registry, space)
    with tmpfs(space / "disk", "16m"):
        root = nook.root
        nook.root.mkdir()
        subprocess.run(["mount", "--bind", space / "disk", root], check=True)
        try:
            line = [word.replace(f"{space / OUTPUT}", f"{space / 'disk' / OUTPUT}") for word in line]
            COMMANDS[name].prepare(nook, layout)
            filler = space / "disk/filler"
            free = os.statvfs(space / "disk")
            filler.write_bytes(bytes(max(free.f_bavail * free.f_frsize - room_kib * 1024, 0)))
            result = nook.result(*line)
            if name in ("prune", "prune-all"):
                assert result.code == 0, str(result)
            assert result.code in (0, 1, 125) and (result.code == 0 or "No space left" in result.err or "full" in result.err), str(result)
            out = space / "disk" / OUTPUT
            if result.code and f"{out}" in line:
                assert not out.is_file() and not (out / "index.json").exists(), os.listdir(space / "disk")
            filler.unlink()
            if result.code:
                nook(*line)
            subprocess.run(["rm", "-rf", out], check=True)
            judge(nook, layout)
            nook.result("rm", "-f", "worker")
        finally:
            subprocess.run(["umount", root], check=True)
