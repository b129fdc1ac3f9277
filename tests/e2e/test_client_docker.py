# SPDX-License-Identifier: LGPL-2.1-or-later
"""dockerd --add-runtime nook=nook-oci, driven by docker's command line."""

import json
import re
import time

import pytest

import clients
import conftest
from clients import image_archive  # noqa: F401: a fixture

pytestmark = [pytest.mark.user("root"), pytest.mark.view("hybrid"), pytest.mark.controllers("memory", "cpu", "pids", "cpuset")]


def configuration(space, group):
    limits = {}
    for limit in clients.LIMITS:
        name, _, values = limit.partition("=")
        soft, hard = map(int, values.split(":"))
        limits[name] = {"Name": name, "Soft": soft, "Hard": hard}
    return {
        "data-root": f"{space}/root", "exec-root": f"{space}/exec", "pidfile": f"{space}/pid", "hosts": [f"unix://{space}/sock"],
        "bridge": "none", "iptables": False, "ip-forward": False, "storage-driver": "vfs", "cgroup-parent": f"/{group}",
        "exec-opts": ["native.cgroupdriver=cgroupfs"], "default-ulimits": limits,
        "runtimes": {"nook": {"path": str(conftest.BUILD / "nook-oci")}}, "default-runtime": "nook",
    }


@pytest.fixture
def docker(space, image_archive):  # noqa: F811
    """A dockerd of the test's own, in a network namespace that ends with it."""
    program = clients.program("dockerd", "docker.io")
    group = space.name
    (space / "daemon.json").write_text(json.dumps(configuration(space, group)))
    run = clients.Client([clients.program("docker", "docker.io"), "-H", f"unix://{space}/sock"], cwd=space)
    run.group = group
    try:
        with clients.daemon(["unshare", "--net", program, "--config-file", space / "daemon.json"], space / "log",
                            lambda: run.result("version").code == 0):
            run("load", "-q", "-i", image_archive)
            yield run
            left = run("ps", "-aq").split()
            if left:
                run("rm", "-f", *left)
    finally:
        clients.remove_groups(group)


def start(docker, *options, command=clients.SERVICE):
    name = docker("run", "-d", "--name", "box", *options, "busybox", "sh", "-c", command).strip()
    docker.until("started", "logs", "box")
    return f"{docker.group}/{name}"


def test_a_life(docker):
    start(docker)
    assert docker("inspect", "-f", "{{.HostConfig.Runtime}} {{.State.Status}}", "box") == "nook running\n"
    docker("kill", "--signal", "USR1", "box")
    docker.until("usr1", "logs", "box")
    assert "sleep" in docker("top", "box")
    docker("stop", "-t", "9", "box")
    assert docker("logs", "box").endswith("term\n")
    assert docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "box") == "exited 5\n"
    docker("start", "box")
    docker("restart", "-t", "9", "box")
    docker("rm", "-f", "box")
    events = docker("events", "--since", "1h", "--until", f"{time.time():.6f}", "--filter", "container=box", "--format", "{{.Action}}").split()
    assert [event for event in events if event in ("create", "start", "die", "restart", "destroy")] == [
        "create", "start", "die", "start", "die", "start", "restart", "die", "destroy"]


