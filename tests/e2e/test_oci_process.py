# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook-oci: what the process of a container is, and what exec adds to it."""

import array
import errno
import fcntl
import json
import os
import pathlib
import re
import select
import signal
import socket
import struct
import subprocess
import termios

import pytest

import bundles
from groups import MOUNTS

pytestmark = pytest.mark.user("root")


def status_field(text, name):
    return next(line.split(None, 1)[1] for line in text.splitlines() if line.startswith(f"{name}:"))


# ---- identity ---------------------------------------------------------------------------------------------------------

def test_user_groups_and_umask(ro_bundle):
    ro_bundle.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5, 20], "umask": 0o27}
    out = ro_bundle.sh("id -u; id -g; id -G; umask").run()
    assert out.split() == ["1000", "1001", "1001", "5", "20", "0027"]


@pytest.mark.parametrize("user, member", [({"uid": 4294967295, "gid": 5}, "uid"), ({"uid": 5, "gid": 4294967295}, "gid"),
                                          ({"uid": 5, "gid": 5, "additionalGids": [7, 4294967295]}, "additionalGids[1]")])
def test_no_id_leaves_the_user_as_he_is(oci, ro_bundle, space, user, member):
    """The largest number means "no change" to the kernel, and before the change it is root."""
    ro_bundle.args("sleep", "1000").run("--detach")
    (space / "process.json").write_text(json.dumps({"args": ["id"], "cwd": "/", "user": user}))
    assert f"process.user.{member}" in oci.fails(1, "exec", "--process", space / "process.json", "c")
    ro_bundle.process["user"] = user
    assert f"process.user.{member}" in ro_bundle.args("id").fails(1, name="other")


def test_umask_is_0022_when_nobody_says_otherwise(oci, ro_bundle):
    assert ro_bundle.sh("umask").run(preexec_fn=lambda: os.umask(0o77)) == "0022\n"


def test_groups_of_the_caller_do_not_come_along(ro_bundle):
    assert ro_bundle.sh("id -G").run(extra_groups=[4242]) == "0\n"


def test_groups_can_be_kept_by_annotation(ro_bundle):
    ro_bundle.config["annotations"] = {"run.oci.keep_original_groups": "1"}
    assert "4242" in ro_bundle.sh("id -G").run(extra_groups=[4242]).split()


@pytest.mark.parametrize("uid, home", [(0, "/root"), (1000, "/home"), (4711, "/")])
def test_home_comes_from_the_containers_passwd(ro_bundle, uid, home):
    ro_bundle.process["user"] = {"uid": uid, "gid": 0}
    assert ro_bundle.sh("echo $HOME").run() == f"{home}\n"


def test_home_that_is_given_stays_and_the_last_of_equal_names_wins(ro_bundle):
    ro_bundle.process["env"] += ["HOME=/tmp", "A=1", "A=2"]
    assert ro_bundle.sh("echo $HOME $A; env | grep -c ^A=").run() == "/tmp 2\n1\n"


def test_capabilities_of_five_sets(ro_bundle):
    ro_bundle.process["capabilities"] = {
        "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"], "permitted": ["CAP_CHOWN", "CAP_KILL"],
        "effective": ["CAP_KILL"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]}
    ro_bundle.process["user"] = {"uid": 1000, "gid": 1000}
    text = ro_bundle.args("cat", "/proc/self/status").run()
    assert int(status_field(text, "CapBnd"), 16) == 1 << 0 | 1 << 5 | 1 << 13
    # An ordinary user keeps over execve(2) what is ambient.
    assert int(status_field(text, "CapPrm"), 16) == 1 << 5
    assert int(status_field(text, "CapInh"), 16) == int(status_field(text, "CapAmb"), 16) == 1 << 5


def test_no_new_privileges(ro_bundle):
    for value in (True, False):
        ro_bundle.process["noNewPrivileges"] = value
        text = ro_bundle.args("cat", "/proc/self/status").run()
        assert status_field(text, "NoNewPrivs") == str(int(value))


