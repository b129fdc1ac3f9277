# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook-oci: annotations that mean something to a runtime, and what comes in by the environment (sd_notify)."""

import array
import os
import select
import signal
import socket
import subprocess

import pytest

pytestmark = pytest.mark.user("root")


def listen(path, kind=socket.SOCK_STREAM):
    listener = socket.socket(socket.AF_UNIX, kind)
    listener.bind(str(path))
    listener.settimeout(20)
    if kind == socket.SOCK_STREAM:
        listener.listen(1)
    return listener


def test_pidfd_receiver(oci, ro_bundle, space):
    ro_bundle.config["annotations"] = {"run.oci.pidfd_receiver": str(space / "socket")}
    with listen(space / "socket") as listener:
        oci("create", "-b", ro_bundle.args("true").save(), "c")
        connection, _ = listener.accept()
        with connection:
            _, ancillary, _, _ = connection.recvmsg(100, socket.CMSG_SPACE(4))
    pidfd, = array.array("i", ancillary[0][2][:4])
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert select.select([pidfd], [], [], 10)[0]
    os.close(pidfd)


def test_files_for_what_hooks_say(oci, bundle, space):
    bundle.config["annotations"] = {"run.oci.hooks.stdout": str(space / "out"), "run.oci.hooks.stderr": str(space / "err")}
    say = [{"path": "/bin/sh", "args": ["sh", "-c", f"echo {kind}; echo not {kind} >&2"]} for kind in ("a", "b", "c", "d", "e", "f")]
    kinds = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
    bundle.config["hooks"] = {kind: [hook] for kind, hook in zip(kinds, say)}
    bundle.args("true").run()
    assert (space / "out").read_text().split() == ["a", "b", "c", "d", "e", "f"]
    assert (space / "err").read_text().splitlines() == [f"not {kind}" for kind in "abcdef"]
    bundle.config["annotations"] = {"run.oci.hooks.stdout": "out"}
    assert "run.oci.hooks.stdout" in bundle.fails(1)


def test_unknown_calls_of_a_profile_by_annotation(ro_bundle):
    ro_bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "no_such_call"], "action": "SCMP_ACT_ERRNO"}]}
    assert ro_bundle.args("true").result().code == 0
    ro_bundle.config["annotations"] = {"run.oci.seccomp_fail_unknown_syscall": "1"}
    assert "no_such_call" in ro_bundle.fails(1)


def test_seccomp_receiver_that_is_not_there(ro_bundle, space):
    ro_bundle.config["annotations"] = {"run.oci.seccomp.receiver": str(space / "nobody")}
    ro_bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}
    assert "linux.seccomp.listenerPath" in ro_bundle.args("true").fails(1)


def test_landlock_rules_by_annotation(bundle):
    bundle.config["annotations"] = {"run.nook.landlock.ro": "/bin:/proc", "run.nook.landlock.rw": "/tmp:/dev"}
    script = "echo x >/tmp/x && cat /tmp/x; cat /etc/passwd; echo x >/bin/x; mkdir /new"
    result = bundle.sh(script).result()
    assert result.out == "x\n" and result.err.count("denied") == 3


def test_core_scheduling_by_annotation(ro_bundle):
    ro_bundle.config["annotations"] = {"run.nook.core_sched": "1"}
    result = ro_bundle.args("true").result()
    # A machine whose cores have one thread each has no core scheduling: that is told.
    assert result.code == 0 or "core scheduling" in result.err


def test_context_of_mounts_by_annotation(ro_bundle):
    ro_bundle.config["annotations"] = {"run.oci.mount_context_type": "nonsense"}
    assert "mount_context_type" in ro_bundle.args("true").fails(1)
    ro_bundle.config["annotations"] = {"run.oci.mount_context_type": "rootcontext"}
    assert ro_bundle.result().code == 0


@pytest.mark.view("v2", "hybrid")
def test_a_group_of_the_containers_own_by_annotation(oci, ro_bundle):
    ro_bundle.config["annotations"] = {"run.oci.delegate-cgroup": "own"}
    ro_bundle.sh("grep ^0:: /proc/self/cgroup; sleep 1000")
    with oci.start("run", "-b", ro_bundle.save(), "c") as run:
        assert run.stdout.readline() == "0::/own\n"
        assert oci.result("exec", "c", "true").code == 0
        oci("kill", "c", "KILL")
    ro_bundle.config["annotations"] = {"run.oci.delegate-cgroup": "a/b"}
    assert "delegate-cgroup" in ro_bundle.fails(1)


# ---- sd_notify -----------------------------------------------------------------------------------------------------------

def notify(pid, text):
    """As the container would, whose busybox cannot send a datagram to a path."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(text.encode(), f"/proc/{pid}/root/run/notify/notify.sock")


def test_a_container_says_that_it_is_ready(oci, bundle, space):
    bundle.sh("test -S $NOTIFY_SOCKET && echo there; sleep 1000")
    environment = {**oci.environment, "NOTIFY_SOCKET": str(space / "host")}
    with listen(space / "host", socket.SOCK_DGRAM) as host, open(space / "out", "w+") as out:
        subprocess.run(oci.argv("create", "-b", bundle.save(), "c"), env=environment, check=True, stdin=subprocess.DEVNULL, stdout=out)
        with subprocess.Popen(oci.argv("start", "c"), env=environment, stdin=subprocess.DEVNULL) as start:
            oci.wait("c", "running")
            pid = oci.state("c")["pid"]
            notify(pid, "STATUS=not yet")
            assert start.poll() is None
            notify(pid, "STATUS=now\nREADY=1\n")
            assert start.wait(20) == 0
        assert host.recv(1000).decode() == f"READY=1\nMAINPID={pid}"
        out.seek(0)
        assert out.read() == "there\n"


def test_a_container_that_ends_before_it_is_ready(oci, bundle, space):
    environment = {**oci.environment, "NOTIFY_SOCKET": str(space / "host")}
    subprocess.run(oci.argv("create", "-b", bundle.args("true").save(), "c"), env=environment, check=True, stdin=subprocess.DEVNULL)
    subprocess.run(oci.argv("start", "c"), env=environment, check=True, stdin=subprocess.DEVNULL, timeout=20)


def test_run_passes_on_that_its_container_is_ready(oci, bundle, space):
    environment = {**oci.environment, "NOTIFY_SOCKET": str(space / "host")}
    with listen(space / "host", socket.SOCK_DGRAM) as host:
        line = oci.argv("run", "-b", bundle.sh("echo up; read line; exit 7").save(), "c")
        with subprocess.Popen(line, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
            assert run.stdout.readline() == "up\n"
            pid = oci.state("c")["pid"]
            notify(pid, "READY=1")
            assert host.recv(1000).decode() == f"READY=1\nMAINPID={pid}"
            run.communicate("\n")
        assert run.returncode == 7
