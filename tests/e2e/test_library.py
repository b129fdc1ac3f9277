# SPDX-License-Identifier: LGPL-2.1-or-later
"""libnook: programs in C that start boxes, as root and as an ordinary user."""

import os
import pathlib
import signal
import subprocess

import pytest

import library
from conftest import BUILD, ORDINARY_UID, SOURCE

INCLUDE = SOURCE / "include"
WARNINGS = ["-Wall", "-Wextra", "-Werror"]


class Program:
    """A program of tests/programs, run as one user."""

    def __init__(self, space, uid):
        self.space, self.uid = space, uid

    def argv(self, name, *args):
        if not (self.space / name).exists():
            library.compile_program(name, self.space)
        line = [str(self.space / name), *map(str, args)]
        if self.uid is not None:
            line = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", *line]
        return line

    def __call__(self, name, *args, **options):
        done = subprocess.run(self.argv(name, *args), capture_output=True, text=True, cwd=self.space, check=False, **options)
        assert done.returncode == 0, f"{done.args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(params=["self", "ordinary"])
def program(space, request):
    return Program(space, ORDINARY_UID if request.param == "ordinary" else None)


def box(program, rules, *command):
    return program("box_run", rules, *command)


@pytest.mark.parametrize("compiler, standard", [("cc", "c11"), ("c++", "c++17")])
def test_header_is_clean(space, compiler, standard):
    language = "c" if compiler == "cc" else "c++"
    (space / "use").write_text("#include <nook.h>\nint main(void) { struct nook_error e = NOOK_ERROR_INIT;"
                               " struct nook_result r = NOOK_RESULT_INIT; struct nook_host h = NOOK_HOST_INIT;"
                               " return nook_run(0, 0, &r, &e) + (int)h.size; }\n")
    subprocess.run([compiler, f"-std={standard}", "-pedantic-errors", *WARNINGS, "-Wconversion", f"-I{INCLUDE}",
                    "-fsyntax-only", "-x", language, space / "use"], check=True)


def test_exports_are_few_and_versioned():
    symbols = subprocess.run(["nm", "-D", "--defined-only", BUILD / "libnook.so"], capture_output=True, text=True, check=True)
    names = [line.split()[2] for line in symbols.stdout.splitlines() if " T " in line]
    assert names and all(name.startswith("nook_") and name.endswith("@@NOOK_0.1") for name in names)
    assert len(names) < 40
    declared = (INCLUDE / "nook.h").read_text()
    assert {name.split("@")[0] for name in names} == {
        word.split("(")[0].lstrip("*") for line in declared.splitlines() if line.startswith("NOOK_API")
        for word in line.split() if word.lstrip("*").startswith("nook_") and "(" in word}
    needed = subprocess.run(["readelf", "-d", BUILD / "libnook.so"], capture_output=True, text=True, check=True).stdout
    assert "[libnook.so.0]" in needed


def test_every_function(program):
    lines = program("box_api").splitlines()
    lines.remove("ready")  # written by the box, when it got so far
    assert lines == ["userns 1", "plan json", "wait timed out", "exit code so far -1", "pidfd 1", "exit 42 signal -1",
                     "again 0", "exit -1 signal 11", "limit wall 1", "limit time 1", "output said", "end 0", "exit 0",
                     "children -1"]


def test_default_box_is_closed(program):
    script = r"""
        grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\t'
        for f in /proc/*/exe; do readlink $f >/dev/null 2>&1 && echo readable; done | sort -u
        cat /proc/net/dev | grep -c :
        touch /usr/x /etc/x /x 2>&1 | grep -c 'Read-only'
        ls -A /tmp /run /home 2>/dev/null | grep -vc :
        unshare -U true 2>&1 | tail -1
        cat /etc/shadow 2>/dev/null
        echo ${SECRET-unset}
    """
    out = box(program, "", "/bin/sh", "-c", script).splitlines()
    assert out[:7] == ["CapInh:0000000000000000", "CapPrm:0000000000000000", "CapEff:0000000000000000",
                       "CapBnd:0000000000000000", "CapAmb:0000000000000000", "NoNewPrivs:1", "Seccomp:2"]
    assert out[7] == "readable"  # its own, not pid 1's
    assert out[8] == "1"
    assert out[9] == "3"
    assert "unset" in out
    assert any("unshare failed" in line for line in out)
    assert not any(line.startswith("root:") for line in out)


