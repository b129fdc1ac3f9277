# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook-oci: what config.json asks of the kernel beside namespaces, mounts and groups: seccomp agents, processors,
memory nodes, classes of cache and memory bandwidth."""

import array
import fcntl
import json
import os
import pathlib
import socket
import struct
import subprocess
import threading

import pytest

pytestmark = pytest.mark.user("root")

NOTIF_RECV, NOTIF_SEND, NOTIF_CONTINUE = 0xC0502100, 0xC0182101, 1


# ---- seccomp agents ----------------------------------------------------------------------------------------------------

class Agent:
    """Takes the listeners of filters, and answers each call of mkdir with EOPNOTSUPP."""

    def __init__(self, path):
        self.path, self.states, self.calls, self.threads = path, [], 0, []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(8)
        self.accepting = threading.Thread(target=self.accept)
        self.accepting.start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                text, ancillary, _, _ = connection.recvmsg(1 << 20, socket.CMSG_SPACE(4))
                while chunk := connection.recv(1 << 20):
                    text += chunk
            self.states.append(json.loads(text))
            fd = array.array("i", ancillary[0][2][:4])[0]
            thread = threading.Thread(target=self.answer, args=[fd])
            thread.start()
            self.threads.append(thread)

    def answer(self, fd):
        """Until the last process with this filter has ended."""
        while True:
            request = bytearray(80)
            try:
                fcntl.ioctl(fd, NOTIF_RECV, request)
                number, = struct.unpack_from("Q", request)
                self.calls += 1
                fcntl.ioctl(fd, NOTIF_SEND, struct.pack("QqiI", number, 0, -95, 0))
            except OSError:
                break
        os.close(fd)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.accepting.join(20)


@pytest.fixture
def agent(space):
    agent = Agent(space / "agent")
    yield agent
    if not agent.listener._closed:
        agent.close()


def with_agent(bundle, path):
    bundle.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": str(path), "listenerMetadata": "who asks",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]}
    return bundle


SCRIPT = "mkdir /tmp/x || ls /proc/self/fd"


@pytest.mark.parametrize("nnp", [True, False])
def test_an_agent_decides_about_calls(ro_bundle, agent, nnp):
    ro_bundle.process["noNewPrivileges"] = nnp
    result = with_agent(ro_bundle, agent.path).sh(SCRIPT).result()
    assert "not supported" in result.err and agent.calls == 1
    assert result.out.split() == ["0", "1", "2", "3"]
    state, = agent.states
    assert state["fds"] == ["seccompFd"] and state["metadata"] == "who asks" and state["pid"] > 0
    assert state["state"]["id"] == "c" and state["state"]["pid"] == state["pid"]
    assert state["state"]["bundle"] == str(ro_bundle.path) and state["ociVersion"] == ro_bundle.config["ociVersion"]


def test_an_agent_is_told_at_the_start_and_at_each_exec(oci, ro_bundle, agent):
    with_agent(ro_bundle, agent.path).sh("mkdir /tmp/x; sleep 1000")
    oci("create", "-b", ro_bundle.save(), "c")
    assert agent.states == []
    oci("start", "c")
    assert "not supported" in oci.result("exec", "c", "mkdir", "/tmp/y").err
    first, second = agent.states
    assert first["pid"] == first["state"]["pid"] == second["state"]["pid"] == oci.state("c")["pid"]
    assert second["pid"] != first["pid"] and second["state"]["status"] == "running"


def test_a_container_without_its_agent_is_not_made(oci, ro_bundle, space):
    assert "linux.seccomp.listenerPath" in with_agent(ro_bundle, space / "nobody").args("true").fails(1)
    assert oci("list", "-q") == ""
    del ro_bundle.linux["seccomp"]["listenerPath"]
    del ro_bundle.linux["seccomp"]["listenerMetadata"]
    assert "linux.seccomp.listenerPath" in ro_bundle.fails(1)


def test_a_start_whose_agent_has_gone_is_an_error(oci, ro_bundle, agent):
    with_agent(ro_bundle, agent.path).args("sleep", "1000")
    oci("create", "-b", ro_bundle.save(), "c")
    agent.close()
    assert str(agent.path) in oci.fails(1, "start", "c")
    oci.wait("c", "stopped")


# ---- where it runs -----------------------------------------------------------------------------------------------------

def test_the_processors_of_the_caller_are_not_the_containers(oci, ro_bundle):
    everywhere = subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout
    line = ["taskset", "-c", "0", *oci.argv("run", "-b", ro_bundle.args("nproc").save(), "c")]
    assert subprocess.run(line, env=oci.environment, capture_output=True, text=True, check=True).stdout == everywhere


def test_processors_of_an_exec(oci, ro_bundle, space):
    process = {"args": ["grep", "Cpus_allowed_list", "/proc/self/status"], "cwd": "/", "user": {"uid": 0, "gid": 0},
               "env": ["PATH=/bin"], "execCPUAffinity": {"initial": "0-1", "final": "0"}}
    (space / "process.json").write_text(json.dumps(process))
    ro_bundle.args("sleep", "1000").run("--detach")
    assert oci("exec", "--process", space / "process.json", "c").split() == ["Cpus_allowed_list:", "0"]
    process["execCPUAffinity"]["final"] = "0-"
    (space / "process.json").write_text(json.dumps(process))
    assert "process.execCPUAffinity.final" in oci.fails(1, "exec", "--process", space / "process.json", "c")


def test_memory_policy(oci, ro_bundle):
    ro_bundle.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}
    ro_bundle.sh("head -1 /proc/self/numa_maps; sleep 1000")
    with oci.start("run", "-b", ro_bundle.save(), "c") as run:
        assert "bind=static:0" in run.stdout.readline()
        assert "bind=static:0" in oci("exec", "c", "head", "-1", "/proc/self/numa_maps")
        oci("kill", "c", "KILL")
    ro_bundle.linux["memoryPolicy"]["nodes"] = "0,x"
    assert "linux.memoryPolicy.nodes" in ro_bundle.fails(1)
    ro_bundle.linux["memoryPolicy"] = {"mode": "MPOL_DEFAULT", "nodes": "0"}
    assert "memory" in ro_bundle.fails(1)


# ---- resctrl: few machines have it, so a directory stands for it -------------------------------------------------------

# In a mount namespace of its own: /sys/fs/resctrl with the default class and groups that the kernel would fill.
RESCTRL = """
set -e
mount -t tmpfs none /sys/fs
mkdir -p /sys/fs/resctrl/c/mon_groups/c /sys/fs/resctrl/gold/mon_groups/c /sys/fs/resctrl/mon_groups/c
for dir in . c gold c/mon_groups/c gold/mon_groups/c mon_groups/c; do
    : >/sys/fs/resctrl/$dir/tasks
