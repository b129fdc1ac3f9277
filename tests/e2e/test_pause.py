# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook pause and unpause: all stops, and nothing is lost."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from groups import MOUNTS, group_of, running

pytestmark = pytest.mark.vm
root = pytest.mark.user("root")


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        os.sched_yield()


def cpu_time(group):
    """What the group has used, in the units of its file."""
    for name in ("cpu.stat", "cpuacct.usage"):
        if (group / name).exists():
            return (group / name).read_text().split()[1 if name == "cpu.stat" else 0]
    raise AssertionError("no processor time")


@root
def test_pause_stops_all_and_unpause_goes_on(nook):
    with running(nook, command=("sh", "-c", "while :; do :; done")) as pid:
        controller = "v2" if "v2" in MOUNTS else "cpuacct"
        group = group_of(pid, controller)
        before = cpu_time(group)
        wait_until(lambda: cpu_time(group) != before)
        assert nook("pause", "t") == "t\n"
        assert json.loads(nook("ps", "--format", "json"))[0]["status"] == "paused"
        stopped = cpu_time(group)
        time.sleep(0.2)  # time is what is measured here: none of it may be used
        assert cpu_time(group) == stopped
        assert "paused already" in nook.fails(125, "pause", "t")
        nook("unpause", "t")
        wait_until(lambda: cpu_time(group) != stopped)
        assert "not paused" in nook.fails(125, "unpause", "t")


def traced(nook, space, *args):
    """The calls of one nook by which it could look or wait."""
    out = space / "strace"
    names = "openat,pread64,poll,ppoll,select,pselect6,nanosleep,clock_nanosleep,sched_yield,membarrier"
    subprocess.run(["strace", "-e", f"trace={names}", "-o", out, *nook.argv(*args)], env=nook.environment, check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return out.read_text().splitlines()


@root
@pytest.mark.skipif(not shutil.which("strace") or "ASAN_OPTIONS" in os.environ, reason="strace counts what nook alone does")
def test_pausing_waits_for_the_kernel_and_not_for_the_clock(nook, space):
    """Each look at the group is led to by something that happened; none is made again after some time."""
    with running(nook, command=("sh", "-c", "while :; do :; done")):
        for word in ("pause", "unpause"):
            calls = traced(nook, space, word, "t")
            assert not [call for call in calls if "sleep" in call or "select" in call]
            # On v2 an event of the file that is read again; on v1, which has none, the scheduler has run other tasks.
            waits = [call for call in calls if call.startswith(("poll(", "ppoll(", "sched_yield(", "membarrier("))]
            assert not [call for call in waits if "(Timeout)" in call]
            looks = [call for call in calls if call.startswith("pread64(") and "frozen" in call] + \
                    [call for call in calls if "freezer.state" in call and "O_RDONLY" in call]
            # One before, to know its state; one at once, in case that it is done already.
            assert 1 <= len(looks) <= len(waits) + 2, calls


@root
def test_a_paused_container_can_be_killed(nook):
    with running(nook):
        nook("pause", "t")
        nook("rm", "-f", "t")
        assert json.loads(nook("ps", "-a", "--format", "json")) == []


@root
@pytest.mark.view("v1")
def test_killing_reaches_groups_that_were_frozen_below(nook):
    """What a container froze itself would sleep through the signal."""
    with running(nook, command=("sh", "-c", "sleep 1000 & sleep 1001")) as pid:
        below = group_of(pid, "freezer") / "below"
        below.mkdir()
        child = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
        (below / "cgroup.procs").write_text(child)
        (below / "freezer.state").write_text("FROZEN")
        nook("rm", "-f", "t")
        assert not below.exists()


@root
def test_pause_of_nothing_names_it(nook):
    assert "nobody" in nook.fails(125, "pause", "nobody")
    assert "name a container" in nook.fails(125, "pause")


def groups_of(pid):
    return pathlib.Path(f"/proc/{pid}/cgroup").read_text()


@contextlib.contextmanager
def tree():
    """A process with a child and a grandchild, all busy; their pids."""
    script = "sh -c 'echo $$; while :; do :; done' & sh -c 'sh -c \"echo \\$\\$; while :; do :; done\" & echo $$; wait' & wait"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            yield process.pid, [process.pid] + [int(process.stdout.readline()) for _ in range(3)]
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@root
def test_any_process_tree_is_paused_and_put_back(nook):
    with tree() as (pid, pids):
        before = {one: groups_of(one) for one in pids}
        nook("pause", "--pid", pid)
        for one in pids:
            assert f"nook-paused-{pid}" in groups_of(one)
        times = [pathlib.Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[11] for one in pids]
        time.sleep(0.1)  # as above
        assert times == [pathlib.Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[11] for one in pids]
        assert "paused already" in nook.fails(125, "pause", "--pid", pid)
        nook("unpause", "--pid", pid)
        assert {one: groups_of(one) for one in pids} == before
        assert "was not paused" in nook.fails(125, "unpause", "--pid", pid)


def test_processes_that_cannot_be_paused(nook):
    assert "cannot be paused" in nook.fails(125, "pause", "--pid", "1")
    assert "not a process id" in nook.fails(125, "pause", "--pid", "x")


@pytest.mark.user("rootless")
def test_an_ordinary_user_pauses_nothing(nook):
    with tree() as (pid, _):
        nook.fails(125, "pause", "--pid", pid)
