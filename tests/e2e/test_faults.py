# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook killed at its N-th system call, and with its N-th system call failing: nothing stays that rm -f or system repair
does not clear, no other container notices, and the same command works again.

strace(1) injects.  It counts each system call by its name, so a place is (name, number).  Some places of each sweep are
tried, spread evenly; NOOK_SWEEP=all tries every one.
"""

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import time

import pytest

import leaks

EVERY = os.environ.get("NOOK_SWEEP") == "all"
GRACE = 5.0
HANG = 30

# The program's and libc's own start, which no nook has a say in, and calls that cannot fail.
NEVER_FAIL = {
    "execve", "brk", "mmap", "munmap", "mprotect", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "exit_group",
    "exit", "getpid", "geteuid", "getegid", "getuid", "getgid", "umask", "rt_sigprocmask", "rt_sigaction", "rt_sigreturn",
    # A close that fails closes all the same; an injected failure does not.
    "close", "close_range",
    # The sanitizers' own.
    "sigaltstack", "gettid", "sched_getaffinity", "personality", "madvise",
}


def spread(places, most):
    """At most so many of them, from the first to the last."""
    if EVERY or len(places) <= most:
        return places
    return [places[i * (len(places) - 1) // (most - 1)] for i in range(most)]


class Sweep:
    """One command line under strace, in a run directory where a canary runs."""

    def __init__(self, nook, *line):
        if EVERY:
            signal.alarm(0)  # as long as it takes
        self.nook, self.line = nook, line
        self.log = nook.space / "strace.log"
        self.canary = nook.start("run", "--name", "canary", *canary_line(nook))
        assert self.canary.stdout.readline() == "ready\n", self.canary.stderr.read()
        canary = json.loads(nook("inspect", "canary"))[0]
        self.canary_id = canary["id"]
        # What a group of this run directory ends in.
        self.tag = "@" + canary["cgroups"][0].rpartition("@")[2] if canary["cgroups"] else None
        self.before = self.things()

    def trace(self, *options):
        """Runs the line; its exit status and what it said."""
        line = ["strace", "-o", self.log, *options, "--", *self.nook.argv(*self.line)]
        try:
            done = subprocess.run(line, env=self.nook.environment, cwd=self.nook.space, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=HANG, check=False)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{options}: it hangs")
        return done.returncode, done.stderr

    def places(self, followed, most):
        """(name, number) of each system call of nook itself, or of the processes that it starts."""
        code, error = self.trace("-f")
        assert code == 0, error
        self.clear("rm")
        counts, found, first = {}, {}, None
        for line in self.log.read_text().splitlines():
            call = re.match(r"(\d+) +(\w+)\(", line)
            if not call:
                continue
            first = first or call[1]
            # A call that this strace knows by its number alone (open_tree_attr) it cannot inject anything into.
            if (call[1] != first) == followed and not call[2].startswith("syscall_"):
                counts[call.groups()] = counts.get(call.groups(), 0) + 1
                found[(call[2], counts[call.groups()])] = True
        return spread(list(found), most)

    def things(self):
        """All that a container could leave, the canary's and what this test itself holds included."""
        run, found = self.nook.run_dir, set()
        for path in (run / "containers", run / "names", run / "ids", self.nook.root / "unpacked"):
            with contextlib.suppress(FileNotFoundError):
                found |= {f"{path}/{name}" for name in os.listdir(path)}
        # A process by its number: its name changes when it executes another program.
        return found | set(leaks.mounts()) | {line.rpartition(" ")[0] for line in leaks.processes()} | {
            path for path in leaks.cgroups() if self.tag and path.endswith(self.tag)}

    def left(self):
        """What is there now and was not before.  A process that was killed needs a moment to be gone."""
        deadline = time.monotonic() + GRACE
        while (left := self.things() - self.before) and time.monotonic() < deadline:
            select.select([], [], [], 0.01)
        return left

    def clear(self, how):
        if how == "repair":
            self.nook("system", "repair")
        others = [name for name in self.nook("ps", "-aq").split() if name != self.canary_id]
        if others:
            self.nook("rm", *(["-f"] if how == "rm" else []), *others)

    def finish(self):
        """The same command works once more, and the canary lives."""
        assert self.canary.poll() is None, "the canary died"
        code, error = self.trace()
        assert code == 0, error
        self.clear("rm")
        assert self.nook("system", "check") == ""

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.nook.result("rm", "-f", "--all")
        self.canary.communicate(timeout=60)


