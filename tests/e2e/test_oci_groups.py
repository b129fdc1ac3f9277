# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook-oci: limits that are set and change, rules of devices, what freezes and kills a group, processes that nothing can end."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from groups import MOUNTS, group_of, has, on_v2

pytestmark = pytest.mark.user("root")

CGROUP = pathlib.Path("/sys/fs/cgroup")


@pytest.fixture
def disk(space):
    """A block device of the test's own: its node and its number."""
    with open(space / "disk", "wb") as file:
        file.truncate(16 << 20)
    node = subprocess.run(["losetup", "-f", "--show", space / "disk"], capture_output=True, text=True, check=True).stdout.strip()
    device = os.stat(node).st_rdev
    yield node, os.major(device), os.minor(device)
    subprocess.run(["losetup", "-d", node], check=True)


# ---- one by one ----------------------------------------------------------------------------------------------------------

# What is given, and what then stands in which file of v1 and of v2; "-": there is no such limit.
LIMITS = [
    ("cpu", ["--cpu-period", "50000", "--cpu-quota", "20000"], "cpu.cfs_period_us", "50000", "cpu.max", "20000 50000"),
    ("cpu", ["--cpu-quota", "-1"], "cpu.cfs_quota_us", "-1", "cpu.max", "max 100000"),
    ("cpu", ["--cpu-burst", "3000"], "cpu.cfs_burst_us", "3000", "cpu.max.burst", "3000"),
    ("cpu", ["--cpu-share", "512"], "cpu.shares", "512", "cpu.weight", "59"),
    ("cpu", ["--cpu-idle", "1"], "cpu.idle", "1", "cpu.idle", "1"),
    ("cpu", ["--cpu-rt-period", "500000"], "cpu.rt_period_us", "500000", "-", ""),
    ("cpuset", ["--cpuset-cpus", "0"], "cpuset.cpus", "0", "cpuset.cpus", "0"),
    ("cpuset", ["--cpuset-mems", "0"], "cpuset.mems", "0", "cpuset.mems", "0"),
    ("memory", ["--memory", "64m"], "memory.limit_in_bytes", str(64 << 20), "memory.max", str(64 << 20)),
    ("memory", ["--memory", "64m", "--memory-swap", "96m"], "memory.memsw.limit_in_bytes", str(96 << 20), "memory.swap.max", str(32 << 20)),
    ("memory", ["--memory", "-1"], "memory.memsw.limit_in_bytes", "9223372036854771712", "memory.swap.max", "max"),
    ("memory", ["--memory-reservation", "32m"], "memory.soft_limit_in_bytes", str(32 << 20), "memory.low", str(32 << 20)),
    ("memory", ["--kernel-memory-tcp", "64m"], "memory.kmem.tcp.limit_in_bytes", str(64 << 20), "-", ""),
    ("pids", ["--pids-limit", "55"], "pids.max", "55", "pids.max", "55"),
    ("pids", ["--pids-limit", "-1"], "pids.max", "max", "pids.max", "max"),
]


@pytest.mark.vm
@pytest.mark.parametrize("controller, options, v1, v1_says, v2, v2_says", LIMITS, ids=["".join(row[1]).replace("--", "-") for row in LIMITS])
def test_each_limit_is_changed_alone(oci, ro_bundle, controller, options, v1, v1_says, v2, v2_says):
    if controller not in MOUNTS:
        pytest.skip(f"no {controller} controller in this view")
    start = {"cpu": {"cpu": {"quota": 50000, "period": 100000}}, "memory": {"memory": {"limit": 128 << 20, "swap": 128 << 20}},
             "pids": {"pids": {"limit": 99}}, "cpuset": {"cpu": {"cpus": "0-1"}}}[controller]
    group = MOUNTS[controller]
    file, says = (v2, v2_says) if on_v2(controller) else (v1, v1_says)
    probe = next((path for path in group.iterdir() if path.is_dir() and (path / file).exists()), None) if file != "-" else None
    ro_bundle.linux["resources"] = start
    result = ro_bundle.args("sleep", "1000").result("--detach")
    if result.code:
        assert "swap" in result.err and not probe, str(result)
        del start["memory"]["swap"]
        ro_bundle.run("--detach")
    group = group_of(oci.state("c")["pid"], controller)
    if file == "-" or not (group / file).exists():
        # Either it is told that there is no such limit, or nothing is done because none is what was asked for.
        assert oci.result("update", *options, "c").code == (0 if options[-1] == "-1" else 1)
        return
    oci("update", *options, "c")
    assert (group / file).read_text().strip() == says


