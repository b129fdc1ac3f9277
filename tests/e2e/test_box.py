# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook box, as root and as an ordinary user: what rules open, what limits end, what errors say."""

import functools
import http.server
import json
import os
import pathlib
import pty
import subprocess
import threading

import pytest


@pytest.fixture
def box(either):
    return either


def test_exit_statuses(box):
    assert box.result("box", "sh", "-c", "exit 7").code == 7
    assert box.result("box", "sh", "-c", "kill -KILL $$").code == 137
    assert box.result("box", "/no/such").code == 127
    assert box.result("box", "/etc/passwd").code == 126
    assert box.result("box", "--net", "wifi", "true").code == 125


def test_the_current_directory_is_shared_only_when_named(box):
    (box.space / "file").write_text("here")
    (box.space / "file").chmod(0o666)
    assert box.result("box", "cat", box.space / "file").code == 1
    assert box("box", "-w", ".", "sh", "-c", "cat file; echo more >> file") == "here"
    assert (box.space / "file").read_text() == "heremore\n"
    assert box.result("box", "-r", ".", "sh", "-c", "echo x >> file").code == 2


def test_a_deeper_rule_narrows(box):
    (box.space / "sub").mkdir(mode=0o777)
    (box.space / "sub").chmod(0o777)
    (box.space / "key").write_text("secret")
    out = box("box", "-w", ".", "-r", "sub", "--hide", "key", "sh", "-c", "touch sub/x 2>&1; touch y && echo made; cat key")
    assert "Read-only file system" in out and "made" in out and "secret" not in out


def test_environment_is_scrubbed(box):
    out = box("box", "-e", "GIVEN=a b", "-e", "TAKEN", "env", env={"TAKEN": "yes", "AWS_SECRET": "no"})
    names = {line.split("=")[0] for line in out.splitlines()}
    assert {"GIVEN", "TAKEN", "PATH", "HOME"} <= names and "AWS_SECRET" not in names
    assert "TERM=" not in box("box", "--clearenv", "env")


@pytest.mark.parametrize("limit, words", [
    ("wall=1x", '"1x" is not a time such as 10s'),
    ("mem=1q", '"1q" is not a size such as 512m'),
    ("cpu=x", '"x" is not a number of processors such as 1.5'),
    ("pids=1.5", '"1.5" is not a number'),
    ("wal=1s", "limits are mem, pids"),
])
def test_a_limit_that_is_none_says_what_it_would_take(box, limit, words):
    assert words in box.fails(125, "box", "--limit", limit, "true")


@pytest.mark.parametrize("limit, script, word", [
    ("wall=200ms", "sleep 20", "wall"),
    ("time=200ms", "while :; do :; done", "time"),
    ("output=100", "while :; do echo more; done", "output"),
])
def test_limits_end_the_box(box, limit, script, word):
    result = box.result("box", "--limit", limit, "--json", box.space / "how", "sh", "-c", script)
    assert result.code == 124
    assert f"limit of {word} was reached" in result.err
    how = json.loads((box.space / "how").read_text())
    assert how["limit"] == word and how["status"] == 124 and how["signal"] == 9
    if word == "output":
        assert len(result.out) == 100


@pytest.mark.user("root")
def test_memory_is_limited(nook):
    result = nook.result("box", "--limit", "mem=32m", "--json", nook.space / "how", "python3", "-c", "x = bytearray(200 << 20)")
    assert result.code == 124
    how = json.loads((nook.space / "how").read_text())
    assert how["limit"] == "mem" and how["peakMemory"] <= 32 << 20


def test_json_tells_what_was_used(box):
    box("box", "--json", box.space / "how", "--", "sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")
    how = json.loads((box.space / "how").read_text())
    assert how["exitCode"] == 0 and how["limit"] is None
    assert how["userUs"] > 0 and how["maxRss"] > 0 and how["wallUs"] >= how["userUs"] // 2


