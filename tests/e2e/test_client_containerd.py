# SPDX-License-Identifier: LGPL-2.1-or-later
"""containerd on nook-oci: ctr run --runc-binary, and pods with a RuntimeClass through the CRI plugin."""

import itertools
import json
import re
import subprocess

import pytest

import clients
import conftest
import cri
import streams
from clients import images  # noqa: F401: a fixture

pytestmark = [pytest.mark.user("root"), pytest.mark.view("hybrid"), pytest.mark.controllers("memory", "cpu", "pids")]

# Beside what the page says: places of the test's own, and no registry for the image of pods.
PLACES = """
root = "{space}/root"
state = "{space}/state"
[grpc]
  address = "{space}/sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{space}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{space}/net.d"
"""

NETWORK = {
    "cniVersion": "0.4.0", "name": "pods",
    "plugins": [{"type": "bridge", "bridge": "pods", "isGateway": True,
                 "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/16"}]]}}],
}


def handler():
    """The RuntimeClass of the page: its handler is what the kubelet asks containerd for."""
    runtime_class, pod = clients.documented("kubernetes.md", "runtimeclass.yaml")[0].split("---\n")
    name = re.search(r"name: (\w+)", runtime_class).group(1)
    assert f"runtimeClassName: {name}" in pod
    return re.search(r"handler: (\w+)", runtime_class).group(1)


@pytest.fixture(scope="module")
def containerd(module_space, images):  # noqa: F811
    """A containerd in a network namespace of its own, with images for ctr and for pods."""
    space = module_space
    program = clients.program("containerd", "containerd")
    clients.program("bridge", "containernetworking-plugins", "/usr/lib/cni")
    places = PLACES.format(space=space, pause=clients.PAUSE, plugins="/usr/lib/cni")
    page = clients.documented("containerd.md", "/etc/containerd/config.toml")[0].replace("/run/nook-oci", f"{space}/oci")
    (space / "config.toml").write_text(clients.merged(page, places))
    (space / "net.d").mkdir()
    network = {**NETWORK, "plugins": [dict(NETWORK["plugins"][0])]}
    network["plugins"][0]["ipam"] = {**network["plugins"][0]["ipam"], "dataDir": f"{space}/addresses"}
    (space / "net.d/pods.conflist").write_text(json.dumps(network))
    ctr = clients.Client([clients.program("ctr", "containerd"), "-a", space / "sock"], cwd=space)
    try:
        with clients.daemon(["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", program, "--config",
                             space / "config.toml"],
                            space / "log", lambda: (space / "sock").exists() and ctr.result("version").code == 0) as process:
            ctr.netns = f"/proc/{process.pid}/ns/net"
            ctr("-n", space.name, "image", "import", images / "busybox.tar")
            for name in ("busybox", "pause"):
                ctr("-n", "k8s.io", "image", "import", images / f"{name}.tar")
            yield ctr
    finally:
        clients.remove_groups(space.name)


# ---- ctr -------------------------------------------------------------------------------------------------------------

@pytest.fixture
def ctr(containerd, module_space):
    """ctr in a containerd namespace, and so in a group, of this module's name."""
    run = clients.Client([*containerd.argv, "-n", module_space.name], cwd=module_space)
    run.group, run.space = module_space.name, module_space
    run.runtime = ["--runc-binary", conftest.BUILD / "nook-oci", "--runc-root", module_space / "oci"]
    yield run
    for name in run("task", "ls", "-q").split():
        run.result("task", "delete", "-f", name)
    for name in run("container", "ls", "-q").split():
        run.result("container", "delete", name)
    assert clients.groups_below(run.group) == []


def start(ctr, *options):
    ctr("run", "-d", "--null-io", *ctr.runtime, *options, clients.IMAGE, "box", "sh", "-c", clients.SERVICE)


def status(ctr):
    return [line.split()[2] for line in ctr("task", "ls").splitlines() if line.startswith("box ")]


def execute(number=itertools.count()):
    return ["task", "exec", "--exec-id", f"e{next(number)}"]


