# SPDX-License-Identifier: LGPL-2.1-or-later
"""Limits reach the kernel and hold; pausing stops everything and loses nothing; groups made by hand are what the cgroup
tools would have made.  On the machine's own layout, in the pure-v1 and the v2 view, and in a virtual machine."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from conftest import ORDINARY_UID

pytestmark = pytest.mark.vm
root = pytest.mark.user("root")


def hierarchies():
    """controllers (v1) or "v2" to mount point; v2's controllers are keys of their own."""
    found = {}
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split()[:3]
        point = pathlib.Path(fields.split()[4])
        if kind == "cgroup" and (point / "cgroup.procs").exists():
            for name in options.split(","):
                found[name] = point
        elif kind == "cgroup2" and (point / "cgroup.controllers").exists():
            found["v2"] = point
            for name in (point / "cgroup.controllers").read_text().split():
                found.setdefault(name, point)
                if name == "io":
                    found.setdefault("blkio", point)
    return found


MOUNTS = hierarchies()


def has(*controllers):
    """Only where they can be had without mounting them; the rest of the machines have other tests."""
    missing = [name for name in controllers if name not in MOUNTS]
    return pytest.mark.skipif(bool(missing), reason=f"no {', '.join(missing)} controller in this view")


def on_v2(controller):
    return MOUNTS[controller] == MOUNTS.get("v2")


def group_of(pid, controller):
    """The directory of a process's group."""
    v2 = controller == "v2" or on_v2(controller)
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        number, names, path = line.split(":", 2)
        if (number == "0" and not names) if v2 else controller in names.split(","):
            return pathlib.Path(f"{MOUNTS['v2' if v2 else controller]}{path}")
    raise AssertionError(f"{controller} is not in /proc/{pid}/cgroup")


def value(pid, controller, v1, v2):
    return (group_of(pid, controller) / (v2 if on_v2(controller) else v1)).read_text().strip()


@contextlib.contextmanager
def running(nook, *options, command=("sleep", "inf"), source="host:", name="t"):
    """A container that has said it is there; the pid of its init on the host."""
    shell = ["sh", "-c", 'echo ready; exec "$@"', "sh", *command]
    with nook.start("run", "--name", name, *options, source, *shell) as process:
        try:
            line = process.stdout.readline()
            if line != "ready\n":
                raise AssertionError(f"the container does not start: {line}{process.stderr.read()}")
            yield json.loads(nook("ps", "--format", "json", "--filter", f"name={name}"))[0]["pid"]
        finally:
            nook.result("unpause", name)
            nook.result("kill", "-s", "KILL", name)
            process.communicate()
            nook.result("rm", "-f", name)


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


# ---- pausing


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


# ---- groups by hand


@pytest.fixture
def lab(nook):
    """The name of a group of the test's own, gone after it."""
    name = f"nook-hand-{os.getpid()}"
    yield name
    nook.result("cgroup", "rm", "-r", "-m", name)


HAND = [name for name in ("cpu", "memory", "freezer", "pids") if name in MOUNTS] or ["v2"]


@root
def test_create_exec_move_and_remove(nook, lab):
    one = HAND[0]
    nook("cgroup", "create", f"{','.join(HAND)}:{lab}/a")
    listed = nook("cgroup", "ls", f"{one}:{lab}").splitlines()
    assert [line.split(":")[1] for line in listed] == [f"/{lab}", f"/{lab}/a"]
    out = nook("cgroup", "exec", f"{','.join(HAND)}:{lab}/a", "--", "cat", "/proc/self/cgroup")
    assert out.count(f":/{lab}/a\n") == len({MOUNTS[name] for name in HAND})
    with subprocess.Popen(["sleep", "inf"]) as process:
        try:
            nook("cgroup", "mv", f"{one}:{lab}/a", process.pid)
            assert group_of(process.pid, one) == MOUNTS[one] / lab / "a"
            assert "a (1)" in nook("cgroup", "tree", f"{one}:{lab}")
            assert f"{process.pid} sleep" in nook("cgroup", "tree", "--pids", f"{one}:{lab}")
            assert f"process {process.pid} is in it" in nook.fails(125, "cgroup", "rm", f"{one}:{lab}/a")
            assert "-r removes them" in nook.fails(125, "cgroup", "rm", f"{one}:{lab}")
            nook("cgroup", "mv", f"{one}:/", process.pid)
        finally:
            process.kill()
    nook("cgroup", "rm", "-r", lab)
    assert "no hierarchy has a group" in nook.fails(125, "cgroup", "ls", lab)