# ---- block devices -------------------------------------------------------------------------------------------------------

def throttles(group):
    """READ or WRITE bps and iops of devices, by v1's names."""
    if not on_v2("blkio"):
        return {name: (group / f"blkio.throttle.{name}_device").read_text() for name in ("read_bps", "write_bps", "read_iops", "write_iops")}
    words = {"read_bps": "rbps", "write_bps": "wbps", "read_iops": "riops", "write_iops": "wiops"}
    text = (group / "io.max").read_text()
    return {name: "".join(f"{line.split()[0]} {value}\n" for line in text.splitlines()
                          for value in re.findall(rf" {word}=(\d+)", line)) for name, word in words.items()}


@pytest.mark.vm
@has("blkio")
def test_limits_of_a_block_device_change_one_by_one(oci, ro_bundle, disk, space):
    _, major, minor = disk
    ro_bundle.args("sleep", "1000").run("--detach")
    group = group_of(oci.state("c")["pid"], "blkio")

    def update(**block_io):
        devices = {key: [{"major": major, "minor": minor, "rate": rate}] for key, rate in block_io.items()}
        (space / "r.json").write_text(json.dumps({"blockIO": devices}))
        oci("update", "-r", space / "r.json", "c")
        return {key: value for key, value in throttles(group).items() if value}
    name = f"{major}:{minor}"
    assert update(throttleReadBpsDevice=1 << 20, throttleWriteIOPSDevice=200) == {"read_bps": f"{name} {1 << 20}\n", "write_iops": f"{name} 200\n"}
    assert update(throttleWriteBpsDevice=2 << 20, throttleReadIOPSDevice=100) == {
        "read_bps": f"{name} {1 << 20}\n", "write_bps": f"{name} {2 << 20}\n", "read_iops": f"{name} 100\n", "write_iops": f"{name} 200\n"}
    assert update(throttleReadBpsDevice=0, throttleWriteIOPSDevice=300) == {
        "write_bps": f"{name} {2 << 20}\n", "read_iops": f"{name} 100\n", "write_iops": f"{name} 300\n"}
    (space / "r.json").write_text(json.dumps({"blockIO": {"throttleReadBpsDevice": [{"major": 7, "minor": 9999, "rate": 1}]}}))
    # Kernel 6.1 has other words for it on v2.
    assert re.search("no such device|invalid argument", oci.fails(1, "update", "-r", space / "r.json", "c"))


@pytest.mark.vm
@has("blkio")
def test_weights_of_block_io(oci, ro_bundle, disk, space):
    node, major, minor = disk
    ro_bundle.args("sleep", "1000").run("--detach")
    group = group_of(oci.state("c")["pid"], "blkio")
    files = ["io.bfq.weight", "io.weight"] if on_v2("blkio") else ["blkio.weight", "blkio.bfq.weight"]
    weights = next((group / name for name in files if (group / name).exists()), None)
    if not weights:
        assert "weight" in oci.fails(1, "update", "--blkio-weight", "500", "c")
        pytest.skip("this kernel weighs no block io")
    before = weights.read_text().split()[-1]
    oci("update", "--blkio-weight", "500", "c")
    after = weights.read_text().split()[-1]
    assert after != before and (after == "500" or weights.name == "io.weight")
    scheduler = pathlib.Path(f"/sys/block/{pathlib.Path(node).name}/queue/scheduler")
    (space / "r.json").write_text(json.dumps({"blockIO": {"weightDevice": [{"major": major, "minor": minor, "weight": 300}]}}))
    if "bfq" not in scheduler.read_text():
        # Only a device whose scheduler is BFQ has weights.
        assert "weight" in oci.fails(1, "update", "-r", space / "r.json", "c")
        return
    scheduler.write_text("bfq")
    oci("update", "-r", space / "r.json", "c")
    devices = group / "blkio.bfq.weight_device" if weights.name == "blkio.bfq.weight" else weights
    assert f"{major}:{minor} 300" in devices.read_text()


