# SPDX-License-Identifier: LGPL-2.1-or-later
"""containerd's runc shim on nook-oci: ctr run --runc-binary."""

import pytest

import clients
import conftest
from clients import image_archive  # noqa: F401: a fixture

pytestmark = [pytest.mark.user("root"), pytest.mark.view("v1", "hybrid"), pytest.mark.controllers("memory", "cpu")]

# The CRI plugin wants a network that this test has not got.
CONFIG = """
version = 2
root = "{space}/root"
state = "{space}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{space}/sock"
"""


@pytest.fixture
def ctr(space, image_archive):  # noqa: F811
    """A containerd with an image; its containers are in a containerd namespace, and so in a group, of this test's name."""
    program = clients.program("containerd", "containerd")
    (space / "config.toml").write_text(CONFIG.format(space=space))
    group = space.name
    run = clients.Client([clients.program("ctr", "containerd"), "-a", space / "sock", "-n", group], cwd=space)
    run.group = group
    run.runtime = ["--runc-binary", conftest.BUILD / "nook-oci", "--runc-root", space / "oci"]
    try:
        with clients.daemon([program, "--config", space / "config.toml"], space / "log",
                            lambda: run.result("version").code == 0):
            run("image", "import", image_archive)
            yield run
            for name in run("task", "ls", "-q").split():
                run.result("task", "delete", "-f", name)
            for name in run("container", "ls", "-q").split():
                run.result("container", "delete", name)
    finally:
        clients.remove_groups(group)


def start(ctr, *options):
    ctr("run", "-d", "--null-io", *ctr.runtime, *options, clients.IMAGE, "box", "sh", "-c", clients.SERVICE)


def status(ctr):
    return [line.split()[2] for line in ctr("task", "ls").splitlines() if line.startswith("box ")]


def execute(ctr, *args, number=iter(range(1000)), **options):
    return ctr.result("task", "exec", "--exec-id", f"e{next(number)}", *args, **options)


def test_exit_statuses(ctr):
    assert ctr("run", "--rm", *ctr.runtime, clients.IMAGE, "a", "echo", "hi") == "hi\n"
    ctr.fails(7, "run", "--rm", *ctr.runtime, clients.IMAGE, "b", "sh", "-c", "exit 7")
    missing = ctr.fails(1, "run", "--rm", *ctr.runtime, clients.IMAGE, "c", "no-such-command")
    assert 'exec "no-such-command": executable file not found in $PATH' in missing
    assert "permission denied" in ctr.fails(1, "run", "--rm", *ctr.runtime, clients.IMAGE, "d", "/etc/passwd")
    assert ctr("container", "ls", "-q") == ""


def test_exec(ctr):
    start(ctr)
    assert execute(ctr, "box", "cat", "/proc/1/comm").out == "sh\n"
    assert execute(ctr, "box", "cat", input="in\n").out == "in\n"
    assert execute(ctr, "box", "sh", "-c", "exit 9").code == 9
    assert execute(ctr, "--user", "1000:1000", "--cwd", "/tmp", "box", "sh", "-c", "id -u; pwd").out == "1000\n/tmp\n"
    missing = execute(ctr, "box", "no-such-command")
    assert missing.code == 1 and "executable file not found" in missing.err


def test_terminals(ctr):
    """containerd reads what create prints to its end: it hung when the waiting container still held that pipe."""
    code, shown = ctr.on_terminal("run", "--rm", "-t", *ctr.runtime, clients.IMAGE, "a", "sh", "-c", "tty; stty size; exit 3")
    assert code == 3 and "/dev/pts/0" in shown
    start(ctr)
    code, shown = ctr.on_terminal("task", "exec", "-t", "--exec-id", "tty", "box", "sh", "-c", "tty; exit 4")
    assert code == 4 and "/dev/pts/" in shown


def test_pause_limits_and_the_end(ctr, space):
    start(ctr, "--memory-limit", str(64 << 20), "--cpus", "0.5", "--pid-file", space / "pid")
    group = f"{ctr.group}/box"
    assert clients.read_group(group, "memory", "memory.limit_in_bytes") == str(64 << 20)
    assert clients.read_group(group, "cpu", "cpu.cfs_quota_us") == "50000"
    pid = (space / "pid").read_text()
    assert pid in ctr("task", "ps", "box").split()
    assert "memory.limit_in_bytes    67108864" in ctr("task", "metrics", "box")
    ctr("task", "pause", "box")
    assert status(ctr) == ["PAUSED"]
    assert "paused" in execute(ctr, "box", "true").err
    ctr("task", "resume", "box")
    assert status(ctr) == ["RUNNING"]
    ctr("task", "kill", "-s", "TERM", "box")
    ctr.until("STOPPED", "task", "ls")
    assert "exit code 5" in ctr.result("task", "delete", "box").err
    assert clients.groups_named(group) == []
    ctr("container", "delete", "box")