def canary_line(nook):
    return [f"dir:{nook.space}/root", "sh", "-c", "echo ready; exec sleep 1000"]


def lines(root, archive):
    return {
        "dir": ["run", "--rm", f"dir:{root}", "true"],
        "kept": ["run", "--name", "web", "-v", "/usr:/mnt", "--tmpfs", "/cache", "--overlay", f"dir:{root}", "true"],
        "tar": ["run", "--rm", f"tar:{archive}", "true"],
    }


@pytest.fixture
def archive(own_root, space):
    path = space / "root.tar"
    subprocess.run(["tar", "-C", own_root, "-cf", path, "."], check=True)
    return path


@pytest.mark.parametrize("line", ["dir", "kept", "tar"])
@pytest.mark.parametrize("whom", ["nook", "its-child"])
def test_killed_anywhere_nothing_stays(nook, own_root, archive, line, whom):
    follow = ["-f"] if whom == "its-child" else []
    killed = 0
    with Sweep(nook, *lines(own_root, archive)[line]) as sweep:
        for turn, (call, number) in enumerate(sweep.places(bool(follow), 24)):
            sweep.trace(*follow, "-e", f"inject={call}:signal=SIGKILL:when={number}")
            killed += "killed by SIGKILL" in sweep.log.read_text()
            how = ("rm", "repair")[turn % 2]
            sweep.clear(how)
            left = sweep.left()
            assert not left, f"{how} after a kill at {call} {number}: {left}"
        assert killed > 15
        sweep.finish()


@pytest.mark.parametrize("command", [["rm", "-f", "web"], ["system", "repair"]], ids=["rm", "repair"])
def test_a_removal_killed_anywhere_is_finished_by_the_next(nook, own_root, command):
    """rm has a running container to remove, repair one whose nook was killed."""
    def prepare():
        process = nook.start("run", "--name", "web", "--tmpfs", "/cache", *canary_line(nook))
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        if command[0] == "system":
            process.kill()
        return process

    with Sweep(nook, *command) as sweep:
        process = prepare()
        places = sweep.places(False, 24)
        process.communicate(timeout=60)
        for call, number in places:
            process = prepare()
            sweep.trace("-e", f"inject={call}:signal=SIGKILL:when={number}")
            sweep.nook("system", "repair")
            sweep.clear("rm")
            process.communicate(timeout=60)
            left = sweep.left()
            assert not left, f"after a kill at {call} {number}: {left}"
        sweep.finish()


@pytest.mark.parametrize("errno", ["ENOMEM", "ENOSPC", "EMFILE", "EINTR"])
@pytest.mark.parametrize("whom", ["nook", "its-child"])
def test_a_failing_call_is_told_or_made_good(nook, own_root, archive, errno, whom):
    follow = ["-f"] if whom == "its-child" else []
    failed = 0
    with Sweep(nook, *lines(own_root, archive)["dir"]) as sweep:
        for call, number in [place for place in sweep.places(bool(follow), 40) if place[0] not in NEVER_FAIL]:
            code, error = sweep.trace(*follow, "-e", f"inject={call}:error={errno}:when={number}")
            # A dynamic build may have met the failure before it was nook.
            if "error while loading shared libraries" in error or "LeakSanitizer does not work under ptrace" in error:
                continue
            where = f"{errno} from {call} {number}: exit status {code}, {error}"
            # 126: the command itself could not be executed.
            assert code in (0, 125, 126), where
            assert code == 0 or error.startswith("nook: "), where
            # What stays is told, and the next command clears it.
            if sweep.things() - sweep.before:
                assert error.startswith("nook: ") or not sweep.left(), f"{where} {sweep.left()}"
            sweep.clear("rm")
            left = sweep.left()
            assert not left, f"{where}: {left}"
            failed += code != 0
        assert failed > 2
        sweep.finish()
