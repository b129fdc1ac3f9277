# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the changes of a container's root go: memory, a directory or a disk that stay until the container is removed."""

import json
import os
import subprocess

import pytest

pytestmark = pytest.mark.anywhere

ROOT = pytest.mark.user("root")
DISK = "disk:64m"


def layer_of(nook, name):
    return kept_of(nook, name)[0]


def kept_of(nook, name):
    """Without the place of its snapshots, which is not made before there is one."""
    return [path for path in json.loads(nook("inspect", name))[0]["kept"] if os.path.exists(path)]


@pytest.mark.parametrize("fs", ["ext4", "btrfs"])
@ROOT
def test_a_disk_is_a_quota(nook, busybox_root, fs):
    size = {"ext4": 64, "btrfs": 128}[fs]
    free = os.statvfs(nook.space).f_bavail
    script = "dd if=/dev/zero of=/big bs=1M count=200; echo status $?; df -m / | tail -1"
    result = nook.result("run", "--rm", "--storage", f"disk:{size}m,fs={fs}", f"dir:{busybox_root}", "sh", "-c", script)
    assert "No space left on device" in result.err and "status 1" in result.out
    assert int(result.out.splitlines()[-1].split()[1]) <= size
    assert os.statvfs(nook.space).f_bavail > free - (150 << 20) // os.statvfs(nook.space).f_bsize
    assert not (busybox_root / "big").exists()
    assert not list(nook.root.glob("layers/*"))


@pytest.mark.parametrize("storage", [pytest.param("dir"), pytest.param(DISK, marks=ROOT)])
def test_a_layer_stays_until_the_container_is_removed(nook, busybox_root, storage):
    nook("run", "--name", "web", "--storage", storage, f"dir:{busybox_root}", "sh", "-c", "echo x >/etc/new; rm /etc/group")
    layer = layer_of(nook, "web")
    assert os.listdir(layer)
    assert not (busybox_root / "etc/new").exists() and (busybox_root / "etc/group").exists()
    assert nook("system", "check") == ""
    nook("rm", "web")
    assert not os.path.exists(layer)


@ROOT
def test_a_layer_over_the_hosts_system(nook):
    nook("run", "--name", "web", "--storage", "disk:64m", "host:", "sh", "-c", "echo mine >/etc/hostname.new")
    assert not os.path.exists("/etc/hostname.new")
    nook("rm", "web")


def test_memory_of_a_size(nook, busybox_root):
    out = nook("run", "--rm", "--storage", "tmpfs:8m", f"dir:{busybox_root}", "sh", "-c", "df -m / | tail -1")
    assert out.split()[1] == "8"


def test_an_unpacked_root_stays_below_its_layer(nook, own_root, space):
    subprocess.run(["tar", "-C", own_root, "-cf", space / "root.tar", "."], check=True)
    nook("run", "--name", "web", "--storage", "dir", f"tar:{space}/root.tar", "touch", "/new")
    kept = kept_of(nook, "web")
    assert len(kept) == 2 and all(os.path.isdir(path) for path in kept)
    nook("rm", "web")
    assert not any(os.path.exists(path) for path in kept)


@pytest.mark.parametrize("options, words", [
    (["--storage", "cloud"], '"cloud" is not dir, disk:SIZE'),
    (["--storage", "disk:"], "is no size"),
    (["--storage", "disk:64m,fs=vfat"], "fs=ext4"),
    (["--storage", "disk:64m,size=1"], "fs=ext4"),
    (["--storage", "tmpfs:64m,fs=ext4"], "fs=ext4"),
    (["--storage", "dir", "--overlay"], "--overlay says it already"),
])
def test_what_is_no_storage(nook, busybox_root, options, words):
    assert words in nook.fails(125, "run", "--rm", *options, f"dir:{busybox_root}", "true")


@ROOT
def test_a_disk_that_cannot_be_made_leaves_nothing(nook, busybox_root):
    error = nook.fails(125, "run", "--storage", "disk:8m,fs=xfs", f"dir:{busybox_root}", "true")
    assert "xfs" in error and "at least 300m" in error
    assert nook("ps", "-aq") == "" and not list(nook.root.glob("layers/*"))


@pytest.mark.user("rootless")
def test_an_ordinary_user_has_no_disks(nook, busybox_root):
    error = nook.fails(125, "run", "--storage", DISK, f"dir:{busybox_root}", "true")
    assert "only root can mount a file system in a file" in error
    assert nook("ps", "-aq") == "" and not list(nook.root.glob("layers/*"))
    assert "host's root" in nook.fails(125, "run", "--storage", "dir", "host:", "true")


@pytest.mark.parametrize("storage", [pytest.param("dir"), pytest.param(DISK, marks=ROOT)])
def test_a_container_that_keeps_its_changes_outlives_a_restart(nook, own_root, space, storage):
    """The run directory goes when the machine restarts."""
    subprocess.run(["tar", "-C", own_root, "-cf", space / "root.tar", "."], check=True)
    nook("run", "--name", "web", "--storage", storage, f"tar:{space}/root.tar", "sh", "-c", "echo mine >/new")
    nook("run", "--name", "gone", "--overlay", f"dir:{own_root}", "true")
    before = json.loads(nook("inspect", "web"))[0]
    subprocess.run(["rm", "-rf", nook.run_dir], check=True)
    assert nook("ps", "-aq") == ""
    assert "it is there again" in nook.result("system", "check").out
    nook("system", "repair")
    assert nook("system", "check") == ""
    assert json.loads(nook("inspect", "web"))[0] == before
    assert nook("run", "--rm", "container:web", "cat", "/new") == "mine\n"
    nook("rm", "web")
    assert not list(nook.root.glob("layers/*")) and not list(nook.root.glob("unpacked/*"))
