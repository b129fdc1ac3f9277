# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook-oci on containers that run: events, mounts that come and go, new limits."""

import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess

import clients
import pytest

pytestmark = pytest.mark.user("root")


# ---- events --------------------------------------------------------------------------------------------------------------

def test_statistics_once(oci, running):
    event = json.loads(oci("events", "--stats", "c"))
    assert event["type"] == "stats" and event["id"] == "c"
    data = event["data"]
    assert data["cpu"]["usage"]["total"] > 0 and data["memory"]["usage"]["limit"] > 0
    assert set(data) == {"cpu", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"}
    assert isinstance(data["blkio"]["ioServiceBytesRecursive"], list)


@pytest.mark.controllers("pids", "memory")
def test_statistics_of_limits(oci, ro_bundle):
    ro_bundle.linux["resources"] = {"pids": {"limit": 70}, "memory": {"limit": 64 << 20}}
    ro_bundle.args("sleep", "1000").run("--detach")
    data = json.loads(oci("events", "--stats", "c"))["data"]
    assert data["pids"] == {"current": 1, "limit": 70} and data["memory"]["usage"]["limit"] == 64 << 20
    assert data["memory"]["usage"]["usage"] > 0 and len(data["memory"]["raw"]) > 10


def test_statistics_again_and_again_until_the_end(oci, running):
    with oci.start("events", "--interval", "20ms", "c") as events:
        for _ in range(3):
            assert json.loads(events.stdout.readline())["type"] == "stats"
        oci("kill", "c", "KILL")
        rest = events.stdout.read()
        assert events.wait(20) == 0
    assert all(json.loads(line)["type"] == "stats" for line in rest.splitlines())


@pytest.mark.controllers("memory")
def test_an_event_when_memory_runs_out(oci, ro_bundle):
    ro_bundle.linux["resources"] = {"memory": {"limit": 16 << 20, "swap": 16 << 20}}
    grow = "x=0123456789abcdef; while :; do x=$x$x; done"
    ro_bundle.sh(f"while read line; do sh -c '{grow}'; done; sleep 1000")
    with oci.start("run", "-b", ro_bundle.save(), "c", stdin=subprocess.PIPE) as run:
        while oci.result("state", "c").code != 0 or oci.status("c") != "running":
            pass
        with oci.start("events", "--interval", "1000s", "c") as events:
            # Once it waits it has seen what was before.
            while "poll" not in pathlib.Path(f"/proc/{events.pid}/wchan").read_text():
                os.sched_yield()
            run.stdin.write("\n")
            run.stdin.flush()
            assert json.loads(events.stdout.readline()) == {"type": "oom", "id": "c"}
            oci("kill", "c", "KILL")
            assert events.wait(20) == 0
        run.stdin.close()


def test_events_of_what_does_not_run(oci, ro_bundle):
    assert "does not exist" in oci.fails(1, "events", "--stats", "nobody")
    oci("create", "-b", ro_bundle.args("true").save(), "c")
    oci("kill", "c", "KILL")
    oci.wait("c", "stopped")
    assert "not running" in oci.fails(1, "events", "--stats", "c")
    assert "--interval" in oci.fails(1, "events", "--interval", "0s", "c")


# ---- mounts --------------------------------------------------------------------------------------------------------------

def test_mounts_come_and_go(oci, bundle, space):
    bundle.args("sleep", "1000").run("--detach")
    (space / "data").mkdir()
    (space / "data/file").write_text("shown\n")
    mounts = [{"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["size=64k", "nosuid"]},
              {"destination": "/mnt/in/side", "type": "bind", "source": str(space / "data"), "options": ["bind", "ro"]}]
    for document in (mounts, {"mounts": mounts}):
        (space / "mounts.json").write_text(json.dumps(document))
        oci("mounts", "add", "c", space / "mounts.json")
        out = oci("exec", "c", "sh", "-c", "cat /mnt/in/side/file; touch /mnt/in/side/x || grep -c /mnt /proc/1/mountinfo")
        assert out == "shown\n2\n"
        assert " /mnt/in/side" not in pathlib.Path("/proc/self/mountinfo").read_text()
        oci("mounts", "remove", "c", space / "mounts.json")
        assert oci("exec", "c", "sh", "-c", "grep -c /mnt /proc/1/mountinfo; true") == "0\n"
    (space / "mounts.json").write_text(json.dumps(mounts[:1]))
    assert "nothing is mounted there" in oci.fails(1, "mounts", "remove", "c", space / "mounts.json")


@pytest.fixture
def slow(oci, bundle, space):
    """Starts container "c" by these words, and is there when its process is noted: it stays in the host's files for a second."""
    @contextlib.contextmanager
    def start(how):
        (bundle.root / "marker").write_text("inside\n")
        line = oci.argv(*how, "-b", bundle.args("sleep", "1000").save(), "c")
        held = ["strace", "-f", "-o", space / "trace", "-e", "trace=sethostname", "-e", "inject=sethostname:delay_enter=1000000"]
        with subprocess.Popen([*held, *line], env=oci.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
            try:
                clients.wait_for(lambda: re.search('"pid": [1-9]', oci.result("state", "c").out), lambda: "it does not come")
                yield
            finally:
                oci("delete", "--force", "c")
    if not shutil.which("strace"):
        pytest.skip("strace holds the start up")
    return start


HOW = pytest.mark.parametrize("how", [["--cgroup-manager=disabled", "create"], ["run", "--detach"], ["run"]], ids=" ".join)


@pytest.mark.parametrize("what", ["exec", "mounts"])
@HOW
def test_what_comes_while_it_starts_sees_no_file_of_the_host(oci, slow, space, how, what):
    """What is only created cannot be joined before it is; what runs at once counts as running, and is waited for."""
    (space / "mounts.json").write_text(json.dumps([{"destination": "/mnt", "type": "tmpfs", "source": "tmpfs"}]))
    words = ["exec", "c", "cat", "/marker"] if what == "exec" else ["mounts", "add", "c", space / "mounts.json"]
    with slow(how):
        if "create" in how:
            assert "not running" in oci.fails(1, *words)
            oci.wait("c", "created")
        assert oci(*words) == ("inside\n" if what == "exec" else "")
        if what == "mounts":
            assert oci("exec", "c", "grep", "-c", " /mnt ", "/proc/1/mountinfo") == "1\n"


@HOW
def test_one_whose_start_was_killed_keeps_nobody_waiting(oci, slow, how):
    """What was to wait at a gate ends; what runs at once does so without us, and still nobody comes in too early."""
    with slow(how):
        os.kill(json.loads((oci.space / "oci/containers/c/state.json").read_text())["supervisor"], signal.SIGKILL)
        if "create" in how:
            assert "not running" in oci.fails(1, "exec", "c", "cat", "/marker")
            assert oci.status("c") == "stopped"
        else:
            assert oci("exec", "c", "cat", "/marker") == "inside\n"


@HOW
def test_a_hook_of_the_start_cannot_come_in_and_hears_so(oci, ro_bundle, space, how):
    """The start waits for the hook, and so the hook must not wait for the start."""
    hook = space / "hook"
    hook.write_text(f"#!/bin/sh\nexec {shlex.join(oci.argv('exec', 'c', 'true'))} 2>{space}/told\n")
    hook.chmod(0o755)
    ro_bundle.config["hooks"] = {"createRuntime": [{"path": str(hook)}]}
    assert "it ended with status 1" in oci.fails(1, *how, "-b", ro_bundle.args("true").save(), "c")
    told = (space / "told").read_text()
    assert ("not running" if "create" in how else "it goes on to start when this has ended") in told


def test_a_mount_follows_no_link_out_of_the_container(oci, bundle, space):
    bundle.config["root"]["readonly"] = False
    (space / "outside").mkdir()
    (bundle.root / "way").symlink_to(space / "outside")
    (bundle.root / "up").symlink_to("../../../../../../.." + str(space / "outside"))
    (bundle.root / "inner").symlink_to("/../../tmp")
    bundle.args("sleep", "1000").run("--detach")

    def mounts(name):
        (space / "mounts.json").write_text(json.dumps([{"destination": f"/{name}/x", "type": "tmpfs", "source": "tmpfs"}]))
        return "c", space / "mounts.json"
    assert "/way/x" in oci.fails(1, "mounts", "add", *mounts("way"))
    assert "/up/x" in oci.fails(1, "mounts", "add", *mounts("up"))
    assert list((space / "outside").iterdir()) == []
    oci("mounts", "add", *mounts("inner"))
    assert " /tmp/x " in oci("exec", "c", "cat", "/proc/1/mountinfo")
    oci("mounts", "remove", *mounts("inner"))
    assert " /tmp/x " not in oci("exec", "c", "cat", "/proc/1/mountinfo")


def test_mounts_of_what_is_not_there(oci, running, space):
    (space / "mounts.json").write_text(json.dumps([{"destination": "/mnt", "type": "bind", "source": str(space / "no"), "options": ["bind"]}]))
    assert str(space / "no") in oci.fails(1, "mounts", "add", "c", space / "mounts.json")
    (space / "mounts.json").write_text('[{"destination": 5}]')
    assert "mounts[0].destination" in oci.fails(1, "mounts", "add", "c", space / "mounts.json")
    assert "neither add nor remove" in oci.fails(1, "mounts", "move", "c", space / "mounts.json")
