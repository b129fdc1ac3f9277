# SPDX-License-Identifier: LGPL-2.1-or-later
"""podman of an ordinary user on nook-oci, with subordinate ids: podman makes a user namespace by newuidmap(1) and is root in
it, and so is the runtime that it calls there."""

import contextlib
import os
import shutil
import signal

import pytest

import clients
import conftest
from clients import images  # noqa: F401: a fixture

pytestmark = [pytest.mark.user("root"), pytest.mark.view("v2"), pytest.mark.plain]

UID, FIRST, GROUP = conftest.ORDINARY_UID, 200000, 2000
PLACES = {"/etc/passwd": "user:x:{uid}:{uid}::{home}:/bin/sh\n", "/etc/group": "user:x:{uid}:\n",
          "/etc/subuid": "user:{first}:65536\n", "/etc/subgid": "user:{first}:65536\n"}


@pytest.fixture(scope="module")
def podman(module_space, images):  # noqa: F811
    """podman as a user of the name "user", whom only its own mount namespace knows."""
    program, home = clients.program("podman", "podman"), module_space
    clients.program("newuidmap", "uidmap")
    script = ""
    for number, (path, line) in enumerate(PLACES.items()):
        old = open(path).read() if path in ("/etc/passwd", "/etc/group") else ""
        (home / f"file{number}").write_text(old + line.format(uid=UID, home=home, first=FIRST))
        script += f"mount --bind {home}/file{number} {path} && "
    conf = home / ".config/containers"
    conf.mkdir(parents=True)
    (conf / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (conf / "storage.conf").write_text('[storage]\ndriver = "vfs"\n')
    (conf / "containers.conf").write_text(clients.merged(
        *clients.documented("podman.md", "/etc/containers/containers.conf"), '[containers]\nnetns = "none"\npids_limit = 0\n',
        '[engine]\nlock_type = "file"\nevents_logger = "file"\n'))
    (home / "run").mkdir()
    shutil.copy(images / "busybox.tar", home)
    for top, directories, files in os.walk(home):
        for path in (top, *(os.path.join(top, name) for name in (*directories, *files))):
            os.chown(path, UID, UID)
    script += f'exec setpriv --reuid={UID} --regid={UID} --groups={UID},{GROUP} "$@"'
    run = clients.Client(["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", program],
                         {"XDG_RUNTIME_DIR": str(home / "run"), "USER": "user"}, home)
    run.home = home
    try:
        run("load", "-q", "-i", home / "busybox.tar")
        run("tag", clients.IMAGE, "localhost/busybox")
        yield run
    finally:  # what holds the user namespace for the next command
        with contextlib.suppress(FileNotFoundError):
            os.kill(int((home / "run/libpod/tmp/pause.pid").read_text()), signal.SIGKILL)


@pytest.fixture
def user(podman):
    yield podman
    podman("rm", "-fa", "-t", "0")
    assert list((podman.home / "run/nook-oci/containers").iterdir()) == []


def test_ids_are_the_users(user):
    shown = user("run", "--rm", "localhost/busybox", "sh", "-c", "id -u; cat /proc/self/uid_map; chown 7 /tmp && stat -c %u /tmp")
    assert shown.split() == ["0", "0", str(UID), "1", "1", str(FIRST), "65536", "7"]
    assert user("run", "--rm", "--userns", "keep-id", "localhost/busybox", "id", "-u") == f"{UID}\n"
    # keep-groups is run.oci.keep_original_groups: the group is nobody inside, and lets in all the same.
    (user.home / "shared").mkdir()
    os.chown(user.home / "shared", 0, GROUP)
    (user.home / "shared").chmod(0o770)
    volume = ["-v", f"{user.home}/shared:/shared"]
    user("run", "--rm", "--group-add", "keep-groups", *volume, "localhost/busybox", "touch", "/shared/made")
    assert (user.home / "shared/made").stat().st_uid == UID
    user.fails(1, "run", "--rm", *volume, "localhost/busybox", "touch", "/shared/other")


def test_a_life(user):
    user("run", "-d", "--name", "box", "localhost/busybox", "sh", "-c", clients.SERVICE)
    user.until("started", "logs", "box")
    assert user("inspect", "-f", "{{.OCIRuntime}} {{.State.Status}}", "box") == "nook-oci running\n"
    assert [path.name for path in (user.home / "run/nook-oci/containers").iterdir()] == [user("ps", "-q", "--no-trunc").strip()]
    assert user("exec", "--user", "1000", "box", "id", "-u") == "1000\n"
    code, shown = user.on_terminal("exec", "-it", "box", "sh", "-c", "tty; exit 4")
    assert code == 4 and "/dev/pts/" in shown
    user("kill", "--signal", "USR1", "box")
    user.until("usr1", "logs", "box")
    assert "sleep" in user("top", "box")
    user("stop", "-t", "9", "box")
    assert user("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "box") == "exited 5\n"


def test_exit_statuses(user):
    for command, code in [(["sh", "-c", "exit 7"], 7), (["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137), (["no-such-command"], 127),
                          (["/etc/passwd"], 126)]:
        user.fails(code, "run", "--rm", "localhost/busybox", *command)


def test_what_toolbox_and_distrobox_ask_for(user):
    """The host's devices, mounts, network and processes, and the user as himself."""
    user("run", "-d", "--name", "box", "--network", "host", "--pid", "host", "--cgroupns", "host", "--no-hosts", "--privileged",
         "--security-opt", "label=disable", "--ulimit", "host", "--userns", "keep-id", "--user", "root:root",
         "--annotation", "run.oci.keep_original_groups=1", "--volume", "/dev:/dev:rslave", "--volume", "/:/run/host:rslave",
         "--volume", "/sys:/sys:rslave", "--mount", "type=devpts,destination=/dev/pts", "--volume", f"{user.home}:{user.home}:rslave",
         "localhost/busybox", "sh", "-c", "echo started; exec sleep 1000")
    user.until("started", "logs", "box")
    shown = user("exec", "--user", str(UID), "--workdir", user.home, "box", "sh", "-c",
                 "id -u; pwd; touch made; test -e /run/host/etc/passwd && echo host; test -c /dev/full && echo devices; ps | wc -l")
    *words, processes = shown.split()
    assert words == [str(UID), str(user.home), "host", "devices"] and int(processes) > 5
    assert (user.home / "made").stat().st_uid == UID
    code, shown = user.on_terminal("exec", "-it", "--user", str(UID), "box", "sh", "-c", "tty; exit 4")
    assert code == 4 and "/dev/pts/" in shown