@root
@has("cpu", "memory")
def test_set_and_get(nook, lab):
    shares, memory = ("cpu.weight", "memory.max") if on_v2("cpu") else ("cpu.shares", "memory.limit_in_bytes")
    nook("cgroup", "create", f"cpu,memory:{lab}")
    nook("cgroup", "set", lab, f"{shares}=512", "-r", f"{memory}=64M")
    assert nook("cgroup", "get", "-v", f"cpu,memory:{lab}", shares, memory) == f"512\n{64 << 20}\n"
    assert f"{shares}: 512\n" in nook("cgroup", "get", f"cpu:{lab}")
    other = "cpu.shares" if on_v2("cpu") else "cpu.weight"
    assert f"it is {shares} there" in nook.fails(125, "cgroup", "set", f"cpu:{lab}", f"{other}=1")
    assert "does not take" in nook.fails(125, "cgroup", "set", f"cpu:{lab}", f"{shares}=many")


@root
@has("cpu", "memory")
def test_save_and_restore(nook, lab, space):
    shares, memory = ("cpu.weight", "memory.max") if on_v2("cpu") else ("cpu.shares", "memory.limit_in_bytes")
    nook("cgroup", "create", "-t", f"{ORDINARY_UID}:{ORDINARY_UID}", f"cpu,memory:{lab}/a")
    nook("cgroup", "set", f"{lab}/a", f"{shares}=300", f"{memory}=64M")
    saved = nook("cgroup", "save", f"cpu,memory:{lab}")
    assert f'{shares} = "300";' in saved
    nook("cgroup", "rm", "-r", lab)
    (space / "conf").write_text(saved)
    nook("cgroup", "restore", space / "conf")
    assert nook("cgroup", "save", f"cpu,memory:{lab}") == saved
    assert os.stat(MOUNTS["cpu"] / lab / "a" / "cgroup.procs").st_uid == ORDINARY_UID
    assert 'line 1: "=" is missing' in nook.fails(125, "cgroup", "restore", input="group x { cpu { a b; } }")


@root
def test_our_file_is_read_by_cgconfigparser(nook, lab, space):
    if "v2" in MOUNTS and MOUNTS["v2"] == pathlib.Path("/sys/fs/cgroup") or subprocess.run(
            ["sh", "-c", "command -v cgconfigparser"], capture_output=True, check=False).returncode:
        pytest.skip("no cgconfigparser that knows this layout")
    conf = f'group {lab} {{\n\tcpu {{\n\t\tcpu.shares = "300";\n\t}}\n}}\n'
    (space / "conf").write_text(conf)
    subprocess.run(["cgconfigparser", "-l", space / "conf"], check=True)
    assert nook("cgroup", "get", "-v", f"cpu:{lab}", "cpu.shares") == "300\n"
    nook("cgroup", "rm", lab)
    nook("cgroup", "restore", input=conf)
    assert nook("cgroup", "get", "-v", f"cpu:{lab}", "cpu.shares") == "300\n"


def test_ls_tells_where_each_controller_lives(nook):
    listed = {entry["controller"]: entry for entry in json.loads(nook("cgroup", "ls", "--format", "json"))}
    for name, mount in MOUNTS.items():
        if name in listed:
            assert listed[name]["mount"] == str(mount)
    assert "removed in Linux 3.0" in listed["ns"]["note"]


def test_names_that_mean_nothing(nook):
    assert "Linux 3.0 removed" in nook.fails(125, "cgroup", "create", "ns:x")
    assert "no such controller" in nook.fails(125, "cgroup", "create", "nonsense:x")
    assert "say for which controllers" in nook.fails(125, "cgroup", "create", "x")
    assert "cannot be removed" in nook.fails(125, "cgroup", "rm", "/")


@pytest.mark.user("rootless")
def test_an_ordinary_user_cannot_make_groups_at_the_top(nook):
    assert "Permission denied" in nook.fails(125, "cgroup", "create", f"{HAND[0]}:nook-nobody")
