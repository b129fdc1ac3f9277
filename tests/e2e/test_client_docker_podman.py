# SPDX-License-Identifier: LGPL-2.1-or-later
"""docker and podman on nook-oci: what both can do by the same words, then what only one of them has.

dockerd runs on the machine's own layout; podman 4.3 knows pure layouts alone, so that it is for the sessions that see one.
"""

import concurrent.futures
import dataclasses
import os
import re
import subprocess
import time
import typing

import pexpect
import pytest

import clients
import conftest
import runner
from clients import images  # noqa: F401: a fixture

pytestmark = pytest.mark.user("root")
limits = pytest.mark.controllers("memory", "cpu", "pids", "cpuset")


MEGABYTES = int(os.environ.get("NOOK_MEGABYTES", "10"))  # of output
MANY = int(os.environ.get("NOOK_MANY", "8"))              # containers at once

COMPOSE = """
version: "2.4"
services:
  server:
    image: {image}
    command: ["sh", "-c", "echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp"]
    stop_signal: SIGKILL
  client:
    image: {image}
    depends_on: [server]
    command: ["sh", "-c", "until wget -qO- http://server; do sleep 0.1; done 2>/dev/null; sleep 1000"]
    stop_signal: SIGKILL
"""

KUBE = """
apiVersion: v1
kind: Pod
metadata:
  name: hello
spec:
  containers:
  - name: server
    image: {image}
    command: ["sh", "-c", "echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp"]
  - name: client
    image: {image}
    command: ["sh", "-c", "until wget -qO- http://127.0.0.1; do sleep 0.05; done 2>/dev/null; sleep 1000"]
"""


@dataclasses.dataclass
class Engine:
    """A command line, and the words in which the two differ."""

    client: clients.Client
    group: str                 # in which containers get theirs
    group_of: str              # a container's, of its id
    image: str
    options: tuple             # for each run
    runtime: str               # inspect: which runtime a container has
    pids: str                  # stats
    missing_in_exec: int       # exit status of exec for a command that is not there
    events: typing.Callable    # options for those until now
    is_paused: str             # what exec says then
    garbage: int               # exit status of run for a file that is no program
    oom_killed: str            # inspect; podman 4.3 does not tell, whatever the runtime
    attached: int              # exit status of attach to what ends with 5; podman 4.3 does not tell that either

    def __call__(self, *args, **options):
        return self.client(*args, **options)

    def run_once(self, *args, **options):
        """A container that is removed when it ends."""
        return self.client("run", "--rm", *self.options, *args, **options)

    def start(self, *args, command=clients.SERVICE):
        """A container called box that says when it runs; returns its group."""
        name = self("run", "-d", "--name", "box", *self.options, *args, self.image, "sh", "-c", command).strip()
        self.client.until("started", "logs", "box")
        return f"{self.group}/{self.group_of.format(name)}"

    def inspect(self, format, name="box"):
        return self("inspect", "-f", format, name).strip()


def run_dockerd(space, archives):
    """A dockerd in a network namespace that ends with it."""
    docker = clients.docker(space)
    try:
        with clients.dockerd(space, space.name, "docker.md", ["unshare", "--net"]):
            docker("load", "-q", "-i", archives / "busybox.tar")
            yield Engine(docker, group=space.name, group_of="{}", image="busybox", options=(), runtime="{{.HostConfig.Runtime}}",
                         pids="{{.PIDs}}", missing_in_exec=126, events=lambda: ["--since", "1h", "--until", f"{time.time():.6f}"], is_paused="is paused", garbage=125,
                         oom_killed="true", attached=5)
    finally:
        clients.remove_groups(space.name)


