# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook ns: what it shows agrees with lsns(8) and /proc; what it keeps lives without a process and is gone after rm."""

import collections
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

KINDS = ("user", "mnt", "pid", "net", "uts", "ipc", "cgroup", "time")


def inode(pid, kind):
    return os.stat(f"/proc/{pid}/ns/{kind}").st_ino


def listing(nook, *args):
    return {entry["inode"]: entry for entry in json.loads(nook("ns", "ls", "--json", *args))}


@contextlib.contextmanager
def process_in(*unshare):
    """A process in namespaces of its own, which are there when this returns; its pid."""
    process = subprocess.Popen(["unshare", *unshare, "sh", "-c", "echo here; read end"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "here\n"
        yield process.pid
    finally:
        process.communicate("\n")


def test_ls_shows_a_process_with_its_owner(nook):
    with process_in("--user", "--map-root-user", "--net", "--uts") as pid:
        found = listing(nook)
        user = found[inode(pid, "user")]
        assert (user["type"], user["members"], user["pid"], user["owner_uid"]) == ("user", 1, pid, os.geteuid())
        for kind in ("net", "uts"):
            entry = found[inode(pid, kind)]
            assert entry["type"] == kind
            assert entry["pid"] == pid
            assert entry["members"] == 1
            assert entry["owner_userns"] == inode(pid, "user")
            assert entry["owner_uid"] == os.geteuid()
            assert entry["command"] == "sh -c echo here; read end"
            assert entry["pins"] == []


def test_ls_of_a_process_shows_just_its_own(nook):
    with process_in("--user", "--uts") as pid:
        found = listing(nook, pid)
        assert {entry["type"]: number for number, entry in found.items()} == {kind: inode(pid, kind) for kind in KINDS}


def test_ls_shows_a_user_namespace_that_only_owns(nook):
    """A parent that no process is left in still owns what lives in its child."""
    with process_in("--user", "--map-root-user", "unshare", "--user", "--net") as pid:
        found = listing(nook)
        parent = found[inode(pid, "user")]["owner_userns"]
        assert parent != inode("self", "user")
        assert found[parent]["members"] == 0
        assert found[parent]["pid"] is None
        assert found[parent]["owner_userns"] == inode("self", "user")


def lsns():
    text = subprocess.run(["lsns", "--json", "--output", "NS,TYPE,NPROCS,PID"], check=True, capture_output=True).stdout
    return {int(entry["ns"]): (entry["type"], entry["nprocs"], entry["pid"]) for entry in json.loads(text)["namespaces"]}


@pytest.mark.user("root")
def test_ls_agrees_with_lsns(nook):
    with process_in("--net", "--uts", "--ipc") as pid, process_in("--mount", "--cgroup"):
        # Other processes come and go: what lsns says before and after is what nook must have seen between.
        for _ in range(20):
            before, found, after = lsns(), listing(nook), lsns()
            stable = {number: entry for number, entry in before.items() if after.get(number) == entry}
            ours = {number: (found[number]["type"], found[number]["members"], found[number]["pid"])
                    for number in stable if number in found}
            ours = {number: entry for number, entry in ours.items() if entry[1] == 1}
            if inode(pid, "net") in ours:
                break
        assert len(ours) >= 5
        for number, entry in ours.items():
            assert entry == stable[number]
        assert set(stable) <= set(found)


def test_ls_for_people_has_a_heading_and_aligned_rows(nook):
    lines = nook("ns", "ls", os.getpid()).splitlines()
    assert lines[0].split() == ["TYPE", "INODE", "MEMBERS", "PID", "OWNER", "USERNS", "PINNED", "AT", "COMMAND"]
    assert [line.split()[0] for line in lines[1:]] == list(KINDS)
    end = lines[0].index("INODE") + len("INODE")
    assert all(line[end - 1].isdigit() and line[end] == " " for line in lines[1:])


@pytest.mark.parametrize("pid, message", [
    ("x", 'nook: command "x": this is not a process id'),
    ("0", 'nook: command "0": this is not a process id'),
    ("4194305", 'nook: proc "/proc/4194305/ns/user": No such file or directory'),
])
def test_ls_of_what_is_no_process(nook, pid, message):
    assert nook.fails(125, "ns", "ls", pid).splitlines()[0] == message


@pytest.mark.user("root")
def test_keep_exec_rm(nook):
    nook("ns", "keep", "lab", "--net", "--uts", "--ipc", "--hostname", "kept")
    try:
        pins = {entry["type"]: entry for entry in listing(nook).values() if entry["pins"]}
        assert set(pins) == {"net", "uts", "ipc"}
        for kind, entry in pins.items():
            assert entry["pins"] == [f"{nook.run_dir}/ns/lab/{kind}"]
            assert entry["members"] == 0 and entry["pid"] is None
        assert nook("ns", "exec", "lab", "hostname") == "kept\n"
        assert nook("ns", "exec", "--uts", "lab", "--", "hostname") == "kept\n"
        shown = nook("ns", "exec", "lab", "--", "sh", "-c",
                     "readlink /proc/self/ns/net /proc/self/ns/mnt")
        assert f"net:[{pins['net']['inode']}]" in shown
        assert f"mnt:[{inode('self', 'mnt')}]" in shown
        assert nook("ns", "exec", "lab", "ip", "-o", "link").count("\n") == 1
        assert "<LOOPBACK,UP" in nook("ns", "exec", "lab", "ip", "-o", "link")
        # What was done in it stays without any process.
        nook("ns", "exec", "lab", "ip", "link", "add", "v0", "type", "veth", "peer", "v1")
        assert nook("ns", "exec", "lab", "ip", "-o", "link").count("\n") == 3
        # Others see it too.
        assert subprocess.run(["nsenter", f"--uts={nook.run_dir}/ns/lab/uts", "hostname"], check=True,
                              capture_output=True, text=True).stdout == "kept\n"
    finally:
        nook("ns", "rm", "lab")
    assert not [entry for entry in listing(nook).values() if entry["pins"]]
    assert list((nook.run_dir / "ns").iterdir()) == []


@pytest.mark.user("root")
def test_keep_all_kinds_with_user_as_owner(nook):
    nook("ns", "keep", "all", "--user", "--mnt", "--net", "--uts", "--ipc", "--cgroup", "--time", "--boottime", "100d",
         "--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536")
    try:
        pins = {entry["type"]: entry for entry in listing(nook).values() if entry["pins"]}
        assert set(pins) == set(KINDS) - {"pid"}
        assert all(entry["owner_userns"] == pins["user"]["inode"] for kind, entry in pins.items() if kind != "user")
        out = nook("ns", "exec", "all", "--", "sh", "-c", "id -u; cat /proc/self/uid_map; cut -d. -f1 /proc/uptime").split()
        assert out[:4] == ["0", "0", "100000", "65536"]
        assert 100 * 86400 <= int(out[4]) - float(pathlib.Path("/proc/uptime").read_text().split()[0]) + 5
    finally:
        nook("ns", "rm", "all")


@pytest.mark.user("root")
def test_keep_refuses_a_name_that_is_taken_and_keeps_the_first(nook):
    nook("ns", "keep", "lab", "--uts", "--hostname", "first")
    try:
        error = nook.fails(125, "ns", "keep", "lab", "--net")
        assert error == 'nook: namespace "lab": there are kept namespaces of this name; see nook ns rm\n'
        assert nook("ns", "exec", "lab", "hostname") == "first\n"
    finally:
        nook("ns", "rm", "lab")


@pytest.mark.user("root")
@pytest.mark.parametrize("args, message", [
    (("--user", "--uidmap", "0:0"), '"0:0" is not INSIDE:OUTSIDE:COUNT'),
    (("--user", "--uidmap", "0:0:1:2"), '"0:0:1:2" is not INSIDE:OUTSIDE:COUNT'),
    (("--user", "--uidmap", "0:0:0"), 'nook: id map "'),
    (("--uts", "--hostname", "x" * 65), 'nook: hostname "xxx'),
    (("--time", "--boottime=-10000d"), 'timens_offsets"'),
    (("--net", "--hostname", "x"), '"--hostname": needs --uts'),
    (("--net", "--uidmap", "0:0:1"), '"--uidmap": needs --user'),
    (("--net", "--boottime", "1d"), '"--boottime": needs --time'),
    ((), "say which namespaces"),
])
def test_keep_that_fails_leaves_nothing(nook, args, message):
    assert message in nook.fails(125, "ns", "keep", "lab", *args)
    assert not (nook.run_dir / "ns" / "lab").exists()


KEPT = ("net", "uts", "mnt", "user")
# Libc's own calls at the start of a program do not count.
MAY_FAIL = {"openat", "mkdir", "mkdirat", "mount", "unshare", "socketpair", "clone", "clone3", "sendto", "recvfrom", "pidfd_open",
            "open_tree", "move_mount", "write", "fstatfs", "ioctl", "socket", "newfstatat"}


def keep_under_strace(nook, *options):
    """Runs ns keep and returns what strace(1) says, and the exit status."""
    kinds = [f"--{kind}" for kind in KEPT]
    done = subprocess.run(["strace", "-f", *options, *nook.argv("ns", "keep", "lab", *kinds)], env=nook.environment,
                          cwd=nook.space, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stderr, done.returncode


def calls_of_keep(nook):
    """Each system call of an undisturbed run, with how often it is made (strace counts them one by one)."""
    trace, code = keep_under_strace(nook)
    assert code == 0
    nook("ns", "rm", "lab")
    return collections.Counter(re.findall(r"^(?:\[pid +\d+\] )?(\w+)\(", trace, re.M))


def nothing_is_kept(nook):
    pins = nook.run_dir / "ns"
    return not (pins / "lab").exists() and f" {pins}/" not in pathlib.Path("/proc/self/mountinfo").read_text()


@pytest.mark.user("root")
def test_keep_killed_anywhere_is_cleared_by_rm(nook):
    killed = 0
    for call, times in calls_of_keep(nook).items():
        for when in range(1, times + 1):
            trace, _ = keep_under_strace(nook, "-e", f"inject={call}:signal=SIGKILL:when={when}")
            killed += "killed by SIGKILL" in trace
            if (nook.run_dir / "ns" / "lab").exists():
                nook("ns", "rm", "lab")
            assert nothing_is_kept(nook), f"{call} {when}"
    assert killed > 50


@pytest.mark.user("root")
def test_keep_that_meets_a_failing_call_leaves_nothing_or_all(nook):
    calls = calls_of_keep(nook)
    failed = 0
    for call in MAY_FAIL & set(calls):
        for when in range(1, calls[call] + 1):
            trace, code = keep_under_strace(nook, "-e", f"inject={call}:error=EIO:when={when}")
            failed += "(INJECTED)" in trace
            if code == 0:
                assert {entry["type"] for entry in listing(nook).values() if entry["pins"]} == set(KEPT)
                nook("ns", "rm", "lab")
            assert nothing_is_kept(nook), f"{call} {when}"
    assert failed > 20


@pytest.mark.parametrize("name", ["..", ".", "a/b", "-x", ""])
def test_names_are_no_paths(nook, name):
    for command in (("keep", "--net"), ("rm",)):
        error = nook.fails(125, "ns", *command, "--", name)
        assert error.startswith("nook: ") and error.count("\n") <= 2
    assert not (nook.run_dir / "ns").exists()


def test_rm_of_what_is_not_there(nook):
    assert nook.fails(125, "ns", "rm", "lab") == \
        'nook: namespace "lab": there are no kept namespaces of this name\n'


@pytest.mark.user("rootless")
def test_keep_as_an_ordinary_user_says_what_it_needs(nook):
    lines = nook.fails(125, "ns", "keep", "lab", "--net").splitlines()
    assert lines[0] == 'nook: namespace "new": Operation not permitted'
    assert "root" in lines[1]
    assert not (nook.run_dir / "ns" / "lab").exists()


def test_exec_joins_a_process_as_its_root(nook):
    with process_in("--user", "--map-root-user", "--net", "--uts", "--ipc", "--mount") as pid:
        out = nook("ns", "exec", pid, "--", "sh", "-c", "id -u; readlink /proc/self/ns/*; pwd").splitlines()
        assert out[0] == "0"
        for kind in ("user", "net", "uts", "ipc", "mnt"):
            assert f"{kind}:[{inode(pid, kind)}]" in out
        assert out[-1] == "/"


def test_exec_joins_a_pid_namespace_in_a_child(nook):
    with process_in("--user", "--map-root-user", "--pid", "--fork", "--mount-proc") as pid:
        inner = int(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text())
        out = nook.result("ns", "exec", inner, "--", "sh", "-c", "echo $$; readlink /proc/self/ns/pid; exit 7")
        assert out.code == 7
        out = out.out.split()
        assert int(out[0]) < 100
        assert out[1] == f"pid:[{inode(inner, 'pid')}]"


def test_exec_hands_signals_on(nook):
    with process_in("--user", "--map-root-user", "--pid", "--fork", "--mount-proc") as pid:
        inner = int(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text())
        running = nook.start("ns", "exec", inner, "--", "sh", "-c", "trap 'echo got it; exit 3' TERM; echo ready; read x",
                             stdin=subprocess.PIPE)
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGTERM)
        assert running.stdout.readline() == "got it\n"
        running.communicate()
        assert running.returncode == 3


def test_exec_into_own_namespaces_is_no_error(nook):
    assert nook("ns", "exec", os.getpid(), "echo", "-n", "--", "x") == "-- x"


@pytest.mark.parametrize("command, code, message", [
    ("no-such-command", 127, 'nook: exec "no-such-command": No such file or directory'),
    ("/etc/passwd", 126, 'nook: exec "/etc/passwd": Permission denied'),
])
def test_exec_of_what_cannot_run(nook, command, code, message):
    assert nook.fails(code, "ns", "exec", os.getpid(), command).splitlines()[0] == message


def test_exec_into_nothing(nook):
    assert nook.fails(125, "ns", "exec", "nobody", "true").splitlines()[0] == \
        'nook: namespace "nobody": there are no kept namespaces of this name, and it is no pid'
    assert nook.fails(125, "ns", "exec", "4194305", "true").splitlines()[0] == \
        'nook: namespace "4194305": No such process'
