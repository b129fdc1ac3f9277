# SPDX-License-Identifier: LGPL-2.1-or-later
"""Limits reach the kernel and hold, statistics agree with it.  On the machine's own layout, in the pure-v1 and the v2 view, and
in a virtual machine."""

import json
import os
import pathlib
import subprocess
import tempfile
import time

import pytest

from conftest import ORDINARY_UID
from groups import MOUNTS, group_of, has, on_v2, running, value

pytestmark = pytest.mark.vm
root = pytest.mark.user("root")


# ---- limits


@root
@has("memory", "cpu", "pids", "cpuset")
def test_limits_stand_in_the_files(nook):
    options = ["-m", "64m", "--memory-swap", "96m", "--cpus", "0.5", "--cpu-shares", "512", "--pids-limit", "50",
               "--cpuset-cpus", "0"]
    with running(nook, *options) as pid:
        assert value(pid, "memory", "memory.limit_in_bytes", "memory.max") == str(64 << 20)
        assert value(pid, "pids", "pids.max", "pids.max") == "50"
        assert value(pid, "cpuset", "cpuset.cpus", "cpuset.cpus") == "0"
        assert "Cpus_allowed_list:\t0\n" in pathlib.Path(f"/proc/{pid}/status").read_text()
        if on_v2("cpu"):
            assert value(pid, "cpu", "", "cpu.max") == "50000 100000"
            assert value(pid, "cpu", "", "cpu.weight") == "59"
        else:
            assert value(pid, "cpu", "cpu.cfs_quota_us", "") == "50000"
            assert value(pid, "cpu", "cpu.shares", "") == "512"
        swap = group_of(pid, "memory") / ("memory.swap.max" if on_v2("memory") else "memory.memsw.limit_in_bytes")
        assert swap.read_text().strip() == str((32 if on_v2("memory") else 96) << 20)


@root
@has("pids")
def test_every_container_has_its_own_group_and_2048_processes(nook):
    with running(nook) as pid:
        assert value(pid, "pids", "pids.max", "pids.max") == "2048"
        assert group_of(pid, "pids") != group_of("self", "pids")
        controller = "v2" if "v2" in MOUNTS else "freezer"
        assert group_of(pid, controller) != group_of("self", controller)


@root
@has("pids")
def test_the_pids_limit_holds_a_fork_bomb(nook):
    out = nook("run", "--rm", "--pids-limit", "20", "host:", "python3", "-c", """
import os, signal
n = 0
try:
    while n < 100:
        if os.fork() == 0:
            signal.pause()
        n += 1
except OSError as problem:
    print(n, problem.errno)
""")
    forked, number = map(int, out.split())
    assert 10 <= forked < 20
    assert number == 11


@root
@has("memory")
def test_the_memory_limit_kills(nook):
    result = nook.result("run", "--rm", "-m", "32m", "host:", "python3", "-c", "x = bytearray(200 << 20); print('lived')")
    assert result.code == 137
    assert "lived" not in result.out


@root
@has("cpu")
def test_the_cpu_quota_throttles(nook):
    with running(nook, "--cpus", "0.2", command=("sh", "-c", "while :; do :; done")) as pid:
        group = group_of(pid, "cpu")

        def throttled():
            return int(next(line.split()[1] for line in (group / "cpu.stat").read_text().splitlines()
                            if line.startswith("nr_throttled")))

        deadline = time.monotonic() + 20
        while throttled() < 3:
            assert time.monotonic() < deadline
        figures = json.loads(nook("stats", "--no-stream", "--format", "json", "--interval", "1s", "t"))[0]
        assert figures["cpuThrottledPeriods"] >= 3
        assert figures["cpuPercent"] < 60


