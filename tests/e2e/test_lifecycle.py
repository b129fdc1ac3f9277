# SPDX-License-Identifier: LGPL-2.1-or-later
"""Living with containers: ps, kill, rm, inspect, top, wait, system check and repair."""

import contextlib
import json
import os
import pathlib
import select
import shutil
import subprocess
import threading

import clients
import pytest

READY = "echo ready; "
FOREVER = "exec sleep 1000"


class Running:
    """A nook run whose command has said that it runs."""

    def __init__(self, nook, process):
        self.nook, self.process = nook, process

    def end(self):
        """Its exit status, once it has ended by itself or by what was done to it."""
        self.process.communicate(timeout=60)
        return self.process.returncode


@contextlib.contextmanager
def running(nook, root, script=FOREVER, *options):
    process = nook.start("run", *options, f"dir:{root}", "sh", "-c", READY + script)
    try:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        yield Running(nook, process)
    finally:
        if process.poll() is None:
            nook.result("rm", "-f", "--all")
        process.communicate(timeout=60)


def listed(nook, *options):
    return {entry["name"] or entry["id"]: entry for entry in json.loads(nook("ps", "--format", "json", *options))}


def inspected(nook, name):
    return json.loads(nook("inspect", name))[0]


def state_path(nook, name):
    return nook.run_dir / "containers" / inspected(nook, name)["id"] / "state.json"


# ---- ps -------------------------------------------------------------------------------------------------------------


def test_ps_shows_what_runs_and_with_all_what_ended(nook, busybox_root):
    assert nook("ps").startswith("CONTAINER ID") and listed(nook, "-a") == {}
    with running(nook, busybox_root, FOREVER, "--name", "web") as web:
        entry = listed(nook)["web"]
        assert entry["status"] == "running" and entry["exitStatus"] is None
        assert entry["source"] == f"dir:{busybox_root}" and entry["command"].startswith("sh -c ")
        assert pathlib.Path(f"/proc/{entry['pid']}").exists()
        line = nook("ps").splitlines()[1]
        assert " Up " in line and "..." in line and "..." not in nook("ps", "--no-trunc").splitlines()[1]
        nook("kill", "web")
        assert web.end() == 137
    assert listed(nook) == {}
    ended = listed(nook, "-a")["web"]
    assert ended["status"] == "stopped" and ended["exitStatus"] == 137 and ended["pid"] is None and ended["finished"]
    assert "Exited (137)" in nook("ps", "-a")
    nook("rm", "web")
    assert listed(nook, "-a") == {}


def test_ps_filters(nook, busybox_root):
    nook("run", "--name", "old-one", f"dir:{busybox_root}", "true")
    nook("run", "--name", "old-two", f"dir:{busybox_root}", "true")
    with running(nook, busybox_root, FOREVER, "--name", "new"):
        assert set(listed(nook, "-a")) == {"old-one", "old-two", "new"}
        assert set(listed(nook, "--filter", "status=stopped")) == {"old-one", "old-two"}
        assert set(listed(nook, "--filter", "status=exited", "--filter", "name=two")) == {"old-two"}
        assert set(listed(nook, "-a", "--filter", "name=one", "--filter", "name=new")) == {"old-one", "new"}
        some = inspected(nook, "new")["id"]
        assert nook("ps", "-aq", "--filter", f"id={some}") == f"{some}\n"
        # The newest comes first.
        assert nook("ps", "-aq").splitlines()[0] == some
        assert "status" in nook.fails(125, "ps", "--filter", "colour=red")
        assert "creating" in nook.fails(125, "ps", "--filter", "status=x")
    nook("rm", "--all")