@pytest.mark.vm
def test_a_limit_of_a_controller_that_the_kernel_lacks(oci, ro_bundle, space):
    if "rdma" in MOUNTS:
        pytest.skip("this kernel has rdma")
    limit = {"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}}}
    ro_bundle.args("sleep", "1000").run("--detach")
    (space / "r.json").write_text(json.dumps(limit))
    assert "rdma" in oci.fails(1, "update", "-r", space / "r.json", "c")
    ro_bundle.linux["resources"].update(limit)
    assert "rdma" in ro_bundle.fails(1, name="d")
    assert oci("list", "-q") == "c\n"


@pytest.mark.vm
@has("rdma")
def test_handles_of_rdma_devices(oci, ro_bundle, space):
    """No machine of ours has such a device: the kernel says so about the right one."""
    ro_bundle.args("sleep", "1000").run("--detach")
    (space / "r.json").write_text(json.dumps({"rdma": {"mlx5_1": {"hcaHandles": 3}}}))
    assert "rdma.max" in oci.fails(1, "update", "-r", space / "r.json", "c")


# ---- processes that nothing ends -----------------------------------------------------------------------------------------

@pytest.fixture
def stuck(oci, bundle, disk, space):
    """A container whose first process writes to a file system that is frozen: it waits without hearing a signal."""
    node, _, _ = disk
    (space / "mnt").mkdir()
    subprocess.run(["mkfs.ext4", "-q", node], check=True)
    subprocess.run(["mount", node, space / "mnt"], check=True)
    frozen = False
    try:
        os.mkfifo(space / "mnt/go")
        bundle.mount("/mnt", "bind", space / "mnt", "bind")
        bundle.sh("sleep 1001 & read line </mnt/go; echo >/mnt/file").run("--detach")
        subprocess.run(["fsfreeze", "-f", space / "mnt"], check=True)
        frozen = True
        (space / "mnt/go").write_text("\n")
        pid = oci.state("c")["pid"]
        while "\nState:\tD" not in pathlib.Path(f"/proc/{pid}/status").read_text():
            os.sched_yield()
        yield pid
        subprocess.run(["fsfreeze", "-u", space / "mnt"], check=True)
        frozen = False
        oci.wait("c", "stopped")
        oci("delete", "--force", "c")
    finally:
        if frozen:
            subprocess.run(["fsfreeze", "-u", space / "mnt"], check=True)
        subprocess.run(["umount", space / "mnt"], check=True)


@pytest.mark.anywhere
def test_a_process_that_nothing_ends_is_told_and_no_command_hangs(oci, stuck):
    """Its end is waited for, and its pause, but not for ever; the group goes on."""
    with oci.start("pause", "c") as pause:
        oci("kill", "--all", "c", "TERM")
        oci("kill", "--all", "c", "KILL")
        assert oci.status("c") == "running"
        assert f"processes are still there: {stuck} sh (D)" in oci.fails(1, "delete", "--force", "c")
        assert pause.wait(30) == 1 and "cannot be interrupted" in pause.stderr.read()
    assert oci.status("c") == "running" and json.loads(oci("ps", "-f", "json", "c")) == [stuck]


# ---- paused groups -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("paused", [True, False])
def test_delete_force_with_frozen_groups_below(oci, ro_bundle, paused):
    """Two levels of them, with a process each."""
    ro_bundle.drop_namespace("pid")
    ro_bundle.sh("sleep 1001 & sleep 1002 & exec sleep 1003").run("--detach")
    init = oci.state("c")["pid"]
    while len(pids := json.loads(oci("ps", "-f", "json", "c"))) != 3:
        os.sched_yield()
    v1 = "freezer" in MOUNTS and group_of(init, "freezer") != MOUNTS["freezer"]
    place = group_of(init, "freezer" if v1 else "v2")
    below = place
    for pid in (pid for pid in pids if pid != init):
        below = below / "below"
        below.mkdir()
        (below / "cgroup.procs").write_text(str(pid))
    for group in (place / "below/below", place / "below"):
        (group / ("freezer.state" if v1 else "cgroup.freeze")).write_text("FROZEN" if v1 else "1")
    if paused:
        oci("pause", "c")
    oci("delete", "--force", "c")
    assert not place.exists()


# ---- groups of somebody else ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["create", "run"])
@pytest.mark.parametrize("where", ["", "/below"])
def test_a_group_that_somebody_is_in_is_left_to_him(oci, ro_bundle, how, where):
    """Whoever is there, or further below, is no left-over of ours: the start ends, and he does not."""
    ro_bundle.linux["cgroupsPath"] = f"/{ro_bundle.path.parent.name}/c{where}"
    ro_bundle.args("sleep", "1000").run("--detach", name="first")
    ro_bundle.linux["cgroupsPath"] = f"/{ro_bundle.path.parent.name}/c"
    assert "this group exists and has processes in it" in oci.fails(1, how, "-b", ro_bundle.save(), "second")
    assert oci.status("first") == "running" and "does not exist" in oci.fails(1, "state", "second")
    assert oci("exec", "first", "echo", "alive") == "alive\n"
    groups = {line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if " - cgroup" in line}
    places = [pathlib.Path(group, ro_bundle.path.parent.name) for group in groups]
    assert places and {child.name for place in places if place.exists() for child in place.iterdir() if child.is_dir()} == {"c"}
    oci("delete", "--force", "first")
    for place in places:
        for path in (place / "c", place):
            if path.exists():
                path.rmdir()


# ---- what went wrong in other runtimes -----------------------------------------------------------------------------------

def groups_of(pid):
    """The directories of a process's groups, by controller list ("" on v2)."""
    found = {}
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            places = [CGROUP / "unified", CGROUP] if (CGROUP / "unified").is_dir() else [CGROUP]
        else:
            places = [CGROUP / controllers]
        for place in places:
            if (place / path.lstrip("/") / "cgroup.procs").exists():
                found[controllers] = place / path.lstrip("/")
                break
    return found


def test_exec_into_a_paused_container(oci, running):
    oci("pause", "c")
    assert oci.status("c") == "paused"
    assert "cannot exec in a paused container" in oci.fails(1, "exec", "c", "true")
    with oci.start("exec", "--ignore-paused", "c", "echo", "thawed") as late:
        oci.wait("c", "paused")
        oci("resume", "c")
        assert late.communicate(timeout=20)[0] == "thawed\n"
    assert "not paused" in oci.fails(1, "resume", "c")
    oci("pause", "c")
    assert "not stopped" in oci.fails(1, "delete", "c")
    assert oci.status("c") == "paused"
    oci("delete", "--force", "c")
    assert oci("list", "-q") == ""


def test_kill_of_a_paused_container(oci, running):
    oci("pause", "c")
    oci("kill", "c", "KILL")
    oci.wait("c", "stopped")


@pytest.mark.view("v2", "hybrid")
def test_exec_where_init_has_moved_to_a_group_below(oci, running, cgroup_view):
    pid = oci.state("c")["pid"]
    group = groups_of(pid)[""]
    (group / "init").mkdir()
    (group / "init/cgroup.procs").write_text(str(pid))
    given = (group / "cgroup.controllers").read_text().split()
    if not given:
        pytest.skip("this v2 tree gives its groups no controllers to pass on")
    (group / "cgroup.subtree_control").write_text(f"+{given[0]}")
    assert oci("exec", "c", "echo", "inside") == "inside\n"
    # Elsewhere the other hierarchies would need such a group, too.
    if cgroup_view == "v2":
        assert oci("exec", "--cgroup", "/init", "c", "echo", "there") == "there\n"


def pids_of(oci, count):
    """The processes of the container, once they are so many."""
    while len(pids := json.loads(oci("ps", "-f", "json", "c"))) != count:
        os.sched_yield()
    return pids


def test_kill_all_without_a_pid_namespace(oci, ro_bundle):
    ro_bundle.drop_namespace("pid")
    ro_bundle.sh("sleep 1001 & sleep 1002 & exec sleep 1003").run("--detach")
    init = oci.state("c")["pid"]
    assert init in pids_of(oci, 3)
    oci("kill", "--all", "c", "KILL")
    oci.wait("c", "stopped")
    # They all have been sent the signal; the first one may be the first to end.
    assert pids_of(oci, 0) == []


def test_kill_all_after_init_has_ended(oci, ro_bundle):
    ro_bundle.drop_namespace("pid")
    ro_bundle.sh("sleep 1001 & echo").run("--detach")
    oci.wait("c", "stopped")
    assert len(json.loads(oci("ps", "-f", "json", "c"))) == 1
    oci("kill", "--all", "c", "KILL")
    oci("delete", "c")


def test_kill_all_with_a_frozen_group_below(oci, ro_bundle):
    ro_bundle.drop_namespace("pid")
    ro_bundle.sh("sleep 1001 & exec sleep 1002").run("--detach")
    init = oci.state("c")["pid"]
    other = next(pid for pid in pids_of(oci, 2) if pid != init)
    groups = groups_of(init)
    place = groups.get("") if "" in groups and (groups[""] / "cgroup.freeze").exists() else groups.get("freezer")
    below = place / "below"
    below.mkdir()
    (below / "cgroup.procs").write_text(str(other))
    if (below / "cgroup.freeze").exists():
        (below / "cgroup.freeze").write_text("1")
    else:
        (below / "freezer.state").write_text("FROZEN")
    oci("kill", "--all", "c", "KILL")
    oci.wait("c", "stopped")
    oci("delete", "c")
    assert not below.exists()


@pytest.mark.controllers("memory")
@pytest.mark.view("v1", "hybrid")
def test_limits_of_memory_and_swap_move_together(oci, ro_bundle):
    """Which of the two has to be written first depends on what they are."""
    ro_bundle.linux["resources"] = {"memory": {"limit": 32 << 20, "swap": 64 << 20}}
    ro_bundle.args("sleep", "1000").run("--detach")
    group = groups_of(oci.state("c")["pid"])["memory"]
    if not (group / "memory.memsw.limit_in_bytes").exists():
        pytest.skip("this kernel does not count swap")
    for memory, swap in ((128, 256), (16, 16), (64, 64), (20, 40)):
        oci("update", "--memory", f"{memory}m", "--memory-swap", f"{swap}m", "c")
        assert int((group / "memory.limit_in_bytes").read_text()) == memory << 20
        assert int((group / "memory.memsw.limit_in_bytes").read_text()) == swap << 20


@pytest.mark.view("v2", "hybrid")
def test_files_of_v2_by_their_names(oci, ro_bundle):
    """linux.resources.unified: what is not on v2 here, or no name of a file, is told."""
    ro_bundle.args("sleep", "1000")
    ro_bundle.linux["resources"] = {"unified": {"cgroup.max.depth": "3", "cgroup.max.descendants": "7"}}
    ro_bundle.run("--detach")
    group = groups_of(oci.state("c")["pid"])[""]
    assert (group / "cgroup.max.depth").read_text() == "3\n" and (group / "cgroup.max.descendants").read_text() == "7\n"
    for name, value in (("../x", "1"), ("no.such.file", "1"), ("cgroup.max.depth", "many")):
        ro_bundle.linux["resources"] = {"unified": {name: value}}
        assert name in ro_bundle.fails(1, name="d")
    assert oci("list", "-q") == "c\n"


@pytest.mark.controllers("hugetlb")
def test_huge_pages_that_are_reserved_count_too(oci, ro_bundle):
    ro_bundle.linux["resources"] = {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 << 20}]}
    ro_bundle.args("sleep", "1000").run("--detach")
    found = groups_of(oci.state("c")["pid"])
    group = next((path for key, path in found.items() if "hugetlb" in key.split(",")), found.get(""))
    for name in ("", ".rsvd"):
        file = next(path for path in (group / f"hugetlb.2MB{name}.max", group / f"hugetlb.2MB{name}.limit_in_bytes") if path.exists())
        assert file.read_text() == f"{4 << 20}\n"


