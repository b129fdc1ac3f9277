# SPDX-License-Identifier: LGPL-2.1-or-later
"""Slurm's containers by nook-oci: a controller and two nodes, each in a network namespace of its own, with munge."""

import contextlib
import json
import os
import re

import pytest

import clients
import conftest
import roots

pytestmark = [pytest.mark.user("root"), pytest.mark.view("hybrid"), pytest.mark.plain]

CONF = """
ClusterName=test
SlurmctldHost=node1(10.9.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={space}/munge/socket
StateSaveLocation={space}/state
SlurmdSpoolDir={space}/%n/spool
SlurmctldPidFile={space}/controller.pid
SlurmdPidFile={space}/%n/pid
SlurmctldLogFile={space}/controller.log
SlurmdLogFile={space}/%n/log
SlurmdDebug=debug
Prolog={space}/prolog.sh
PrologFlags=Alloc
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0
SelectType=select/linear
KillWait=1
MailProg=/bin/true
NodeName=node1 NodeAddr=10.9.0.1 CPUs=1 State=UNKNOWN
NodeName=node2 NodeAddr=10.9.0.2 CPUs=1 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""

NOBODY = 65534


class Cluster:
    def __init__(self, space, nodes):
        self.space, self.nodes = space, nodes
        self.env = {"SLURM_CONF": f"{space}/slurm.conf"}
        for name in ("etc", "state", "munge", "out", "oci"):
            (space / name).mkdir()
        (space / "out").chmod(0o1777)
        (space / "slurm.conf").write_text(CONF.format(space=space))
        for name in ("oci.conf", "prolog.sh"):
            text = clients.documented("slurm.md", name)[0]
            (space / name).write_text(text.replace("/run/nook-slurm", f"{space}/oci"))
        (space / "prolog.sh").chmod(0o755)

    @contextlib.contextmanager
    def munge(self):
        place = self.space / "munge"
        (place / "key").write_bytes(os.urandom(128))
        (place / "key").chmod(0o600)
        argv = [clients.program("munged", "munge"), "--foreground", "--socket", place / "socket", "--key-file", place / "key",
                "--pid-file", place / "pid", "--seed-file", place / "seed", "--log-file", place / "log"]
        with clients.daemon(argv, place / "out", (place / "socket").exists):
            yield

    @contextlib.contextmanager
    def slurm(self):
        """The controller, then the nodes; ready when it has heard of both."""
        controller = [*self.nodes[0].inside, clients.program("slurmctld", "slurmctld"), "-D"]
        with contextlib.ExitStack() as stack:
            stack.enter_context(clients.daemon(controller, self.space / "controller.out",
                                               lambda: self.result("scontrol", "ping").code == 0, self.env))
            for node in self.nodes:
                (node.space / "spool").mkdir()
                argv = [*node.inside, clients.program("slurmd", "slurmd"), "-D", "-N", node.name]
                stack.enter_context(clients.daemon(argv, node.space / "out", (node.space / "pid").exists, self.env))
            idle = lambda: self("sinfo", "-h", "-o", "%t %D").split() == ["idle", "2"]  # noqa: E731
            clients.wait_for(idle, lambda: self("sinfo", "-R") + clients.end_of(self.space / "controller.log"), interval=0.1)
            yield

    def result(self, *args, uid=0, **options):
        """A command of a user on the first node."""
        argv = [*self.nodes[0].inside, "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
        return clients.Client(argv, self.env, self.space / "out").result(*args, **options)

    def __call__(self, *args, **options):
        result = self.result(*args, **options)
        assert result.code == 0, str(result)
        return result.out

    def bundle(self, name, uid, *options):
        """A bundle of a user in the way of the page, in the node's network and with its name."""
        path = self.space / name
        path.mkdir()
        os.chown(path, uid, uid)
        self(conftest.BUILD / "nook-oci", "spec", *options, "-b", path, uid=uid)
        config = json.loads((path / "config.json").read_text())
        config["process"]["terminal"] = False
        (path / "rootfs").symlink_to("../root")
        config["linux"]["namespaces"] = [ns for ns in config["linux"]["namespaces"] if ns["type"] not in ("network", "uts")]
        config.pop("hostname", None)
        (path / "config.json").write_text(json.dumps(config))
        return path

    def srun(self, bundle, *args, **options):
        return self.result("srun", f"--container={bundle}", *args, **options)

    def submit(self, bundle, script, *options, uid=0):
        """A batch job; its number."""
        return self("sbatch", "--parsable", f"--container={bundle}", "-o", "%j.out", *options, uid=uid, input=f"#!/bin/sh\n{script}\n").strip()

    def output(self, job):
        path = self.space / f"out/{job}.out"
        return path.read_text() if path.exists() else ""

    def prints(self, job, words):
        clients.wait_for(lambda: words in self.output(job), lambda: f"{words!r} is not in {self.output(job)!r}", interval=0.05)

    def job(self, job):
        """State and exit status (code:signal) as the controller has them."""
        shown = self("scontrol", "show", "job", job)
        return re.search(r"JobState=(\w+)", shown).group(1), re.search(r" ExitCode=(\S+)", shown).group(1)

    def ends(self, job, state):
        clients.wait_for(lambda: self.job(job)[0] == state, lambda: self("scontrol", "show", "job", job), interval=0.1)
        return self.job(job)[1]

    def containers(self):
        return [path.name for path in (self.space / "oci").glob("*/containers/*")]