@root
@has("memory", "cpu", "pids")
def test_limits_change_while_it_runs(nook):
    with running(nook, "-m", "64m") as pid:
        nook("update", "-m", "256m", "t")
        nook("update", "--cpus", "0.5", "--pids-limit", "77", "-m", "32m", "t")
        assert value(pid, "memory", "memory.limit_in_bytes", "memory.max") == str(32 << 20)
        assert value(pid, "pids", "pids.max", "pids.max") == "77"
        # On v1 this group was made for the new limit, and the process moved into it.
        assert value(pid, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"
        nook("update", "--cpu-quota", "1000000", "--cpu-period", "1000000", "t")
        assert value(pid, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "1000000"
        assert "memory" in nook.fails(1, "update", "-m", "1g", "--memory-swap", "512m", "t")
        assert value(pid, "memory", "memory.limit_in_bytes", "memory.max") == str(32 << 20)
    assert "no such container" in nook.fails(1, "update", "-m", "64m", "t")


@root
@has("memory")
def test_what_is_refused_is_taken_back(nook):
    with running(nook, "-m", "64m", "--pids-limit", "50") as pid:
        nook.fails(1, "update", "-m", "128m", "--pids-limit", "99999999999", "t")
        assert value(pid, "memory", "memory.limit_in_bytes", "memory.max") == str(64 << 20)
        assert value(pid, "pids", "pids.max", "pids.max") == "50"


@root
@has("blkio")
def test_block_io_limits_stand_in_the_files(nook):
    disk = next((path for path in pathlib.Path("/sys/block").glob("*d[a-z]")), None)
    if not disk:
        pytest.skip("no disk to limit")
    number = (disk / "dev").read_text().strip()
    options = ["--device-write-bps", f"/dev/{disk.name}:1mb", "--device-read-iops", f"/dev/{disk.name}:100"]
    with running(nook, *options) as pid:
        group = group_of(pid, "blkio")
        if on_v2("blkio"):
            assert (group / "io.max").read_text() == f"{number} rbps=max wbps=1048576 riops=100 wiops=max\n"
        else:
            assert (group / "blkio.throttle.write_bps_device").read_text() == f"{number} 1048576\n"
            assert (group / "blkio.throttle.read_iops_device").read_text() == f"{number} 100\n"


def disk_under(path):
    """The whole disk that holds a directory: (name, "major:minor"), or None."""
    device = os.stat(path).st_dev
    link = pathlib.Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    if not link.exists():
        return None
    place = link.resolve()
    place = place.parent if (place / "partition").exists() else place
    return place.name, (place / "dev").read_text().strip()


@root
@has("blkio")
def test_direct_io_is_capped(nook):
    with tempfile.TemporaryDirectory(prefix="nook-test.", dir="/var/tmp") as place:
        disk = disk_under(place)
        if not disk:
            pytest.skip("/var/tmp is on no disk")
        command = ["dd", "if=/dev/zero", "of=/out/file", "bs=256k", "count=8", "oflag=direct"]
        took = []
        for options in ([], ["--device-write-bps", f"{disk[1]}:1mb"]):
            result = nook.result("run", "--rm", *options, "-v", f"{place}:/out", "host:", *command)
            assert result.code == 0, str(result)
            took.append(float(result.err.split(" copied, ")[1].split()[0]))
        # Two megabytes at one a second; the first slice is free.
        assert took[1] > 1.2, took
        assert took[1] > 2 * took[0], took


@root
def test_a_v2_file_by_name(nook):
    if "v2" not in MOUNTS or not on_v2("hugetlb"):
        pytest.skip("hugetlb is not on v2 here")
    with running(nook, "--cgroup-conf", "hugetlb.2MB.max=0") as pid:
        assert (group_of(pid, "v2") / "hugetlb.2MB.max").read_text() == "0\n"


@root
def test_huge_pages_wherever_the_controller_lives(nook):
    if "hugetlb" not in MOUNTS:
        pytest.skip("no hugetlb controller in this view")
    with running(nook, "--hugetlb-limit", "2MB:4m") as pid:
        assert value(pid, "hugetlb", "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max") == str(4 << 20)


def hierarchy_number(controller):
    for line in pathlib.Path("/proc/cgroups").read_text().splitlines():
        if line.split()[0] == controller:
            return int(line.split()[1])
    return None


@root
@pytest.mark.view("hybrid", "v1")
def test_net_cls_is_mounted_when_asked_for_and_released(nook):
    if "net_cls" in MOUNTS or hierarchy_number("net_cls") is None:
        pytest.skip("net_cls is mounted already, or not in this kernel")
    if hierarchy_number("net_cls"):
        pytest.skip("somebody uses net_cls now")
    with running(nook, "--net-classid", "10:1") as pid:
        assert ":net_cls:/nook-" in pathlib.Path(f"/proc/{pid}/cgroup").read_text()
        group = pathlib.Path(f"/proc/{pid}/cgroup").read_text().split(":net_cls:/")[1].splitlines()[0]
        assert nook("cgroup", "get", "-v", f"net_cls:{group}", "net_cls.classid") == f"{0x100001}\n"
    assert hierarchy_number("net_cls") == 0
    assert "net_cls" not in pathlib.Path("/proc/self/mountinfo").read_text()


@root
@pytest.mark.view("v2")
def test_on_v2_a_program_marks_sockets(nook):
    script = "import socket; s = socket.socket(); print(s.getsockopt(socket.SOL_SOCKET, 36), s.getsockopt(socket.SOL_SOCKET, 12))"
    out = nook("run", "--rm", "--net-classid", "10:1", "--net-prio", "lo=5", "host:", "python3", "-c", script)
    assert out == f"{0x100001} 5\n"


@root
def test_device_rules_are_enforced(nook):
    options = ["--userns", "host", "--cap-add", "MKNOD", "--device-cgroup-rule", "c 1:5 m"]
    script = "mknod /tmp/zero c 1 5 && head -c1 /tmp/zero >/dev/null && echo zero; mknod /tmp/kmsg c 1 11; echo $?"
    result = nook.result("run", "--rm", *options, "host:", "sh", "-c", script)
    assert "Operation not permitted" in result.err
    assert result.out.splitlines()[-1] == "1"


@root
def test_what_the_kernel_lacks_is_an_error_and_leaves_nothing(nook):
    if hierarchy_number("rdma"):
        pytest.skip("this kernel has rdma")
    message = nook.fails(125, "run", "--rdma", "mlx5_0:handles=1", "host:", "true")
    assert "rdma" in message


@pytest.mark.user("rootless")
def test_without_the_right_to_make_groups_a_limit_is_an_error(nook):
    message = nook.fails(125, "run", "-m", "64m", "host:", "true")
    assert "memory" in message
    assert nook.result("run", "host:", "true").code == 0


@root
def test_an_ordinary_user_uses_a_group_that_was_delegated(nook, as_user):
    if "v2" not in MOUNTS:
        pytest.skip("no v2 tree in this view")
    lab = f"nook-lab-{os.getpid()}"
    nook("cgroup", "create", "-a", str(ORDINARY_UID), "-t", str(ORDINARY_UID), f"v2:{lab}")
    try:
        line = as_user.argv("run", "--name", "d", "host:", "sh", "-c", "echo ready; read x")
        inside = nook.argv("cgroup", "exec", f"v2:{lab}", "--", *line)
        with subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=as_user.environment, cwd=as_user.space) as process:
            assert process.stdout.readline() == "ready\n", process.stderr.read()
            pid = json.loads(as_user("ps", "--format", "json"))[0]["pid"]
            assert group_of(pid, "v2").parent == MOUNTS["v2"] / lab
            assert group_of(pid, "v2").name.startswith("nook-")
            as_user("pause", "d")
            as_user("unpause", "d")
            process.communicate("x\n")
    finally:
        nook("cgroup", "rm", "-r", "-m", f"v2:{lab}")


@root
@has("memory", "pids")
def test_limits_in_a_scope_that_was_delegated_to_nook_alone(nook, as_user):
    """As under `systemd-run --user --scope -p Delegate=yes`: nook is the scope's only process and steps aside."""
    if not on_v2("memory"):
        pytest.skip("the memory controller is not on v2 here")
    lab = f"nook-lab-{os.getpid()}"
    nook("cgroup", "create", "-a", str(ORDINARY_UID), "-t", str(ORDINARY_UID), f"memory,pids:{lab}")
    try:
        line = as_user.argv("run", "--name", "d", "-m", "64m", "host:", "sh", "-c", "echo ready; read x")
        inside = nook.argv("cgroup", "exec", f"v2:{lab}", "--", *line)
        with subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=as_user.environment, cwd=as_user.space) as process:
            assert process.stdout.readline() == "ready\n", process.stderr.read()
            pid = json.loads(as_user("ps", "--format", "json"))[0]["pid"]
            assert group_of(pid, "v2").parent == MOUNTS["v2"] / lab
            assert value(pid, "memory", "", "memory.max") == str(64 << 20)
            assert value(pid, "pids", "", "pids.max") == "2048"
            process.communicate("x\n")
    finally:
        nook("cgroup", "rm", "-r", "-m", f"v2:{lab}")