def test_json_tells_what_was_written(box):
    script = "dd if=/dev/zero of=data bs=1M count=3 oflag=direct 2>/dev/null"
    box("box", "-w", ".", "--json", box.space / "how", "--", "sh", "-c", script)
    how = json.loads((box.space / "how").read_text())
    # A file system without storage, such as tmpfs, writes nothing.
    stored = subprocess.run(["stat", "-f", "-c", "%T", box.space], capture_output=True, text=True, check=True).stdout != "tmpfs\n"
    assert how["writtenBytes"] >= (3 << 20 if stored else 0) and how["readBytes"] >= 0


@pytest.mark.user("root")
@pytest.mark.controllers("memory", "pids")
def test_json_tells_how_many_there_were(nook):
    # Groups count, and there are some where a limit needs them.
    script = "for i in 1 2 3; do sleep 100 & all=\"$all $!\"; done; kill $all; wait; exit 0"
    nook("box", "--limit", "mem=256m", "--json", nook.space / "how", "sh", "-c", script)
    how = json.loads((nook.space / "how").read_text())
    assert how["processes"] == 4 and how["peakMemory"] > 0


def test_json_tells_what_failed(box):
    assert box.result("box", "--json", box.space / "how", "/no/such").code == 127
    how = json.loads((box.space / "how").read_text())
    assert how["error"]["step"] == "exec" and how["error"]["object"] == "/no/such"


def test_system_calls_can_be_denied(box):
    assert box.result("box", "--syscalls", "deny uname", "uname").code == 1
    assert box.result("box", "--syscalls", "strict", "python3", "-c", "import socket; socket.socket()").code == 1
    assert box("box", "--syscalls", "strict", "sh", "-c", "echo fine") == "fine\n"
    assert 'there is no system call of this name' in box.fails(125, "box", "--syscalls", "deny unme", "true")


def test_profiles(box):
    (box.space / "own.box").write_text("# mine\nenv MINE=1\nprofile other.box\n")
    (box.space / "other.box").write_text("env OTHER=1\n")
    out = box("box", "-p", "own.box", "-e", "MINE=2", "env")
    assert "MINE=2" in out and "OTHER=1" in out
    (box.space / "bad.box").write_text("env A=1\nfly high\n")
    err = box.fails(125, "box", "-p", "bad.box", "true")
    assert "bad.box:2" in err and "fly" in err
    assert "there is no profile of this name" in box.fails(125, "box", "-p", "own", "true")
    # Profiles that stand in each other end.
    (box.space / "loop.box").write_text("profile loop.box\n")
    assert "eight deep" in box.fails(125, "box", "-p", "loop.box", "true")


def test_shipped_profiles_hold(box):
    names = sorted(path.stem for path in pathlib.Path(__file__).resolve().parents[2].glob("share/box/*.box"))
    assert {"compiler", "ci", "download", "judge"} <= set(names)
    for name in names:
        assert box("box", "-p", name, "echo", name) == f"{name}\n"


def test_a_judge_lets_programs_compute_and_nothing_else(box):
    judge = ["box", "-p", "judge", "--json", box.space / "how"]
    assert box(*judge, "python3", "-c", "print(sum(range(10)))") == "45\n"
    assert box.result(*judge, "python3", "-c", "import socket; socket.socket()").code == 1
    assert box.result(*judge, "sh", "-c", "while :; do :; done").code == 124
    assert json.loads((box.space / "how").read_text())["limit"] in ("time", "wall")  # a machine with no time for it
    assert box.result(*judge, "sh", "-c", "while :; do echo 0123456789abcdef0123456789abcdef; done").code == 124
    assert box.result(*judge, "sh", "-c", "i=0; while [ $i -lt 40 ]; do sleep 1 & i=$((i+1)); done").code == 2


def test_a_step_of_continuous_integration(box):
    assert box("box", "-p", "ci", "sh", "-c", "echo $CI; echo built > made; cat made; ls /proc/sys/net/ipv4/conf | grep -c eth || true") == "true\nbuilt\n0\n"
    assert (box.space / "made").read_text() == "built\n"


