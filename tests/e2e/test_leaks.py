# SPDX-License-Identifier: LGPL-2.1-or-later
"""The leak check itself: what it is there to see, it sees."""

import os
import pathlib
import subprocess

import pytest

import leaks


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(leaks, "GRACE", 0.0)


def test_a_process_in_the_background_is_seen_and_ended(space, quick):
    before = leaks.Snapshot()
    subprocess.run(["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &"], check=True)
    assert [thing.split()[0] for thing in leaks.left_behind(before, space)] == ["process"]


@pytest.mark.user("root")
def test_a_mount_is_seen(space, quick):
    before = leaks.Snapshot()
    subprocess.run(["mount", "-t", "tmpfs", "leak", space], check=True)
    assert leaks.left_behind(before, space) == [f"mount {space} (tmpfs)"]
    subprocess.run(["umount", space], check=True)


@pytest.mark.user("root")
@pytest.mark.controllers("pids")
def test_the_group_of_a_container_is_seen(nook, space, quick):
    before = leaks.Snapshot()
    container = nook.start("run", "--rm", "host:", "sh", "-c", "echo ready; read line", stdin=subprocess.PIPE)
    assert container.stdout.readline() == "ready\n"
    groups = [thing for thing in before.news() if thing.startswith("cgroup ") and not leaks.is_others(thing, space)]
    assert groups
    assert all(leaks.is_others(thing, pathlib.Path("/nowhere")) for thing in groups)
    container.communicate("")
    assert not set(groups) & set(before.news())


@pytest.mark.user("root")
@pytest.mark.skipif(not pathlib.Path("/sys/module/bridge").exists(), reason="this kernel has no bridge to make")
def test_a_network_device_is_seen(space, quick):
    before = leaks.Snapshot()
    name = f"leak{os.getpid()}"
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    assert leaks.left_behind(before, space) == [f"network device {name}"]
    subprocess.run(["ip", "link", "del", name], check=True)