def test_rlimits_and_oom_score(ro_bundle):
    ro_bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
                                    {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    ro_bundle.process["oomScoreAdj"] = 500
    out = ro_bundle.sh("ulimit -Sn; ulimit -Hn; ulimit -c; cat /proc/self/oom_score_adj").run()
    assert out.split() == ["100", "200", "0", "500"]


@pytest.mark.parametrize("soft, hard", [(4096, 8192), (20, 40)])
def test_an_exec_has_the_limit_of_open_files(oci, ro_bundle, soft, hard):
    """A narrow one comes last: entering the container takes descriptors."""
    ro_bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": soft, "hard": hard}]
    oci("run", "--detach", "-b", ro_bundle.args("sleep", "1000").save(), "c")
    assert oci("exec", "c", "sh", "-c", "ulimit -Sn; ulimit -Hn").split() == [str(soft), str(hard)]


def test_every_rlimit(ro_bundle):
    """With values that the program itself can live with."""
    names = {"AS": "address space", "CORE": "core file size", "CPU": "cpu time", "DATA": "data size", "FSIZE": "file size", "LOCKS": "file locks",
             "MEMLOCK": "locked memory", "MSGQUEUE": "msgqueue size", "NICE": "nice priority", "NOFILE": "open files", "NPROC": "processes",
             "RSS": "resident set", "RTPRIO": "realtime priority", "RTTIME": "realtime timeout", "SIGPENDING": "pending signals", "STACK": "stack size"}
    large = {"AS", "DATA", "RSS", "STACK"}
    limits = {name: (0, 0) if name in ("NICE", "RTPRIO") else (1 << 27, 1 << 28) if name in large else (1000, 2000) for name in names}
    ro_bundle.process["rlimits"] = [{"type": f"RLIMIT_{name}", "soft": soft, "hard": hard} for name, (soft, hard) in limits.items()]
    out = ro_bundle.args("cat", "/proc/self/limits").run()
    for name, words in names.items():
        line = next(line for line in out.splitlines() if line.startswith(f"Max {words} "))
        assert tuple(map(int, line[len(f"Max {words}"):].split()[:2])) == limits[name], name


@pytest.mark.parametrize("scheduler, shown", [
    ({"policy": "SCHED_OTHER", "nice": 3}, ["23", "3", "0", "0"]), ({"policy": "SCHED_IDLE"}, ["20", "0", "0", "5"]),
    ({"policy": "SCHED_FIFO", "priority": 5}, ["-6", "0", "5", "1"]), ({"policy": "SCHED_RR", "priority": 7}, ["-8", "0", "7", "2"]),
    ({"policy": "SCHED_DEADLINE", "runtime": 1000000, "deadline": 10000000, "period": 10000000}, ["-101", "0", "0", "6"]),
], ids=lambda value: value["policy"] if isinstance(value, dict) else "")
def test_every_scheduler(ro_bundle, scheduler, shown):
    """Before the rights for it are dropped.  Fields of stat: priority, nice, realtime priority, policy."""
    ro_bundle.process["scheduler"] = scheduler
    ro_bundle.process["capabilities"] = {}
    result = ro_bundle.args("cut", "-d ", "-f18,19,40,41", "/proc/self/stat").result()
    # Where v1 gives groups realtime of their own, a new one has none.
    no_time = shown[3] in ("1", "2") and "cpu.rt_runtime_us" in os.listdir(MOUNTS.get("cpu", "/"))
    assert result.out.split() == shown or no_time and "scheduler" in result.err, str(result)


def test_scheduler_priority_and_personality(ro_bundle):
    ro_bundle.process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 7}
    ro_bundle.process["ioPriority"] = {"class": "IOPRIO_CLASS_IDLE", "priority": 0}
    ro_bundle.linux["personality"] = {"domain": "LINUX32"}
    out = ro_bundle.sh("uname -m; cut -d' ' -f19,41 /proc/self/stat; ionice").run().split("\n")
    assert out[0] in ("i686", "armv8l") and out[1] == "7 3" and out[2].startswith("idle")


