# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a start may cost in system calls and memory; bench/start measures the time, which no test can judge.

Each limit is a little above what is reached today.  Who adds a system call to the start path looks here first; who
saves some lowers the number.  docs/performance.md tells which of them the aims are met for.
"""

import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

import images
import runner
from conftest import BUILD

pytestmark = [
    pytest.mark.user("root"),
    pytest.mark.skipif(not shutil.which("strace"), reason="strace counts the system calls"),
    pytest.mark.skipif(runner.is_sanitized(BUILD / "nook"), reason="a sanitizer makes system calls of its own"),
]

# What is reached, and up to five calls for a wait that is interrupted and for mountinfo, which is read a page at a time.
# By the groups that a container gets: one on v2, one for each controller on v1, both on a hybrid machine.
RUN_DIR = {"v2": 265, "v1": 282, "hybrid": 286}
RUN_HOST = {"v2": 316, "v1": 333, "hybrid": 337}
# What an image that is here costs more: the question to the database, the layer's lock, an overlay in place of a bind mount.
IMAGE_MORE = 120
EXEC = {"v2": 134, "v1": 140, "hybrid": 139}
# nook-oci with musl; what starting and allocating with glibc costs more, in the program and once it has begun anew.
GLIBC_MORE = 28
OCI_RUN = {"v2": 241, "v1": 266, "hybrid": 270}
OCI_EXEC = {"v2": 127, "v1": 137, "hybrid": 136}
LIST_PER_CONTAINER = 9
# Most of it are pages of the program's file, which the kernel maps by sixteen where they are in the page cache.
PEAK_KIB = 2304
OCI_PEAK_KIB = 1664


def in_this_view(limits, cgroup_view):
    if cgroup_view == "v2" and "pids" not in pathlib.Path("/sys/fs/cgroup/cgroup.controllers").read_text().split():
        pytest.skip("where v2 has no controllers, limits need hierarchies of nook's own, which costs more")
    return limits[cgroup_view]


def more_with_glibc():
    return GLIBC_MORE if b"GLIBC_TUNABLES" in (BUILD / "nook-oci").read_bytes() else 0


def system_calls(nook, space, *args):
    """All that nook and the container do, up to the end of both.

    Counted line by line: a summary of strace's leaves out the calls that are newer than it.
    """
    out = pathlib.Path(tempfile.mkdtemp(dir=space))
    line = ["strace", "-ff", "-o", str(out / "strace"), *nook.argv(*args)]
    done = subprocess.run(line, env=nook.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [row for file in out.iterdir() for row in file.read_text().splitlines()]
    return sum(re.match(r"\w+\(", row) is not None and not row.startswith("exit_group(") for row in rows)


def warm(nook, root):
    """The first start makes the directories of the state."""
    nook("run", "--rm", f"dir:{root}", "/bin/true")


def test_system_calls_of_a_start_from_a_directory(nook, space, busybox_root, cgroup_view):
    warm(nook, busybox_root)
    assert system_calls(nook, space, "run", "--rm", f"dir:{busybox_root}", "/bin/true") <= RUN_DIR[cgroup_view]


def test_system_calls_of_a_start_from_the_host(nook, space, busybox_root, cgroup_view):
    warm(nook, busybox_root)
    assert system_calls(nook, space, "run", "--rm", "host:", "/bin/true") <= RUN_HOST[cgroup_view]


@pytest.fixture
def image(nook, space):
    """A name for an image of one layer."""
    layout = images.Layout(space / "oci")
    layout.image("t", [images.busybox_layer()], {"Env": ["PATH=/bin"]})
    nook("load", "--name", "cost:1", layout.source("t"))
    return "cost:1"


def test_system_calls_of_a_start_from_an_image(nook, space, busybox_root, image, cgroup_view):
    warm(nook, busybox_root)
    assert system_calls(nook, space, "run", "--rm", image, "/bin/true") <= RUN_DIR[cgroup_view] + IMAGE_MORE


def test_a_start_loads_nothing(nook, space, image):
    """No libcurl, no other library, no helper program: nook and the command are all that is executed."""
    nook("run", "--rm", image, "true")
    out = space / "strace"
    line = ["strace", "-f", "-e", "trace=execve,open,openat,openat2", "-o", str(out), *nook.argv("run", "--rm", image, "/bin/true")]
    subprocess.run(line, env=nook.environment, check=True, stdin=subprocess.DEVNULL)
    calls = out.read_text()
    assert re.findall(r'execve(?:at)?\("([^"]*)"', calls) == [str(nook.program), "/bin/true"]
    assert not re.findall(r'"[^"]*\.so[.0-9]*"', calls), calls
    for name in ("nook", "nook-oci", "nook-shim"):
        needed = subprocess.run(["readelf", "-d", BUILD / name], stdout=subprocess.PIPE, text=True, check=True).stdout
        assert "NEEDED" not in needed, name


def test_system_calls_of_an_exec(nook, space, busybox_root, cgroup_view):
    script = "echo ready; read line"
    with nook.start("run", "--rm", "--name", "held", f"dir:{busybox_root}", "sh", "-c", script, stdin=subprocess.PIPE) as held:
        assert held.stdout.readline() == "ready\n"
        calls = system_calls(nook, space, "exec", "held", "/bin/true")
        held.communicate("\n")
    assert held.returncode == 0
    assert calls <= EXEC[cgroup_view]


def asking(bundle, *args):
    """What an engine's bundle asks for: limits and devices, besides what `spec` writes."""
    bundle.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}], "pids": {"limit": 2048}}
    return bundle.args(*args).save()