def test_a_downloader_fetches_into_the_current_directory(box):
    (box.space / "served").mkdir()
    (box.space / "served/file").write_text("fetched\n")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(box.space / "served"))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            script = f"import urllib.request; urllib.request.urlretrieve('http://127.0.0.1:{server.server_port}/file', 'got')"
            box("box", "-p", "download", "--allow", f"127.0.0.1:{server.server_port}", "python3", "-c", script)
        finally:
            server.shutdown()
            thread.join()
    assert (box.space / "got").read_text() == "fetched\n"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_compiling_in_a_box(box):
    (box.space / "a.c").write_text("#include <stdio.h>\nint main(void) { puts(\"compiled\"); return 0; }\n")
    assert box("box", "-p", "compiler", "sh", "-c", "cc a.c -o a && ./a") == "compiled\n"


def test_descriptors_are_passed_by_name(box):
    read, write = os.pipe()
    os.write(write, b"through\n")
    os.close(write)
    out = box("box", "--fd", f"{read}=9", "sh", "-c", "cat <&9; echo /proc/self/fd/*", pass_fds=(read,))
    os.close(read)
    assert out.splitlines()[0] == "through"
    assert f"/{read} " not in out.splitlines()[1].replace("/9", "")


def test_fake_root_and_user(box):
    assert box("box", "--fake-root", "id", "-u") == "0\n"
    assert box("box", "--user", "1234:5678", "sh", "-c", "id -u; id -g; touch /tmp/x $HOME/y && echo ok") == "1234\n5678\nok\n"


def test_bare_box_has_nothing(box, busybox_root):
    out = box("box", "--bare", "-r", f"{busybox_root}/bin/busybox:/bin/busybox", "--cwd", "/", "/bin/busybox", "ls", "/")
    assert "usr" not in out.split() and "bin" in out.split() and "proc" in out.split()


def test_root_directory(box, busybox_root):
    assert box("box", "--root", busybox_root, "/bin/busybox", "cat", "/etc/passwd").startswith("root:")
    assert box.result("box", "--root", busybox_root, "/bin/busybox", "touch", "/x").code == 1


def test_networks(box):
    assert box("box", "sh", "-c", "ls /proc/sys/net/ipv4/conf") .split() == ["all", "default", "lo"]
    assert box("box", "--net", "host", "readlink", "/proc/self/ns/net").strip() == os.readlink("/proc/self/ns/net")


def test_terminal(box):
    pid, master = pty.fork()
    if pid == 0:
        os.execvpe(box.argv()[0], box.argv("box", "sh", "-c", "tty; test -t 2 && echo terminal; exit 5"), box.environment)
    out = b""
    try:
        while chunk := os.read(master, 4096):
            out += chunk
    except OSError:
        pass
    os.close(master)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    assert b"/dev/pts/0" in out and b"terminal" in out


def test_explain_starts_nothing(box):
    out = box("box", "-w", ".", "--explain", "touch", "made")
    assert "seccomp" in out and "exec" in out and not (box.space / "made").exists()


def test_files_are_put_anywhere(box):
    (box.space / "text").write_text("from a file\n")
    out = box("box", "--put", "/etc/hosts=127.0.0.1 only", "--put", f"/srv/deep/file=@{box.space}/text", "--put", "/tmp/t=x",
              "sh", "-c", "cat /etc/hosts; echo; cat /srv/deep/file; ls -A /run; echo no >> /tmp/t || echo kept")
    assert out.splitlines() == ["127.0.0.1 only", "from a file", "kept"]
    assert "127.0.0.1 only" not in pathlib.Path("/etc/hosts").read_text()
    # Where nothing can be made, there is no place for a new file.
    assert "Read-only file system" in box.fails(125, "box", "--put", "/etc/new-one=x", "true")


def test_patterns_hide_what_is_shown(box):
    for path in (".env", "a/.env", "a/b/c/.env", "a/.git/hooks/x", "a/keep"):
        (box.space / path).parent.mkdir(parents=True, exist_ok=True)
        (box.space / path).write_text("seen ")
    out = box("box", "-w", ".", "--hide", "**/.env", "--hide", "**/.git/hooks", "sh", "-c",
              "cat .env a/.env a/b/c/.env a/.git/hooks/x a/keep 2>/dev/null; find . -name x")
    assert out == "seen "
    assert "a pattern starts with" in box.fails(125, "box", "--hide", "*.env", "true")