def test_hostname_and_domainname(ro_bundle):
    ro_bundle.config["hostname"], ro_bundle.config["domainname"] = "box", "example.org"
    out = ro_bundle.sh("hostname; cat /proc/sys/kernel/domainname").run()
    assert out == "box\nexample.org\n"
    assert os.uname().nodename != "box"


# ---- directories and descriptors --------------------------------------------------------------------------------------

def test_a_working_directory_that_is_missing_is_made(bundle):
    bundle.config["root"]["readonly"] = False
    bundle.process["cwd"] = "/a/b"
    assert bundle.sh("pwd; stat -c %a .").run() == "/a/b\n755\n"


def test_a_working_directory_that_only_its_owner_enters(bundle):
    (bundle.root / "own").mkdir(mode=0o700)
    os.chown(bundle.root / "own", 1000, 1000)
    bundle.process.update(cwd="/own", user={"uid": 1000, "gid": 1000})
    bundle.process["capabilities"] = {}
    assert bundle.sh("pwd").run() == "/own\n"


@pytest.mark.parametrize("cwd", [f"/proc/self/fd/{n}" for n in range(3, 10)])
def test_a_working_directory_through_a_descriptor_of_the_runtime(ro_bundle, cwd):
    ro_bundle.process["cwd"] = cwd
    # What is inside has a path from the container's root.
    result = ro_bundle.sh('[ . -ef "$(pwd -P)" ] || ls -a').result()
    assert result.code != 0 or result.out == "", str(result)


def test_only_stdio_is_open_in_the_program(ro_bundle, space):
    leaked = os.open(space, os.O_RDONLY)
    os.set_inheritable(leaked, True)
    try:
        out = ro_bundle.sh("ls /proc/self/fd").run(close_fds=False)
    finally:
        os.close(leaked)
    # ls itself has the directory open as 3.
    assert out.split() == ["0", "1", "2", "3"]


def test_descriptors_that_are_preserved(ro_bundle):
    read_end, write_end = os.pipe()
    high = fcntl.fcntl(write_end, fcntl.F_DUPFD, 3)
    line = ro_bundle.oci.argv("run", "-b", ro_bundle.sh("echo over >&3; ls /proc/self/fd").save(), "--preserve-fds", "1", "c")
    process = subprocess.run(["bash", "-c", f'exec "$@" 3>&{high}', "bash", *line], pass_fds=[high], env=ro_bundle.oci.environment,
                             capture_output=True, text=True, check=True)
    os.close(write_end)
    os.close(high)
    assert os.read(read_end, 100) == b"over\n"
    os.close(read_end)
    assert process.stdout.split() == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("process", ["first", "exec"])
def test_preserved_descriptors_behind_a_filter(ro_bundle, process):
    """A container that waits at its gate holds them, and a filter, which is why descriptors are marked twice, changes nothing."""
    ro_bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}
    show, options = "readlink /proc/self/fd/3; ls /proc/self/fd; echo over >&3", ["--preserve-fds", "1"]
    if process == "exec":
        ro_bundle.args("sleep", "1000")
    else:
        ro_bundle.sh(show)
    read_end, write_end = os.pipe()

    def with_a_third(*words):
        line = ro_bundle.oci.argv(*words)
        return subprocess.run(["bash", "-c", f'exec "$@" 3>&{write_end}', "bash", *line], pass_fds=[write_end], check=True,
                              env=ro_bundle.oci.environment, stdout=out)

    with open(ro_bundle.path / "out", "w+") as out:
        with_a_third("create", "-b", ro_bundle.save(), *(options if process == "first" else []), "c")
        ro_bundle.oci("start", "c")
        if process == "exec":
            with_a_third("exec", *options, "c", "sh", "-c", show)
        os.close(write_end)
        assert os.read(read_end, 100) == b"over\n"
        if process == "first":
            ro_bundle.oci.wait("c", "stopped")
        out.seek(0)
        assert re.fullmatch(r"pipe:\[\d+\]\n0\n1\n2\n3\n4\n", out.read())
    os.close(read_end)


