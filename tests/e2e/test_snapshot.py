# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a container keeps: run from again, kept under names, gone back to, and given to another container."""

import fcntl
import json
import os
import re
import subprocess

import pytest

ROOT = pytest.mark.user("root")
STORAGES = [pytest.param("dir"), pytest.param("disk:64m", marks=ROOT), pytest.param("disk:160m,fs=btrfs", marks=ROOT)]


@pytest.fixture
def keep(nook, busybox_root):
    """Runs a shell line in a container that keeps its changes: keep("web", "dir", "touch /x")."""
    def go(name, storage, line):
        return nook("run", "--name", name, "--storage", storage, f"dir:{busybox_root}", "sh", "-c", line)
    return go


def sh(nook, name, line):
    return nook("run", "--rm", f"container:{name}", "sh", "-c", line)


def wait_until_free(nook):
    """The helper of a killed nook holds the layer until it has ended."""
    layer = os.open(next(nook.root.glob("layers/*")), os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(layer, fcntl.LOCK_EX)
    os.close(layer)


# ---- container:NAME -------------------------------------------------------------------------------------------------------


@pytest.mark.anywhere
@pytest.mark.parametrize("storage", STORAGES)
def test_a_container_that_has_ended_runs_on(nook, keep, busybox_root, storage):
    keep("web", storage, "echo one >>/etc/log; rm /etc/group; ls -d /etc/group 2>/dev/null || cat /etc/log")
    assert sh(nook, "web", "echo two >>/etc/log; cat /etc/log") == "one\ntwo\n"
    # Without a command it does what it did.
    assert nook("run", "--rm", "container:web") == "one\ntwo\none\n"
    assert sh(nook, "web", "ls /etc") == "log\npasswd\n"
    assert (busybox_root / "etc/group").exists() and not (busybox_root / "etc/log").exists()
    nook("rm", "web")


@pytest.mark.anywhere
def test_one_at_a_time(nook, keep):
    keep("web", "dir", "true")
    process = nook.start("run", "--rm", "container:web", "sh", "-c", "echo ready; cat >/dev/null", stdin=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    assert "is in use" in nook.fails(125, "run", "--rm", "container:web", "true")
    assert "another command uses what it keeps" in nook.fails(1, "rm", "web")
    assert "is in use" in nook.fails(125, "snapshot", "create", "web")
    process.communicate(timeout=60)
    nook("rm", "web")


@pytest.mark.anywhere
@pytest.mark.parametrize("options, words", [
    (["--storage", "dir"], "the container has its layer"),
    (["--overlay"], "the container has its layer"),
    pytest.param(["--userns", "host"], "as it was when the container's layer was made", marks=ROOT),
])
def test_what_does_not_go_with_another_ones_root(nook, keep, options, words):
    keep("web", "dir", "true")
    assert words in nook.fails(125, "run", "--rm", *options, "container:web", "true")
    nook("rm", "web")


@pytest.mark.anywhere
def test_who_has_no_root_to_go_on_from(nook, busybox_root):
    assert "nobody" in nook.fails(125, "run", "container:nobody", "true")
    nook("run", "--name", "memory", "--overlay", f"dir:{busybox_root}", "true")
    assert "its changes with it" in nook.fails(125, "run", "container:memory", "true")
    process = nook.start("run", "--rm", "--name", "running", f"dir:{busybox_root}", "sh", "-c", "echo ready; cat >/dev/null",
                         stdin=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    assert "it has not ended" in nook.fails(125, "run", "container:running", "true")
    process.communicate(timeout=60)


@pytest.mark.anywhere
@ROOT
def test_the_hosts_system_goes_on_with_its_own_directories(nook):
    nook("run", "--name", "web", "--storage", "dir", "host:", "sh", "-c", "echo mine >/etc/mine; touch /tmp/throw-away")
    assert sh(nook, "web", "cat /etc/mine; ls /tmp | wc -l; ls /run | wc -l").split() == ["mine", "0", "0"]
    nook("rm", "web")


# ---- snapshots --------------------------------------------------------------------------------------------------------------


@pytest.mark.anywhere
@pytest.mark.parametrize("storage", STORAGES)
def test_a_snapshot_brings_back_what_was(nook, keep, storage):
    # An ordinary user has one id here.
    owner = "1000:100" if os.geteuid() == 0 else "0:0"
    keep("web", storage, f"mkdir /data; echo one >/data/x; ln /data/x /data/hard; rm /etc/group; chown {owner} /data/x")
    assert nook("snapshot", "create", "web", "first") == "first\n"
    sh(nook, "web", "echo two >/data/x; rm -r /etc /data/hard; touch /new")
    assert nook("snapshot", "create", "web") == "snap0\n"
    nook("snapshot", "restore", "web", "first")
    assert sh(nook, "web", "cat /data/x; stat -c '%u:%g %h' /data/x; ls /etc; ls /new 2>/dev/null || echo none") == (
        f"one\n{owner} 2\npasswd\nnone\n")
    nook("snapshot", "restore", "web", "snap0")
    assert sh(nook, "web", "cat /data/x; ls /new; ls -d /etc 2>/dev/null || echo none").splitlines()[:2] == ["two", "/new"]
    names = [row["name"] for row in json.loads(nook("snapshot", "ls", "--json", "web"))]
    assert names == ["first", "snap0"]
    assert nook("snapshot", "rm", "web", "snap0") == "snap0\n"
    assert re.match(r"NAME +CREATED +BYTES\nfirst ", nook("snapshot", "ls", "web"))
    assert nook("system", "check") == ""
    nook("rm", "web")
    assert not list(nook.root.glob("snapshots/*")) and not list(nook.root.glob("layers/*"))


@pytest.mark.parametrize("storage", [pytest.param("dir"), pytest.param("disk:64m", marks=ROOT)])
def test_a_snapshot_of_what_runs(nook, busybox_root, storage):
    """It is frozen meanwhile: of a file that grows all the time it has a whole number of lines."""
    process = nook.start("run", "--name", "web", "--storage", storage, f"dir:{busybox_root}", "sh", "-c",
                         "echo 0123456789 >/log; echo ready; while :; do echo 0123456789 >>/log; done")
    assert process.stdout.readline() == "ready\n"
    nook("snapshot", "create", "web", "live")
    assert "it runs" in nook.fails(125, "snapshot", "restore", "web", "live")
    assert json.loads(nook("inspect", "web"))[0]["status"] == "running"
    nook("kill", "web")
    process.communicate(timeout=60)
    nook("snapshot", "restore", "web", "live")
    assert int(sh(nook, "web", "wc -c </log")) % 11 == 0
    nook("rm", "web")


@pytest.mark.anywhere
@pytest.mark.parametrize("line, words", [
    (["create", "web", "../x"], "../x"),
    (["create", "web", "there"], "there is a snapshot of this name"),
    (["restore", "web", "nothing"], "there is no such snapshot"),
    (["rm", "web", "nothing"], "there is no such snapshot"),
    (["rm", "web", "../there"], "there is no such snapshot"),
    (["create", "nobody"], "nobody"),
])
def test_what_is_no_snapshot(nook, keep, line, words):
    keep("web", "dir", "true")
    nook("snapshot", "create", "web", "there")
    assert words in nook.fails(125, "snapshot", *line)
    nook("rm", "web")


@pytest.mark.anywhere
def test_who_keeps_nothing_has_no_snapshots(nook, busybox_root):
    nook("run", "--name", "web", "--overlay", f"dir:{busybox_root}", "true")
    for line in (["snapshot", "create", "web"], ["clone", "web", "new"]):
        assert "it keeps no layer" in nook.fails(125, *line)
    nook("rm", "web")


@pytest.mark.anywhere
@ROOT
def test_a_restore_that_is_killed_leaves_one_or_the_other(nook, keep, space):
    keep("web", "dir", "echo old >/state; mkdir /dir; touch /dir/old")
    nook("snapshot", "create", "web", "old")
    sh(nook, "web", "echo new >/state; rm -r /dir; touch /new")
    log = space / "strace.log"
    line = nook.argv("snapshot", "restore", "web", "old")
    subprocess.run(["strace", "-o", log, *line], env=nook.environment, check=True, stdin=subprocess.DEVNULL)
    counts, places = {}, []
    for text in log.read_text().splitlines():
        call = re.match(r"(\w+)\(", text)
        if call and call[1] not in ("execve", "exit_group"):
            counts[call[1]] = counts.get(call[1], 0) + 1
            places.append((call[1], counts[call[1]]))
    swaps = [place for place in places if place[0] == "renameat2"]
    for name, number in swaps + places[::max(1, len(places) // 6)]:
        sh(nook, "web", "echo new >/state; rm -rf /dir; touch /new")
        subprocess.run(["strace", "-o", "/dev/null", "-e", f"inject={name}:signal=KILL:when={number}", *line],
                       env=nook.environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        wait_until_free(nook)
        state = sh(nook, "web", "cat /state; ls -d /dir /new 2>/dev/null; true").split()
        assert state in (["old", "/dir"], ["new", "/new"]), (name, number)
        nook("snapshot", "restore", "web", "old")
        assert sh(nook, "web", "cat /state") == "old\n"
    assert sorted(os.listdir(next(nook.root.glob("layers/*")))) == ["plan", "state.json", "upper", "work"]
    nook("rm", "web")


# ---- clones ------------------------------------------------------------------------------------------------------------------


@pytest.mark.anywhere
@pytest.mark.parametrize("storage", STORAGES)
def test_a_clone_is_another_container_with_the_same_files(nook, keep, storage):
    keep("web", storage, "echo one >/x; rm -f /etc/group; cat /x")
    clone = nook("clone", "web", "new").strip()
    told = json.loads(nook("inspect", "new"))[0]
    assert told["id"] == clone and told["status"] == "stopped" and told["command"] == json.loads(nook("inspect", "web"))[0]["command"]
    assert not set(told["kept"]) & set(json.loads(nook("inspect", "web"))[0]["kept"])
    assert nook("run", "--rm", "container:new") == "one\n"
    sh(nook, "new", "echo two >/x")
    assert sh(nook, "web", "cat /x") == "one\n"
    nook("rm", "web")
    assert sh(nook, "new", "cat /x; ls /etc") == "two\npasswd\n"
    assert nook("system", "check") == ""
    nook("rm", "new")
    assert not list(nook.root.glob("layers/*"))


@pytest.mark.anywhere
def test_a_clone_of_an_unpacked_root_has_its_own(nook, own_root, space):
    subprocess.run(["tar", "-C", own_root, "-cf", space / "root.tar", "."], check=True)
    nook("run", "--name", "web", "--storage", "dir", f"tar:{space}/root.tar", "touch", "/new")
    nook("clone", "web", "other")
    nook("rm", "web")
    assert sh(nook, "other", "ls /new /bin/busybox") == "/bin/busybox\n/new\n"
    nook("rm", "other")


@pytest.mark.anywhere
@pytest.mark.parametrize("line, words", [
    (["clone", "nobody", "new"], "nobody"),
    (["clone", "web", "web"], "web"),
    (["clone", "web", "bad/name"], "bad/name"),
])
def test_what_is_no_clone(nook, keep, line, words):
    keep("web", "dir", "true")
    assert words in nook.fails(125, *line)
    assert len(nook("ps", "-aq").split()) == 1
    assert len(os.listdir(nook.root / "layers")) == 1
    nook("rm", "web")
