# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook-oci --systemd-cgroup where systemd is pid 1: containers are transient scopes."""

import json
import os
import pathlib
import select
import signal
import subprocess
import time

import pytest

import bundles
from conftest import BUILD, ORDINARY_UID
from groups import MOUNTS, on_v2, value

pytestmark = [pytest.mark.user("root"), pytest.mark.systemd]


def systemctl(*words):
    return subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False).stdout.strip()


def prop(unit, name):
    return systemctl("show", "--value", "-p", name, unit)


def group_of(pid):
    """Where systemd keeps the process: its own hierarchy on v1."""
    lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    named = [line.split(":", 2)[2] for line in lines if ":name=systemd:" in line]
    return named[0] if named else next(line[3:] for line in lines if line.startswith("0::"))


@pytest.fixture(autouse=True)
def parents():
    """In v1 hierarchies that systemd does not keep (freezer, cpuset) the slice above a scope stays, as any parent does."""
    def slices():
        return {path for point in set(MOUNTS.values()) for path in point.glob("*.slice/**/") if path.name.endswith(".slice")}
    before = slices()
    yield
    for path in sorted(slices() - before, reverse=True):
        path.rmdir()


def gone(unit):
    """systemd forgets a unit when it comes round to it."""
    deadline = time.monotonic() + 20
    while systemctl("list-units", "--all", "--no-legend", unit):
        assert time.monotonic() < deadline, f"{unit} is still there"
        select.select([], [], [], 0.05)


@pytest.fixture
def systemd(oci, ro_bundle):
    def create(*words, path="", **options):
        if path:
            ro_bundle.linux["cgroupsPath"] = path
        return oci("--systemd-cgroup", *words, "-b", ro_bundle.save(), "c", **options)
    ro_bundle.args("sleep", "1000")
    return create


