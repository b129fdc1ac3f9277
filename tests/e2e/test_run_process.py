# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook run: what the command is given, and what comes back from it."""

import os
import signal
import subprocess

import pexpect
import pytest


def busybox(nook, root, *command, options=(), **rest):
    return nook("run", "--rm", *options, f"dir:{root}", *command, **rest)


@pytest.mark.parametrize("status", [0, 1, 7, 124, 125, 255])
def test_exit_status_is_the_commands(nook, busybox_root, status):
    assert nook.result("run", "--rm", f"dir:{busybox_root}", "sh", "-c", f"exit {status}").code == status


def test_death_by_signal_is_128_and_its_number(nook, busybox_root):
    line = ["run", "--rm", "--init", f"dir:{busybox_root}", "sh", "-c", "kill -USR1 $$"]
    assert nook.result(*line).code == 128 + signal.SIGUSR1


@pytest.mark.parametrize("command, code, words", [
    (["no-such-command"], 127, "No such file or directory"),
    (["/no/such/path"], 127, "No such file or directory"),
    (["/etc"], 126, ""),
    (["/etc/plain"], 126, "Permission denied"),
])
def test_commands_that_cannot_be_executed(nook, own_root, command, code, words):
    (own_root / "etc").mkdir(exist_ok=True)
    (own_root / "etc" / "plain").write_text("text\n")
    error = nook.fails(code, "run", "--rm", f"dir:{own_root}", *command)
    assert error.startswith("nook: exec \"") and words in error and command[0] in error


def test_arguments_and_environment_arrive_as_they_are(nook, busybox_root, space):
    (space / "vars").write_text("# a comment\nFROM_FILE=one two\nHOST_VALUE\n")
    out = busybox(nook, busybox_root, "sh", "-c", 'printf "%s|" "$0" "$1" "$A" "$FROM_FILE" "$HOST_VALUE" "$HOME" "$container"',
                  "x y", "*", options=["-e", "A=1", "-e", "A=2", "--env-file", space / "vars"], env={"HOST_VALUE": "host"})
    assert out == "x y|*|2|one two|host|/root|nook|"


def test_the_callers_environment_stays_out(nook, busybox_root):
    out = busybox(nook, busybox_root, "env", env={"SECRET": "x"})
    assert "SECRET" not in out and "NOOK_RUN" not in out and "PATH=" in out


def test_entrypoint_comes_before_the_arguments(nook, busybox_root):
    assert busybox(nook, busybox_root, "b", "c", options=["--entrypoint", "echo"]) == "b c\n"


def test_workdir_is_made_when_missing_and_must_be_absolute(nook, busybox_root):
    assert busybox(nook, busybox_root, "pwd", options=["--overlay", "-w", "/new/dir"]) == "/new/dir\n"
    assert "not absolute" in nook.fails(125, "run", "-w", "x", f"dir:{busybox_root}", "pwd")