@pytest.fixture(scope="module")
def cluster(module_space):
    for name in ("srun", "sbatch", "scancel", "scontrol", "sinfo"):
        clients.program(name, "slurm-client")
    roots.make_busybox(module_space / "root")
    nodes = [clients.Machine(module_space, number) for number in (1, 2)]
    slurm = Cluster(module_space, nodes)
    with contextlib.ExitStack() as stack:
        stack.enter_context(slurm.munge())
        for node in nodes:
            stack.enter_context(node.up())
        clients.connect(*nodes)
        stack.enter_context(slurm.slurm())
        slurm.root = slurm.bundle("root-bundle", 0)
        slurm.own = slurm.bundle("own-bundle", NOBODY, "--rootless")
        yield slurm


@pytest.fixture(autouse=True)
def nothing_left(cluster):
    yield
    clients.wait_for(lambda: not cluster("squeue", "-h"), lambda: cluster("squeue"), interval=0.1)
    clients.wait_for(lambda: not cluster.containers(), lambda: f"left: {cluster.containers()}")


def test_srun_in_a_container(cluster):
    result = cluster.srun(cluster.root, "sh", "-c", "echo out; echo err >&2; cat /proc/1/comm; id -u; echo $SLURM_JOB_NAME; exit 3")
    assert result.code == 3 and result.out == "out\nsh\n0\nsh\n" and "err" in result.err.splitlines()
    assert cluster.srun(cluster.root, "cat", input="in\n").out == "in\n"
    assert cluster.srun(cluster.root, "sh", "-c", "sh -c 'kill -9 $$'; exit $?").code == 137
    assert cluster.srun(cluster.root, "no-such-command").code == 127


def test_srun_on_both_nodes(cluster):
    result = cluster.srun(cluster.root, "-N2", "hostname")
    assert result.code == 0 and sorted(result.out.split()) == ["node1", "node2"]
    # Both have what comes in; the worst status is srun's.
    result = cluster.srun(cluster.root, "-N2", "sh", "-c", 'cat; test "$(hostname)" = node1 && exit 3; exit 4', input="in\n")
    assert result.code == 4 and result.out.split() == ["in", "in"]
    for node, code in (("node1", 3), ("node2", 4)):
        assert re.search(rf"{node}: task \d: Exited with exit code {code}", result.err)


def test_srun_on_a_terminal(cluster):
    """It is the node's: the container has no name for it."""
    srun = clients.Client([*cluster.nodes[0].inside, "srun", f"--container={cluster.root}"], cluster.env, cluster.space / "out")
    code, shown = srun.on_terminal("--pty", "sh", "-c", "test -t 0 && stty size; echo ready; read word; exit 3", until="ready")
    assert code == 3 and shown.split()[:3] == ["31", "97", "ready"]