def test_rules_open_it(program, tmp_path):
    (program.space / "work").mkdir()
    (program.space / "work").chmod(0o777)
    (program.space / "data").write_text("given")
    rules = f"rw {program.space}/work\nro {program.space}/data:/data\nenv NAME=a value\ntmp /scratch,size=1m\ncwd {program.space}/work"
    out = box(program, rules, "/bin/sh", "-c",
              "cat /data; echo; echo \"$NAME\"; pwd; echo made > made; df -k --output=size /scratch | tail -1; echo x > /data")
    assert out.splitlines()[:3] == ["given", "a value", f"{program.space}/work"]
    assert out.splitlines()[3].strip() == "1024"
    assert out.splitlines()[-1].startswith("exit 2 ")
    made = program.space / "work" / "made"
    assert made.read_text() == "made\n"
    assert made.stat().st_uid == (os.geteuid() if program.uid is None else program.uid)


def test_pids_limit_holds_a_fork_bomb(program):
    out = box(program, "limit pids=20,wall=5s", "/bin/sh", "-c", "i=0; while [ $i -lt 60 ]; do sleep 4 & i=$((i+1)); done; exit 0")
    assert "exit 2 " in out


def test_errors_name_step_and_object(program):
    run = lambda rules, *command: subprocess.run(program.argv("box_run", rules, *command), capture_output=True, text=True,
                                                 cwd=program.space, check=False).stdout
    assert run("ro /does/not/exist", "/bin/true") == 'error source "/does/not/exist": No such file or directory rule 1\n'
    assert 'exec "/no/such/program": No such file or directory' in run("", "/no/such/program")
    assert run("\nnet wifi", "/bin/true") == 'error option "wifi": the network is none, host, user, proxy or ns:/PATH rule 2\n'


def test_no_descriptor_leaks(program):
    out = program("box_fds")
    assert out == "fds /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/7\na gift\n" or \
        out == "fds /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3 /proc/self/fd/7\na gift\n"


def test_box_ends_with_its_caller(program):
    """Killed, the caller can clean up nothing: the helper sees it go."""
    with subprocess.Popen(program.argv("box_run", "", "/bin/sh", "-c", "echo $$; exec sleep 600"), stdout=subprocess.PIPE,
                          text=True, cwd=program.space) as caller:
        caller.stdout.readline()
        os.kill(caller.pid, signal.SIGKILL)
        # The end of the pipe is the end of every process that held it.
        assert caller.stdout.read() == ""
    # The helper is now a child of the session, which reaps it; the leak check waits for that.


def test_many_threads_start_boxes(program):
    threads, starts = os.environ.get("NOOK_STORM", "16x25").split("x")
    out = program("box_storm", threads, starts, timeout=110)
    assert out == f"{int(threads) * int(starts)} right, 0 wrong, 0 descriptors left, signals came\n"


def test_a_second_command_is_as_shut_in_as_the_first(program):
    script = r"""
        hostname; id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\t'
        touch /usr/x 2>&1 | grep -c Read-only; unshare -U true 2>&1 | grep -c failed; cat /proc/1/environ 2>&1 | grep -c denied
        ls -A /home | grep -vc :; echo /proc/self/fd/*; tail -n +3 /proc/net/dev | wc -l; python3 -c 'open("/dev/kmsg")' 2>&1 | grep -c Error
    """
    out = program("box_exec", 8, "limit pids=30\nenv GIVEN=yes", "sh", "-c", script + "echo $GIVEN; exit 5").splitlines()
    uid = os.geteuid() if program.uid is None else program.uid
    assert out[:6] == ["box", str(uid), "CapBnd:0000000000000000", "CapEff:0000000000000000", "NoNewPrivs:1", "Seccomp:2"] or \
        sorted(out[2:6]) == ["CapBnd:0000000000000000", "CapEff:0000000000000000", "NoNewPrivs:1", "Seccomp:2"]
    assert out[6:9] == ["1", "1", "1"]
    assert [fd for fd in out[10].split() if not fd.endswith("/3")] == ["/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2"]
    assert out[11:] == ["1", "1", "yes", "exit 5 signal -1", "in a command -22", "with the box 9", "after its end -3", "8 right"]