def test_descriptors_that_nobody_gave_are_not_preserved(ro_bundle):
    """In their place would be what the runtime has open itself: directories of the host (CVE-2024-21626)."""
    words = '"3": is to be passed on, but not open'
    ro_bundle.sh("ls /proc/self/fd")
    assert words in ro_bundle.fails(1, "--preserve-fds", "2")
    assert words in ro_bundle.oci.fails(1, "create", "-b", ro_bundle.save(), "--preserve-fds", "2", "c")
    line = ro_bundle.oci.argv("run", "-b", ro_bundle.save(), "c")
    done = subprocess.run(line, env={**ro_bundle.oci.environment, "LISTEN_FDS": "2"}, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and words in done.stderr
    ro_bundle.args("sleep", "1000")
    ro_bundle.oci("run", "-d", "-b", ro_bundle.save(), "c")
    assert words in ro_bundle.oci.fails(1, "exec", "--preserve-fds", "2", "c", "true")


def test_sockets_of_socket_activation_come_along(ro_bundle):
    read_end, write_end = os.pipe()
    line = ro_bundle.oci.argv("run", "-b", ro_bundle.sh("echo $LISTEN_FDS $LISTEN_PID $$ >&3").save(), "c")
    subprocess.run(["bash", "-c", f'exec "$@" 3>&{write_end}', "bash", *line], pass_fds=[write_end],
                   env={**ro_bundle.oci.environment, "LISTEN_FDS": "1"}, check=True)
    os.close(write_end)
    assert os.read(read_end, 100) == b"1 1 1\n"
    os.close(read_end)


def test_the_runtime_cannot_be_written_through_proc(bundle):
    """CVE-2019-5736: /proc/PID/exe of what enters the container leads to the runtime's own file."""
    bundle.config["root"]["readonly"] = False
    script = 'exec 9</proc/self/exe; readlink /proc/self/exe; for f in /proc/[0-9]*/exe; do readlink $f; done'
    assert "nook-oci" not in bundle.sh(script).run()


# ---- terminals --------------------------------------------------------------------------------------------------------

@pytest.fixture
def console(space):
    # A path longer than a socket address can hold.
    deep = space / ("d" * 120)
    deep.mkdir()
    console = bundles.Console(deep / "socket")
    yield console
    console.close()


def test_a_terminal_goes_to_the_console_socket(oci, ro_bundle, console):
    ro_bundle.process.update(terminal=True, consoleSize={"height": 33, "width": 77})
    ro_bundle.sh("tty; stty size; stat -c %t,%T /dev/console; id >/dev/tty; echo end")
    oci("create", "-b", ro_bundle.save(), "--console-socket", console.path, "c")
    master, name = console.receive()
    assert name == "/dev/ptmx"
    oci("start", "c")
    lines = bundles.read_all(master).replace("\r\n", "\n").split("\n")
    assert lines[0] == "/dev/pts/0" and lines[1] == "33 77"
    assert lines[2].startswith("88,") and lines[3].startswith("uid=0") and lines[4] == "end"


def test_a_terminal_belongs_to_the_user(oci, ro_bundle, console):
    ro_bundle.process.update(terminal=True, user={"uid": 1000, "gid": 1000})
    ro_bundle.sh("stat -Lc %u /proc/self/fd/0; echo x >/dev/tty")
    oci("create", "-b", ro_bundle.save(), "--console-socket", console.path, "c")
    master, _ = console.receive()
    oci("start", "c")
    assert bundles.read_all(master).split() == ["1000", "x"]


def test_a_terminal_without_anybody_to_hold_it_is_refused(oci, ro_bundle):
    ro_bundle.process["terminal"] = True
    assert "--console-socket" in oci.fails(1, "create", "-b", ro_bundle.args("true").save(), "c")


def test_all_output_of_a_terminal_arrives(oci, ro_bundle, console):
    ro_bundle.process["terminal"] = True
    ro_bundle.sh("stty -onlcr; i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done")
    oci("create", "-b", ro_bundle.save(), "--console-socket", console.path, "c")
    master, _ = console.receive()
    oci("start", "c")
    assert bundles.read_all(master).count("0123456789") == 20000


# ---- exec -------------------------------------------------------------------------------------------------------------

def test_exec_runs_beside_the_first_process(oci, running):
    out = oci("exec", "c", "sh", "-c", "readlink /proc/1/ns/mnt; readlink /proc/self/ns/mnt; cat /proc/1/cmdline")
    first, second, command = out.split("\n")
    assert first == second and command == "sleep\0" "1000\0"


@pytest.mark.parametrize("command, code", [(["true"], 0), (["sh", "-c", "exit 9"], 9), (["sh", "-c", "kill -9 $$"], 137),
                                           (["nosuch"], 127), (["/etc"], 126)])
def test_exec_ends_as_its_program(oci, running, command, code):
    assert oci.result("exec", "c", *command).code == code


def test_exec_options(oci, running):
    out = oci("exec", "--user", "1000:100", "--cwd", "/tmp", "-e", "A=1", "--env", "B=2", "-g", "7", "c",
              "sh", "-c", "id -u; id -g; id -G; pwd; echo $A$B")
    assert out == "1000\n100\n100 7\n/tmp\n12\n"


@pytest.mark.parametrize("user", ["4294967295", "4294967296", "-1", "1000x", "nosuch"])
def test_exec_as_nobody_who_exists(oci, running, user):
    """CVE-2026-30892 and its like: a user that cannot be read must never become 0."""
    result = oci.result("exec", "--user", user, "c", "id", "-u")
    assert result.code != 0 and result.out == ""


def test_exec_cap_adds_to_all_sets(oci, running):
    text = oci("exec", "--cap", "CAP_SYS_NICE", "c", "cat", "/proc/self/status")
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status_field(text, name), 16) & 1 << 23, name
    assert "unknown capability" in oci.fails(1, "exec", "--cap", "CAP_FLY", "c", "true")


