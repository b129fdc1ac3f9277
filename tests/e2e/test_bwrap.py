# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook bwrap: the same command line under bubblewrap and under nook, and what bubblewrap of today knows beside it."""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import select
import shutil
import socket
import struct
import subprocess
import tempfile

import pytest

BWRAP = shutil.which("bwrap")
pytestmark = [pytest.mark.anywhere, pytest.mark.plain]
VIEW = ["--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"]
SHOW = "ls -lAn --time-style=+ / /dev | grep -v -e ^total -e pts$; id; pwd; grep -E 'Cap|NoNew|Seccomp:' /proc/self/status"


@pytest.fixture(params=["self", "ordinary"])
def user(request, nook, as_user):
    return nook if request.param == "self" else as_user


def outcome(user, line, program, **options):
    line = [str(word) for word in line]
    argv = user.argv("bwrap", *line) if program == "nook" else [*user.argv(program=BWRAP)[:-1], BWRAP, *line]
    done = subprocess.run(argv, env={**user.environment, "GIVEN": "yes"}, cwd=user.space, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False, **options)
    return done.returncode, done.stdout, done.stderr


def same(user, *line, **options):
    """Both say the same and end with the same status; what they said."""
    ours, theirs = outcome(user, line, "nook", **options), outcome(user, line, "bwrap", **options)
    assert ours[0] == theirs[0], f"{line}: nook {ours}, bwrap {theirs}"
    clean = [re.sub(r"\bnook-init\b|\bbwrap\b", "PID1", re.sub(r"(?m)^(d\S+) .* proc$", r"\1 proc", text[1])) for text in (ours, theirs)]
    assert clean[0] == clean[1], f"{line}"
    return ours[1]