def test_ps_lives_with_damaged_and_foreign_entries(nook, busybox_root):
    nook("run", "--name", "good", f"dir:{busybox_root}", "true")
    containers = nook.run_dir / "containers"
    for name, text in {"empty": "", "cut": '{"id":"cut', "other": '{"id":"good"}', "wrong": '{"id":"wrong","pid":"x"}'}.items():
        (containers / name).mkdir()
        (containers / name / "state.json").write_text(text)
    (containers / "bare").mkdir()
    (containers / "file").write_text("no directory\n")
    (containers / ".hidden").mkdir()
    (containers / "loop").symlink_to("loop")
    entries = listed(nook, "-a")
    assert set(entries) == {"good", "empty", "cut", "other", "wrong", "bare"}
    assert nook("ps", "-a").count("Damaged") == 5
    assert nook.result("system", "check").code == 1
    nook("system", "repair")
    assert set(listed(nook, "-a")) == {"good"}
    nook("rm", "good")


def test_ps_while_containers_come_and_go(nook, busybox_root):
    done = threading.Event()

    def churn():
        for _ in range(15):
            nook("run", "--rm", f"dir:{busybox_root}", "true")
        done.set()

    thread = threading.Thread(target=churn)
    thread.start()
    while not done.is_set():
        json.loads(nook("ps", "-a", "--format", "json"))
    thread.join()
    assert listed(nook, "-a") == {}


# ---- names ----------------------------------------------------------------------------------------------------------


def test_a_name_is_used_once_and_is_free_again(nook, busybox_root):
    with running(nook, busybox_root, FOREVER, "--name", "web"):
        holder = inspected(nook, "web")["id"]
        error = nook.fails(125, "run", "--rm", "--name", "web", f"dir:{busybox_root}", "true")
        assert "web" in error and holder in error
        assert set(listed(nook, "-a")) == {"web"}
        nook("rm", "-f", "web")
    nook("run", "--rm", "--name", "web", f"dir:{busybox_root}", "true")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", "a b", "x" * 241, "ü"])
def test_names_are_no_paths(nook, busybox_root, name):
    if name:
        assert nook.fails(125, "run", f"--name={name}", f"dir:{busybox_root}", "true").startswith("nook: ")
    assert nook.result("rm", "--", name).code == 1
    assert not (nook.run_dir / "containers").exists() or not list((nook.run_dir / "containers").iterdir())


def test_containers_are_found_by_the_beginning_of_their_id(nook, busybox_root):
    nook("run", f"dir:{busybox_root}", "true")
    some = nook("ps", "-aq").strip()
    assert inspected(nook, some[:5])["id"] == some
    assert "no such container" in nook.result("inspect", "zzz").err
    nook("rm", some[:6])
    assert listed(nook, "-a") == {}


# ---- kill and rm ----------------------------------------------------------------------------------------------------


def test_kill_sends_the_signal_that_was_asked_for(nook, busybox_root):
    # Ready only behind the traps: until then the kernel drops signals for pid 1.
    script = 'trap "exit 9" USR1; trap "exit 8" TERM; echo ready; while :; do read x || :; done'
    for spelling, status in {"USR1": 9, "SIGTERM": 8, "usr1": 9, "15": 8}.items():
        reader, writer = os.pipe()
        process = nook.start("run", "--rm", "--name", "web", f"dir:{busybox_root}", "sh", "-c", script, stdin=reader)
        os.close(reader)
        assert process.stdout.readline() == "ready\n"
        assert nook("kill", "-s", spelling, "web") == "web\n"
        process.communicate(timeout=60)
        os.close(writer)
        assert process.returncode == status
    assert "no such signal" in nook.fails(125, "kill", "-s", "NOPE", "web")


def test_kill_says_which_ones_it_could_not(nook, busybox_root):
    nook("run", "--name", "ended", f"dir:{busybox_root}", "true")
    with running(nook, busybox_root, FOREVER, "--name", "web") as web:
        result = nook.result("kill", "none", "ended", "web")
        assert result.code == 1 and result.out == "web\n"
        assert '"none": no such container' in result.err and "it is not running" in result.err
        assert web.end() == 137
    nook("rm", "--all")


def test_rm_takes_what_runs_only_by_force(nook, busybox_root):
    with running(nook, busybox_root, FOREVER, "--name", "web") as web:
        error = nook.fails(1, "rm", "web")
        assert "it is running" in error
        assert listed(nook)["web"]["status"] == "running"
        assert nook("rm", "-f", "web") == "web\n"
        assert web.end() == 137
    assert listed(nook, "-a") == {}
    assert nook("rm", "-f", "web") == ""
    assert nook.result("rm", "web").code == 1