@pytest.mark.user("root")
def test_user_by_number_by_name_and_with_groups(nook, own_root):
    (own_root / "etc").mkdir(exist_ok=True)
    (own_root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nann:x:1001:1002::/home/ann:/bin/sh\n")
    (own_root / "etc/group").write_text("ann:x:1002:\naudio:x:29:ann\nwheel:x:10:\n")
    show = ["sh", "-c", "id -u; id -g; id -G; echo $HOME"]
    assert busybox(nook, own_root, *show, options=["-u", "ann"]) == "1001\n1002\n1002 29\n/home/ann\n"
    assert busybox(nook, own_root, *show, options=["-u", "1001:5"]) == "1001\n5\n5\n/home/ann\n"
    assert busybox(nook, own_root, *show, options=["-u", "ann", "--group-add", "wheel"]).split("\n")[2] == "1002 10 29"
    assert "no such user" in nook.fails(125, "run", "-u", "bob", f"dir:{own_root}", "id")
    assert "mapping" in nook.fails(125, "run", "-u", "70000", f"dir:{own_root}", "id")
    assert nook.fails(125, "run", "-u", "4294967296", f"dir:{own_root}", "id")


def test_limits_umask_and_priority(nook, busybox_root):
    out = busybox(nook, busybox_root, "sh", "-c", "umask; ulimit -n; ulimit -c; cut -d' ' -f19 /proc/self/stat",
                  options=["--umask", "027", "--ulimit", "nofile=64:128", "--nice", "7"])
    assert out == "0027\n64\n0\n7\n"
    for bad in (["--ulimit", "nofile"], ["--ulimit", "nofile=9:8"], ["--ulimit", "bogus=1"], ["--nice", "50"], ["--umask", "9"]):
        assert nook.fails(125, "run", *bad, f"dir:{busybox_root}", "true").startswith(f'nook: option "{bad[0]}"')


def test_no_descriptor_of_the_caller_leaks(nook, busybox_root):
    low, high = os.open("/", os.O_RDONLY), os.open("/", os.O_RDONLY)
    os.dup2(high, 900)
    for fd in (low, 900):
        os.set_inheritable(fd, True)
    try:
        out = busybox(nook, busybox_root, "ls", "/proc/self/fd", pass_fds=(low, 900))
        assert out.split() == ["0", "1", "2", "3"]  # 3 is ls's own
    finally:
        for fd in (low, high, 900):
            os.close(fd)


def test_preserved_descriptors_can_be_used(nook, busybox_root):
    reader, writer = os.pipe()
    with nook.start("run", "--rm", "--preserve-fds", "1", f"dir:{busybox_root}", "sh", "-c", "echo through >&3",
                    preexec_fn=lambda: os.dup2(writer, 3), pass_fds=(3, writer)) as process:
        os.close(writer)
        assert os.read(reader, 100) == b"through\n"
        assert process.wait() == 0
    os.close(reader)


def test_descriptors_that_nobody_gave_are_not_preserved(nook, busybox_root):
    words = '"3": is to be passed on, but not open'
    assert words in nook.fails(125, "run", "--rm", "--preserve-fds", "2", f"dir:{busybox_root}", "true")
    with nook.start("run", "--rm", "--name", "box", f"dir:{busybox_root}", "sh", "-c", "echo ready; read end", stdin=subprocess.PIPE) as process:
        assert process.stdout.readline() == "ready\n"
        assert words in nook.fails(125, "exec", "--preserve-fds", "2", "box", "true")
        process.communicate("\n")


def test_standard_input_and_output_are_the_callers(nook, busybox_root):
    text = "x" * 300000
    assert busybox(nook, busybox_root, "cat", input=text) == text


def test_signals_are_forwarded(nook, busybox_root):
    script = "trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.05; done"
    with nook.start("run", "--rm", f"dir:{busybox_root}", "sh", "-c", script) as process:
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        out, _ = process.communicate(timeout=20)
        assert out == "caught\n" and process.returncode == 9


def test_init_reaps_forwards_and_passes_the_status_on(nook, busybox_root):
    script = "(sleep 0.1 &); trap 'exit 5' INT; echo $$; while :; do sleep 0.05; done"
    with nook.start("run", "--rm", "--init", f"dir:{busybox_root}", "sh", "-c", script) as process:
        assert int(process.stdout.readline()) == 2
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert process.returncode == 5


def test_orphans_end_with_the_container(nook, busybox_root):
    # The leak check finds whatever would still run.
    busybox(nook, busybox_root, "sh", "-c", "(sleep 1000 &) ; (setsid sleep 1000 &); exit 0")


@pytest.mark.user("root")
def test_orphans_end_with_the_container_in_the_hosts_pid_namespace(nook, busybox_root):
    busybox(nook, busybox_root, "sh", "-c", "(setsid sleep 1000 >/dev/null 2>&1 &); exit 0", options=["--pid", "host"])


def test_the_container_dies_with_its_supervisor(nook, busybox_root):
    with nook.start("run", "--name", "tied", f"dir:{busybox_root}", "sh", "-c", "echo up; sleep 1000") as process:
        assert process.stdout.readline() == "up\n"
        process.kill()
        process.communicate()
    nook("rm", "-f", "tied")
    assert nook("ps", "-a", "-q") == ""


def test_a_terminal_of_its_own(nook, busybox_root):
    line = nook.argv("run", "--rm", "-t", f"dir:{busybox_root}", "sh", "-c", "tty; stty size; test -c /dev/console && echo console; read x; echo got-$x")
    child = pexpect.spawn(line[0], line[1:], env=nook.environment, timeout=20, dimensions=(31, 97))
    child.expect_exact("/dev/pts/0\r\n31 97\r\nconsole\r\n")
    child.sendline("hello")
    child.expect_exact("got-hello")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_a_terminal_follows_its_size_and_restores_the_mode(nook, busybox_root):
    line = nook.argv("run", "--rm", f"dir:{busybox_root}", "sh", "-c", "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done")
    shell = pexpect.spawn("/bin/sh", ["-c", " ".join(f"'{w}'" if " " in w or ";" in w else w for w in line).replace("'trap 'stty", "\"trap 'stty")
                                      .replace("0.05; done'", "0.05; done\"") + "; stty -a | grep -o ' echo '; echo over"],
                          env=nook.environment, timeout=20, dimensions=(24, 80))
    shell.expect_exact("ready")
    shell.setwinsize(40, 100)
    shell.expect_exact("40 100")
    shell.expect_exact(" echo ")
    shell.expect_exact("over")
    shell.close()


def test_all_output_of_a_terminal_arrives(nook, busybox_root):
    out = busybox(nook, busybox_root, "seq", "1", "20000", options=["-t"])
    assert out.split() == [str(n) for n in range(1, 20001)]


def test_what_stays_and_what_rm_takes_away(nook, busybox_root):
    nook("run", "--name", "kept", f"dir:{busybox_root}", "sh", "-c", "exit 0")
    assert "kept" in nook("ps", "-a") and "kept" not in nook("ps")
    assert "name" in nook.fails(125, "run", "--name", "kept", f"dir:{busybox_root}", "true")
    nook("rm", "kept")
    assert nook("ps", "-a", "-q") == ""


@pytest.mark.parametrize("arguments, words", [
    (["--no-such"], "there is no such option"),
    (["--memory", "x", "SOURCE"], "--memory"),
    (["Image:x", "true"], "upper-case letters"),
    (["hots:", "true"], "not host:, dir:PATH, tar:FILE"),
    (["dirr:/x", "true"], "not host:, dir:PATH, tar:FILE"),
    (["dir:/no/such/dir", "true"], "No such file or directory"),
    (["dir:/etc/passwd", "true"], "Not a directory"),
    (["host:/x", "true"], "host: takes no path"),
    (["--net", "bogus", "SOURCE", "true"], "--net"),
    (["-v", "/no/such:/x", "SOURCE", "true"], "/no/such"),
    (["-v", "/usr:relative", "SOURCE", "true"], "not absolute"),
    (["--tmpfs", "x", "SOURCE", "true"], "not absolute"),
    (["--device", "/etc/passwd", "SOURCE", "true"], "no device node"),
    (["--cap-add", "bogus", "SOURCE", "true"], "bogus"),
    (["--security-opt", "bogus=1", "SOURCE", "true"], "bogus"),
    (["--security-opt", "seccomp=/no/such", "SOURCE", "true"], "/no/such"),
    (["--uidmap", "1:2", "SOURCE", "true"], "INSIDE:OUTSIDE:COUNT"),
    (["--time-offset", "noon=1", "SOURCE", "true"], "--time-offset"),
    (["--name", "a/b", "SOURCE", "true"], "a/b"),
    (["--pids-limit", "1", "--cgroup-conf", "bogus", "SOURCE", "true"], "NAME=VALUE"),
])
def test_bad_words_are_told_by_name(nook, busybox_root, arguments, words):
    error = nook.fails(125, "run", *[a.replace("SOURCE", f"dir:{busybox_root}") for a in arguments])
    assert error.startswith("nook: ") and words in error