def hear(ctr, *args, command, send=""):
    """What a command says, and its exit status.  ctr loses what is said by one that ends before ctr has opened its pipes, so
    this one ends when it was read."""
    script = '"$@"; code=$?; echo "= end"; read held; exit $code'
    said = ""
    argv = [*ctr.argv, *map(str, args), "sh", "-c", script, "sh", *command]
    with subprocess.Popen(argv, env=ctr.env, cwd=ctr.cwd, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        process.stdin.write(send)
        process.stdin.flush()
        for line in process.stdout:
            if line == "= end\n":
                break
            said += line
        process.stdin.close()
    return said, process.returncode


def test_ctr_exit_statuses(ctr):
    assert hear(ctr, "run", "--rm", *ctr.runtime, clients.IMAGE, "a", command=["echo", "hi"]) == ("hi\n", 0)
    ctr.fails(7, "run", "--rm", *ctr.runtime, clients.IMAGE, "b", "sh", "-c", "exit 7")
    ctr.fails(137, "run", "--rm", *ctr.runtime, clients.IMAGE, "b", "sh", "-c", "sh -c 'kill -9 $$'; exit $?")
    missing = ctr.fails(1, "run", "--rm", *ctr.runtime, clients.IMAGE, "c", "no-such-command")
    assert 'exec "no-such-command": executable file not found in $PATH' in missing
    assert "permission denied" in ctr.fails(1, "run", "--rm", *ctr.runtime, clients.IMAGE, "d", "/etc/passwd")
    assert ctr("container", "ls", "-q") == ""


def test_ctr_exec(ctr):
    start(ctr)
    assert hear(ctr, *execute(), "box", command=["cat", "/proc/1/comm"]) == ("sh\n", 0)
    assert hear(ctr, *execute(), "box", command=["head", "-n", "1"], send="in\n") == ("in\n", 0)
    assert hear(ctr, *execute(), "box", command=["sh", "-c", "exit 9"]) == ("", 9)
    ctr.fails(143, *execute(), "box", "sh", "-c", "kill -TERM $$")
    said = hear(ctr, *execute(), "--user", "1000:1000", "--cwd", "/tmp", "box", command=["sh", "-c", "id -u; pwd"])
    assert said == ("1000\n/tmp\n", 0)
    assert "executable file not found" in ctr.fails(1, *execute(), "box", "no-such-command")
    assert "permission denied" in ctr.fails(1, *execute(), "box", "/etc/passwd")
    # The first process is killed for good; the ones that were beside it go with it.
    ctr("task", "kill", "-s", "KILL", "box")
    ctr.until("STOPPED", "task", "ls")
    assert "exit code 137" in ctr.result("task", "delete", "box").err


def test_ctr_terminals(ctr):
    """containerd reads what create prints to its end: it hung when the waiting container still held that pipe."""
    code, shown = ctr.on_terminal("run", "--rm", "-t", *ctr.runtime, clients.IMAGE, "a", "sh", "-c",
                                  "tty; echo end; read held; exit 3", until="end")
    assert code == 3 and "/dev/pts/0" in shown
    start(ctr)
    code, shown = ctr.on_terminal("task", "exec", "-t", "--exec-id", "tty", "box", "sh", "-c", "tty; echo end; read held; exit 4",
                                  until="end")
    assert code == 4 and "/dev/pts/" in shown


def test_ctr_logs(ctr, space):
    ctr("run", "-d", "--log-uri", f"file://{space}/log", *ctr.runtime, clients.IMAGE, "box", "sh", "-c", "echo out; echo err >&2; exit 6")
    ctr.until("STOPPED", "task", "ls")
    assert "exit code 6" in ctr.result("task", "delete", "box").err
    assert sorted((space / "log").read_text().split()) == ["err", "out"]


def test_ctr_pause_limits_and_the_end(ctr, space):
    start(ctr, "--memory-limit", str(64 << 20), "--cpus", "0.5", "--pid-file", space / "pid")
    group = f"{ctr.group}/box"
    assert clients.read_limit(group, "memory") == 64 << 20
    assert clients.read_limit(group, "cpu") == 50000
    pid = (space / "pid").read_text()
    assert pid in ctr("task", "ps", "box").split()
    metrics = ctr("task", "metrics", "box")
    assert "memory.limit_in_bytes    67108864" in metrics and re.search(r"pids.current +[1-9]", metrics)
    service = cri.Cri(ctr.space / "sock")
    service.update_task(ctr.group, "box", {"memory": {"limit": 128 << 20}, "cpu": {"quota": 20000, "period": 100000}, "pids": {"limit": 77}})
    for what, limit in (("memory", 128 << 20), ("cpu", 20000), ("pids", 77)):
        assert clients.read_limit(group, what) == limit
    with pytest.raises(cri.Cri.Refused, match="memory"):
        service.update_task(ctr.group, "box", {"memory": {"limit": 4096, "checkBeforeUpdate": True}})
    service.close()
    ctr("task", "pause", "box")
    assert status(ctr) == ["PAUSED"]
    assert "paused" in ctr.fails(1, *execute(), "box", "true")
    ctr("task", "resume", "box")
    assert status(ctr) == ["RUNNING"]
    ctr("task", "kill", "-s", "TERM", "box")
    ctr.until("STOPPED", "task", "ls")
    assert "exit code 5" in ctr.result("task", "delete", "box").err
    assert clients.group_tops(group) == []
    ctr("container", "delete", "box")


# ---- pods ------------------------------------------------------------------------------------------------------------

class Pods:
    """What the kubelet does: pods, and containers in them."""

    numbers = itertools.count()

    def __init__(self, space, group, netns):
        self.cri, self.space, self.group, self.netns = cri.Cri(space / "sock"), space, group, netns
        self.logs = space / "pods"

    def config(self, name, network=cri.NODE, pid=cri.CONTAINER):
        options = {"network": network, "pid": pid}
        return {"metadata": {"name": name, "uid": name, "namespace": "test"}, "log_directory": str(self.logs),
                "hostname": "" if network == cri.NODE else name,
                "linux": {"cgroup_parent": f"/{self.group}/pods", "security_context": {"namespace_options": options}}}

    def run(self, handler=None, **options):
        """A pod; its containers have the same options."""
        self.n = next(self.numbers)
        config = self.config(f"pod{self.n}", **options)
        pod = self.cri("RunPodSandbox", config=config, runtime_handler=handler or globals()["handler"]()).pod_sandbox_id
        return pod, config

    def create(self, pod, *command, resources=None, security=None, mounts=(), **more):
        pod, config = pod
        self.n = next(self.numbers)
        options = config["linux"]["security_context"]["namespace_options"]
        return self.cri("CreateContainer", pod_sandbox_id=pod, sandbox_config=config, config={
            "metadata": {"name": f"c{self.n}"}, "image": {"image": clients.IMAGE}, "command": command, "log_path": f"c{self.n}.log",
            "envs": [{"key": "WORD", "value": "x"}], "mounts": mounts, **more,
            "linux": {"resources": resources or {}, "security_context": {"namespace_options": options, **(security or {})}},
        }).container_id

    def start(self, pod, *command, **options):
        container = self.create(pod, *command, **options)
        self.cri("StartContainer", container_id=container)
        return container

    def log(self):
        """Of the container that was made last: stream and line."""
        return [line.split(" ", 3)[1::2] for line in (self.logs / f"c{self.n}.log").read_text().splitlines()]

    def exec(self, container, *command):
        return self.cri("ExecSync", container_id=container, cmd=command, timeout=cri.SECONDS)

    def stream(self, method, *, of, **fields):
        """The streams of Exec, Attach or PortForward."""
        field = "pod_sandbox_id" if method == "PortForward" else "container_id"
        return streams.Stream(self.cri(method, **{field: of}, **fields).url, self.netns)

    def execute(self, container, *command, tty=False, stdin=False):
        return self.stream("Exec", of=container, cmd=command, tty=tty, stdin=stdin, stdout=True, stderr=not tty)

    def status(self, container):
        return self.cri("ContainerStatus", container_id=container).status

    def end(self, container):
        """Waits for the end that comes by itself."""
        clients.wait_for(lambda: self.status(container).state == cri.EXITED, lambda: str(self.status(container)))
        return self.status(container)

    def remove(self, pod):
        self.cri("StopPodSandbox", pod_sandbox_id=pod)
        self.cri("RemovePodSandbox", pod_sandbox_id=pod)


@pytest.fixture
def pods(containerd, module_space):
    kubelet = Pods(module_space, module_space.name, containerd.netns)
    for image in (clients.IMAGE, clients.PAUSE):
        clients.wait_for(lambda image=image: kubelet.cri("ImageStatus", image={"image": image}).image.id, lambda: "no image")
    yield kubelet
    for pod in kubelet.cri("ListPodSandbox").items:
        kubelet.remove(pod.id)
    kubelet.cri.close()
    clients.remove_groups(f"{module_space.name}/pods")
    assert list((module_space / "oci/k8s.io/containers").iterdir()) == []


def test_a_pod_lives_and_ends(pods, module_space):
    pod = pods.run()
    status = pods.cri("PodSandboxStatus", pod_sandbox_id=pod[0]).status
    assert status.state == cri.READY and status.runtime_handler == "nook"
    container = pods.start(pod, "sh", "-c", clients.SERVICE)
    assert {pod[0], container} <= {path.name for path in (module_space / "oci/k8s.io/containers").iterdir()}
    clients.wait_for(lambda: ["stdout", "started"] in pods.log(), lambda: str(pods.log()))
    shown = pods.exec(container, "sh", "-c", "echo $WORD; echo err >&2; exit 9")
    assert (shown.stdout, shown.stderr, shown.exit_code) == (b"x\n", b"err\n", 9)
    pods.cri("StopContainer", container_id=container, timeout=9)
    status = pods.status(container)
    assert status.state == cri.EXITED and status.exit_code == 5
    assert pods.log()[-1] == ["stdout", "term"]
    pods.cri("RemoveContainer", container_id=container)
    pods.remove(pod[0])


def test_containers_of_a_pod_share_it(pods):
    pod = pods.run(network=cri.POD, pid=cri.POD)
    pods.start(pod, "sh", "-c", "echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp")
    other = pods.start(pod, "sleep", "1000")
    clients.wait_for(lambda: pods.exec(other, "wget", "-qO-", "http://127.0.0.1").stdout == b"page\n", lambda: "no page")
    names = pods.exec(other, "sh", "-c", "cat /proc/[0-9]*/comm; hostname").stdout.decode().split()
    assert names.count("sleep") == 2 and "httpd" in names and names[-1] == pod[1]["hostname"]
    # Another pod reaches the first one by its address.
    address = pods.cri("PodSandboxStatus", pod_sandbox_id=pod[0]).status.network.ip
    far = pods.start(pods.run(network=cri.POD), "sleep", "1000")
    assert pods.exec(far, "wget", "-qO-", f"http://{address}").stdout == b"page\n"


def test_streams_of_exec(pods):
    """What `kubectl exec` is made of: the kubelet hands its caller an address, and the command's streams are there."""
    container = pods.start(pods.run(), "sleep", "1000")
    with pods.execute(container, "sh", "-c", "echo out; echo err >&2; head -n 1; exit 9", stdin=True) as stream:
        stream.send(streams.STDIN, b"in\n")
        assert stream.end() == 9
        assert stream.received[streams.STDOUT] == b"out\nin\n" and stream.received[streams.STDERR] == b"err\n"
    with pods.execute(container, "sh", "-c", "kill -TERM $$") as stream:
        assert stream.end() == 143
    for command, words in [("no-such-command", "executable file not found in $PATH"), ("/etc/passwd", "permission denied")]:
        with pods.execute(container, command) as stream:
            assert words in stream.end()


def test_a_terminal_of_exec(pods):
    container = pods.start(pods.run(), "sleep", "1000")
    with pods.execute(container, "sh", "-c", "tty; echo ready; read go; stty size; exit 4", tty=True, stdin=True) as stream:
        stream.until(streams.STDOUT, b"ready\r\n")
        assert b"/dev/pts/" in stream.received[streams.STDOUT]
        stream.resize(97, 31)
        # The size travels beside the line: a command that does not have it yet is asked again.
        clients.wait_for(lambda: b"31 97" in pods.exec(container, "sh", "-c", "for i in /dev/pts/[0-9]*; do stty -F $i size; done").stdout,
                         lambda: "no such size")
        stream.send(streams.STDIN, b"go\n")
        assert stream.end() == 4
        assert b"31 97\r\n" in stream.received[streams.STDOUT]


@pytest.mark.parametrize("tty", [False, True], ids=["pipes", "terminal"])
def test_attach(pods, tty):
    container = pods.start(pods.run(), "sh", "-c", "while read word; do echo said $word; done", stdin=True, tty=tty)
    with pods.stream("Attach", of=container, stdin=True, tty=tty, stdout=True, stderr=not tty) as stream:
        stream.send(streams.STDIN, b"one\n")
        stream.until(streams.STDOUT, b"said one")
    # Who goes away does not end what he was attached to.
    with pods.stream("Attach", of=container, stdin=True, tty=tty, stdout=True, stderr=not tty) as stream:
        stream.send(streams.STDIN, b"two\n")
        stream.until(streams.STDOUT, b"said two")
    clients.wait_for(lambda: ["stdout", "said two"] in [[stream, line.strip()] for stream, line in pods.log()], lambda: str(pods.log()))
    assert pods.status(container).state == cri.RUNNING


def test_port_forward(pods):
    pod = pods.run(network=cri.POD)
    container = pods.start(pod, "sh", "-c", "echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp")
    clients.wait_for(lambda: pods.exec(container, "wget", "-qO-", "http://127.0.0.1").stdout == b"page\n", lambda: "no page")
    with pods.stream("PortForward", of=pod[0], port=[80]) as stream:
        stream.send(0, b"GET /index.html HTTP/1.0\r\n\r\n")
        stream.until(0, b"page\n")
        assert stream.received[0].startswith(b"P\0HTTP/1.1 200")  # which port the channel is for comes first


def test_a_log_that_is_rotated(pods):
    container = pods.start(pods.run(), "sh", "-c", clients.SERVICE.replace("echo usr1", "echo again"))
    clients.wait_for(lambda: ["stdout", "started"] in pods.log(), lambda: str(pods.log()))
    log = pods.logs / f"c{pods.n}.log"
    log.rename(log.with_suffix(".1"))
    pods.cri("ReopenContainerLog", container_id=container)
    pods.exec(container, "kill", "-USR1", "1")
    clients.wait_for(lambda: pods.log() == [["stdout", "again"]], lambda: str(pods.log()))


def test_statuses_of_containers(pods):
    """Kubernetes tells a container's signal as 128 and its number; what cannot be started is test_errors_of_pods."""
    pod = pods.run()
    for script, code in [("exit 7", 7), ("exit 126", 126), ("sh -c 'kill -9 $$'; exit $?", 137)]:
        assert pods.end(pods.start(pod, "sh", "-c", script)).exit_code == code
    stubborn = pods.start(pod, "sleep", "1000")  # the first process of a pid namespace: no handler, no signal
    pods.cri("StopContainer", container_id=stubborn, timeout=1)
    assert pods.status(stubborn).exit_code == 137
    shown = pods.exec(pods.start(pod, "sleep", "1000"), "sh", "-c", "kill -TERM $$")
    assert shown.exit_code == 143


def test_limits_of_a_pod(pods):
    pod = pods.run()
    container = pods.start(pod, "sleep", "1000",
                           resources={"memory_limit_in_bytes": 64 << 20, "cpu_quota": 50000, "cpu_period": 100000, "cpu_shares": 512})
    group = f"{pods.group}/pods/{container}"
    assert clients.read_limit(group, "memory") == 64 << 20
    assert clients.read_limit(group, "cpu") == 50000
    assert clients.read_limit(group, "shares") == 512
    stats = pods.cri("ContainerStats", container_id=container).stats
    assert stats.memory.working_set_bytes.value > 0 and stats.cpu.usage_core_nano_seconds.value > 0
    assert [row.attributes.id for row in pods.cri("ListContainerStats").stats] == [container]
    pods.cri("UpdateContainerResources", container_id=container, linux={"memory_limit_in_bytes": 128 << 20, "cpu_quota": 20000,
                                                                       "cpu_period": 100000})
    assert clients.read_limit(group, "memory") == 128 << 20
    assert clients.read_limit(group, "cpu") == 20000
    big = pods.start(pod, "sh", "-c", "head -c 100m /dev/zero | tail; exit $?", resources={"memory_limit_in_bytes": 20 << 20})
    status = pods.end(big)
    assert (status.exit_code, status.reason) == (137, "OOMKilled")


def test_rights_in_a_pod(pods, space):
    pod = pods.run()
    (space / "data").mkdir()
    container = pods.start(
        pod, "sh", "-c", "id -u; id -G; touch /a || echo read-only; touch /data/b || echo read-only;"
        "grep -E 'CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; ls /proc/self/fd | wc -l",
        security={"run_as_user": {"value": 1000}, "run_as_group": {"value": 1000}, "supplemental_groups": [2000],
                  "readonly_rootfs": True, "no_new_privs": True, "seccomp": {"profile_type": 0},
                  "capabilities": {"drop_capabilities": ["ALL"], "add_capabilities": ["CHOWN"]}},
        mounts=[{"container_path": "/data", "host_path": f"{space}/data", "readonly": True}])
    assert pods.end(container).exit_code == 0
    shown = [line for stream, line in pods.log() if stream == "stdout"]
    assert shown == ["1000", "1000 100 2000", "read-only", "read-only", "CapBnd:\t0000000000000001", "NoNewPrivs:\t1", "Seccomp:\t2", "4"]


def test_errors_of_pods(pods):
    with pytest.raises(cri.Cri.Refused, match='no runtime for "missing" is configured'):
        pods.run(handler="missing")
    pod = pods.run()
    for command, words in [("no-such-command", "executable file not found in $PATH"), ("/etc/passwd", "permission denied")]:
        container = pods.create(pod, command)
        with pytest.raises(cri.Cri.Refused, match=re.escape(words)):
            pods.cri("StartContainer", container_id=container)
        status = pods.status(container)
        assert status.state == cri.EXITED and status.exit_code == 128 and words in status.message