def test_several_tasks_of_a_node(cluster):
    """Slurm 22.05 makes one bundle for the step, whatever the runtime: for two tasks of one node its slurmstepd crashes."""
    result = cluster.srun(cluster.root, "-N1", "-n2", "--overcommit", "true")
    assert result.code == 255 and "Task launch for StepId" in result.err


def test_an_ordinary_user(cluster):
    result = cluster.srun(cluster.own, "sh", "-c", "id -u; cat /proc/self/uid_map; exit 6", uid=NOBODY)
    assert result.code == 6 and result.out.split() == ["0", "0", str(NOBODY), "1"]
    job = cluster.submit(cluster.own, "echo in batch; exit 0", uid=NOBODY)
    assert cluster.ends(job, "COMPLETED") == "0:0"
    assert cluster.output(job) == "in batch\n"
    assert (cluster.space / f"out/{job}.out").stat().st_uid == NOBODY


def test_sbatch(cluster):
    job = cluster.submit(cluster.root, "echo in batch on $(hostname); exit 7")
    assert cluster.ends(job, "FAILED") == "7:0"
    assert cluster.output(job) == "in batch on node1\n"
    # Of a job on two nodes the script runs on the first one.
    job = cluster.submit(cluster.root, "echo $(hostname) of $SLURM_JOB_NUM_NODES", "-N2")
    assert cluster.ends(job, "COMPLETED") == "0:0"
    assert cluster.output(job) == "node1 of 2\n"


def test_scancel(cluster):
    job = cluster.submit(cluster.root, clients.SERVICE)
    cluster.prints(job, "started")
    cluster("scancel", "--full", "--signal=USR1", job)
    cluster.prints(job, "usr1")
    assert cluster.job(job)[0] == "RUNNING"
    cluster("scancel", job)
    cluster.ends(job, "CANCELLED")
    cluster.prints(job, "term")


def test_scancel_of_what_ignores_it(cluster):
    """SIGKILL follows; the container's processes, state and groups go."""
    job = cluster.submit(cluster.root, "trap '' TERM; echo started; while :; do sleep 0.05; done")
    cluster.prints(job, "started")
    cluster("scancel", job)
    cluster.ends(job, "CANCELLED")


def test_create_and_start_apart(cluster):
    """Slurm 22.05 gives `create` no stdio of the step's, and takes no exit status from who was only started."""
    conf = cluster.space / "oci.conf"
    text = conf.read_text()
    run = re.search(r'RunTimeRun="exec (.*) run --keep (\S+) -b %b"\n', text)
    program, name = run.groups()
    conf.write_text(text.replace(run.group(), f'RunTimeCreate="{program} create {name} -b %b </dev/null >/dev/null 2>&1"\n'
                                              f'RunTimeStart="{program} start {name}"\n'))
    try:
        result = cluster.srun(cluster.root, "sh", "-c", "echo hello; exit 3")
        assert (result.code, result.out) == (0, "")
        assert "RunTimeStart rc:0" in (cluster.nodes[0].space / "log").read_text()
    finally:
        conf.write_text(text)


@pytest.mark.skipif(os.environ.get("NOOK_SWEEP") != "all", reason="the controller looks every 30 s: NOOK_SWEEP=all")
def test_a_limit_of_time(cluster):
    job = cluster.submit(cluster.root, clients.SERVICE)
    cluster.prints(job, "started")
    cluster("scontrol", "update", f"JobId={job}", "EndTime=now")
    clients.wait_for(lambda: cluster.job(job)[0] == "TIMEOUT", lambda: cluster("scontrol", "show", "job", job), 45, interval=0.5)
    cluster.prints(job, "term")


def test_a_bundle_that_cannot_start(cluster):
    path = cluster.bundle("broken", 0)
    config = json.loads((path / "config.json").read_text())
    config["mounts"].append({"destination": "/x", "type": "no-such-type", "source": "x"})
    (path / "config.json").write_text(json.dumps(config))
    result = cluster.srun(path, "true")
    assert result.code == 1 and "does not know this type of file system" in result.err