def test_exec_no_new_privileges_and_labels(oci, running, space):
    assert oci("exec", "c", "grep", "NoNewPrivs", "/proc/self/status").split() == ["NoNewPrivs:", "1"]
    running.process["noNewPrivileges"] = False
    running.run("--detach", name="d")
    assert oci("exec", "d", "grep", "NoNewPrivs", "/proc/self/status").split() == ["NoNewPrivs:", "0"]
    assert oci("exec", "--no-new-privs", "d", "grep", "NoNewPrivs", "/proc/self/status").split() == ["NoNewPrivs:", "1"]
    # With one of the two security modules the kernel does not know the other's names.
    assert "no-such-profile" in oci.fails(1, "exec", "--apparmor", "no-such-profile", "c", "true")
    assert oci.result("exec", "--process-label", "no:such:label:s0", "c", "true").code == 1


def test_exec_process_file(oci, running, space):
    process = {"args": ["sh", "-c", "id -u; pwd; echo $A; grep NoNewPrivs /proc/self/status; ulimit -n"], "cwd": "/tmp",
               "env": ["A=x", "PATH=/bin"], "user": {"uid": 5, "gid": 5}, "noNewPrivileges": True,
               "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 50, "hard": 60}]}
    (space / "process.json").write_text(json.dumps(process))
    assert oci("exec", "--process", space / "process.json", "c").split() == ["5", "/tmp", "x", "NoNewPrivs:", "1", "50"]
    process["args"] = []
    (space / "process.json").write_text(json.dumps(process))
    assert "process.args" in oci.fails(1, "exec", "--process", space / "process.json", "c")


def test_exec_detached_with_pid_file_and_pidfd(oci, running, space):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(space / "pidfd"))
    listener.listen(1)
    oci("exec", "--detach", "--pid-file", space / "pid", "--pidfd-socket", space / "pidfd", "c", "sleep", "1000")
    connection, _ = listener.accept()
    _, ancillary, _, _ = connection.recvmsg(100, socket.CMSG_SPACE(4))
    pidfd = array.array("i", ancillary[0][2][:4])[0]
    pid = int((space / "pid").read_text())
    assert pathlib.Path(f"/proc/{pid}/cmdline").read_text() == "sleep\0" "1000\0"
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert select.select([pidfd], [], [], 10)[0]
    os.close(pidfd)
    connection.close()
    listener.close()