@pytest.mark.controllers("cpu")
def test_quota_and_period_move_together(oci, ro_bundle):
    ro_bundle.linux["resources"] = {"cpu": {"quota": 50000, "period": 100000}}
    ro_bundle.args("sleep", "1000").run("--detach")
    groups = groups_of(oci.state("c")["pid"])

    def limits():
        group = next(path for key, path in groups.items() if "cpu" in key.split(",") or (not key and (path / "cpu.max").exists()))
        if (group / "cpu.max").exists():
            return (group / "cpu.max").read_text().split()
        return [(group / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period")]
    for quota, period in ((1000, 1000), (900000, 1000000), (5000, 10000)):
        oci("update", "--cpu-quota", quota, "--cpu-period", period, "c")
        assert limits() == [str(quota), str(period)]
    oci("update", "--cpu-quota", "-1", "c")
    assert limits()[0] in ("max", "-1")


@pytest.mark.controllers("memory")
def test_a_limit_below_what_is_in_use_is_refused_when_asked_to(oci, ro_bundle, space):
    ro_bundle.sh("x=$(head -c 20000000 /dev/zero | tr '\\0' x); echo ready; read line")
    with oci.start("run", "-b", ro_bundle.save(), "c", stdin=subprocess.PIPE) as run:
        assert run.stdout.readline() == "ready\n"
        (space / "r.json").write_text(json.dumps({"memory": {"limit": 8 << 20, "checkBeforeUpdate": True}}))
        assert "in use" in oci.fails(1, "update", "-r", space / "r.json", "c")
        run.communicate("\n")
    assert run.returncode == 0


@pytest.mark.view("v1", "hybrid")
def test_processors_and_nodes_come_from_above_on_v1(oci, ro_bundle):
    if not (CGROUP / "cpuset").is_dir():
        pytest.skip("cpuset is not on v1 here")
    top = (CGROUP / "cpuset/cpuset.mems").read_text()
    ro_bundle.linux["cgroupsPath"] = "/nook-corner/deeper/c"
    ro_bundle.linux["resources"] = {"cpu": {"cpus": "0"}}
    ro_bundle.args("sleep", "1000").run("--detach")
    group = CGROUP / "cpuset/nook-corner/deeper/c"
    assert (group / "cpuset.cpus").read_text() == "0\n" and (group / "cpuset.mems").read_text() == top
    assert (CGROUP / "cpuset/cpuset.mems").read_text() == top
    oci("delete", "--force", "c")
    for path in (*CGROUP.glob("*/nook-corner/deeper"), *CGROUP.glob("*/nook-corner")):
        path.rmdir()


@pytest.mark.view("v1", "hybrid")
def test_who_is_shown_the_hierarchy_of_systemd_has_a_group_in_it(oci, ro_bundle):
    """Else a systemd inside would take the host's top for its own; podman and docker bind it."""
    if not (CGROUP / "systemd").is_dir():
        pytest.skip("this machine mounts no hierarchy name=systemd")
    ro_bundle.drop_namespace("cgroup")
    script = "sed -n s/.*name=systemd://p /proc/self/cgroup"
    here = re.search(r"name=systemd:(.*)", pathlib.Path("/proc/self/cgroup").read_text()).group(1)
    assert ro_bundle.sh(script).run() == f"{here}\n"
    ro_bundle.mount("/mnt", "bind", "/sys/fs/cgroup/systemd", "rbind")
    ro_bundle.linux["cgroupsPath"] = "/nook-corner-c"
    assert ro_bundle.sh(f"{script}; mkdir /mnt/nook-corner-c/x").run() == "/nook-corner-c\n"
    assert not (CGROUP / "systemd/nook-corner-c").exists()


NODES = "mknod /tmp/full c 1 7 && mknod /tmp/kmsg c 1 11; head -c1 /tmp/full | wc -c; head -c1 /tmp/kmsg | wc -c"


def test_of_device_rules_the_last_wins_and_an_update_replaces_them(oci, ro_bundle, space):
    ro_bundle.config["mounts"] = [m for m in ro_bundle.config["mounts"] if m["destination"] != "/tmp"]
    ro_bundle.mount("/tmp", "tmpfs", "tmpfs", "mode=1777")
    caps = ro_bundle.process["capabilities"]
    for name in ("bounding", "effective", "permitted"):
        caps[name] = sorted({*caps[name], "CAP_MKNOD", "CAP_SYSLOG"})
    deny = {"allow": False, "access": "rwm"}
    kmsg = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}
    ro_bundle.linux["resources"] = {"devices": [kmsg, deny]}
    ro_bundle.sh(NODES.replace("head", "true; head", 1) + "; sleep 1000").run("--detach")

    def opens():
        return oci.result("exec", "c", "sh", "-c", "true </tmp/kmsg && echo yes || echo no").out
    oci("exec", "c", "sh", "-c", "test -e /tmp/kmsg || mknod /tmp/kmsg c 1 11")
    assert opens() == "no\n"
    (space / "r.json").write_text(json.dumps({"devices": [deny, kmsg]}))
    oci("update", "-r", space / "r.json", "c")
    assert opens() == "yes\n"
    # Other limits leave the rules as they are.
    (space / "r.json").write_text(json.dumps({"cpu": {"shares": 512}}))
    oci.result("update", "-r", space / "r.json", "c")
    assert opens() == "yes\n"
    (space / "r.json").write_text(json.dumps({"devices": [deny]}))
    oci("update", "-r", space / "r.json", "c")
    assert opens() == "no\n"


def test_device_rules_are_never_gone_while_they_are_replaced(oci, ro_bundle, space):
    """One process opens what is allowed, another what is not, again and again: neither sees a moment without rules."""
    ro_bundle.config["mounts"] = [m for m in ro_bundle.config["mounts"] if m["destination"] != "/tmp"]
    ro_bundle.mount("/tmp", "tmpfs", "tmpfs", "mode=1777")
    caps = ro_bundle.process["capabilities"]
    for name in ("bounding", "effective", "permitted"):
        caps[name] = sorted({*caps[name], "CAP_MKNOD", "CAP_SYSLOG"})
    deny = {"allow": False, "access": "rwm"}
    ro_bundle.linux["resources"] = {"devices": [deny]}
    look = "mknod /tmp/kmsg c 1 11; while :; do true </dev/zero || echo denied; true </tmp/kmsg && echo opened; done 2>/dev/null"
    with oci.start("run", "-b", ro_bundle.sh(f"({look}) >&1").save(), "c") as run:
        while oci.result("state", "c").code or oci.status("c") != "running":
            os.sched_yield()
        for number in range(40):
            rules = [deny, {"allow": True, "type": "c", "major": 10, "minor": 200 + number, "access": "rw"}]
            (space / "r.json").write_text(json.dumps({"devices": rules}))
            oci("update", "-r", space / "r.json", "c")
        oci("kill", "c", "KILL")
        assert run.communicate()[0] == ""