def run_podman(space, archives):
    """podman with stores, state and groups of its own."""
    program = clients.program("podman", "podman")
    clients.program("conmon", "conmon")
    # Its network namespaces are kept in $XDG_RUNTIME_DIR for users alone, so there are none.
    files = clients.documented("podman.md", "/etc/containers/containers.conf")
    pids = "pids_limit = 0\n" if "pids" not in runner.cgroup_controllers() else ""
    (space / "containers.conf").write_text(clients.merged(*files, f'[containers]\nnetns = "none"\n{pids}',
                                                          '[engine]\nlock_type = "file"\nevents_logger = "file"\n'))
    policy = space / ".config/containers/policy.json"
    policy.parent.mkdir(parents=True)
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    argv = [program, "--root", space / "root", "--runroot", space / "runroot", "--tmpdir", space / "tmp",
            "--network-config-dir", space / "networks", "--storage-driver", "vfs"]
    podman = clients.Client(argv, {"CONTAINERS_CONF": str(space / "containers.conf"), "XDG_RUNTIME_DIR": str(space)}, space)
    for name in ("busybox", "pause"):
        podman("load", "-i", archives / f"{name}.tar")
    podman("tag", clients.IMAGE, "localhost/busybox")
    try:
        yield Engine(podman, group=space.name, group_of="libpod-{}", image="localhost/busybox",
                     options=(f"--cgroup-parent=/{space.name}",), runtime="{{.OCIRuntime}}", pids="{{.PIDs}}", missing_in_exec=127,
                     events=lambda: ["--stream=false"], is_paused="only create exec sessions on running", garbage=126,
                     oom_killed="false", attached=0)
    finally:
        clients.remove_groups(space.name)


ENGINES = {
    "docker": (run_dockerd, pytest.mark.view("hybrid")),
    "podman": (run_podman, pytest.mark.view("v1", "v2")),
}


def only(*names):
    """The engines that a test is for, each in its session."""
    rows = [pytest.param(name, marks=ENGINES[name][1]) for name in names]
    return pytest.mark.parametrize("running", rows, indirect=True, scope="module")


both = only("docker", "podman")
# Without systemd, podman 4.3 gives a pod's group on v2 a device program that denies all: runc does not even start then.
pods = pytest.mark.view("v1")
once = pytest.mark.view("hybrid", "v2")  # control groups make no difference: one session for each engine


@pytest.fixture(scope="module")
def running(request, module_space, images):  # noqa: F811
    yield from ENGINES[request.param][0](module_space, images)


@pytest.fixture
def engine(running):
    """The module's engine; a test's containers, their groups and their states are gone after it."""
    yield running
    containers = running("ps", "-aq").split()
    if containers:
        running.client.result("rm", "-f", *containers)
    assert running("ps", "-aq") == ""

    def left():
        """podman's monitors have a group of theirs, which stays."""
        return [path for path in clients.groups_below(running.group) if path.name != "conmon"]

    clients.wait_for(lambda: not left(), lambda: f"left: {left()}")


@both
def test_a_life(engine):
    engine.start()
    assert engine.inspect(engine.runtime) in ("nook", "nook-oci") and engine.inspect("{{.State.Status}}") == "running"
    engine("kill", "--signal", "USR1", "box")
    engine.client.until("usr1", "logs", "box")
    assert "sleep" in engine("top", "box")
    engine("stop", "-t", "9", "box")
    assert engine("logs", "box").endswith("term\n")
    assert engine.inspect("{{.State.Status}} {{.State.ExitCode}}") == "exited 5"
    engine("start", "box")
    engine("restart", "-t", "9", "box")
    engine("kill", "box")
    assert engine("wait", "box") == "137\n"
    engine("rm", "box")
    shown = engine("events", *engine.events(), "--filter", "container=box", "--format", "{{json .}}")
    seen = [re.search(r'"(?:Action|Status)":"(\w+)', line).group(1) for line in shown.splitlines()]
    seen = [{"died": "die", "remove": "destroy"}.get(event, event) for event in seen]
    for event in ("create", "start", "kill", "die", "restart", "destroy"):
        assert event in seen, shown


@both
def test_logs(engine):
    """The log follows a container to its end, and has both streams apart."""
    engine("run", "-d", "--name", "box", *engine.options, engine.image, "sh", "-c", "for i in 1 2 3; do echo out $i; done; echo err >&2")
    result = engine.client.result("logs", "-f", "box")
    assert result.out == "out 1\nout 2\nout 3\n" and result.err == "err\n"
    assert "out 1" not in engine("logs", "--tail", "2", "box")