def test_rm_all_spares_what_runs(nook, busybox_root):
    nook("run", "--name", "ended", f"dir:{busybox_root}", "true")
    with running(nook, busybox_root, FOREVER, "--name", "web"):
        nook("rm", "--all")
        assert set(listed(nook, "-a")) == {"web"}
        nook("rm", "--all", "--force")
        assert listed(nook, "-a") == {}
    assert "which container" in nook.fails(125, "rm")


@pytest.mark.user("root")
def test_rm_force_of_a_paused_container(nook, busybox_root):
    with running(nook, busybox_root, FOREVER, "--name", "web") as web:
        nook("pause", "web")
        assert listed(nook)["web"]["status"] == "paused"
        nook("rm", "-f", "web")
        assert web.end() == 137


def test_many_rm_at_once(nook, busybox_root):
    with running(nook, busybox_root, FOREVER, "--name", "web") as web:
        removers = [nook.start("rm", "-f", "web") for _ in range(6)]
        for remover in removers:
            _, error = remover.communicate(timeout=60)
            assert remover.returncode == 0, error
        assert web.end() == 137
    assert listed(nook, "-a") == {}


def test_a_pid_that_became_another_process_is_left_alone(nook, busybox_root):
    nook("run", "--name", "web", f"dir:{busybox_root}", "true")
    path = state_path(nook, "web")
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        start = int(pathlib.Path(f"/proc/{stranger.pid}/stat").read_text().rpartition(")")[2].split()[19])
        state = json.loads(path.read_text())
        state |= {"pid": stranger.pid, "pidStart": start - 1, "startedNs": 1}
        path.write_text(json.dumps(state))
        try:
            assert listed(nook, "-a")["web"]["status"] == "stopped"
            assert "it is not running" in nook.result("kill", "web").err
            assert "not running" in nook.result("top", "web").err
            nook("rm", "-f", "web")
            assert stranger.poll() is None
        finally:
            stranger.kill()


# ---- inspect and top --------------------------------------------------------------------------------------------------


def test_inspect_tells_what_the_kernel_says(nook, busybox_root):
    with running(nook, busybox_root, FOREVER, "--name", "web", "--tmpfs", "/cache dir"):
        seen = inspected(nook, "web")
        proc = pathlib.Path(f"/proc/{seen['pid']}")
        for kind, namespace in seen["namespaces"].items():
            assert os.readlink(proc / "ns" / kind) == f"{kind}:[{namespace['inode']}]"
            assert namespace["private"] == (os.readlink(proc / "ns" / kind) != os.readlink(f"/proc/self/ns/{kind}"))
        lines = (proc / "mountinfo").read_text().splitlines()
        assert len(seen["mounts"]) == len(lines)
        assert {"/", "/proc", "/cache dir"} <= {mount["target"] for mount in seen["mounts"]}
        words = [line.split() for line in (proc / "uid_map").read_text().splitlines()]
        assert [[str(m["inside"]), str(m["outside"]), str(m["count"])] for m in seen["ids"]["uidMap"]] == words
        assert seen["security"]["noNewPrivileges"] == 1 and seen["security"]["seccompMode"] == 2
        assert any(step.startswith("pivot") for step in seen["plan"]) and seen["plan"][-1].startswith("exec")
        assert "CAP_SYS_ADMIN" not in seen["security"]["bounding"]
        picked = nook("inspect", "-f", "{{.pid}} {{ .namespaces.net.inode }} {{.ids.uidMap[0].inside}}", "web")
        assert picked == f"{seen['pid']} {seen['namespaces']['net']['inode']} 0\n"
        assert "no member" in nook.fails(125, "inspect", "-f", "{{.nope}}", "web")
        assert "no member" in nook.fails(125, "inspect", "-f", "{{.mounts[9999].target}}", "web")


