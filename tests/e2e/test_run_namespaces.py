# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook run: each namespace private, shared, joined; and the view from outside."""

import json
import os
import pathlib
import shutil
import subprocess
import time

import clients
import pytest

KINDS = ["mnt", "pid", "uts", "ipc", "net", "cgroup", "user"]


def inode(path):
    return os.readlink(path).partition("[")[2].rstrip("]")


class Running:
    """A container that waits until it is told to end."""

    def __init__(self, nook, source, *options):
        self.nook = nook
        self.process = nook.start("run", "--rm", "--name", "web", *options, source, "sh", "-c", "echo up; read line",
                                  stdin=-1)
        assert self.process.stdout.readline() == "up\n", self.process.stderr.read()
        self.pid = json.loads(nook("inspect", "web"))[0]["pid"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate("\n", timeout=20)
        assert self.process.returncode == 0


def test_every_namespace_is_private_by_default(nook, busybox_root):
    with Running(nook, f"dir:{busybox_root}") as web:
        for kind in KINDS:
            assert inode(f"/proc/{web.pid}/ns/{kind}") != inode(f"/proc/self/ns/{kind}"), kind


@pytest.mark.user("root")
@pytest.mark.parametrize("kind, option", [("pid", "--pid"), ("uts", "--uts"), ("ipc", "--ipc"), ("net", "--net"),
                                          ("cgroup", "--cgroupns"), ("user", "--userns")])
def test_each_can_be_the_hosts(nook, busybox_root, kind, option):
    with Running(nook, f"dir:{busybox_root}", option, "host") as web:
        assert inode(f"/proc/{web.pid}/ns/{kind}") == inode(f"/proc/self/ns/{kind}")
        assert inode(f"/proc/{web.pid}/ns/mnt") != inode("/proc/self/ns/mnt")


@pytest.mark.user("root")
@pytest.mark.parametrize("kind", ["net", "ipc", "uts"])
def test_one_can_be_another_containers(nook, busybox_root, kind):
    with Running(nook, f"dir:{busybox_root}", "--hostname", "first") as web:
        out = nook("run", "--rm", f"--{kind}", "container:web", f"dir:{busybox_root}", "readlink", f"/proc/self/ns/{kind}")
        assert inode(f"/proc/{web.pid}/ns/{kind}") in out
        out = nook("run", "--rm", f"--{kind}", f"path:/proc/{web.pid}/ns/{kind}", f"dir:{busybox_root}", "hostname")
        assert (out == "first\n") == (kind == "uts")


@pytest.mark.user("root")
@pytest.mark.skipif(not shutil.which("strace"), reason="strace holds the start up")
def test_one_of_a_container_that_just_starts_is_its_own(nook, busybox_root, space):
    """Its process is known before it has a cgroup namespace of its own."""
    held = ["strace", "-f", "-o", space / "trace", "-e", "trace=sethostname", "-e", "inject=sethostname:delay_enter=1000000"]
    line = nook.argv("run", "--rm", "--name", "slow", f"dir:{busybox_root}", "sh", "-c", "read end")
    with subprocess.Popen([*held, *line], env=nook.environment, stdin=subprocess.PIPE) as start:
        clients.wait_for(lambda: "running" in nook.result("inspect", "slow").out, lambda: "it does not come")
        out = nook("run", "--rm", "--userns", "host", "--cgroupns", "container:slow", f"dir:{busybox_root}", "readlink", "/proc/self/ns/cgroup")
        assert inode("/proc/self/ns/cgroup") not in out
        start.communicate(b"end\n")
    assert start.returncode == 0


def test_names(nook, busybox_root):
    out = nook("run", "--rm", "--hostname", "web", "--domainname", "lab.local", f"dir:{busybox_root}", "sh", "-c",
               "hostname; cat /proc/sys/kernel/domainname")
    assert out == "web\nlab.local\n"
    assert "private uts" in nook.fails(125, "run", "--uts", "host", "--hostname", "x", f"dir:{busybox_root}", "true")


def test_a_private_network_has_a_loopback_that_is_up(nook, busybox_root):
    # httpd answers its caller once it listens.
    talk = "echo pong > /dev/shm/ping; httpd -p 127.0.0.1:80 -h /dev/shm; wget -q -O - http://127.0.0.1/ping"
    out = nook("run", "--rm", f"dir:{busybox_root}", "sh", "-c", f"ip -o addr; {talk}")
    assert "127.0.0.1/8" in out and out.endswith("pong\n") and "eth" not in out


def test_clocks_can_be_shifted(nook, busybox_root):
    out = nook("run", "--rm", "--time-offset", "boottime=+100d", f"dir:{busybox_root}", "cut", "-d.", "-f1", "/proc/uptime")
    host = float(pathlib.Path("/proc/uptime").read_text().split()[0])
    assert abs(int(out) - host - 100 * 86400) < 60
    error = nook.fails(125, "run", "--time-offset", "boottime=-10000d", f"dir:{busybox_root}", "true")
    assert "timens_offsets" in error and "below zero" in error


@pytest.mark.user("root")
def test_maps_of_ones_own(nook, busybox_root):
    out = nook("run", "--rm", "--uidmap", "0:100000:10", "--gidmap", "0:200000:20", f"dir:{busybox_root}", "sh", "-c",
               "cat /proc/self/uid_map /proc/self/gid_map | awk '{print $1,$2,$3}'")
    assert out == "0 100000 10\n0 200000 20\n"


@pytest.mark.user("root")
def test_two_containers_have_different_ranges(nook, busybox_root):
    with Running(nook, f"dir:{busybox_root}") as web:
        first = pathlib.Path(f"/proc/{web.pid}/uid_map").read_text().split()[1]
        second = nook("run", "--rm", f"dir:{busybox_root}", "cat", "/proc/self/uid_map").split()[1]
        assert first != second and int(first) % 65536 == 0


def test_an_ordinary_user_has_one_id(as_user, busybox_root):
    out = as_user("run", "--rm", f"dir:{busybox_root}", "sh", "-c", "id -u; cat /proc/self/uid_map | awk '{print $1,$3}'; cat /proc/self/setgroups")
    assert out == "0\n0 1\ndeny\n"


def test_exec_enters_all_namespaces_with_the_same_rights(nook, busybox_root):
    with Running(nook, f"dir:{busybox_root}") as web:
        out = nook("exec", "web", "sh", "-c", "for k in mnt pid uts ipc net cgroup user; do readlink /proc/self/ns/$k; done; "
                   "grep -E 'Cap|NoNew|Seccomp:' /proc/self/status; cat /proc/self/cgroup")
        for kind in KINDS:
            assert inode(f"/proc/{web.pid}/ns/{kind}") in out, kind
        init = nook("exec", "web", "sh", "-c", "grep -E 'Cap|NoNew|Seccomp:' /proc/1/status; cat /proc/1/cgroup")
        assert out.endswith(init)


def test_exec_statuses_and_words(nook, busybox_root):
    with Running(nook, f"dir:{busybox_root}", "-e", "A=container", "-w", "/tmp"):
        assert nook.result("exec", "web", "sh", "-c", "exit 9").code == 9
        assert nook.fails(127, "exec", "web", "no-such").startswith('nook: exec "no-such"')
        assert nook("exec", "-e", "B=exec", "web", "sh", "-c", "echo $A $B; pwd") == "container exec\n/tmp\n"
        assert nook("exec", "-w", "/etc", "web", "pwd") == "/etc\n"
        assert nook("exec", "-t", "web", "tty").startswith("/dev/pts/")
    assert "no such container" in nook.fails(125, "exec", "web", "true")


def test_exec_leaks_no_descriptor_and_is_not_seen(nook, busybox_root):
    with Running(nook, f"dir:{busybox_root}"):
        assert nook("exec", "web", "ls", "/proc/self/fd").split() == ["0", "1", "2", "3"]
        out = nook("exec", "web", "sh", "-c", "for p in /proc/[0-9]*; do readlink $p/exe; done")
        assert set(out.split()) == {"/bin/busybox"}


def test_exec_into_a_paused_container_is_refused(nook, busybox_root):
    with Running(nook, f"dir:{busybox_root}") as web:
        if nook.result("pause", "web").code == 0:
            assert "paused" in nook.fails(125, "exec", "web", "true")
            nook("unpause", "web")
        assert web.process.poll() is None


@pytest.mark.user("root")
def test_pause_and_unpause_are_quick(nook, busybox_root):
    with Running(nook, f"dir:{busybox_root}"):
        start = time.monotonic()
        nook("pause", "web")
        nook("unpause", "web")
        assert time.monotonic() - start < 2