def test_exit_statuses(docker, space):
    (space / "garbage").write_text("no program")
    (space / "garbage").chmod(0o755)
    for argv, code, words in [
        (["sh", "-c", "exit 7"], 7, ""),
        (["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137, ""),
        (["no-such-command"], 127, "executable file not found in $PATH"),
        (["/no/such/file"], 127, "no such file or directory"),
        (["/etc/passwd"], 126, "permission denied"),
        (["/etc"], 126, "permission denied"),
        (["/garbage"], 125, "exec format error"),
    ]:
        assert words in docker.fails(code, "run", "--rm", "-v", f"{space}/garbage:/garbage", "busybox", *argv)
    assert docker("ps", "-aq") == ""


def test_exec(docker):
    start(docker)
    assert docker("exec", "box", "cat", "/proc/1/comm") == "sh\n"
    assert docker("exec", "-i", "box", "cat", input="in\n") == "in\n"
    shown = docker("exec", "--user", "1000:1000", "-e", "WORD=x", "-w", "/tmp", "box", "sh", "-c", "id -u; pwd; echo $WORD")
    assert shown == "1000\n/tmp\nx\n"
    docker.fails(9, "exec", "box", "sh", "-c", "exit 9")
    missing = docker.result("exec", "box", "no-such-command")
    assert missing.code == 126 and "executable file not found in $PATH" in missing.out + missing.err  # as with runc


def test_terminals(docker):
    code, shown = docker.on_terminal("run", "--rm", "-it", "busybox", "sh", "-c", "tty; exit 3")
    assert code == 3 and "/dev/pts/0" in shown
    start(docker)
    code, shown = docker.on_terminal("exec", "-it", "box", "sh", "-c", "tty; test -t 0 && echo terminal")
    assert code == 0 and "/dev/pts/" in shown and "terminal" in shown


def test_pause(docker):
    start(docker)
    docker("pause", "box")
    assert docker("inspect", "-f", "{{.State.Status}}", "box") == "paused\n"
    assert "is paused" in docker.fails(1, "exec", "box", "true")
    docker("unpause", "box")
    docker("exec", "box", "true")


def test_limits(docker):
    group = start(docker, "--memory", "64m", "--cpus", "0.5", "--pids-limit", "50")
    assert clients.read_group(group, "memory", "memory.limit_in_bytes") == str(64 << 20)
    assert clients.read_group(group, "cpu", "cpu.cfs_quota_us") == "50000"
    assert docker("exec", "box", "cat", "/sys/fs/cgroup/pids/pids.max") == "50\n"
    stats = docker("stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDs}}", "box").split()
    assert stats[2] == "64MiB" and int(stats[3]) >= 1
    docker("update", "--memory", "128m", "--memory-swap", "256m", "--cpus", "0.2", "--pids-limit", "20", "--cpuset-cpus", "0", "box")
    assert clients.read_group(group, "memory", "memory.limit_in_bytes") == str(128 << 20)
    assert clients.read_group(group, "pids", "pids.max") == "20"
    # A group that the update added holds later commands too.
    assert re.search(r"Cpus_allowed_list:\s0\n", docker("exec", "box", "cat", "/proc/self/status"))
    docker("rm", "-f", "box")
    assert clients.groups_named(group) == []


def test_memory_runs_out(docker):
    docker.fails(137, "run", "--name", "big", "--memory", "20m", "busybox", "sh", "-c", "head -c 100m /dev/zero | tail; exit $?")
    assert docker("inspect", "-f", "{{.State.OOMKilled}}", "big") == "true\n"


def test_restarts_of_the_daemon(docker):
    docker("run", "-d", "--name", "box", "--restart", "on-failure:2", "busybox", "sh", "-c", "exit 4")
    docker.until("2 exited 4", "inspect", "-f", "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}", "box")


def test_rights_and_mounts(docker, space):
    (space / "data").mkdir()
    shown = docker("run", "--rm", "--init", "--read-only", "--tmpfs", "/x:size=1m", "--cap-drop", "all", "--cap-add", "chown",
                   "--security-opt", "no-new-privileges", "--device", "/dev/full:/dev/brim", "-v", f"{space}/data:/data",
                   "--hostname", "hut", "--sysctl", "net.ipv4.ip_forward=1", "busybox", "sh", "-c",
                   "touch /a || echo read-only; touch /x/a /data/b; hostname; cat /proc/sys/net/ipv4/ip_forward /proc/1/comm;"
                   "test -c /dev/brim && echo device; grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status")
    assert shown.split() == ["read-only", "hut", "1", "docker-init", "device", "CapEff:", "0000000000000001", "NoNewPrivs:", "1",
                             "Seccomp:", "2"]
    assert (space / "data/b").exists()
