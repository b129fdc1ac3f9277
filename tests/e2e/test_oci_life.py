# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook-oci: the life of a container as runtime.md tells it, and what comes in between."""

import contextlib
import errno
import json
import os
import pathlib
import random
import re
import signal
import socket
import stat
import subprocess
import time

import pytest

from conftest import BUILD, ORDINARY_UID

pytestmark = pytest.mark.user("root")

EVERY = os.environ.get("NOOK_SWEEP") == "all"
KILLS = int(os.environ.get("NOOK_KILLS", "20"))


def test_version_and_features_can_be_parsed(oci):
    out = oci("--version").splitlines()
    assert out[0].startswith("nook-oci version ") and out[1].startswith("commit: ") and out[2].startswith("spec: 1.3")
    features = json.loads(oci("features"))
    assert features["ociVersionMin"] == "1.0.0" and features["ociVersionMax"].startswith("1.3")
    assert "time" in features["linux"]["namespaces"] and "rro" in features["mountOptions"]
    assert features["linux"]["mountExtensions"]["idmap"]["enabled"] is True


def test_the_whole_life(oci, ro_bundle, space):
    ro_bundle.args("sleep", "1000")
    oci("create", "-b", ro_bundle.save(), "--pid-file", space / "pid", "c")
    state = oci.state("c")
    assert state["status"] == "created" and state["bundle"] == str(ro_bundle.path) and state["id"] == "c"
    assert state["ociVersion"] == ro_bundle.config["ociVersion"]
    assert (space / "pid").read_text() == str(state["pid"])
    assert "sleep" not in pathlib.Path(f"/proc/{state['pid']}/cmdline").read_text()
    oci("start", "c")
    assert oci.status("c") == "running"
    assert pathlib.Path(f"/proc/{state['pid']}/cmdline").read_text() == "sleep\0" "1000\0"
    assert "not stopped" in oci.fails(1, "delete", "c")
    assert oci.status("c") == "running"
    oci("kill", "c", "KILL")
    oci.wait("c", "stopped")
    assert oci.state("c")["pid"] == 0
    assert "container not running" in oci.fails(1, "kill", "c")
    oci("delete", "c")
    assert "does not exist" in oci.fails(1, "state", "c")
    assert "does not exist" in oci.fails(1, "delete", "c")
    oci("delete", "--force", "c")
    assert oci("list", "-q") == ""