def test_second_commands_count_as_processes_of_the_box(program):
    out = program("box_exec", 0, "limit pids=10", "sh", "-c", "i=0; while [ $i -lt 30 ]; do sleep 2 & i=$((i+1)); done; exit 0").splitlines()
    assert out == ["exit 2 signal -1", "0 right"]


def test_a_program_shuts_itself_in(program):
    (program.space / "work").mkdir()
    (program.space / "work").chmod(0o777)
    (program.space / "other").write_text("not for it\n")
    script = r"""
        grep -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\t' | sort
        echo x > work/made && cat work/made; cat other 2>&1 | grep -c denied; touch /tmp/x 2>&1 | grep -c denied
        cat /etc/shadow 2>&1 | grep -c denied; tail -n +3 /proc/net/dev | wc -l; unshare -U true 2>&1 | grep -c failed
        echo fine > /dev/null && echo ended
    """
    out = program("box_enter", "rw work\nlimit files=100", "sh", "-c", script).splitlines()
    assert out == ["CapBnd:0000000000000000", "CapEff:0000000000000000", "CapPrm:0000000000000000", "NoNewPrivs:1", "Seccomp:2",
                   "x", "1", "1", "1", "1", "1", "ended"]


def test_a_program_that_cannot_go_in_is_as_before(program):
    def refused(*args):
        done = subprocess.run(program.argv("box_enter", *args), capture_output=True, text=True, cwd=program.space, check=False)
        assert done.returncode == 1, done
        return done.stdout

    for rules, word in (("overlay /usr", "/usr"), ("hide /etc/passwd", "/etc/passwd"), ("ro /usr:/mnt", "/mnt"), ("limit wall=1s", "limit wall"),
                        ("limit mem=1g", "limit mem"), ("env A=1", "env"), ("put /etc/hosts=x", "put"), ("fake-root", "fake-root"),
                        ("net user", "net"), ("tmp /x", "/x")):
        out = refused(rules, "true")
        assert out.startswith("as before ") and word in out and "only a box that is started" in out, out
    assert "more than one thread" in refused("-t", "", "true")
    assert "rule 2" in refused("limit files=50\nro /does/not/exist", "true")


@pytest.mark.user("root")
def test_a_program_that_may_not_make_namespaces(program):
    """The first step fails: nothing has changed.  Without a network of its own it needs none."""
    line = ["unshare", "-Ur", "sh", "-c", 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', "sh"]
    argv = [*line, *program.argv("box_enter", "", "true")] if program.uid is None else None
    if argv is None:
        return
    done = subprocess.run(argv, capture_output=True, text=True, cwd=program.space, check=False)
    assert done.stdout.startswith("as before namespace"), done
    done = subprocess.run([*line, *program.argv("box_enter", "net host", "echo", "in")], capture_output=True, text=True, cwd=program.space,
                          check=False)
    assert done.stdout == "in\n", done


def test_a_big_caller_is_not_copied(program):
    """fork(2) would share every page with the child, and each would then be copied when the caller writes to it."""
    out = program("box_cost", 256, 3)
    assert int(out.split(",")[1].split()[0]) < 100, out


@pytest.mark.skipif(library.SANITIZED, reason="a sanitizer takes memory of its own")
def test_helper_is_small(program):
    with subprocess.Popen(program.argv("box_run", "", "/bin/sh", "-c", "echo ready; cat"), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True, cwd=program.space) as caller:
        caller.stdout.readline()
        children = pathlib.Path(f"/proc/{caller.pid}/task/{caller.pid}/children").read_text().split()
        assert len(children) == 1
        status = pathlib.Path(f"/proc/{children[0]}/status").read_text()
        rss = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if line.startswith("Rss")}
        caller.stdin.close()
        assert "exit 0" in caller.stdout.read()
    # Pages of the program's own; those of its file are shared by all helpers.
    assert int(rss["RssAnon"]) + int(rss["RssShmem"]) < 512
    assert sum(map(int, rss.values())) < 1280