# ---- statistics


@root
def test_statistics_agree_with_the_kernel(nook):
    script = "x = bytearray(20 << 20)\nfor i in range(3000000): pass\nprint('done', flush=True)\nimport sys; sys.stdin.read()"
    with nook.start("run", "-i", "--name", "t", "host:", "python3", "-c", script, stdin=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == "done\n"
            figures = json.loads(nook("stats", "--no-stream", "--format", "json"))[0]
            pid = json.loads(nook("ps", "--format", "json"))[0]["pid"]
            assert figures["name"] == "t"
            if "v2" in MOUNTS or "cpuacct" in MOUNTS:
                assert figures["cpuTotalNs"] > 50_000_000
                assert figures["cpuUserNs"] > 0
            if "memory" in MOUNTS:
                assert figures["memoryBytes"] > 20 << 20
                assert figures["memoryPeakBytes"] >= figures["memoryBytes"] * 0.9
            if "pids" in MOUNTS:
                assert figures["pids"] == 1
                assert figures["pidsLimit"] == 2048
            if "cpuacct" in MOUNTS:
                kernel = [int(n) for n in (group_of(pid, "cpuacct") / "cpuacct.usage_percpu").read_text().split()]
                assert len(figures["cpuPerCpuNs"]) == len(kernel)
                assert sum(figures["cpuPerCpuNs"]) <= sum(kernel)
            if "v2" in MOUNTS and (MOUNTS["v2"] / "cpu.pressure").exists():
                assert "cpuStallUs" in figures
        finally:
            process.communicate("")
            nook.result("rm", "-f", "t")


@root
def test_statistics_for_people_have_a_line_each(nook):
    with running(nook, name="one"), running(nook, name="two"):
        lines = nook("stats", "--no-stream").splitlines()
        assert lines[0].split()[0] == "CONTAINER"
        assert [line.split()[1] for line in lines[1:]] == ["one", "two"]
        assert len(nook("stats", "--no-stream", "two").splitlines()) == 2
