# SPDX-License-Identifier: LGPL-2.1-or-later
"""A box that starts while its N-th system call fails, or while somebody kills it: it is as strong as ever or it does not start,
and nothing is left (the leak check looks too).

strace(1) injects, as in test_faults.py; NOOK_SWEEP=all tries every place.
"""

import contextlib
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import time

import pytest

import leaks
from test_faults import EVERY, GRACE, HANG, NEVER_FAIL, spread

pytestmark = [pytest.mark.anywhere, pytest.mark.plain]
PROBE = pathlib.Path(__file__).resolve().parent.parent / "programs" / "box_probe.c"


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    program = tmp_path_factory.mktemp("probe") / "probe"
    subprocess.run(["gcc", "-static", "-O1", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-o", program, PROBE], check=True)
    for path in (program, program.parent, program.parent.parent, program.parent.parent.parent):
        path.chmod(path.stat().st_mode | 0o055)
    return program


@pytest.fixture
def box(either):
    return either


def is_ours(path):
    """Another user's session may have boxes of its own at this moment."""
    with contextlib.suppress(FileNotFoundError):
        return os.stat(path).st_uid == os.geteuid()
    return False


class Sweep:
    """One box under strace."""

    def __init__(self, box, probe, *rules):
        if EVERY:
            signal.alarm(0)  # as long as it takes
        outside = " ".join(os.readlink(path) for path in pathlib.Path("/proc/self/ns").iterdir())
        self.box, self.log = box, box.space / "strace.log"
        self.line = box.argv("box", *rules, "-r", f"{probe}:/probe", "--", "/probe", outside)
        self.before = self.things()
        code, self.asked, error = self.trace("-f")
        assert code == 0 and "SHARED" not in self.asked, error + self.asked

    def trace(self, *options):
        line = ["strace", "-o", self.log, *options, "--", *self.line]
        try:
            done = subprocess.run(line, env={**self.box.environment, "SECRET": "x"}, cwd=self.box.space, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=HANG, check=False)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{options}: it hangs")
        return done.returncode, done.stdout, done.stderr

    def places(self, followed, most):
        """(name, number) of the system calls of nook itself, or of what it starts up to the command."""
        assert self.trace("-f")[0] == 0
        counts, found, first, over, begun = {}, {}, None, set(), False
        for line in self.log.read_text().splitlines():
            call = re.match(r"(\d+) +(\w+)\(", line)
            if not call or call[1] in over:
                continue
            first = first or call[1]
            if '("/probe"' in line:
                over.add(call[1])  # from here on it is the command's own
            begun = begun or f'execve("{self.box.program}"' in line  # before it is the program that makes it another user's
            if (call[1] != first) == followed:
                counts[call.groups()] = counts.get(call.groups(), 0) + 1
                if begun:
                    found[(call[2], counts[call.groups()])] = True
        return spread([place for place in found if place[0] not in NEVER_FAIL], most)

    def things(self):
        return set(leaks.mounts()) | {line.rpartition(" ")[0] for line in leaks.processes()} | {
            path for path in leaks.cgroups() if "nook-box-" in path and is_ours(path.partition(" ")[2])} | set(map(str, pathlib.Path("/tmp").glob("nook-bus-*")))

    def judge(self, where, code, out, error):
        if code == 0:
            assert out == self.asked, f"{where}: a box that is not as it was asked for"
        else:
            # 126: the command itself could not be executed; else nook says what failed.
            assert code in (125, 126, 127), f"{where}: {code} {error}"
            assert error.startswith("nook: "), f"{where}: {error}"
            assert out in ("", self.asked), f"{where}: the command ran in a box that is not as it was asked for"

    def nothing_is_left(self, where):
        deadline = time.monotonic() + GRACE
        while (left := self.things() - self.before) and time.monotonic() < deadline:
            select.select([], [], [], 0.01)
        assert not left, f"{where}: {left}"


def sweep_of(box, probe):
    rules = ["-w", ".", "--hide", "/etc/hosts", "--put", "/etc/motd=x", "--limit", "files=64"]
    return Sweep(box, probe, *rules)


@pytest.mark.parametrize("errno", ["ENOMEM", "EPERM"])
@pytest.mark.parametrize("whom", ["nook", "its-child"])
def test_a_failing_call_weakens_no_box(box, probe, errno, whom):
    follow = ["-f"] if whom == "its-child" else []
    sweep, failed = sweep_of(box, probe), 0
    for call, number in sweep.places(bool(follow), 24):
        code, out, error = sweep.trace(*follow, "-e", f"inject={call}:error={errno}:when={number}")
        where = f"{errno} from {call} {number}"
        # A dynamic build may have met the failure before it was nook, and so may the program that makes it another user's.
        if "error while loading shared libraries" in error or error.startswith("setpriv: "):
            continue
        sweep.judge(where, code, out, error)
        sweep.nothing_is_left(where)
        failed += code != 0
    assert failed > 2


@pytest.mark.parametrize("whom", ["nook", "its-child"])
def test_killed_anywhere_no_box_stays(box, probe, whom):
    follow = ["-f"] if whom == "its-child" else []
    sweep, killed = sweep_of(box, probe), 0
    for call, number in sweep.places(bool(follow), 16):
        sweep.trace(*follow, "-e", f"inject={call}:signal=SIGKILL:when={number}")
        killed += "killed by SIGKILL" in sweep.log.read_text()
        sweep.nothing_is_left(f"killed at {call} {number}")
    assert killed > 4


@pytest.mark.user("root")
def test_groups_of_a_box_go_whatever_fails(nook, probe):
    """Limits that need groups: what a killed nook leaves behind is empty, and gone with the next box that looks."""
    sweep = Sweep(nook, probe, "--limit", "mem=64m")
    unlimited = re.search(r"^rlimit 6 .*$", sweep.asked, re.MULTILINE)[0]
    for call, number in sweep.places(False, 16):
        code, out, error = sweep.trace("-e", f"inject={call}:error=ENOMEM:when={number}")
        where = f"ENOMEM from {call} {number}"
        if "error while loading shared libraries" in error:
            continue
        # Where no group can count processes, the limit of the box's users does.
        out = re.sub(r"^rlimit 6 513 513$", unlimited, out, flags=re.MULTILINE)
        sweep.judge(where, code, out, error)
        sweep.nothing_is_left(where)


def test_each_step_fails_alone(box, probe):
    """As for containers: every step of the plan once, and the error names it."""
    (box.space / "work").mkdir(mode=0o777)
    rules = ["-w", "work", "--hide", "/etc/hosts", "--put", "/etc/motd=x", "--overlay", f"/usr/share:/over,keep={box.space}/keep"]
    steps = json.loads(box("box", *rules, "--explain=json", "true"))["steps"]
    assert len(steps) > 40
    for step in spread(steps, 30):
        result = box.result("box", *rules, "true", env={"NOOK_FAIL_STEP": str(step["number"])})
        assert result.code in (125, 126), f"step {step}: {result}"
        assert "failed on purpose" in result.err, f"step {step}: {result}"
    assert box.result("box", *rules, "true").code == 0