LINES = {
    "whole": ["--ro-bind", "/", "/", "sh", "-c", "id; pwd; umask; touch /usr/x 2>/dev/null || echo no"],
    "empty": [*VIEW, "--proc", "/proc", "--dev", "/dev", "sh", "-c", SHOW + "; touch /here && ls /here"],
    "status": ["--ro-bind", "/", "/", "sh", "-c", "exit 9"],
    "signal": ["--ro-bind", "/", "/", "sh", "-c", "kill -TERM $$"],
    "missing": ["--ro-bind", "/", "/", "/no/such"],
    "all": ["--ro-bind", "/", "/", "--unshare-all", "--proc", "/proc", "--tmpfs", "/tmp", "sh", "-c",
            "ls /proc/sys/net/ipv4/conf; ls -A /tmp; ps ax -o pid,comm; echo x > /tmp/x; cat /tmp/x"],
    "share-net": ["--ro-bind", "/", "/", "--unshare-all", "--share-net", "readlink", "/proc/self/ns/net"],
    "ids": ["--ro-bind", "/", "/", "--unshare-user", "--uid", "1234", "--gid", "4321", "sh", "-c", "id -u; id -g; touch /tmp/x; true"],
    "user-try": ["--ro-bind", "/", "/", "--unshare-user-try", "--unshare-cgroup-try", "cat", "/proc/self/uid_map"],
    "host": ["--ro-bind", "/", "/", "--unshare-uts", "--hostname", "elsewhere", "hostname"],
    "kinds": ["--ro-bind", "/", "/", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup", "sh", "-c", "echo $$"],
    "as-pid-1": ["--ro-bind", "/", "/", "--unshare-pid", "--as-pid-1", "--proc", "/proc", "sh", "-c", "echo $$; exec ps ax -o pid,comm"],
    "reaper": ["--ro-bind", "/", "/", "--unshare-pid", "--proc", "/proc", "sh", "-c", "echo $$; ps ax -o pid,comm"],
    "env": ["--ro-bind", "/", "/", "--setenv", "NEW", "a b", "--unsetenv", "GIVEN", "--chdir", "/usr", "sh", "-c", "env | grep -v OLDPWD | sort"],
    "clearenv": ["--ro-bind", "/", "/", "--clearenv", "--setenv", "ONLY", "this", "/usr/bin/env"],
    "home": [*VIEW, "--setenv", "HOME", "/usr", "sh", "-c", "pwd; echo $PWD"],
    "chdir-missing": ["--ro-bind", "/", "/", "--chdir", "/no/such", "true"],
    "dirs": [*VIEW, "--perms", "0700", "--dir", "/a/b", "--dir", "/usr/bin", "--chmod", "0711", "/a", "stat", "-c", "%n %a", "/a", "/a/b"],
    "tmpfs": [*VIEW, "--perms", "1777", "--size", "65536", "--tmpfs", "/small", "sh", "-c",
              "stat -c '%n %a' /small; head -c 100000 /dev/zero > /small/x 2>/dev/null || df -k /usr/../small | tail -1 | cut -c -5"],
    "remount": [*VIEW, "--tmpfs", "/t", "--dir", "/t/in", "--remount-ro", "/t", "sh", "-c", "ls /t; touch /t/x 2>/dev/null || echo read-only"],
    "remount-root": [*VIEW, "--remount-ro", "/", "sh", "-c", "touch /x 2>/dev/null || echo read-only"],
    "try": [*VIEW, "--bind-try", "/no/such", "/x", "--ro-bind-try", "/no/such", "/x", "--dev-bind-try", "/no/such", "/x", "ls", "/"],
    "dev-bind": [*VIEW, "--dev-bind", "/dev/null", "/null", "sh", "-c", "echo x > /null && echo works"],
    "mqueue": ["--ro-bind", "/", "/", "--unshare-ipc", "--dev", "/dev", "--mqueue", "/dev/mqueue", "ls", "-ld", "--time-style=+", "/dev/mqueue"],
    "proc": ["--ro-bind", "/", "/", "--unshare-pid", "--proc", "/proc", "sh", "-c", "touch /proc/sysrq-trigger 2>/dev/null || echo no; ls -d /proc/1"],
    "session": ["--ro-bind", "/", "/", "--unshare-pid", "--new-session", "--proc", "/proc", "sh", "-c", "test $(ps -o sid= -p $$) -gt 0 && echo its own"],
    "caps": ["--ro-bind", "/", "/", "--unshare-user", "--uid", "0", "--gid", "0", "--cap-add", "CAP_NET_ADMIN", "--cap-drop", "ALL", "--cap-add",
             "cap_chown", "sh", "-c", "grep -E 'Cap(Eff|Prm|Bnd)' /proc/self/status"],
    "die": ["--ro-bind", "/", "/", "--die-with-parent", "--unshare-pid", "true"],
    "symlink-target": [*VIEW, "--dir", "/run", "--symlink", "../run", "/var/run", "--dir", "/run/x", "ls", "-l", "--time-style=+", "/var", "/var/run/"],
    "disabled": ["--ro-bind", "/", "/", "--unshare-user", "--disable-userns", "unshare", "-U", "true"],
    "asserted": ["--ro-bind", "/", "/", "--unshare-user", "--disable-userns", "--assert-userns-disabled", "true"],
    "not-asserted": ["--ro-bind", "/", "/", "--assert-userns-disabled", "true"],
    "two": ["--ro-bind", "/", "/", "--bind", "/tmp", "/mnt", "--tmpfs", "/mnt", "ls", "-A", "/mnt"],
    # What cannot be meant.
    "no-command": ["--ro-bind", "/", "/"],
    "unknown": ["--nonsense", "true"],
    "no-value": ["--ro-bind", "/"],
    "host-alone": ["--ro-bind", "/", "/", "--hostname", "x", "true"],
    "perms-alone": ["--perms", "0700", "--ro-bind", "/", "/", "true"],
    "size-alone": ["--size", "1000", "--ro-bind", "/", "/", "true"],
    "bad-cap": ["--ro-bind", "/", "/", "--cap-add", "fly", "true"],
    "source-missing": ["--ro-bind", "/no/such", "/x", "true"],
}


@pytest.mark.parametrize("name", LINES)
def test_a_line_does_the_same(user, name):
    same(user, *LINES[name])


def test_a_descriptor_that_is_not_open(user):
    assert "descriptor 77 is not open" in user.fails(1, "bwrap", "--ro-bind", "/", "/", "--info-fd", "77", "true")


def data_fd(text):
    """A descriptor from which this can be read, as callers pass it."""
    file = tempfile.TemporaryFile()
    file.write(text if isinstance(text, bytes) else text.encode())
    file.seek(0)
    return file


def each(user, line, texts):
    """The outcomes of both, each with descriptors of its own; FD0, FD1 in the line are those."""
    found = []
    for program in ("nook", "bwrap"):
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(data_fd(text)) for text in texts]
            words = [str(files[int(word[2:])].fileno()) if re.fullmatch(r"FD\d", str(word)) else word for word in line]
            found.append(outcome(user, words, program, pass_fds=[file.fileno() for file in files]))
    return found


