# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook-oci: what went wrong in other runtimes, each with a test: groups, processes, identity, bad input."""

import contextlib
import json
import os
import pathlib
import re
import select
import socket
import subprocess

import pytest

import bundles

pytestmark = pytest.mark.user("root")

CGROUP = pathlib.Path("/sys/fs/cgroup")


@pytest.fixture
def running(oci, ro_bundle):
    ro_bundle.args("sleep", "1000").run("--detach")
    return ro_bundle


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


# ---- groups --------------------------------------------------------------------------------------------------------------

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


# ---- processes -----------------------------------------------------------------------------------------------------------

def start_time(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


@contextlib.contextmanager
def stranger_who(fits):
    """A process that has nothing to do with the test's; the clock of starts ticks every 10 ms."""
    while True:
        process = subprocess.Popen(["sleep", "1000"])
        try:
            if fits(process):
                yield process
                return
        finally:
            process.kill()
            process.wait()


def test_a_pid_that_was_given_to_a_stranger(oci, running, space):
    """The state tells a process's start time: a stranger with its number is nobody to kill."""
    oci("kill", "c", "KILL")
    oci.wait("c", "stopped")
    path = space / "oci/containers/c/state.json"
    state = json.loads(path.read_text())
    with stranger_who(lambda stranger: start_time(stranger.pid) != state["pidStart"]) as stranger:
        state["pid"] = stranger.pid
        path.write_text(json.dumps(state))
        assert oci.status("c") == "stopped"
        assert "not running" in oci.fails(1, "kill", "c", "KILL")
        oci("delete", "--force", "c")
        assert stranger.poll() is None


def test_hooks_hold_no_descriptor_of_the_runtime(oci, bundle, space):
    leaked = os.open(space, os.O_RDONLY)
    os.set_inheritable(leaked, True)
    kinds = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
    # ls itself opens the directory that it lists.
    bundle.config["hooks"] = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", "ls /proc/self/fd >&2"]}] for kind in kinds}
    bundle.config["annotations"] = {"run.oci.hooks.stderr": str(space / "fds")}
    try:
        subprocess.run(oci.argv("run", "-b", bundle.args("true").save(), "c"), env=oci.environment, close_fds=False, check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    finally:
        os.close(leaked)
    assert (space / "fds").read_text().split() == ["0", "1", "2", "3"] * len(kinds)


@pytest.mark.parametrize("nnp", [True, False])
def test_what_waits_for_its_start_cannot_be_looked_into(oci, bundle, nnp):
    """CVE-2019-5736, CVE-2024-21626: a process that joins it, with the same rights, finds no way out through it."""
    bundle.process["noNewPrivileges"] = nnp
    bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["getcwd"], "action": "SCMP_ACT_ERRNO"}]}
    bundle.config["hooks"] = {"startContainer": [{"path": "/bin/true"}]}
    oci("create", "-b", bundle.args("sleep", "1000").save(), "c")
    pid = oci.state("c")["pid"]
    others = [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd") if int(number) > 2]
    assert len(others) == 1 and others[0].startswith("socket:"), "its gate alone"
    look = "readlink /proc/1/exe; cat /proc/1/exe; readlink /proc/1/fd/*; (echo >>/proc/1/exe) || echo end"
    result = oci.result("exec", "c", "sh", "-c", look)
    assert result.out == "end\n" and "Permission denied" in result.err
    oci("start", "c")
    assert oci("exec", "c", "readlink", "/proc/1/exe") == "/bin/busybox\n"


def test_exec_with_a_directory_that_leads_outside(oci, running):
    for number in range(3, 20):
        result = oci.result("exec", "--cwd", f"/proc/self/fd/{number}", "c", "sh", "-c", "ls -d bin etc proc; cat ../../../../../proc/1/cmdline")
        assert result.code != 0 or result.out == "bin\netc\nproc\nsleep\0" "1000\0"


def test_a_reader_that_does_not_read_costs_nothing(oci, running):
    """The relay of a terminal waits for its reader; it does not ask again and again."""
    master, slave = os.openpty()
    reader, writer = os.pipe()
    line = oci.argv("exec", "-t", "c", "sh", "-c", "while :; do echo 0123456789012345678901234567890123456789; done")
    with subprocess.Popen(line, env=oci.environment, stdin=slave, stdout=writer, stderr=writer) as relay:
        os.close(slave)

        def switches():
            text = pathlib.Path(f"/proc/{relay.pid}/status").read_text()
            return sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", text))

        def waits():
            """Is it not scheduled once while somebody else works?"""
            before = switches()
            for _ in range(3):
                oci("state", "c")
            return switches() == before
        try:
            # Until the pipe is full it is busy.
            while select.select([], [writer], [], 0)[1]:
                os.sched_yield()
            assert any(waits() for _ in range(50))
        finally:
            relay.kill()
    # The program loses its terminal, and its parent: it is ours to wait for.
    os.waitpid(-1, 0)
    os.close(reader)
    os.close(writer)
    os.close(master)


def test_a_terminal_of_a_directory_that_pretends_to_be_devpts(oci, bundle, space):
    """CVE-2025-52565: names in /dev/pts are not trusted for the console."""
    fake = space / "pts"
    fake.mkdir()
    (fake / "ptmx").symlink_to("/etc/passwd")
    (fake / "0").symlink_to("/etc/passwd")
    for mount in bundle.config["mounts"]:
        if mount["destination"] == "/dev/pts":
            mount.update(type="bind", source=str(fake), options=["bind"])
    bundle.process["terminal"] = True
    console = bundles.Console(space / "socket")
    result = oci.result("create", "-b", bundle.args("true").save(), "--console-socket", console.path, "c")
    console.close()
    assert result.code == 1 and "console" in result.err
    assert oci("list", "-q") == ""


# ---- identity ------------------------------------------------------------------------------------------------------------

def test_the_callers_umask_changes_nothing(oci, bundle):
    bundle.linux["devices"] = [{"path": "/dev/sub/test", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666}]
    bundle.mount("/deep/er", "tmpfs", "tmpfs")
    bundle.sh("stat -c %a /dev/sub /dev/sub/test /deep; umask").save()
    line = ["sh", "-c", 'umask 077; exec "$@"', "sh", *oci.argv("run", "-b", bundle.path, "c")]
    done = subprocess.run(line, env=oci.environment, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    assert done.stdout.split() == ["755", "666", "755", "0022"]


def test_unknown_capabilities_are_named(ro_bundle):
    ro_bundle.process["capabilities"]["bounding"].append("CAP_FLY")
    err = ro_bundle.args("true").fails(1)
    assert "process.capabilities.bounding" in err and "CAP_FLY" in err


def test_ambient_capabilities_need_to_be_inheritable(ro_bundle):
    ro_bundle.process["user"] = {"uid": 1000, "gid": 1000}
    ro_bundle.process["capabilities"] = {name: ["CAP_NET_BIND_SERVICE"] for name in ("bounding", "effective", "permitted", "ambient")}
    show = "grep -E 'Cap(Inh|Amb)' /proc/self/status | cut -f2"
    assert ro_bundle.sh(show).run().split() == ["0000000000000000"] * 2
    ro_bundle.process["capabilities"]["inheritable"] = ["CAP_NET_BIND_SERVICE"]
    assert ro_bundle.run().split() == ["0000000000000400"] * 2


def test_the_session_keyring_is_new_unless_told_otherwise(oci, ro_bundle):
    """/proc/keys shows the keys that its reader possesses."""
    ro_bundle.linux["maskedPaths"].remove("/proc/keys")
    ro_bundle.args("cat", "/proc/keys")
    first, second = f"k{os.getpid()}-first", f"k{os.getpid()}-second"
    assert f"_ses.{first}" in ro_bundle.run(name=first)
    assert f"_ses.{second}" not in ro_bundle.run("--no-new-keyring", name=second)


def test_an_exec_joins_the_session_keyring_of_its_container(oci, ro_bundle):
    ro_bundle.linux["maskedPaths"].remove("/proc/keys")
    name = f"k{os.getpid()}-joined"
    with oci.start("run", "-b", ro_bundle.sh("cat /proc/keys; echo ready; read line").save(), name, stdin=subprocess.PIPE) as held:
        keys = list(iter(held.stdout.readline, "ready\n"))
        assert oci("exec", name, "grep", f" _ses.{name}:", "/proc/keys").split()[0] in [key.split()[0] for key in keys]
        held.communicate("\n")


@pytest.mark.anywhere
def test_a_bus_that_does_not_answer(oci, ro_bundle, space):
    """Nothing hangs: the time-out of a call to systemd is ten seconds."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(space / "bus"))
        silent.listen(1)
        environment = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={space}/bus"}
        err = oci.fails(1, "--systemd-cgroup", "create", "-b", ro_bundle.args("true").save(), "c", env=environment)
    assert err == 'nook-oci: bus "D-Bus": it did not answer in time\n'
    assert oci("list", "-q") == ""


# ---- bad input -----------------------------------------------------------------------------------------------------------

def refused(oci, bundle, text):
    (bundle.path / "config.json").write_text(text)
    err = oci.fails(1, "create", "-b", bundle.path, "c")
    assert oci("list", "-q") == ""
    return err


def test_configurations_that_are_none(oci, ro_bundle):
    whole = json.dumps(ro_bundle.args("true").config)
    for at in (0, 1, len(whole) // 2, len(whole) - 1):
        assert "config.json" in refused(oci, ro_bundle, whole[:at])
    assert "config.json" in refused(oci, ro_bundle, "[" * 100000)
    assert "config.json" in refused(oci, ro_bundle, '{"a":' * 5000 + "1" + "}" * 5000)
    assert "config" in refused(oci, ro_bundle, "[]")


def test_a_configuration_of_100_megabytes(oci, ro_bundle):
    with open(ro_bundle.path / "config.json", "wb") as file:
        file.truncate(100 << 20)
    assert "104857600 bytes, but at most" in oci.fails(1, "create", "-b", ro_bundle.path, "c")


@pytest.mark.parametrize("where, value", [
    ("process.args", "sh"), ("process.args[0]", [5]), ("process.user.uid", {"uid": -1, "gid": 0}), ("process.user.uid", {"uid": 1 << 32, "gid": 0}),
    ("root.path", {"path": 5}), ("mounts[0]", ["x"]), ("mounts", {}), ("linux.namespaces[0].type", [{"type": "moon"}]),
    ("linux.resources.pids.limit", {"pids": {"limit": "many"}}), ("hooks.prestart[0].path", {"prestart": [{"path": 7}]}),
    ("ociVersion", "2.0.0"),
])
def test_a_wrong_member_is_named(oci, ro_bundle, where, value):
    config = json.loads(json.dumps(ro_bundle.args("true").config))
    names = re.sub(r"\[\d+\]", "", where).split(".")
    for depth, keep in (("process.user.uid", 2), ("root.path", 1), ("linux.namespaces.type", 2), ("linux.resources.pids.limit", 2),
                        ("hooks.prestart.path", 1)):
        names = names[:keep] if ".".join(names) == depth else names
    place = config
    for name in names[:-1]:
        place = place.setdefault(name, {})
    place[names[-1]] = value
    assert where in refused(oci, ro_bundle, json.dumps(config))


def test_members_that_nobody_knows_are_passed_over(ro_bundle):
    ro_bundle.config.update(new={"deep": [1, {}]})
    ro_bundle.linux["newer"] = [[]]
    ro_bundle.process["newest"] = None
    assert ro_bundle.sh("echo fine").run() == "fine\n"


def test_a_root_that_is_missing(oci, ro_bundle, space):
    ro_bundle.config["root"]["path"] = "no/such"
    assert f"{ro_bundle.path}/no/such" in ro_bundle.args("true").fails(1)
    del ro_bundle.config["root"]
    assert '"root"' in ro_bundle.fails(1)
