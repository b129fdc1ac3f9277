# SPDX-License-Identifier: LGPL-2.1-or-later
"""podman and containerd on nook-oci where systemd is pid 1: containers are scopes, those of an ordinary user of his own systemd;
podman's checkpoints by the criu of the virtual machine."""

import pathlib
import re
import shutil

import pytest

import clients
import conftest
from clients import images  # noqa: F401: a fixture

pytestmark = [pytest.mark.user("root"), pytest.mark.systemd, pytest.mark.plain]

TOP = pathlib.Path("/sys/fs/cgroup")
USER = "nook-user"
SECONDS = 60  # the virtual machine is slow


def system(*words):
    return clients.Client(words)()


def gone(unit, *scope):
    """systemd forgets a unit when it comes round to it."""
    clients.wait_for(lambda: not system("systemctl", *scope, "list-units", "--all", "--no-legend", unit), lambda: f"{unit} is still there", SECONDS)


def configure(home):
    """Files of podman below HOME/.config: the first part of the page's, which leaves the manager of groups to podman."""
    place = home / ".config/containers"
    place.mkdir(parents=True)
    (place / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (place / "containers.conf").write_text(clients.merged(
        clients.documented("podman.md", "/etc/containers/containers.conf")[0], '[containers]\nnetns = "none"\n',
        '[engine]\nlock_type = "file"\nevents_logger = "file"\n'))


@pytest.fixture(scope="module")
def installed(module_space, images):  # noqa: F811
    home = module_space
    configure(home)
    run = clients.Client([clients.program("podman", "podman"), "--root", home / "root", "--runroot", home / "runroot", "--tmpdir", home / "tmp",
                          "--storage-driver", "vfs"],
                         {"CONTAINERS_CONF": str(home / ".config/containers/containers.conf"), "XDG_RUNTIME_DIR": str(home)}, home)
    for name in ("busybox", "pause"):
        run("load", "-q", "-i", images / f"{name}.tar")
    run("tag", clients.IMAGE, "localhost/busybox")
    yield run


@pytest.fixture
def podman(installed):
    """Its containers are gone after a test, and the slice that they were in."""
    yield installed
    installed("pod", "rm", "-fa", "-t", "0")
    installed("rm", "-fa", "-t", "0")
    system("systemctl", "stop", "machine.slice")


def group_of(podman, name):
    pid = podman("inspect", "-f", "{{.State.Pid}}", name).strip()
    return pathlib.Path(f"/proc/{pid}/cgroup").read_text().strip().removeprefix("0::/")


def read(group, file):
    return (TOP / group / file).read_text().strip()


def test_a_container_of_podman_is_a_scope(podman):
    name = podman("run", "-d", "--name", "box", "--memory", "64m", "--cpus", "0.5", "--pids-limit", "50", "localhost/busybox", "sh", "-c",
                  clients.SERVICE).strip()
    group = group_of(podman, "box")
    assert group == f"machine.slice/libpod-{name}.scope"
    assert [read(group, file) for file in ("memory.max", "cpu.max", "pids.max")] == [str(64 << 20), "50000 100000", "50"]
    assert system("systemctl", "show", "-p", "MemoryMax", "--value", f"libpod-{name}.scope").strip() == str(64 << 20)
    podman.until("started", "logs", "box")
    usage, pids = podman("stats", "--no-stream", "--format", "{{.MemUsage}}|{{.PIDs}}", "box").strip().split("|")
    assert usage.endswith("/ 67.11MB") and not usage.startswith("0B") and int(pids) >= 1
    podman("update", "--memory", "128m", "--cpus", "0.2", "box")
    assert [read(group, file) for file in ("memory.max", "cpu.max")] == [str(128 << 20), "20000 100000"]
    podman("pause", "box")
    assert podman("inspect", "-f", "{{.State.Status}}", "box") == "paused\n"
    podman("unpause", "box")
    podman.fails(9, "exec", "box", "sh", "-c", "exit 9")
    podman("stop", "-t", "9", "box")
    assert podman("inspect", "-f", "{{.State.ExitCode}}", "box") == "5\n"
    podman("rm", "box")
    gone(f"libpod-{name}.scope")
    assert not (TOP / group).exists()


def test_a_pod_of_podman(podman):
    """Each has /dev/null, which podman 4.3 denies on v2 without systemd."""
    podman("pod", "create", "--name", "pod", "--infra-image", clients.PAUSE, "--infra-command", "sleep 1000")
    shown = podman("run", "--rm", "--pod", "pod", "localhost/busybox", "sh", "-c", "echo x >/dev/null && hostname")
    assert shown == "pod\n"
    podman("pod", "rm", "-f", "-t", "0", "pod")


@pytest.mark.skipif(not shutil.which("criu"), reason="criu is in the virtual machine that runs systemd")
def test_a_checkpoint_of_podman(podman):
    """Its stdin is the host's /dev/null, which criu cannot find in a container."""
    podman("run", "-d", "--name", "box", "localhost/busybox", "sh", "-c", "i=0; while :; do i=$((i + 1)); echo $i; sleep 0.2; done")
    podman.until("3\n", "logs", "box")
    podman("container", "checkpoint", "box")
    assert podman("inspect", "-f", "{{.State.Running}} {{.State.Checkpointed}}", "box") == "false true\n"
    said = podman("logs", "box").split()
    podman("container", "restore", "box")
    podman.until(f"\n{int(said[-1]) + 3}\n", "logs", "box")
    assert podman("exec", "box", "cat", "/proc/1/comm") == "sh\n"
    assert podman("logs", "box").split()[:len(said) + 3] == [str(n + 1) for n in range(len(said) + 3)]
    podman("rm", "-f", "-t", "0", "box")


@pytest.fixture
def user(images):  # noqa: F811
    """podman of an account of its own, whose systemd runs."""
    for name in ("podman", "newuidmap", "loginctl"):
        clients.program(name, name)
    home = pathlib.Path(f"/home/{USER}")
    system("useradd", "-m", "-s", "/bin/sh", USER)
    try:
        uid = home.stat().st_uid
        system("loginctl", "enable-linger", USER)
        system("systemctl", "start", f"user@{uid}.service")
        bus = pathlib.Path(f"/run/user/{uid}/bus")
        # Mounted where pid 1 is, which this session's mounts are cut off from.
        clients.wait_for(pathlib.Path(f"/proc/1/root{bus}").exists, lambda: f"no bus: {system('systemctl', 'status', f'user@{uid}.service')}", SECONDS)
        configure(home)
        (home / ".config/containers/storage.conf").write_text('[storage]\ndriver = "vfs"\n')
        shutil.copy(images / "busybox.tar", home)
        system("chown", "-R", f"{USER}:{USER}", home)
        env = {"XDG_RUNTIME_DIR": str(bus.parent), "DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}", "USER": USER}
        run = clients.Client(["nsenter", "--mount=/proc/1/ns/mnt", "setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "podman"], env, home)
        run("load", "-q", "-i", home / "busybox.tar")
        run.uid = uid
        yield run
    finally:
        system("loginctl", "disable-linger", USER)
        clients.Client(["systemctl"]).result("stop", f"user@{uid}.service", f"user-{uid}.slice")
        clients.wait_for(lambda: clients.Client(["userdel"]).result("-r", USER).code == 0, lambda: "the user stays", SECONDS)


def test_podman_of_a_user(user):
    """His systemd makes the scope, and delegates: limits are his too."""
    name = user("run", "-d", "--name", "box", "--memory", "64m", clients.IMAGE, "sleep", "1000").strip()
    group = group_of(user, "box")
    assert group == f"user.slice/user-{user.uid}.slice/user@{user.uid}.service/user.slice/libpod-{name}.scope"
    assert read(group, "memory.max") == str(64 << 20)
    user("pause", "box")
    user("unpause", "box")
    assert user("exec", "box", "id", "-u") == "0\n"
    user("rm", "-f", "-t", "0", "box")
    clients.wait_for(lambda: not (TOP / group).exists(), lambda: f"{group} stays", SECONDS)
    user.fails(7, "run", "--rm", clients.IMAGE, "sh", "-c", "exit 7")


def test_ctr_with_systemd(module_space, images):  # noqa: F811
    space = module_space
    program = clients.program("containerd", "containerd")
    (space / "config.toml").write_text(f"""version = 2
root = "{space}/ctr-root"
state = "{space}/ctr-state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{space}/sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{space}/opt"
""")
    ctr = clients.Client([clients.program("ctr", "containerd"), "-a", space / "sock"], cwd=space)
    run = ["run", "--runc-binary", conftest.BUILD / "nook-oci", "--runc-root", space / "oci", "--runc-systemd-cgroup", "--cgroup",
           "system.slice:ctr:box"]
    with clients.daemon([program, "--config", space / "config.toml"], space / "log",
                        lambda: (space / "sock").exists() and ctr.result("version").code == 0):
        ctr("image", "import", images / "busybox.tar")
        ctr.fails(7, *run, "--rm", clients.IMAGE, "box", "sh", "-c", "exit 7")
        ctr(*run, "-d", "--null-io", "--memory-limit", str(64 << 20), clients.IMAGE, "box", "sleep", "1000")
        group = "system.slice/ctr-box.scope"
        assert read(group, "memory.max") == str(64 << 20)
        assert re.search(r"memory.usage_limit +67108864", ctr("task", "metrics", "box"))
        ctr("task", "pause", "box")
        assert "PAUSED" in ctr("task", "ls")
        ctr("task", "resume", "box")
        ctr("task", "kill", "-s", "KILL", "box")
        ctr.until("STOPPED", "task", "ls")
        assert "exit code 137" in ctr.result("task", "delete", "box").err
        ctr("container", "delete", "box")
        gone("ctr-box.scope")
        assert not (TOP / group).exists()