@pytest.mark.parametrize("line", [
    [*VIEW, "--file", "FD0", "/deep/file", "--perms", "0640", "--file", "FD1", "/other", "sh", "-c", "cat /deep/file /other; stat -c %a /deep/file /other; echo x >> /other"],
    [*VIEW, "--bind-data", "FD0", "/data", "--perms", "0644", "--ro-bind-data", "FD1", "/ro", "sh", "-c",
     "cat /data /ro; stat -c %a /data /ro; echo x >> /data; cat /data; echo x >> /ro"],
    ["--ro-bind", "/", "/", "--ro-bind-data", "FD0", "/etc/passwd", "cat", "/etc/passwd"],
    ["--args", "FD2", "cat", "/etc/hostname-of-the-box"],
    ["--args", "FD3", "true"],
], ids=["file", "data", "over", "args", "args-in-args"])
def test_content_comes_from_descriptors(user, line):
    args = ["--ro-bind", "/", "/", "--tmpfs", "/etc", "--ro-bind-data", "0", "/etc/hostname-of-the-box"]
    ours, theirs = each(user, line, ["first\n", "second\n", b"".join(word.encode() + b"\0" for word in args), b"--args\0000\000"])
    assert ours[:2] == theirs[:2]


def bpf(*rows):
    return b"".join(struct.pack("=HBBI", *row) for row in rows)


# uname(2) is refused with E2BIG; getppid(2) with EPERM.
NO_UNAME = bpf((0x20, 0, 0, 0), (0x15, 0, 1, 63), (0x06, 0, 0, 0x50007), (0x06, 0, 0, 0x7FFF0000))
NO_GETPPID = bpf((0x20, 0, 0, 0), (0x15, 0, 1, 110), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7FFF0000))


@pytest.mark.parametrize("options", [["--seccomp", "FD0"], ["--add-seccomp-fd", "FD0", "--add-seccomp-fd", "FD1"], ["--seccomp", "FD2"],
                                     ["--seccomp", "FD0", "--add-seccomp-fd", "FD1"]])
def test_filters_come_from_descriptors(user, options):
    script = "import os; print(os.getppid() >= 0)\ntry: os.uname()\nexcept OSError as e: print(e.errno)"
    ours, theirs = each(user, ["--ro-bind", "/", "/", *options, "python3", "-c", script], [NO_UNAME, NO_GETPPID, b"odd"])
    assert ours[:2] == theirs[:2]