done
echo '    L3:0=fff;1=fff' >/sys/fs/resctrl/schemata
printf '    MB:0=100;1=70\\n    L3:0=00f;1=0f0\\n' >/sys/fs/resctrl/gold/schemata
: >/sys/fs/resctrl/c/schemata
"$@" || echo "status $?"
cd /sys/fs/resctrl
for file in c/tasks c/mon_groups/c/tasks gold/tasks gold/mon_groups/c/tasks mon_groups/c/tasks; do
    [ ! -s $file ] || echo "joined $file"
done
[ ! -s c/schemata ] || cat c/schemata
"""


def with_resctrl(oci, bundle, **rdt):
    bundle.linux["intelRdt"] = rdt
    bundle.args("true").save()
    # Its directories go with the container, here with files in them that the kernel would take along: so it is kept.
    line = ["unshare", "-m", "sh", "-c", RESCTRL, "sh", *oci.argv("--cgroup-manager", "disabled", "run", "--keep", "-b", bundle.path, "c")]
    done = subprocess.run(line, env=oci.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    oci("delete", "--force", "c")
    return done.stdout


def test_rdt_class_of_its_own(oci, ro_bundle):
    assert with_resctrl(oci, ro_bundle, l3CacheSchema="L3:0=f;1=f") == "joined c/tasks\nL3:0=f;1=f\n"
    assert with_resctrl(oci, ro_bundle, schemata=["MB:0=20"]) == "joined c/tasks\nMB:0=20\n"


def test_rdt_class_that_exists(oci, ro_bundle):
    assert with_resctrl(oci, ro_bundle, closID="gold", l3CacheSchema="L3:0=f", memBwSchema="MB:1=70") == "joined gold/tasks\n"
    assert with_resctrl(oci, ro_bundle, closID="gold") == "joined gold/tasks\n"
    assert "are not those of linux.intelRdt" in with_resctrl(oci, ro_bundle, closID="gold", l3CacheSchema="L3:0=1f")
    assert "no such resctrl class" in with_resctrl(oci, ro_bundle, closID="silver")


def test_update_of_an_rdt_class(oci, ro_bundle):
    ro_bundle.linux["intelRdt"] = {"closID": "gold"}
    ro_bundle.args("sleep", "1000").save()
    run = " ".join(map(str, oci.argv("--cgroup-manager", "disabled")))
    script = f"""{run} run --detach -b {ro_bundle.path} c </dev/null >/dev/null 2>&1
        {run} update --l3-cache-schema 'L3:0=1;1=1;2=1;3=1' c; cat /sys/fs/resctrl/gold/schemata; {run} delete --force c"""
    out = subprocess.run(["unshare", "-m", "sh", "-c", RESCTRL, "sh", "sh", "-c", script], env=oci.environment, capture_output=True,
                         text=True, check=True).stdout
    assert out.startswith("L3:0=1;1=1;2=1;3=1\n")


def test_update_without_an_rdt_class(oci, ro_bundle):
    ro_bundle.args("sleep", "1000").run("--detach")
    assert "linux.intelRdt" in oci.fails(1, "update", "--mem-bw-schema", "MB:0=20", "c")


def test_rdt_monitoring(oci, ro_bundle):
    assert with_resctrl(oci, ro_bundle, enableMonitoring=True) == "joined mon_groups/c/tasks\n"
    out = with_resctrl(oci, ro_bundle, closID="gold", enableMonitoring=True)
    assert out == "joined gold/tasks\njoined gold/mon_groups/c/tasks\n"


def test_rdt_class_that_cannot_be_set_up_is_taken_back(oci, ro_bundle):
    """A new directory has no schemata here, as if the kernel had refused it."""
    out = with_resctrl(oci, ro_bundle, closID="new", l3CacheSchema="L3:0=f")
    assert "new" in out and "status 1" in out


@pytest.mark.skipif(pathlib.Path("/sys/fs/resctrl/schemata").exists(), reason="this machine has resctrl")
def test_rdt_without_resctrl_is_an_error(oci, ro_bundle):
    ro_bundle.linux["intelRdt"] = {"closID": "gold"}
    assert "linux.intelRdt" in ro_bundle.args("true").fails(1)
    ro_bundle.linux["intelRdt"] = {"closID": "a/b"}
    assert "linux.intelRdt.closID" in ro_bundle.fails(1)
