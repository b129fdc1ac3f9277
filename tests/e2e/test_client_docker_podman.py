# SPDX-License-Identifier: LGPL-2.1-or-later
"""docker and podman on nook-oci: what both can do by the same words, then what only one of them has.

dockerd runs on the machine's own layout; podman 4.3 knows pure layouts alone, so that it is for the sessions that see one.
"""

import dataclasses
import json
import re
import time
import typing

import pytest

import clients
import runner
from clients import images  # noqa: F401: a fixture

pytestmark = pytest.mark.user("root")
limits = pytest.mark.controllers("memory", "cpu", "pids", "cpuset")


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

    def __call__(self, *args, **options):
        return self.client(*args, **options)

    def once(self, *args, **options):
        """A container that is removed when it ends."""
        return self.client("run", "--rm", *self.options, *args, **options)

    def start(self, *args, command=clients.SERVICE):
        """A container called box that says when it runs; returns its group."""
        name = self("run", "-d", "--name", "box", *self.options, *args, self.image, "sh", "-c", command).strip()
        self.client.until("started", "logs", "box")
        return f"{self.group}/{self.group_of.format(name)}"

    def inspect(self, format, name="box"):
        return self("inspect", "-f", format, name).strip()


def run_dockerd(space, archive):
    """A dockerd in a network namespace that ends with it."""
    docker = clients.docker(space)
    try:
        with clients.dockerd(space, space.name, "docker.md", ["unshare", "--net"]):
            docker("load", "-q", "-i", archive)
            yield Engine(docker, group=space.name, group_of="{}", image="busybox", options=(), runtime="{{.HostConfig.Runtime}}",
                         pids="{{.PIDs}}", missing_in_exec=126, events=lambda: ["--since", "1h", "--until", f"{time.time():.6f}"], is_paused="is paused", garbage=125,
                         oom_killed="true")
    finally:
        clients.remove_groups(space.name)


def run_podman(space, archive):
    """podman with stores, state and groups of its own."""
    program = clients.program("podman", "podman")
    clients.program("conmon", "conmon")
    # Its network namespaces are kept in $XDG_RUNTIME_DIR for users alone, so there are none.
    files = clients.documented("podman.md", "/etc/containers/containers.conf")
    pids = "pids_limit = 0\n" if "pids" not in runner.cgroup_controllers() else ""
    (space / "containers.conf").write_text(clients.merged(*files, f'[containers]\nnetns = "none"\n{pids}',
                                                          '[engine]\nlock_type = "file"\nevents_logger = "file"\n'))
    (space / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    argv = [program, "--root", space / "root", "--runroot", space / "runroot", "--tmpdir", space / "tmp",
            "--network-config-dir", space / "networks", "--storage-driver", "vfs"]
    podman = clients.Client(argv, {"CONTAINERS_CONF": str(space / "containers.conf"), "XDG_RUNTIME_DIR": str(space)}, space)
    podman("load", "--signature-policy", space / "policy.json", "-i", archive)
    podman("tag", clients.IMAGE, "localhost/busybox")
    try:
        yield Engine(podman, group=space.name, group_of="libpod-{}", image="localhost/busybox",
                     options=(f"--cgroup-parent=/{space.name}",), runtime="{{.OCIRuntime}}", pids="{{.PIDs}}", missing_in_exec=127,
                     events=lambda: ["--stream=false"], is_paused="only create exec sessions on running", garbage=126,
                     oom_killed="false")
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


@pytest.fixture(scope="module")
def running(request, module_space, images):  # noqa: F811
    yield from ENGINES[request.param][0](module_space, images / "busybox.tar")


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
    shown = engine.once("--read-only", "--tmpfs", "/x:size=1m", "--cap-drop", "all", "--cap-add", "chown",
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
    shown = engine.once("--privileged", "--ulimit", "nofile=1048576:1048576", engine.image, "sh", "-c",
                        "ulimit -n; grep CapBnd /proc/self/status; test -b /dev/loop0 && echo devices")
    limit, _, capabilities, devices = shown.split()
    assert int(limit) <= 1048576 and int(capabilities, 16) & 1 << 21 and devices == "devices"


@only("docker")
def test_an_init(engine):
    assert engine.once("--init", engine.image, "cat", "/proc/1/comm") == "docker-init\n"


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
def test_a_health_check(engine):
    engine.start("--health-cmd", "test -e /tmp/well", "--health-interval", "disable")
    engine.client.fails(1, "healthcheck", "run", "box")
    engine("exec", "box", "touch", "/tmp/well")
    engine("healthcheck", "run", "box")
    assert engine.inspect("{{.State.Healthcheck.Status}}") == "healthy"


@only("podman")
def test_a_user_namespace(engine):
    shown = engine.once("--uidmap", "0:100000:1000", "--gidmap", "0:100000:1000", engine.image, "sh", "-c",
                        "id -u; cat /proc/self/uid_map; touch /made; stat -c %u /made")
    assert shown.split() == ["0", "0", "100000", "1000", "0"]