def test_what_was_started_is_told(user):
    for program in ("nook", "bwrap"):
        info, status = os.pipe(), os.pipe()
        result = outcome(user, ["--ro-bind", "/", "/", "--unshare-all", "--info-fd", info[1], "--json-status-fd", status[1], "sh", "-c",
                                "ls /proc/self/fd | wc -l; readlink /proc/self/ns/cgroup /proc/self/ns/net; exit 4"],
                         program, pass_fds=(info[1], status[1]))
        os.close(info[1])
        os.close(status[1])
        with open(info[0]) as one, open(status[0]) as two:
            started, lines = json.loads(one.read()), [json.loads(line) for line in two.read().splitlines()]
        assert result[0] == 4 and lines == [started, {"exit-code": 4}], program
        assert sorted(started) == ["cgroup-namespace", "child-pid", "ipc-namespace", "mnt-namespace", "net-namespace", "pid-namespace", "uts-namespace"]
        assert result[1].split() == ["4", f"cgroup:[{started['cgroup-namespace']}]", f"net:[{started['net-namespace']}]"]


def test_descriptors_are_inherited_but_those_of_options(user):
    with open("/dev/null") as given, open("/dev/null") as kept:
        line = ["--ro-bind", "/", "/", "--sync-fd", kept.fileno(), "sh", "-c", "echo /proc/self/fd/*"]
        ours, theirs = [outcome(user, line, program, pass_fds=(given.fileno(), kept.fileno())) for program in ("nook", "bwrap")]
        assert f"/{given.fileno()}" in ours[1] and f"/{kept.fileno()} " not in ours[1] + " " and ours == theirs


def test_the_command_waits_for_its_start(user):
    block, status = os.pipe(), os.pipe()
    line = ["bwrap", "--ro-bind", "/", "/", "--block-fd", block[0], "--json-status-fd", status[1], "echo", "started"]
    with user.start(*line, pass_fds=(block[0], status[1])) as process:
        assert b"child-pid" in os.read(status[0], 4096)
        assert not select.select([process.stdout], [], [], 0.05)[0]
        os.write(block[1], b"x")
        assert process.communicate(timeout=20)[0] == "started\n" and process.returncode == 0
    for fd in (*block, *status):
        os.close(fd)


def test_somebody_else_writes_the_maps(user):
    block, info = os.pipe(), os.pipe()
    line = ["bwrap", "--ro-bind", "/", "/", "--unshare-user", "--uid", "77", "--gid", "78", "--userns-block-fd", block[0], "--info-fd",
            info[1], "id"]
    with user.start(*line, pass_fds=(block[0], info[1])) as process:
        os.close(info[1])
        with open(info[0]) as stream:
            pid = json.loads(stream.read())["child-pid"]
        uid = user.uid if user.uid is not None else os.geteuid()
        writer = subprocess.run(user.argv(program="sh")[:-1] + ["sh", "-c", 'echo deny > /proc/$1/setgroups; echo "77 $2 1" > /proc/$1/uid_map;'
                                ' echo "78 $2 1" > /proc/$1/gid_map', "sh", str(pid), str(uid)], capture_output=True, text=True, check=False)
        assert writer.returncode == 0, writer.stderr
        os.write(block[1], b"x")
        out, err = process.communicate(timeout=20)
        assert out.startswith("uid=77 gid=78"), err
    os.close(block[0])
    os.close(block[1])


def test_a_lock_is_held_while_it_runs(user):
    (user.space / "lock").write_text("")
    line = ["bwrap", "--ro-bind", "/", "/", "--lock-file", user.space / "lock", "sh", "-c", "echo ready; read line"]

    def is_locked():
        with open(user.space / "lock", "r+") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    (user.space / "lock").chmod(0o666)
    with user.start(*line, stdin=subprocess.PIPE) as process:
        assert process.stdout.readline() == "ready\n" and is_locked()
        process.communicate("\n", timeout=20)
    assert not is_locked()