def test_exec_with_a_terminal_over_the_socket(oci, running, console):
    oci("exec", "-t", "--detach", "--console-socket", console.path, "c", "sh", "-c", "tty; echo end")
    master, _ = console.receive()
    assert bundles.read_all(master).split() == ["/dev/pts/0", "end"]


def test_exec_relays_the_callers_terminal(oci, running):
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 21, 99, 0, 0))
    with oci.start("exec", "-t", "c", "sh", "-c", "stty size; read x; echo got $x", stdin=slave, stdout=slave, stderr=slave) as run:
        os.close(slave)
        text = b""
        while b"21 99" not in text:
            text += os.read(master, 1000)
        os.write(master, b"hello\n")
        assert run.wait(20) == 0
        while b"got hello" not in text:
            text += os.read(master, 1000)
    os.close(master)


def test_exec_holds_no_descriptor_of_the_runtime(oci, running, space):
    leaked = os.open(space, os.O_RDONLY)
    os.set_inheritable(leaked, True)
    try:
        out = oci("exec", "c", "ls", "/proc/self/fd", close_fds=False)
    finally:
        os.close(leaked)
    assert out.split() == ["0", "1", "2", "3"]


def test_exec_has_the_containers_umask_and_filter(oci, ro_bundle):
    ro_bundle.process["user"] = {"uid": 0, "gid": 0, "umask": 0o77}
    ro_bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}
    ro_bundle.args("sleep", "1000").run("--detach")
    result = oci.result("exec", "c", "sh", "-c", "umask; mkdir /tmp/x")
    assert result.out == "0077\n" and "not supported" in result.err


def test_exec_into_what_does_not_run(oci, ro_bundle):
    oci("create", "-b", ro_bundle.args("true").save(), "c")
    os.kill(oci.state("c")["pid"], signal.SIGKILL)
    oci.wait("c", "stopped")
    assert "not running" in oci.fails(1, "exec", "c", "true")
    assert "does not exist" in oci.fails(1, "exec", "nobody", "true")


def test_exec_into_a_time_namespace(oci, ro_bundle):
    ro_bundle.linux["namespaces"].append({"type": "time"})
    ro_bundle.linux["timeOffsets"] = {"boottime": {"secs": 7 * 86400}, "monotonic": {"secs": 7 * 86400}}
    ro_bundle.args("sleep", "1000").run("--detach")
    here = float(pathlib.Path("/proc/uptime").read_text().split()[0])
    there = float(oci("exec", "c", "cat", "/proc/uptime").split()[0])
    assert there > here + 6 * 86400


# ---- filters ------------------------------------------------------------------------------------------------------------

def test_seccomp_refuses_as_the_profile_says(ro_bundle):
    ro_bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
        {"names": ["getcwd"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
        {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}]}]}
    result = ro_bundle.sh("/bin/pwd; sleep 9 & kill -USR1 $!; kill -KILL $! && echo killed").result()
    assert "Permission denied" in result.err and "Operation not permitted" in result.err and "killed" in result.out


