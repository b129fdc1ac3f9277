# SPDX-License-Identifier: LGPL-2.1-or-later
"""podman --runtime nook-oci.  podman 4.3 knows pure cgroup layouts alone, so this is the pure-v1 session's."""

import json
import re

import pytest

import clients
import conftest
from clients import image_archive  # noqa: F401: a fixture

pytestmark = [pytest.mark.user("root"), pytest.mark.view("v1")]
BUSYBOX = "localhost/busybox"

CONFIG = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
netns = "none"
[engine]
lock_type = "file"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


@pytest.fixture
def podman(space, image_archive):  # noqa: F811
    """podman with stores, state and groups of its own; no container of its is left."""
    program = clients.program("podman", "podman")
    clients.program("conmon", "conmon")
    (space / "containers.conf").write_text(CONFIG)
    (space / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    # podman's --runtime-flag would not do: the clean-up that conmon runs at the end of a container does not get it.
    runtime = space / "nook-oci"
    runtime.write_text(f'#!/bin/sh\nexec {conftest.BUILD}/nook-oci --root {space}/oci "$@"\n')
    runtime.chmod(0o755)
    argv = [program, "--root", space / "root", "--runroot", space / "runroot", "--tmpdir", space / "tmp",
            "--network-config-dir", space / "networks", "--storage-driver", "vfs",
            "--runtime", runtime]
    env = {"CONTAINERS_CONF": str(space / "containers.conf"), "XDG_RUNTIME_DIR": str(space)}
    run = clients.Client(argv, env, space)
    run("load", "--signature-policy", space / "policy.json", "-i", image_archive)
    run("tag", clients.IMAGE, BUSYBOX)
    group = space.name
    run.parent = f"--cgroup-parent=/{group}"
    try:
        yield run
    finally:
        run.result("rm", "-fa", "-t", "0")
        clients.remove_groups(group)


def start(podman, *options, command=clients.SERVICE):
    podman("run", "-d", "--name", "box", podman.parent, *options, BUSYBOX, "sh", "-c", command)
    if command == clients.SERVICE:
        podman.until("started", "logs", "box")


def test_a_life(podman):
    start(podman)
    assert podman("ps", "--format", "{{.Names}} {{.Status}}").startswith("box Up ")
    podman("kill", "--signal", "USR1", "box")
    podman.until("usr1", "logs", "box")
    assert "sleep" in podman("top", "box")
    podman("stop", "-t", "9", "box")
    assert podman("logs", "box").endswith("term\n")
    assert podman("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "box") == "exited 5\n"
    podman("start", "box")
    podman("restart", "-t", "9", "box")
    podman("rm", "-f", "-t", "0", "box")
    events = podman("events", "--stream=false", "--filter", "container=box", "--format", "{{.Status}}").split()
    for event in ("create", "init", "start", "kill", "died", "restart", "remove"):
        assert event in events, events


ENDS = [
    (["sh", "-c", "exit 7"], 7, ""),
    (["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137, ""),
    (["no-such-command"], 127, "executable file not found in $PATH"),
    (["/no/such/file"], 127, "no such file or directory"),
    (["/etc/passwd"], 126, "permission denied"),
    (["/etc"], 126, "permission denied"),
]


def test_exit_statuses(podman):
    for argv, code, words in ENDS:
        assert words in podman.fails(code, "run", "--rm", podman.parent, BUSYBOX, *argv)
    assert podman("ps", "-aq") == ""
    podman.fails(125, "run", "--rm", podman.parent, "--no-such-option", BUSYBOX, "true")


def test_exec(podman):
    start(podman)
    assert podman("exec", "box", "cat", "/proc/1/comm") == "sh\n"
    assert podman("exec", "-i", "box", "cat", input="in\n") == "in\n"
    shown = podman("exec", "--user", "1000:1000", "-e", "WORD=x", "-w", "/tmp", "box", "sh", "-c", "id -u; pwd; echo $WORD")
    assert shown == "1000\n/tmp\nx\n"
    podman.fails(9, "exec", "box", "sh", "-c", "exit 9")
    assert "not found" in podman.fails(127, "exec", "box", "no-such-command")
    assert "permission denied" in podman.fails(126, "exec", "box", "/etc/passwd").lower()


def test_terminals(podman):
    code, shown = podman.on_terminal("run", "--rm", "-it", podman.parent, BUSYBOX, "sh", "-c", "tty; stty size; exit 3")
    assert code == 3 and "/dev/pts/0" in shown
    start(podman)
    code, shown = podman.on_terminal("exec", "-it", "box", "sh", "-c", "tty; test -t 0 && echo terminal")
    assert code == 0 and "/dev/pts/" in shown and "terminal" in shown


def test_pause(podman):
    start(podman)
    podman("pause", "box")
    assert podman("ps", "-a", "--format", "{{.State}}") == "Paused\n"
    assert podman.result("exec", "box", "true").code != 0
    podman("unpause", "box")
    podman("exec", "box", "true")


def test_limits(podman):
    start(podman, "--memory", "64m", "--cpus", "0.5", "--pids-limit", "50", "--cpu-shares", "512")
    group = f"{podman.parent.partition('=/')[2]}/libpod-{podman('inspect', '-f', '{{.Id}}', 'box').strip()}"
    assert clients.read_group(group, "memory", "memory.limit_in_bytes") == str(64 << 20)
    assert clients.read_group(group, "cpu", "cpu.cfs_quota_us") == "50000"
    assert clients.read_group(group, "cpu", "cpu.shares") == "512"
    assert clients.read_group(group, "pids", "pids.max") == "50"
    # The container sees its own groups, although it has no cgroup namespace of its own.
    assert podman("exec", "box", "cat", "/sys/fs/cgroup/pids/pids.max") == "50\n"
    stats = json.loads(podman("stats", "--no-stream", "--format", "json", "box"))[0]
    assert int(stats["pids"]) >= 1 and "/ 67.11MB" in stats["mem_usage"]
    podman("update", "--memory", "128m", "--cpus", "0.2", "--cpuset-cpus", "0", "box")
    assert clients.read_group(group, "memory", "memory.limit_in_bytes") == str(128 << 20)
    assert clients.read_group(group, "cpu", "cpu.cfs_quota_us") == "20000"
    # A group that the update added holds later commands too.
    assert re.search(r"Cpus_allowed_list:\s0\n", podman("exec", "box", "cat", "/proc/self/status"))
    podman("rm", "-f", "-t", "0", "box")
    assert clients.groups_named(group) == []


def test_a_health_check(podman):
    start(podman, "--health-cmd", "test -e /tmp/well", "--health-interval", "disable")
    podman.fails(1, "healthcheck", "run", "box")
    podman("exec", "box", "touch", "/tmp/well")
    podman("healthcheck", "run", "box")
    assert podman("inspect", "-f", "{{.State.Healthcheck.Status}}", "box") == "healthy\n"


def test_a_user_namespace(podman):
    shown = podman("run", "--rm", podman.parent, "--uidmap", "0:100000:1000", "--gidmap", "0:100000:1000", BUSYBOX, "sh", "-c",
                   "id -u; cat /proc/self/uid_map; touch /made; stat -c %u /made")
    assert shown.split() == ["0", "0", "100000", "1000", "0"]


def test_rights_and_mounts(podman, space):
    (space / "data").mkdir()
    shown = podman("run", "--rm", podman.parent, "--read-only", "--tmpfs", "/x:size=1m", "--cap-drop", "all", "--cap-add", "chown",
                   "--security-opt", "no-new-privileges", "--device", "/dev/full:/dev/brim", "-v", f"{space}/data:/data",
                   "--hostname", "hut", "--sysctl", "net.ipv4.ip_forward=1", "--ulimit", "core=0", "--ulimit", clients.LIMITS[0], "--ulimit", clients.LIMITS[1], BUSYBOX, "sh", "-c",
                   "touch /a || echo read-only; touch /x/a /data/b; hostname; cat /proc/sys/net/ipv4/ip_forward; ulimit -c;"
                   "test -c /dev/brim && echo device; grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status")
    assert shown.split() == ["read-only", "hut", "1", "0", "device", "CapEff:", "0000000000000001", "NoNewPrivs:", "1",
                             "Seccomp:", "2"]
    assert (space / "data/b").exists()