def test_it_ends_with_who_started_it(user):
    line = user.argv("bwrap", "--ro-bind", "/", "/", "--unshare-pid", "--die-with-parent", "sh", "-c", "echo ready; exec sleep 600")
    read, write = os.pipe()
    with subprocess.Popen(["sh", "-c", '"$@" & read line', "sh", *line], env=user.environment, cwd=user.space, stdin=subprocess.PIPE,
                          stdout=write, text=True) as shell:
        os.close(write)
        assert os.read(read, 100) == b"ready\n"
        shell.kill()
    # The sandbox held the pipe's other end.
    assert os.read(read, 1) == b""
    os.close(read)


@pytest.mark.user("root")
def test_namespaces_are_joined(nook):
    with subprocess.Popen(["unshare", "-Urpf", "--mount-proc", "sh", "-c", "echo ready; read line; true"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "ready\n"
        pid = int(pathlib.Path(f"/proc/{other.pid}/task/{other.pid}/children").read_text())
        with open(f"/proc/{pid}/ns/user") as userns, open(f"/proc/{pid}/ns/pid") as pidns:
            users, pids = (os.readlink(f"/proc/{pid}/ns/{name}") for name in ("user", "pid"))
            out = nook("bwrap", "--ro-bind", "/", "/", "--userns", userns.fileno(), "--pidns", pidns.fileno(), "--proc", "/proc", "sh", "-c",
                       "readlink /proc/self/ns/user /proc/self/ns/pid; id -u", pass_fds=(userns.fileno(), pidns.fileno()))
            assert out.split() == [users, pids, "0"]
        other.communicate("\n", timeout=20)


@pytest.mark.user("root")
def test_a_second_user_namespace_is_entered_in_the_end(nook):
    script = "echo ready; read line"
    with subprocess.Popen(["unshare", "-Ur", "sh", "-c", f"unshare -Ur sh -c '{script}'; true"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as outer:
        assert outer.stdout.readline() == "ready\n"
        inner = int(pathlib.Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text())
        with open(f"/proc/{outer.pid}/ns/user") as first, open(f"/proc/{inner}/ns/user") as second:
            expected = os.readlink(f"/proc/{inner}/ns/user")
            out = nook("bwrap", "--ro-bind", "/", "/", "--userns", first.fileno(), "--userns2", second.fileno(), "sh", "-c",
                       "readlink /proc/self/ns/user; grep CapEff /proc/self/status", pass_fds=(first.fileno(), second.fileno()))
        outer.communicate("\n", timeout=20)
    assert out.split()[0] == expected
    assert "--userns" in nook.fails(1, "bwrap", "--ro-bind", "/", "/", "--userns2", "0", "true")


# ---- newer than Debian's bubblewrap: as its documentation says ------------------------------------------------------------

def test_a_name_of_ones_own(user):
    assert user("bwrap", "--ro-bind", "/", "/", "--argv0", "other", "sh", "-c", "tr '\\0' ' ' < /proc/$$/cmdline").startswith("other -c ")


def test_messages_with_their_level(user):
    assert user.fails(1, "bwrap", "--level-prefix", "--ro-bind", "/", "/", "/no/such").startswith("<3>nook: ")


def test_directories_and_files_by_descriptor(user):
    (user.space / "dir").mkdir()
    (user.space / "dir/file").write_text("in\n")
    (user.space / "dir").chmod(0o777)
    for path, script in ((user.space / "dir", "cat /x/file; echo no 2>&- > /x/new && echo written"), (user.space / "dir/file", "cat /x")):
        fd = os.open(path, os.O_PATH)
        written = user("bwrap", *VIEW, "--bind-fd", fd, "/x", "sh", "-c", script + "; true", pass_fds=(fd,))
        read_only = user("bwrap", *VIEW, "--ro-bind-fd", fd, "/x", "sh", "-c", script + "; true", pass_fds=(fd,))
        os.close(fd)
        assert written.startswith("in\n") and read_only == "in\n"
        assert ("written" in written) == (path.name == "dir")


def test_layers(user):
    for name in ("low", "high", "rw", "work"):
        (user.space / name).mkdir()
    (user.space / "low/a").write_text("low\n")
    (user.space / "low/b").write_text("low\n")
    (user.space / "high/b").write_text("high\n")
    if user.uid is not None:
        subprocess.run(["chown", "-R", f"{user.uid}:{user.uid}", user.space], check=True)
    sources = ["--overlay-src", user.space / "low", "--overlay-src", user.space / "high"]
    script = "cat /o/a /o/b; echo new 2>&- > /o/new && cat /o/new"
    assert user("bwrap", *VIEW, *sources, "--tmp-overlay", "/o", "sh", "-c", script) == "low\nhigh\nnew\n"
    assert user.result("bwrap", *VIEW, *sources, "--ro-overlay", "/o", "sh", "-c", script).out == "low\nhigh\n"
    assert user("bwrap", *VIEW, *sources, "--overlay", user.space / "rw", user.space / "work", "/o", "sh", "-c", script) == "low\nhigh\nnew\n"
    assert (user.space / "rw/new").read_text() == "new\n" and sorted(os.listdir(user.space / "low")) == ["a", "b"]
    for line in (["--ro-overlay", "/o"], ["--overlay-src", "/usr", "--ro-overlay", "/o"], ["--overlay-src", "/usr", "--proc", "/proc"],
                 ["--tmp-overlay", "/o"]):
        assert "overlay" in user.fails(1, "bwrap", *VIEW, *line, "true")


def test_labels_need_their_module(user):
    if pathlib.Path("/sys/fs/selinux/enforce").exists():
        pytest.skip("SELinux is active here")
    for option in ("--exec-label", "--file-label"):
        assert "SELinux" in user.fails(1, "bwrap", "--ro-bind", "/", "/", option, "a:b:c:s0", "true")


def test_help_and_version(user):
    assert user("bwrap", "--version").startswith("bubblewrap 0.")
    out = user("bwrap", "--help")
    theirs = subprocess.run([BWRAP, "--help"], capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"^ +(--[\w-]+)", out, re.M))
    assert options >= set(re.findall(r"^ +(--[\w-]+)", theirs, re.M))
    # Every option is tried somewhere in this file.
    source = pathlib.Path(__file__).read_text()
    assert [option for option in sorted(options) if f'"{option}"' not in source and option not in ("--help",)] == []
    assert len(options) >= 67


# ---- programs that call bwrap ----------------------------------------------------------------------------------------------

def test_a_program_written_for_bwrap(user):
    """What a launcher of desktop programs asks for: a runtime, an app, a private home, a filter, a proxy's socket."""
    with socket.socket(socket.AF_UNIX) as listener, data_fd(NO_UNAME) as seccomp, data_fd("nook:x:1000:1000::/home/me:/bin/sh\n") as passwd:
        listener.bind(str(user.space / "bus"))
        listener.listen()
        (user.space / "bus").chmod(0o777)
        out = user("bwrap", *VIEW, "--ro-bind", "/etc", "/etc", "--ro-bind-data", passwd.fileno(), "/etc/passwd", "--dev", "/dev",
                   "--unshare-all", "--proc", "/proc", "--tmpfs", "/tmp", "--dir", "/run/user/1000", "--bind", user.space / "bus",
                   "/run/user/1000/bus", "--setenv", "XDG_RUNTIME_DIR", "/run/user/1000", "--seccomp", seccomp.fileno(), "--die-with-parent",
                   "--new-session", "--perms", "0700", "--dir", "/home/me", "--setenv", "HOME", "/home/me", "--chdir", "/home/me", "sh", "-c",
                   'pwd; head -1 /etc/passwd; test -S $XDG_RUNTIME_DIR/bus && echo socket; ls /tmp',
                   pass_fds=(seccomp.fileno(), passwd.fileno()))
    assert out.splitlines() == ["/home/me", "nook:x:1000:1000::/home/me:/bin/sh", "socket"]