@pytest.mark.vm
def test_system_calls_of_a_bundle(oci, ro_bundle, space, cgroup_view):
    limit = in_this_view(OCI_RUN, cgroup_view) + more_with_glibc()
    path = asking(ro_bundle, "/bin/true")
    oci("run", "-b", path, "warm")
    assert system_calls(oci, space, "run", "-b", path, "c") <= limit


@pytest.mark.vm
def test_system_calls_of_an_exec_into_a_bundle(oci, ro_bundle, space, cgroup_view):
    oci("run", "--detach", "-b", asking(ro_bundle, "/bin/sleep", "1000"), "c")
    assert system_calls(oci, space, "exec", "c", "/bin/true") <= in_this_view(OCI_EXEC, cgroup_view) + more_with_glibc()


def test_system_calls_of_a_list_grow_by_little(oci, ro_bundle, space):
    """A state, a look at the process, a look at its group: each opened, read and closed."""
    path = asking(ro_bundle, "/bin/sleep", "1000")
    calls = []
    for name in ("one", "two", "three"):
        oci("run", "--detach", "-b", path, name)
        calls.append(system_calls(oci, space, "list"))
    assert calls[2] - calls[1] <= LIST_PER_CONTAINER


def test_no_grace_period_is_waited_for_but_that_of_the_old_root(nook, space, busybox_root):
    """Closing a mount that is attached nowhere waits for RCU: each detached one must find its place."""
    warm(nook, busybox_root)
    # All calls, for this strace may not know open_tree_attr(2) by name; each process in a file of its own.
    line = ["strace", "-ff", "-o", str(space / "strace")]
    subprocess.run([*line, *nook.argv("run", "--rm", f"dir:{busybox_root}", "/bin/true")], env=nook.environment, check=True,
                   stdin=subprocess.DEVNULL)
    made = attached = 0
    for call in (row for out in space.glob("strace.*") for row in out.read_text().splitlines()):
        succeeded = re.search(r"\) += (0x[0-9a-f]+|\d+)$", call) is not None
        made += succeeded and ("OPEN_TREE_CLONE" in call or "syscall_0x1d3(" in call or "fsmount(" in call)
        attached += succeeded and "move_mount(" in call
    assert made == attached


@pytest.mark.parametrize("source", ["dir", "host"])
def test_peak_memory_of_a_start(nook, busybox_root, source):
    root = "host:" if source == "host" else f"dir:{busybox_root}"
    with nook.start("run", "--rm", root, "sh", "-c", "echo ready; read line", stdin=subprocess.PIPE) as held:
        assert held.stdout.readline() == "ready\n"
        status = pathlib.Path(f"/proc/{held.pid}/status").read_text()
        held.communicate("\n")
    assert held.returncode == 0
    assert int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[1]) <= PEAK_KIB


def test_peak_memory_of_a_bundle(oci, ro_bundle):
    """Of nook-oci alone: while it waits for its container."""
    with oci.start("run", "-b", ro_bundle.sh("echo ready; read line").save(), "c", stdin=subprocess.PIPE) as held:
        assert held.stdout.readline() == "ready\n"
        status = pathlib.Path(f"/proc/{held.pid}/status").read_text()
        held.communicate("\n")
    assert held.returncode == 0
    assert int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[1]) <= OCI_PEAK_KIB


@pytest.mark.user("root")
def test_an_exec_carries_nothing_of_the_host_into_the_container(nook, space, busybox_root):
    """What opened the way (pidfd, groups, the state directory) is closed as soon as it is inside, before anything else."""
    out = space / "strace"
    with nook.start("run", "--rm", "--name", "held", f"dir:{busybox_root}", "sh", "-c", "echo ready; read line",
                    stdin=subprocess.PIPE) as held:
        assert held.stdout.readline() == "ready\n"
        line = ["strace", "-f", "-e", "trace=setns,close_range,setgroups,execve", "-o", out, *nook.argv("exec", "held", "/bin/true")]
        subprocess.run(line, env=nook.environment, check=True, stdin=subprocess.DEVNULL)
        held.communicate("\n")
    child = next(row.split()[0] for row in out.read_text().splitlines() if 'execve("/bin/true"' in row)
    calls = [row.split(None, 1)[1] for row in out.read_text().splitlines() if row.split()[0] == child and "resumed" not in row]
    order = [call.split("(")[0] for call in calls if "CLOEXEC" not in call]
    assert order[0] == "setns" and order[1] == "close_range", calls
    closed = [tuple(map(int, re.findall(r"\d+", call)[:2])) for call in calls[1:order.index("setgroups")]]
    # All from 3 on, but for the wire to the parent.
    assert closed[0][0] == 3 and closed[-1][1] == 2**32 - 1
    assert sum(after[0] - before[1] - 1 for before, after in zip(closed, closed[1:])) <= 1, calls