@pytest.mark.user("root")
def test_inspect_shows_limits_as_the_kernel_spells_them(nook, busybox_root):
    with running(nook, busybox_root, FOREVER, "--name", "web", "--pids-limit", "77"):
        assert inspected(nook, "web")["limits"]["pids.max"] == "77"
        assert nook("inspect", "-f", "{{.limits.pids.max}}", "web") == "77\n"


def test_inspect_of_several_and_of_none(nook, busybox_root):
    nook("run", "--name", "one", f"dir:{busybox_root}", "true")
    result = nook.result("inspect", "one", "none")
    assert result.code == 1 and "no such container" in result.err
    assert [entry["name"] for entry in json.loads(result.out)] == ["one"]
    assert "namespaces" not in json.loads(result.out)[0]
    nook("rm", "one")


@pytest.mark.skipif(not shutil.which("strace"), reason="strace holds the start up")
@pytest.mark.parametrize("what", ["exec", "cp"])
def test_what_comes_while_it_starts_waits_and_sees_no_file_of_the_host(nook, own_root, space, what):
    """Its process is known, and listed, before it has left the host's files."""
    (own_root / "marker").write_text("inside\n")
    held = ["strace", "-f", "-o", space / "trace", "-e", "trace=sethostname", "-e", "inject=sethostname:delay_enter=1000000"]
    with subprocess.Popen([*held, *nook.argv("run", "--rm", "--name", "slow", f"dir:{own_root}", "sh", "-c", "read end")],
                          env=nook.environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as start:
        clients.wait_for(lambda: listed(nook).get("slow", {}).get("status") == "running" or start.poll() is not None, lambda: "it does not come")
        if what == "exec":
            assert nook("exec", "slow", "cat", "/marker") == "inside\n"
        else:
            nook("cp", "slow:/marker", space / "copy")
            assert (space / "copy").read_text() == "inside\n"
        start.communicate("end\n")
    assert start.returncode == 0


def test_top_lists_every_process_with_its_pids_inside(nook, own_root):
    trap = own_root / "bin" / "ps"
    trap.unlink(missing_ok=True)
    trap.write_text("#!/bin/sh\ntouch /trapped\n")
    trap.chmod(0o755)
    with running(nook, own_root, "sleep 1000 & sleep 1001 & wait", "--name", "web"):
        # The shell's children become sleep a moment after it has made them.
        for _ in range(1000):
            rows = json.loads(nook("top", "--format", "json", "web"))
            if {"sleep 1000", "sleep 1001"} <= {row["command"] for row in rows}:
                break
        assert len(rows) == 3
        assert [row["pidsInside"] for row in rows if row["command"].startswith("sh -c")] == [["1"]]
        for row in rows:
            status = pathlib.Path(f"/proc/{row['pid']}/status").read_text()
            numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
            assert numbers[numbers.index(str(row["pid"])) + 1:] == row["pidsInside"]
            assert row["uid"] == 0
        text = nook("top", "web")
        assert text.splitlines()[0].split()[:3] == ["PID", "INSIDE", "USER"] and "sleep 1001" in text
    assert not (own_root / "trapped").exists()
    assert "no such container" in nook.fails(125, "top", "none")


# ---- wait -----------------------------------------------------------------------------------------------------------


def test_wait_tells_the_exit_status_to_all_who_wait(nook, busybox_root):
    reader, writer = os.pipe()
    process = nook.start("run", "--name", "web", f"dir:{busybox_root}", "sh", "-c", READY + "read x; exit 42", stdin=reader)
    os.close(reader)
    assert process.stdout.readline() == "ready\n"
    waiters = [nook.start("wait", "web") for _ in range(3)]
    os.close(writer)
    process.communicate(timeout=60)
    assert [waiter.communicate(timeout=60)[0] for waiter in waiters] == ["42\n"] * 3
    # Afterwards the state tells it.
    assert nook("wait", "web") == "42\n"
    nook("rm", "web")
    assert nook.result("wait", "web").code == 1


# ---- what was cut off -------------------------------------------------------------------------------------------------


def test_a_killed_supervisor_takes_its_container_along(nook, busybox_root):
    with running(nook, busybox_root, FOREVER, "--name", "web", "--rm") as web:
        pid = os.pidfd_open(inspected(nook, "web")["pid"])
        web.process.kill()
        web.process.wait()
        assert nook.result("system", "check").code == 1
        nook("system", "repair")
        assert nook("system", "check") == ""
        assert listed(nook, "-a") == {}
        # It had ended when repair returned.
        assert select.select([pid], [], [], 0)[0]
        os.close(pid)
        # And at once the same again.
        nook("run", "--rm", "--name", "web", f"dir:{busybox_root}", "true")


def test_repair_keeps_the_record_of_what_was_not_rm(nook, busybox_root):
    with running(nook, busybox_root, FOREVER, "--name", "web") as web:
        web.process.kill()
        web.process.wait()
        nook("system", "repair")
        entry = inspected(nook, "web")
        assert entry["status"] == "stopped" and entry["exitStatus"] == -1 and entry["finished"] and entry["cgroups"] == []
        assert "nobody saw" in nook.result("wait", "web").err
        nook("rm", "web")


def test_repair_harms_nothing_that_starts_runs_or_ends(nook, busybox_root):
    failures = []

    def churn(number):
        for turn in range(6):
            result = nook.result("run", "--rm", "--name", f"c{number}-{turn}", f"dir:{busybox_root}", "sh", "-c", "exit 5")
            if result.code != 5 or result.err:
                failures.append(str(result))

    with running(nook, busybox_root, FOREVER, "--name", "canary"):
        threads = [threading.Thread(target=churn, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            result = nook.result("system", "repair")
            assert result.code == 0 and result.err == "", str(result)
        assert failures == []
        assert listed(nook)["canary"]["status"] == "running"
    assert nook("system", "check") == ""


def test_check_changes_nothing(nook, busybox_root):
    nook("run", "--name", "web", f"dir:{busybox_root}", "true")
    (nook.run_dir / "names" / "gone").symlink_to("nothing")
    result = nook.result("system", "check")
    assert result.code == 1 and "gone" in result.out
    assert (nook.run_dir / "names" / "gone").is_symlink()
    assert "gone" in nook("system", "repair")
    assert not (nook.run_dir / "names" / "gone").is_symlink()
    nook("rm", "web")


@pytest.mark.user("root")
def test_repair_removes_groups_of_this_run_directory_alone(nook, busybox_root):
    with running(nook, busybox_root, FOREVER, "--name", "web"):
        group = pathlib.Path(inspected(nook, "web")["cgroups"][0])
        stranger, orphan = group.with_name("nook-0123456789ab@00000000"), group.with_name(f"nook-gone@{group.name.rpartition('@')[2]}")
        stranger.mkdir()
        orphan.mkdir()
        try:
            assert orphan.name in nook("system", "repair")
            assert stranger.exists() and group.exists() and not orphan.exists()
        finally:
            stranger.rmdir()


@pytest.mark.user("root")
def test_an_ordinary_users_root_goes_with_files_of_subordinate_ids(nook, own_root, space):
    """What the container's other users own, its starter may not remove as himself."""
    (space / "subid").write_text("nobody:700000:65536\n")
    subprocess.run(["tar", "-C", own_root, "-cf", space / "root.tar", "."], check=True)
    home = space / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    script = "mkdir -p /x/y && touch /x/y/z && chown -R 33:33 /x && chmod 700 /x && stat -c %u /x && cat /proc/self/uid_map"
    line = ["unshare", "-m", "sh", "-c",
            'mount --bind "$0" /etc/subuid && mount --bind "$0" /etc/subgid && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"',
            space / "subid", *nook.argv("--run", home / "run", "--root", home / "root", "run", "--rm", f"tar:{space}/root.tar",
                                        "sh", "-c", script)]
    done = subprocess.run(line, capture_output=True, text=True, cwd=space, check=False,
                          env={**nook.environment, "HOME": str(home)})
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert done.stdout.split()[0] == "33" and "700000" in done.stdout
    assert list((home / "root" / "unpacked").iterdir()) == []