@pytest.mark.parametrize("nnp", [True, False])
def test_seccomp_works_with_and_without_new_privileges(ro_bundle, nnp):
    ro_bundle.process["noNewPrivileges"] = nnp
    ro_bundle.process["user"] = {"uid": 1000, "gid": 1000}
    ro_bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["getcwd"], "action": "SCMP_ACT_ERRNO"}]}
    assert "Operation not permitted" in ro_bundle.sh("/bin/pwd; true").result().err


@pytest.mark.parametrize("nnp", [True, False])
def test_seccomp_profiles_may_be_older_than_close_range(ro_bundle, oci, nnp):
    """Descriptors are marked before the filter is loaded: nothing of the caller's is open inside, in run and in exec."""
    ro_bundle.process["noNewPrivileges"] = nnp
    ro_bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["close_range"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}
    look = ["sh", "-c", "set -- /proc/self/fd/*; echo $#"]
    with open("/dev/null", "rb") as leak:
        os.set_inheritable(leak.fileno(), True)
        assert ro_bundle.args(*look).run(close_fds=False) == "4\n"
        oci("run", "-d", "-b", ro_bundle.args("sleep", "100").save(), "c", close_fds=False)
        assert oci("exec", "c", *look, close_fds=False) == "4\n"


def test_seccomp_unknown_calls_are_enosys(ro_bundle):
    """Numbers newer than the profile's newest: ENOSYS, so that libraries fall back."""
    ro_bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "syscalls": [
        {"names": sorted(set(NAMES)), "action": "SCMP_ACT_ALLOW"}]}
    assert ro_bundle.sh("echo works").run() == "works\n"


# The numbers of calls, from a language that can make any: it comes from the host.
CALLS = """
import ctypes, os
call = ctypes.CDLL(None, use_errno=True).syscall
for number in %s:
    ctypes.set_errno(0)
    call(number, -1, -1, -1, -1, -1, -1)
    print(number, ctypes.get_errno())
"""
MKNOD, SWAPON, FACCESSAT2, NEWEST = 133, 167, 439, 9999


def test_seccomp_calls_newer_than_the_profile_are_enosys(ro_bundle):
    """What the profile could have named is refused as it says; what is newer than its newest does not exist."""
    for path in ("/usr", "/lib", "/lib64"):
        ro_bundle.mount(path, "bind", path, "rbind", "ro")
    ro_bundle.config["root"]["readonly"] = False
    every = subprocess.run(["sh", "-c", "grep -o '__NR_[a-z0-9_]*' /usr/include/*/asm/unistd_64.h | sed 's/.*__NR_//'"], capture_output=True,
                           text=True, check=True).stdout.split()
    older = [name for name in every if name not in ("mknod", "swapon")]
    older = older[:older.index("faccessat2")]
    ro_bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": errno.EXDEV, "architectures": ["SCMP_ARCH_X86_64"],
                                  "syscalls": [{"names": older, "action": "SCMP_ACT_ALLOW"}]}
    ro_bundle.args("/usr/bin/python3", "-c", CALLS % [MKNOD, SWAPON, FACCESSAT2, NEWEST])
    out = dict(line.split() for line in ro_bundle.run().splitlines())
    assert out == {str(MKNOD): str(errno.EXDEV), str(SWAPON): str(errno.EXDEV), str(FACCESSAT2): str(errno.ENOSYS), str(NEWEST): str(errno.ENOSYS)}


NAMES = """access arch_prctl brk chdir clone close dup dup2 dup3 execve exit exit_group fcntl fstat futex getcwd getdents64
getegid geteuid getgid getgroups getpgrp getpid getppid getrandom getuid ioctl kill lseek mmap mprotect munmap newfstatat
open openat pipe pipe2 poll pread64 prlimit64 read readlink readv rseq rt_sigaction rt_sigprocmask rt_sigreturn set_robust_list
set_tid_address setpgid sigaltstack stat uname vfork wait4 write writev clone3 statx umask prctl capset setgid setuid
setgroups close_range fchdir faccessat faccessat2 rt_sigsuspend""".split()
