# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook-oci: what went wrong in other runtimes, each with a test: processes, identity, bad input."""

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