def test_a_pid_file_that_is_no_file_is_written_and_stays_what_it_is(ro_bundle, space):
    os.mkfifo(space / "pipe")
    reader = os.open(space / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    os.mknod(space / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    try:
        ro_bundle.args("true").run("--pid-file", space / "pipe")
        assert os.read(reader, 100).isdigit()
        ro_bundle.args("true").run("--pid-file", space / "null")
        assert stat.S_ISCHR(os.stat(space / "null").st_mode) and stat.S_ISFIFO(os.stat(space / "pipe").st_mode)
    finally:
        os.close(reader)


def test_states_that_somebody_else_has_made_are_not_looked_at(space):
    """Where XDG_RUNTIME_DIR is a directory of everybody's."""
    space.chmod(0o1777)
    (space / "nook-oci").mkdir()
    (space / "nook-oci").chmod(0o755)

    def listed():
        return subprocess.run([BUILD / "nook-oci", "list"], env={"XDG_RUNTIME_DIR": str(space)}, user=ORDINARY_UID, group=ORDINARY_UID,
                              extra_groups=[], capture_output=True, text=True, check=False)

    result = listed()
    assert result.returncode == 1 and "it is another user's" in result.stderr
    os.chown(space / "nook-oci", ORDINARY_UID, ORDINARY_UID)
    assert listed().returncode == 0


@pytest.mark.parametrize("prefix", ["", "file:"])
def test_a_link_in_somebody_elses_directory_does_not_lead_the_log_anywhere(oci, space, prefix):
    """What stands in the log is partly another's words, and what is appended to may be a script."""
    (space / "precious").write_text("")
    (space / "his").mkdir()
    for place in (space / "his", space):
        (place / "link").symlink_to(space / "precious")
    os.chown(space / "his", ORDINARY_UID, ORDINARY_UID)
    assert "symbolic link" in oci.fails(1, "--log", f"{prefix}{space}/his/link", "state", "none")
    assert (space / "precious").read_text() == ""
    os.chown(space / "his", 0, 0)
    os.chmod(space / "his", 0o777)  # and so anybody's
    assert "symbolic link" in oci.fails(1, "--log", f"{prefix}{space}/his/link", "state", "none")
    os.chmod(space / "his", 0o755)
    os.lchown(space / "his/link", ORDINARY_UID, ORDINARY_UID)
    assert "symbolic link" in oci.fails(1, "--log", f"{prefix}{space}/his/link", "state", "none")
    for place, lines in ((space / "link", 1), (space / "his/new", 1), ("/dev/stderr", 2)):
        assert oci.fails(1, "--log", f"{prefix}{place}", "state", "none").count("does not exist") == lines
    assert "does not exist" in (space / "precious").read_text() and "does not exist" in (space / "his/new").read_text()


@pytest.mark.parametrize("command", ["create", "start"])
def test_a_socket_at_which_nobody_takes_the_call_keeps_nobody_waiting(oci, ro_bundle, space, command):
    """Neither who calls it, for ever, nor who then deletes the container."""
    with socket.socket(socket.AF_UNIX) as full, contextlib.ExitStack() as callers:
        full.bind(str(space / "full"))
        full.listen(0)
        for _ in range(2):
            caller = callers.enter_context(socket.socket(socket.AF_UNIX))
            caller.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                caller.connect(str(space / "full"))
        if command == "create":
            ro_bundle.process["terminal"] = True
            words = ["create", "--console-socket", space / "full", "-b", ro_bundle.args("true").save(), "c"]
        else:
            ro_bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": str(space / "full"),
                                          "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}
            oci("create", "-b", ro_bundle.args("true").save(), "c")
            words = ["start", "c"]
        assert "nobody there takes the call" in oci.fails(1, *words)
        oci("delete", "--force", "c")


def test_a_link_in_somebody_elses_directory_does_not_lead_the_pid_anywhere(ro_bundle, space):
    """He could let root write to any device; a link of root's own (/dev/stdout) is followed."""
    os.mkfifo(space / "pipe")
    reader = os.open(space / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    (space / "his").mkdir()
    for place in (space / "his", space):
        (place / "link").symlink_to(space / "pipe")
    os.chown(space / "his", ORDINARY_UID, ORDINARY_UID)
    try:
        ro_bundle.args("true").run("--pid-file", space / "his/link")
        assert not (space / "his/link").is_symlink() and (space / "his/link").read_text().isdigit()
        assert os.read(reader, 100) == b""
        ro_bundle.args("true").run("--pid-file", space / "link")
        assert os.read(reader, 100).isdigit() and (space / "link").is_symlink()
    finally:
        os.close(reader)


@pytest.mark.parametrize("status", [0, 3, 255])
def test_run_ends_as_the_program(ro_bundle, status):
    assert ro_bundle.sh(f"exit {status}").result().code == status


def test_run_tells_death_by_signal_and_leaves_nothing(oci, ro_bundle):
    with oci.start("run", "-b", ro_bundle.sh("echo ready; sleep 1000").save(), "c") as run:
        assert run.stdout.readline() == "ready\n"
        oci("kill", "c", "KILL")
        assert run.wait(20) == 128 + 9
    assert oci("list", "-q") == ""


def test_run_keep_keeps_the_state(oci, ro_bundle):
    ro_bundle.args("true").run("--keep")
    assert oci.status("c") == "stopped"
    oci("delete", "c")


def test_run_detached(oci, ro_bundle, space):
    ro_bundle.args("sleep", "1000").run("--detach", "--pid-file", space / "pid")
    assert oci.status("c") == "running"
    oci("kill", "c", "9")
    oci.wait("c", "stopped")


def test_signals_reach_the_program_that_run_waits_for(oci, ro_bundle):
    ro_bundle.sh('trap "echo got; exit 5" TERM; echo ready; while :; do sleep 0.05; done')
    with oci.start("run", "-b", ro_bundle.save(), "c") as run:
        assert run.stdout.readline() == "ready\n"
        run.send_signal(signal.SIGTERM)
        assert run.stdout.read() == "got\n"
        assert run.wait(20) == 5


@pytest.mark.parametrize("name", [".", "..", "a/b", "-x", "", "x" * 1024, "a\nb"])
def test_ids_that_are_no_names_are_refused(oci, ro_bundle, name):
    error = oci.fails(1, "create", "-b", ro_bundle.args("true").save(), "--", name)
    assert "id" in error
    assert oci("list", "-q") == ""


def test_an_id_is_taken_once(oci, ro_bundle):
    ro_bundle.args("sleep", "1000")
    oci("create", "-b", ro_bundle.save(), "c")
    assert "exists" in oci.fails(1, "create", "-b", ro_bundle.path, "c")
    assert oci.status("c") == "created"


def test_of_two_creates_one_wins(oci, ro_bundle):
    ro_bundle.args("sleep", "1000").save()
    for _ in range(10):
        both = [oci.start("create", "-b", ro_bundle.path, "c", stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
                for _ in range(2)]
        codes = sorted(process.wait(30) for process in both)
        assert codes == [0, 1]
        assert oci.status("c") == "created"
        oci("delete", "--force", "c")


def test_of_two_starts_one_wins(oci, ro_bundle):
    ro_bundle.args("sleep", "1000").save()
    for _ in range(10):
        oci("create", "-b", ro_bundle.path, "c")
        both = [oci.start("start", "c", stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for _ in range(2)]
        assert sorted(process.wait(30) for process in both) == [0, 1]
        assert oci.status("c") == "running"
        oci("delete", "--force", "c")


def test_start_after_init_was_killed_is_an_error(oci, ro_bundle):
    oci("create", "-b", ro_bundle.args("true").save(), "c")
    os.kill(oci.state("c")["pid"], signal.SIGKILL)
    oci.wait("c", "stopped")
    assert "stopped" in oci.fails(1, "start", "c")


def test_a_created_container_may_be_deleted(oci, ro_bundle):
    oci("create", "-b", ro_bundle.args("true").save(), "c")
    pid = oci.state("c")["pid"]
    oci("delete", "c")
    assert not pathlib.Path(f"/proc/{pid}/cwd").exists()


def test_kill_and_delete_take_patterns(oci, ro_bundle):
    ro_bundle.args("sleep", "1000").save()
    for name in ("a1", "a2", "b1"):
        oci("run", "-d", "-b", ro_bundle.path, name)
    oci("kill", "--regex", "^a", "KILL")
    oci.wait("a1", "stopped")
    oci.wait("a2", "stopped")
    assert oci.status("b1") == "running"
    oci("delete", "--regex", "^a")
    assert oci("list", "-q") == "b1\n"
    assert [entry["id"] for entry in json.loads(oci("list", "--format", "json"))] == ["b1"]
    assert "b1" in oci("list") and "running" in oci("list")


def test_options_may_follow_arguments(oci, ro_bundle):
    oci("create", "c", "--bundle", ro_bundle.args("true").save())
    assert oci.status("c") == "created"


def test_a_config_file_of_another_place(oci, ro_bundle, space):
    ro_bundle.args("echo", "other").save()
    (ro_bundle.path / "config.json").rename(space / "other.json")
    assert oci("run", "-b", ro_bundle.path, "-f", space / "other.json", "c") == "other\n"


# ---- hooks ------------------------------------------------------------------------------------------------------------

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def hook(space, script, **more):
    return {"path": "/bin/sh", "args": ["sh", "-c", script], **more}


def test_hooks_run_in_order_with_the_state_on_stdin(oci, ro_bundle, space):
    log = space / "log"
    outside = ("prestart", "createRuntime", "poststart", "poststop")
    ro_bundle.config["hooks"] = {}
    for kind in outside:
        ro_bundle.config["hooks"][kind] = [hook(space, f"(echo {kind} $X; cat; echo) >>{log}", env=["X=1", "PATH=/bin"])]
    ro_bundle.config["annotations"] = {"a": "b"}
    ro_bundle.args("sleep", "1000")
    oci("create", "-b", ro_bundle.save(), "c")
    pid = oci.state("c")["pid"]
    lines = log.read_text().splitlines()
    assert lines[0::2] == ["prestart 1", "createRuntime 1"]
    for line in lines[1::2]:
        state = json.loads(line)
        assert state == {"ociVersion": ro_bundle.config["ociVersion"], "id": "c", "pid": pid, "status": "creating",
                         "bundle": str(ro_bundle.path), "annotations": {"a": "b"}}
    oci("start", "c")
    lines = log.read_text().splitlines()
    assert lines[4] == "poststart 1" and json.loads(lines[5])["status"] == "running"
    oci("delete", "--force", "c")
    lines = log.read_text().splitlines()
    assert lines[6] == "poststop 1" and json.loads(lines[7])["status"] == "stopped" and len(lines) == 8


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_a_hook_that_fails_ends_the_creation(oci, ro_bundle, space, kind):
    ro_bundle.config["hooks"] = {kind: [hook(space, "echo no good >&2; exit 3")],
                                 "poststop": [hook(space, f"touch {space}/poststop")]}
    error = oci.fails(1, "create", "-b", ro_bundle.args("true").save(), "c")
    assert "hook" in error and "status 3" in error and "no good" in error
    assert oci("list", "-q") == ""
    assert (space / "poststop").exists()


def test_a_poststart_hook_that_fails_ends_the_container(oci, ro_bundle, space):
    ro_bundle.config["hooks"] = {"poststart": [hook(space, "exit 3")], "poststop": [hook(space, f"touch {space}/poststop")]}
    oci("create", "-b", ro_bundle.args("sleep", "1000").save(), "c")
    assert "status 3" in oci.fails(1, "start", "c")
    assert oci("list", "-q") == ""
    assert (space / "poststop").exists()


def test_a_poststop_hook_that_fails_is_a_warning(oci, ro_bundle, space):
    ro_bundle.config["hooks"] = {"poststop": [hook(space, "exit 3"), hook(space, f"touch {space}/second")]}
    result = oci.result("--log-level", "warning", "run", "-b", ro_bundle.args("true").save(), "c")
    assert result.code == 0 and "status 3" in result.err
    assert (space / "second").exists()


def test_a_hook_that_takes_too_long_is_killed(oci, ro_bundle, space):
    ro_bundle.config["hooks"] = {"createRuntime": [hook(space, "exec sleep 1000", timeout=1)]}
    assert "hook" in oci.fails(1, "create", "-b", ro_bundle.args("true").save(), "c")


@pytest.mark.parametrize("kind", KINDS)
def test_every_hook_has_its_time(oci, bundle, kind):
    """One that does not end is ended, and so is the container, unless it has ended already."""
    bundle.config["hooks"] = {kind: [{"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}]}
    result = bundle.args("true").result()
    assert "/bin/sleep" in result.err or kind == "poststop"
    assert result.code == (0 if kind == "poststop" else 1)
    assert oci("list", "-q") == ""


@pytest.mark.parametrize("seconds", [115964117, 4294967296, 2 ** 63 - 1])
@pytest.mark.parametrize("kind", ["createRuntime", "createContainer", "startContainer", "poststart"])
def test_a_hook_may_have_more_time_than_fits(bundle, kind, seconds):
    """The first number is 8 ms in 32 bits."""
    bundle.config["hooks"] = {kind: [{"path": "/bin/sleep", "args": ["sleep", "0.1"], "timeout": seconds}]}
    bundle.args("true").run()


def test_a_hook_need_not_read_its_stdin(oci, ro_bundle, space):
    ro_bundle.config["annotations"] = {"big": "x" * 200000}
    ro_bundle.config["hooks"] = {"createRuntime": [hook(space, "exec <&-; true")]}
    ro_bundle.args("true").run()


def test_create_container_hooks_run_in_the_mounts_of_the_container(oci, bundle, space):
    bundle.config["hooks"] = {"createContainer": [hook(space, f"cat >{space}/state; pwd >{space}/pwd; mount -t tmpfs none mnt")]}
    (bundle.root / "mnt").mkdir()
    out = bundle.sh("grep /mnt /proc/mounts").run()
    assert "tmpfs" in out
    assert json.loads((space / "state").read_text())["status"] == "creating"
    assert (space / "pwd").read_text() == f"{bundle.root}\n"


def test_start_container_hooks_run_in_the_container_before_its_program(oci, bundle):
    bundle.config["hooks"] = {"startContainer": [
        {"path": "/bin/sh", "args": ["sh", "-c", "cat >/state; id -u >/id; ls -l /proc/self/fd >/fds"], "env": ["PATH=/bin"]}]}
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    for name in ("state", "id", "fds"):
        (bundle.root / name).touch()
        os.chown(bundle.root / name, 1000, 1000)
    bundle.config["root"]["readonly"] = False
    bundle.sh("cat /state").args("cat", "/state")
    oci("create", "-b", bundle.save(), "c")
    assert (bundle.root / "state").read_text() == ""
    oci("start", "c")
    state = json.loads((bundle.root / "state").read_text())
    assert state["status"] == "created" and state["id"] == "c"
    assert (bundle.root / "id").read_text() == "1000\n"


# ---- errors as callers read them --------------------------------------------------------------------------------------

def test_the_log_has_one_json_object_a_line(oci, ro_bundle, space):
    err = oci.fails(1, "--log", space / "log", "--log-format", "json", "state", "nobody")
    entry = json.loads((space / "log").read_text())
    assert entry["level"] == "error" and "does not exist" in entry["msg"] and entry["time"].endswith("Z")
    assert (entry["step"], entry["object"], entry["errno"]) == ("container", "nobody", errno.ENOENT)
    assert err == 'nook-oci: container "nobody": container does not exist\n'
    # Without a file it is what stderr gets, wherever the option stands.
    ro_bundle.mount("/tmp", "bind", space / "missing", "bind")
    for line in (["--log-format", "json", "create", "-b", ro_bundle.save(), "c"], ["create", "-b", ro_bundle.path, "c", "--log-format=json"]):
        entry = json.loads(oci.fails(1, *line))
        assert (entry["step"], entry["object"], entry["errno"]) == ("source", str(space / "missing"), errno.ENOENT)


def test_the_log_as_text_escapes_quotes(oci, space):
    oci.fails(1, "state", "nobody", "--log", f"file:{space}/log")
    assert (space / "log").read_text().endswith(' level=error msg="container \\"nobody\\": container does not exist"\n')


def test_the_log_goes_to_a_daemon(oci, space):
    """/dev/log is another one in a mount namespace of the test's own."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(space / "log"))
        daemon.settimeout(20)
        script = 'mount -t tmpfs none /dev && touch /dev/log && mount --bind "$1" /dev/log && shift && exec "$@"'
        for kind in ("syslog", "journald"):
            line = ["unshare", "-m", "sh", "-c", script, "sh", space / "log", *oci.argv("--log", f"{kind}:who", "state", "nobody")]
            assert subprocess.run(line, env=oci.environment, stdin=subprocess.PIPE, capture_output=True, check=False).returncode == 1
            assert daemon.recv(1000).startswith(b"<11>who: time=")
    assert "/no/such" in oci.fails(1, "--log", "/no/such/file", "list")


@pytest.mark.parametrize("command, code, words", [
    (["no-such-program"], 127, "executable file not found in $PATH"),
    (["/no/such/program"], 127, "no such file or directory"),
    (["/etc"], 126, "permission denied"),
])
def test_a_program_that_cannot_run_is_told_at_create(oci, ro_bundle, command, code, words):
    error = oci.fails(code, "create", "-b", ro_bundle.args(*command).save(), "c")
    assert words in error and command[0] in error
    assert oci("list", "-q") == ""


def test_a_program_that_its_user_may_not_run_is_told_at_create(oci, bundle):
    """As for docker's defaults: a filter, without no_new_privs, is loaded between the lookup and the program."""
    (bundle.root / "bin/own").write_text("#!/bin/sh\necho ran\n")
    (bundle.root / "bin/own").chmod(0o700)
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["capabilities"] = {name: ["CAP_KILL"] for name in ("bounding", "effective", "permitted")}
    bundle.args("own")
    for nnp in (True, False):
        bundle.process["noNewPrivileges"] = nnp
        for filter in (None, {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["getcwd"], "action": "SCMP_ACT_ERRNO"}]}):
            bundle.linux["seccomp"] = filter
            assert "exec \"own\": permission denied" in oci.fails(126, "create", "-b", bundle.save(), "c")
    bundle.process["user"] = {"uid": 0, "gid": 0}
    assert bundle.run() == "ran\n"


@pytest.mark.parametrize("member, value, words", [
    ("cwd", "/etc/passwd", "/etc/passwd"),
    ("cwd", "/own", "/own"),
    ("user", {"uid": 1000, "gid": 1000, "additionalGids": [70000]}, "no mapping in the user namespace"),
    ("user", {"uid": 70000, "gid": 0}, "no mapping in the user namespace"),
    ("ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 9}, "priority"),
    ("scheduler", {"policy": "SCHED_FIFO", "priority": 1000}, "scheduler"),
    ("rlimits", [{"type": "RLIMIT_NOFILE", "soft": 20, "hard": 10}], "process.rlimits[0].soft"),
])
def test_what_the_process_cannot_be_is_told_at_create(oci, bundle, member, value, words):
    (bundle.root / "own").mkdir(mode=0o700)
    bundle.linux["namespaces"].append({"type": "user"})
    bundle.linux["uidMappings"] = bundle.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    if value == "/own":
        bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["capabilities"] = {name: [] for name in ("bounding", "effective", "permitted")}
    bundle.process[member] = value
    assert words in oci.fails(1, "create", "-b", bundle.args("true").save(), "c")
    assert oci("list", "-q") == ""


# ---- descriptors and killed runtimes ------------------------------------------------------------------------------------

def test_a_waiting_container_holds_nothing_of_its_caller(oci, ro_bundle, space):
    read_end, write_end = os.pipe()
    process = oci.start("create", "-b", ro_bundle.args("sleep", "1000").save(), "c", pass_fds=[write_end],
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write_end)
    assert process.wait(30) == 0
    assert os.read(read_end, 1) == b""
    os.close(read_end)


def system_calls(oci, space, *line):
    """The names of the calls that this nook-oci makes, in order."""
    trace = space / "trace"
    subprocess.run(["strace", "-o", trace, *oci.argv(*line)], env=oci.environment, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, check=True)
    return [line.partition("(")[0] for line in trace.read_text().splitlines() if re.match(r"\w+\(", line)]


@pytest.mark.parametrize("first", (2, 3, 4) if EVERY else (2,))
def test_a_runtime_killed_anywhere_leaves_what_delete_can_remove(oci, ro_bundle, space, first):
    """create is killed at every third of its system calls; in a full sweep at each."""
    ro_bundle.args("sleep", "1000").save()
    names = system_calls(oci, space, "create", "-b", ro_bundle.path, "c")
    oci("delete", "--force", "c")
    half_made = 0
    for at in range(first, len(names), 3):
        point = f"inject={names[at]}:signal=SIGKILL:when={names[:at + 1].count(names[at])}"
        subprocess.run(["strace", "-o", "/dev/null", "-e", point, *oci.argv("create", "-b", ro_bundle.path, "c")],
                       env=oci.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)
        listed = oci("list", "-q").split()
        if listed:
            half_made += 1
            assert listed == ["c"] and oci.status("c") in ("created", "stopped"), point
        oci("delete", "--force", "c")
        assert oci("list", "-q") == "", point
    assert half_made > 10
    oci("create", "-b", ro_bundle.path, "c")
    assert oci.status("c") == "created"


def test_a_runtime_killed_at_any_time_leaves_what_delete_can_remove(oci, ro_bundle):
    """As above, when the clock says so: what its child does meanwhile is another each time."""
    dice = random.Random(os.environ.get("NOOK_SEED", "7"))
    ro_bundle.args("sleep", "1000").save()
    begin = time.monotonic()
    oci("create", "-b", ro_bundle.path, "c")
    took = time.monotonic() - begin
    oci("delete", "--force", "c")
    half_made = 0
    for _ in range(KILLS):
        with oci.start("create", "-b", ro_bundle.path, "c", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as create:
            at = time.monotonic() + dice.uniform(0, took)
            while time.monotonic() < at and create.poll() is None:
                pass
            create.kill()
        listed = oci("list", "-q").split()
        half_made += create.returncode != 0 and listed == ["c"]
        if listed:
            assert listed == ["c"] and oci.status("c") in ("created", "stopped")
        else:
            assert oci.result("state", "c").code == 1
        oci("delete", "--force", "c")
        assert oci("list", "-q") == ""
    assert half_made or KILLS < 100
    assert "exists" not in oci("run", "-b", ro_bundle.args("true").save(), "c")