def test_a_container_is_a_scope(oci, ro_bundle, systemd):
    ro_bundle.linux["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 77}, "cpu": {"quota": 20000, "period": 100000, "cpus": "0"}}
    systemd("create")
    unit, pid = "nook-c.scope", oci.state("c")["pid"]
    assert group_of(pid) == f"/system.slice/{unit}"
    oci("start", "c")

    def limits():
        return [value(pid, *row) for row in (("memory", "memory.limit_in_bytes", "memory.max"), ("pids", "pids.max", "pids.max"),
                                             ("cpuset", "cpuset.cpus", "cpuset.cpus"))]

    def quota():
        return value(pid, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0]
    assert limits() == [str(64 << 20), "77", "0"] and quota() == "20000"
    assert prop(unit, "MemoryMax") == str(64 << 20) and prop(unit, "TasksMax") == "77" and prop(unit, "Delegate") == "yes"
    assert prop(unit, "CPUQuotaPerSecUSec") == "200ms" and prop(unit, "ActiveState") == "active"
    assert prop(unit, "AllowedCPUs") == "0" or not on_v2("cpuset")

    # Its name in systemd's hierarchy is that of the top only where it has a cgroup namespace of its own.
    assert oci("exec", "c", "grep", "-E", "^0::|name=systemd", "/proc/1/cgroup").endswith(":/\n")
    oci("update", "--memory", "32m", "--pids-limit", "55", "c")
    assert limits() == [str(32 << 20), "55", "0"]
    assert prop(unit, "MemoryMax") == str(32 << 20) and prop(unit, "TasksMax") == "55"
    # What systemd does when it reads its units again is what the limits are.
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    assert limits() == [str(32 << 20), "55", "0"] and quota() == "20000"

    oci("pause", "c")
    assert oci.status("c") == "paused"
    oci("resume", "c")
    oci("kill", "c", "KILL")
    oci.wait("c", "stopped")
    oci("delete", "c")
    gone(unit)
    assert not [path for point in set(MOUNTS.values()) for path in point.glob(f"system.slice/{unit}")]


@pytest.mark.parametrize("path, unit, group", [
    ("nook-test.slice:pre:name", "pre-name.scope", "/nook.slice/nook-test.slice/pre-name.scope"),
    ("::plain", "plain.scope", "/system.slice/plain.scope"),
    ("-.slice:top:x", "top-x.scope", "/top-x.scope"),
    (":odd:a b/c", "odd-a\\x20b\\x2fc.scope", "/system.slice/odd-a\\x20b\\x2fc.scope"),
])
def test_names_of_scopes(oci, systemd, path, unit, group):
    systemd("create", path=path)
    assert group_of(oci.state("c")["pid"]) == group
    oci("delete", "c")
    gone(unit)
    systemctl("stop", "nook.slice", "nook-test.slice")


@pytest.mark.parametrize("path, words", [("/plain/path", "SLICE:PREFIX:NAME"), ("no:p:x", "no name of a slice"), ("a.slice:p:b.slice", "not a slice")])
def test_paths_that_name_no_scope(oci, ro_bundle, path, words):
    ro_bundle.linux["cgroupsPath"] = path
    assert words in oci.fails(1, "--systemd-cgroup", "create", "-b", ro_bundle.args("true").save(), "c")
    assert oci("list", "-q") == ""


def test_properties_by_annotation(oci, ro_bundle, systemd):
    ro_bundle.config["annotations"] = {"org.systemd.property.TimeoutStopSec": "12.5", "org.systemd.property.KillMode": "'process'",
                                       "org.systemd.property.After": "['network.target']", "org.systemd.property.SendSIGHUP": "true",
                                       "org.systemd.property.KillSignal": "int32 10"}
    systemd("create")
    assert prop("nook-c.scope", "TimeoutStopUSec") == "12.500000s" and prop("nook-c.scope", "KillMode") == "process"
    assert "network.target" in prop("nook-c.scope", "After") and prop("nook-c.scope", "SendSIGHUP") == "yes"
    assert prop("nook-c.scope", "KillSignal") == "10"


def test_what_systemd_refuses_is_told_and_leaves_nothing(oci, ro_bundle):
    ro_bundle.config["annotations"] = {"org.systemd.property.NoSuchThing": "true"}
    err = oci.fails(1, "--systemd-cgroup", "create", "-b", ro_bundle.args("true").save(), "c")
    assert "systemd: " in err and "NoSuchThing" in err
    assert oci("list", "-q") == ""
    gone("nook-c.scope")


def test_a_scope_that_is_taken(oci, ro_bundle, systemd):
    subprocess.run(["systemd-run", "--scope", "--unit", "nook-c.scope", "sh", "-c", "sleep 1000 &"],
                   check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert "a unit of this name" in oci.fails(1, "--systemd-cgroup", "create", "-b", ro_bundle.save(), "c")
    assert prop("nook-c.scope", "ActiveState") == "active"
    systemctl("stop", "nook-c.scope")
    gone("nook-c.scope")
    systemd("create")
    assert "exists already" in oci.fails(1, "--systemd-cgroup", "create", "-b", ro_bundle.path, "c")
    assert oci.status("c") == "created"


def test_a_scope_whose_memory_ran_out_is_in_nobodys_way(oci, ro_bundle):
    ro_bundle.linux["resources"] = {"memory": {"limit": 8 << 20, "swap": 8 << 20}}
    ro_bundle.sh("x=0123456789abcdef; while :; do x=$x$x; done")
    for _ in range(2):
        assert oci.result("--systemd-cgroup", "run", "-b", ro_bundle.save(), "c").code == 137
    gone("nook-c.scope")


def test_a_subgroup_by_annotation(oci, ro_bundle, systemd):
    ro_bundle.config["annotations"] = {"run.oci.systemd.subgroup": "inner"}
    ro_bundle.linux["resources"] = {"pids": {"limit": 66}}
    systemd("create")
    assert group_of(oci.state("c")["pid"]) == "/system.slice/nook-c.scope/inner"
    assert value(oci.state("c")["pid"], "pids", "pids.max", "pids.max") == "66"
    oci("delete", "c")
    gone("nook-c.scope")


def test_a_runtime_that_is_killed_leaves_no_scope(oci, ro_bundle):
    hook = ro_bundle.path / "hook"
    os.mkfifo(ro_bundle.path / "reached")
    hook.write_text(f"#!/bin/sh\necho $$ >{ro_bundle.path}/reached\nexec sleep 1000\n")
    hook.chmod(0o755)
    ro_bundle.config["hooks"] = {"createRuntime": [{"path": str(hook)}]}
    with oci.start("--systemd-cgroup", "create", "-b", ro_bundle.args("true").save(), "c") as create:
        pid = int((ro_bundle.path / "reached").read_text())
        create.send_signal(signal.SIGKILL)
        create.wait()
    os.kill(pid, signal.SIGKILL)
    oci("delete", "--force", "c")
    gone("nook-c.scope")


def test_a_bus_that_is_not_there(oci, ro_bundle):
    ro_bundle.args("true").save()
    environment = {**oci.environment, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={ro_bundle.path}/nobody"}
    done = subprocess.run(oci.argv("--systemd-cgroup", "create", "-b", ro_bundle.path, "c"), env=environment, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 1 and "nobody" in done.stderr
    assert json.loads(oci("list", "-f", "json")) == []


# ---- an ordinary user's own systemd ------------------------------------------------------------------------------------

@pytest.fixture
def manager():
    """The user's systemd and his bus: where it is."""
    subprocess.run(["useradd", "-u", str(ORDINARY_UID), "-U", "-M", "nooktest"], check=True)
    try:
        subprocess.run(["systemctl", "start", f"user@{ORDINARY_UID}.service"], check=True)
        yield f"/run/user/{ORDINARY_UID}"
        subprocess.run(["systemctl", "stop", f"user@{ORDINARY_UID}.service", f"user-runtime-dir@{ORDINARY_UID}.service",
                        f"user-{ORDINARY_UID}.slice"], check=True)
    finally:
        subprocess.run(["userdel", "nooktest"], check=True)


class UsersOci(bundles.Oci):
    """What systemd mounts for the user while the tests run is seen where systemd is."""

    def argv(self, *args, program="nook-oci"):
        return ["nsenter", "-t", "1", "-m", "--", *super().argv(*args, program=program)]


@pytest.mark.view("v2")
def test_a_users_container_is_a_scope_of_his_systemd(manager, space, busybox_root):
    home = space / "home"
    home.mkdir()
    os.chown(home, ORDINARY_UID, ORDINARY_UID)
    oci = UsersOci(BUILD, home, uid=ORDINARY_UID)
    oci.environment["XDG_RUNTIME_DIR"] = manager
    bundle = bundles.Bundle(oci, home / "bundle", busybox_root, rootless=True, owner=ORDINARY_UID)
    bundle.drop_namespace("network")
    bundle.linux["resources"] = {"pids": {"limit": 44}, "memory": {"limit": 64 << 20}}
    oci("--systemd-cgroup", "create", "-b", bundle.args("sleep", "1000").save(), "c")
    try:
        pid = oci.state("c")["pid"]
        above = f"/user.slice/user-{ORDINARY_UID}.slice/user@{ORDINARY_UID}.service/user.slice"
        assert group_of(pid) == f"{above}/nook-c.scope"
        assert value(pid, "pids", "pids.max", "pids.max") == "44" and value(pid, "memory", "", "memory.max") == str(64 << 20)
        oci("start", "c")
        assert oci("exec", "c", "id", "-u") == "0\n"
        oci("update", "--pids-limit", "33", "c")
        assert value(pid, "pids", "pids.max", "pids.max") == "33"
        oci("pause", "c")
        oci("resume", "c")
        oci("kill", "c", "KILL")
        oci.wait("c", "stopped")
    finally:
        oci("delete", "--force", "c")
    assert not (MOUNTS["v2"] / above.lstrip("/") / "nook-c.scope").exists()