@both
def test_exit_statuses(engine, space):
    (space / "garbage").write_text("no program")
    (space / "garbage").chmod(0o755)
    for argv, code, words in [
        (["sh", "-c", "exit 7"], 7, ""),
        (["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137, ""),
        (["no-such-command"], 127, "executable file not found in $path"),
        (["/no/such/file"], 127, "no such file or directory"),
        (["/etc/passwd"], 126, "permission denied"),
        (["/etc"], 126, "permission denied"),
        (["/garbage"], engine.garbage, "exec format error"),
    ]:
        mount = ["-v", f"{space}/garbage:/garbage"] if argv == ["/garbage"] else []
        assert words in engine.client.fails(code, "run", "--rm", *engine.options, *mount, engine.image, *argv).lower()
    engine.client.fails(125, "run", "--rm", "--no-such-option", engine.image, "true")


@both
def test_exec(engine):
    engine.start()
    assert engine("exec", "box", "cat", "/proc/1/comm") == "sh\n"
    assert engine("exec", "-i", "box", "cat", input="in\n") == "in\n"
    shown = engine("exec", "--user", "1000:1000", "-e", "WORD=x", "-w", "/tmp", "box", "sh", "-c", "id -u; pwd; echo $WORD")
    assert shown == "1000\n/tmp\nx\n"
    engine.client.fails(9, "exec", "box", "sh", "-c", "exit 9")
    engine.client.fails(137, "exec", "box", "sh", "-c", "kill -9 $$")
    missing = engine.client.result("exec", "box", "no-such-command")
    assert missing.code == engine.missing_in_exec and "executable file not found in $path" in (missing.out + missing.err).lower()
    refused = engine.client.result("exec", "box", "/etc/passwd")
    assert refused.code == 126 and "permission denied" in (refused.out + refused.err).lower()


@both
def test_terminals(engine):
    code, shown = engine.client.on_terminal("run", "--rm", "-it", *engine.options, engine.image, "sh", "-c", "tty; exit 3")
    assert code == 3 and "/dev/pts/0" in shown
    engine.start()
    code, shown = engine.client.on_terminal("exec", "-it", "box", "sh", "-c", "tty; test -t 0 && echo terminal; exit 4")
    assert code == 4 and "/dev/pts/" in shown and "terminal" in shown


# Says the size of its terminal when that is another one: clients tell it when the command runs already.
SIZES = "size=; while :; do new=$(stty size); test \"$new\" = \"$size\" || echo size $new; size=$new; sleep 0.05; done"


@both
@once
@pytest.mark.parametrize("command", ["run", "exec"])
def test_a_terminal_changes_its_size(engine, command):
    if command == "run":
        child = engine.client.terminal("run", "--rm", "-it", *engine.options, engine.image, "sh", "-c", SIZES)
    else:
        engine.start()
        child = engine.client.terminal("exec", "-it", "box", "sh", "-c", SIZES)
    child.expect_exact("size 31 97\r\n")
    child.setwinsize(43, 111)
    child.expect_exact("size 43 111\r\n")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130


@both
@once
def test_attach(engine):
    script = "read word; echo said $word; read end; exit 5"
    engine("run", "-d", "-i", "--name", "box", *engine.options, engine.image, "sh", "-c", script)
    client = engine.client
    # Who attaches to what ends at once may hear nothing: dockerd 20.10 tells of the end before it has passed on the output.
    with subprocess.Popen([*client.argv, "attach", "box"], env=client.env, cwd=client.cwd, text=True, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as attach:
        attach.stdin.write("one\n")
        attach.stdin.flush()
        assert attach.stdout.readline() == "said one\n"
        attach.communicate("end\n")
    assert attach.returncode == engine.attached
    assert engine("wait", "box") == "5\n"


@both
@once
def test_much_output_is_all_there(engine, space):
    """Attached and in the log; engines read their ends slowly, and neither drops a byte nor ends early."""
    line = "0123456789abcdef" * 4
    lines = (MEGABYTES << 20) // (len(line) + 1)
    with open(space / "out", "wb") as out:
        engine.client.result("run", "--name", "box", *engine.options, engine.image, "sh", "-c", f"yes {line} | head -n {lines}", stdout=out)
    want = f"{line}\n" * lines
    assert (space / "out").read_text() == want
    with open(space / "log", "wb") as out:
        engine.client.result("logs", "box", stdout=out)
    assert (space / "log").read_text() == want


@both
@once
def test_many_at_once(engine):
    """By their logs: podman 4.3 loses what a command says that ends before conmon has taken podman's connection, which a fast
    runtime makes likelier."""
    def one(number):
        engine("run", "--name", f"box{number}", *engine.options, engine.image, "echo", number)
        return engine("logs", f"box{number}")

    with concurrent.futures.ThreadPoolExecutor(MANY) as pool:
        assert list(pool.map(one, range(MANY))) == [f"{number}\n" for number in range(MANY)]


@both
@once
def test_files_in_and_out(engine, space):
    (space / "in").write_text("word\n")
    engine.start()
    engine("cp", space / "in", "box:/tmp/in")
    assert engine("exec", "box", "cat", "/tmp/in") == "word\n"
    engine("cp", "box:/tmp/in", space / "out")
    assert (space / "out").read_text() == "word\n"
    engine("commit", "box", "copy")
    try:
        assert engine.run_once("copy", "cat", "/tmp/in") == "word\n"
    finally:
        engine("rmi", "copy")


@both
@once
def test_build(engine, space):
    """What RUN starts is nook-oci's too."""
    (space / "Dockerfile").write_text(f"FROM {engine.image}\nRUN id -u >/made && grep Seccomp: /proc/self/status >>/made\n"
                                      'RUN ["sh", "-c", "echo again >>/made"]\nCMD ["cat", "/made"]\n')
    engine("build", "--network", "none", "-t", "built", space)
    try:
        assert engine.run_once("built") == "0\nSeccomp:\t2\nagain\n"
    finally:
        engine("rmi", "built")
    (space / "Dockerfile").write_text(f"FROM {engine.image}\nRUN [\"no-such-command\"]\n")
    result = engine.client.result("build", "--network", "none", space)
    assert result.code != 0 and 'exec "no-such-command": executable file not found in $PATH' in result.out + result.err


@both
@once
def test_an_init(engine):
    """It hands signals on, and what the command leaves behind is waited for."""
    code, shown = engine.client.on_terminal("run", "--rm", "--init", "-it", *engine.options, engine.image, "sh", "-c",
                                            "cat /proc/1/comm; echo $$; exit 3")
    name, pid = shown.split()
    assert code == 3 and name in ("docker-init", "podman-init") and int(pid) > 1
    engine("run", "-d", "--init", "--name", "box", *engine.options, engine.image, "sh", "-c", "echo started; exec sleep 1000")
    engine.client.until("started", "logs", "box")
    engine("stop", "-t", "9", "box")
    assert engine.inspect("{{.State.ExitCode}}") == "143"


@both
def test_pause(engine):
    engine.start()
    engine("pause", "box")
    assert engine.inspect("{{.State.Status}}") == "paused"
    refused = engine.client.result("exec", "box", "true")
    assert refused.code != 0 and engine.is_paused in refused.err
    engine("unpause", "box")
    engine("exec", "box", "true")


@both
@limits
def test_limits(engine):
    group = engine.start("--memory", "64m", "--cpus", "0.5", "--cpu-shares", "512")
    assert clients.read_limit(group, "memory") == 64 << 20
    assert clients.read_limit(group, "cpu") == 50000
    assert clients.read_limit(group, "shares") in (512, 20, 59)  # v2: a weight, by the old or the new rule
    # The container sees its own groups, also without a cgroup namespace of its own.
    assert engine("exec", "box", "cat", clients.limit_file("memory")) == f"{64 << 20}\n"
    usage, pids = engine("stats", "--no-stream", "--format", f"{{{{.MemUsage}}}}|{engine.pids}", "box").strip().split("|")
    assert re.search(r"/ (64MiB|67.11MB)$", usage) and not usage.startswith("0B") and int(pids) >= 1, usage
    engine("update", "--memory", "128m", "--memory-swap", "256m", "--cpus", "0.2", "--cpuset-cpus", "0", "box")
    assert clients.read_limit(group, "memory") == 128 << 20
    assert clients.read_limit(group, "cpu") == 20000
    # A group that the update added holds later commands too.
    assert re.search(r"Cpus_allowed_list:\s0\n", engine("exec", "box", "cat", "/proc/self/status"))
    engine("kill", "box")
    engine("wait", "box")
    engine("rm", "box")
    assert clients.group_tops(group) == []


@both
@limits
def test_memory_runs_out(engine):
    engine.client.fails(137, "run", "--name", "box", "--memory", "20m", *engine.options, engine.image, "sh", "-c",
                        "head -c 100m /dev/zero | tail; exit $?")
    assert engine.inspect("{{.State.OOMKilled}}") == engine.oom_killed


@both
def test_rights_and_mounts(engine, space):
    (space / "data").mkdir()
    shown = engine.run_once("--read-only", "--tmpfs", "/x:size=1m", "--cap-drop", "all", "--cap-add", "chown",
                        "--security-opt", "no-new-privileges", "--device", "/dev/full:/dev/brim", "-v", f"{space}/data:/data",
                        "--hostname", "hut", "--sysctl", "net.ipv4.ip_forward=1", "--ulimit", "core=0", engine.image, "sh", "-c",
                        "touch /a || echo read-only; touch /x/a /data/b; hostname; cat /proc/sys/net/ipv4/ip_forward; ulimit -c;"
                        "test -c /dev/brim && echo device; grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status")
    assert shown.split() == ["read-only", "hut", "1", "0", "device", "CapEff:", "0000000000000001", "NoNewPrivs:", "1",
                             "Seccomp:", "2"]
    assert (space / "data/b").exists()


@both
def test_more_than_the_caller_has(engine):
    """Capabilities and limits that the caller itself lacks are left out: the container starts."""
    shown = engine.run_once("--privileged", "--ulimit", "nofile=1048576:1048576", engine.image, "sh", "-c",
                        "ulimit -n; grep CapBnd /proc/self/status; test -b /dev/loop0 && echo devices")
    limit, _, capabilities, devices = shown.split()
    assert int(limit) <= 1048576 and int(capabilities, 16) & 1 << 21 and devices == "devices"


@only("docker")
def test_compose(engine, space):
    """Two services of a file, one waiting for the other."""
    (space / "docker-compose.yml").write_text(COMPOSE.format(image=engine.image))
    compose = clients.Client([clients.program("docker-compose", "docker-compose"), *engine.client.argv[1:], "-p", "test"], cwd=space)
    compose("up", "-d")
    try:
        shown = clients.wait_for(lambda: compose("logs", "--no-color", "--no-log-prefix", "client"), lambda: compose("ps"))
        assert "page" in shown
        compose("exec", "-T", "server", "test", "-e", "/tmp/index.html")
    finally:
        compose("down", "-t", "1")


@only("docker")
def test_restarts_of_the_daemon(engine):
    engine("run", "-d", "--name", "box", "--restart", "on-failure:2", engine.image, "sh", "-c", "exit 4")
    engine.client.until("2 exited 4", "inspect", "-f", "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}", "box")


@only("docker")
@limits
def test_an_update_of_pids(engine):
    group = engine.start()
    engine("update", "--pids-limit", "20", "box")
    assert clients.read_limit(group, "pids") == 20


@only("podman")
@once
@pytest.mark.parametrize("command", ["run", "exec"])
def test_preserved_descriptors(engine, space, command):
    (space / "third").write_text("third\n")
    words = ["run", "--rm", "--preserve-fds", "1", *engine.options, engine.image]
    if command == "exec":
        engine.start()
        words = ["exec", "--preserve-fds", "1", "box"]
    shell = clients.Client(["sh", "-c", f'exec "$@" 3<{space}/third', "sh", *engine.client.argv], engine.client.env, space)
    assert shell(*words, "cat", "/proc/self/fd/3") == "third\n"


@only("podman")
def test_a_container_for_systemd(engine):
    """It may make groups below its own: on v1 in systemd's hierarchy, which podman binds as a whole."""
    shown = engine.run_once("--systemd=always", engine.image, "sh", "-c", 'for i in /run /run/lock /tmp; do grep -c " $i tmpfs rw" /proc/mounts; done;'
                            "echo $container; top=/sys/fs/cgroup own=$(sed -n s/.*name=systemd://p /proc/self/cgroup);"
                            'test ! -d $top/systemd || top=$top/systemd$own; mkdir $top/inner && echo $top')
    *words, top = shown.split()
    assert words == ["1", "1", "1", "podman"]
    assert re.fullmatch(r"/sys/fs/cgroup" + (f"/systemd/{engine.group}/libpod-.*" if runner.cgroup_layout() == "v1" else ""), top)


@only("podman")
@pods
def test_a_pod(engine):
    engine("pod", "create", "--name", "pod", "--share", "net,ipc,uts,pid", "--infra-image", clients.PAUSE, "--infra-command", "sleep 1000",
           *engine.options)
    try:
        engine("run", "-d", "--pod", "pod", engine.image, "sh", "-c", "echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp")
        shown = engine("run", "--rm", "--pod", "pod", engine.image, "sh", "-c",
                       "until wget -qO- http://127.0.0.1; do sleep 0.05; done 2>/dev/null; hostname; cat /proc/[0-9]*/comm")
        words = shown.split()
        assert words[:2] == ["page", "pod"] and {"sleep", "httpd", "cat"} <= set(words)
        engine("pod", "pause", "pod")
        assert engine("pod", "inspect", "-f", "{{.State}}", "pod") == "Paused\n"
        engine("pod", "unpause", "pod")
        engine("pod", "stop", "-t", "0", "pod")
    finally:
        engine("pod", "rm", "-f", "-t", "0", "pod")


@only("podman")
@pods
def test_play_kube(engine, space):
    (space / "pod.yaml").write_text(KUBE.format(image=engine.image))
    engine("play", "kube", "--network", "none", space / "pod.yaml")
    try:
        engine.client.until("page", "logs", "hello-client")
        assert engine("inspect", "-f", engine.runtime, "hello-client") == "nook-oci\n"
    finally:
        engine("play", "kube", "--down", space / "pod.yaml")
        clients.remove_groups("libpod_parent")  # podman's name for what nobody gave one


@only("podman")
@once
def test_buildah(engine, space):
    """By option and by containers.conf; it reads a container's end from `state`, and its exit status from there too."""
    store = engine.client.argv[1:engine.client.argv.index("--tmpdir")]
    buildah = clients.Client([clients.program("buildah", "buildah"), *store, "--storage-driver", "vfs"],
                             {**engine.client.env, "BUILDAH_ISOLATION": "oci"}, space)
    name = buildah("from", engine.image).strip()
    try:
        for words in [["--runtime", conftest.BUILD / "nook-oci"], []]:
            run = ["run", "--network", "none", *words, name]
            assert buildah(*run, "sh", "-c", "echo $$; grep Seccomp: /proc/self/status") == "1\nSeccomp:\t2\n"
            assert buildah(*run, "cat", input="in\n") == "in\n"
            buildah.fails(3, *run, "sh", "-c", "exit 3")
            assert 'nook-oci: exec "no-such-command": executable file not found in $PATH' in buildah.fails(1, *run, "no-such-command")
        # buildah sets the size when it comes to it (stty fails without a word of it), and drops what is said as the container ends
        code, shown = buildah.on_terminal("run", "-t", "--network", "none", name, "sh", "-c",
                                          "tty; until stty size 2>/dev/null | grep .; do :; done; read end; exit 4", until="31 97")
        assert code == 4 and shown.split()[:3] == ["/dev/pts/0", "31", "97"], shown
    finally:
        buildah("rm", name)


@only("podman")
def test_a_health_check(engine):
    engine.start("--health-cmd", "test -e /tmp/well", "--health-interval", "disable")
    engine.client.fails(1, "healthcheck", "run", "box")
    engine("exec", "box", "touch", "/tmp/well")
    engine("healthcheck", "run", "box")
    assert engine.inspect("{{.State.Healthcheck.Status}}") == "healthy"


@only("podman")
def test_a_user_namespace(engine):
    shown = engine.run_once("--uidmap", "0:100000:1000", "--gidmap", "0:100000:1000", engine.image, "sh", "-c",
                        "id -u; cat /proc/self/uid_map; touch /made; stat -c %u /made")
    assert shown.split() == ["0", "0", "100000", "1000", "0"]
