# SPDX-License-Identifier: LGPL-2.1-or-later
"""linux.netDevices: a device of the caller's network namespace moves into the container with its addresses."""

import json
import os
import subprocess

import pytest

CLONE_NEWNET = 0x40000000


@pytest.fixture
def own_netns():
    """The test has a network namespace of its own; what it leaves there dies with it."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as before:
        assert libc.unshare(CLONE_NEWNET) == 0
        yield
        assert libc.setns(before.fileno(), CLONE_NEWNET) == 0


def ip(*args):
    return subprocess.run(["ip", *args], check=True, capture_output=True, text=True).stdout


def bundle(space, root, devices, command):
    """An OCI bundle that runs COMMAND in a network namespace of its own."""
    config = {
        "ociVersion": "1.3.0",
        "root": {"path": str(root), "readonly": True},
        "process": {"args": command, "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/bin"]},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                   {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]}],
        "linux": {"namespaces": [{"type": kind} for kind in ("mount", "pid", "network", "uts", "ipc")],
                  "netDevices": devices},
    }
    path = space / "bundle"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config))
    return path


def run(nook, space, path):
    return nook.result("--root", space / "oci", "run", "--bundle", path, f"dev{os.getpid()}", program="nook-oci")


@pytest.mark.user("root")
def test_a_device_moves_with_name_and_addresses(own_netns, nook, space, busybox_root):
    ip("link", "add", "nk0", "type", "veth", "peer", "name", "nk1")
    ip("addr", "add", "10.77.0.2/24", "brd", "10.77.0.255", "dev", "nk0")
    ip("addr", "add", "10.77.0.9/24", "dev", "nk0")
    ip("addr", "add", "fd77::2/64", "nodad", "dev", "nk0")
    ip("link", "set", "nk0", "up")
    done = run(nook, space, bundle(space, busybox_root, {"nk0": {"name": "eth0"}, "nk1": {}}, ["ip", "addr"]))
    assert done.code == 0, str(done)
    assert "eth0" in done.out and "nk0" not in done.out and "nk1" in done.out
    for words in "inet 10.77.0.2/24 brd 10.77.0.255", "inet 10.77.0.9/24", "inet6 fd77::2/64", "<BROADCAST,MULTICAST,UP":
        assert words in done.out, done.out
    assert "link/loopback" in done.out


@pytest.mark.user("root")
@pytest.mark.parametrize("devices, words", [
    ({"nosuch": {}}, 'network "nosuch": no such device'), ({"nk0": {"name": "lo"}}, 'network "nk0": file exists'),
])
def test_what_cannot_move_is_said(own_netns, nook, space, busybox_root, devices, words):
    ip("link", "add", "nk0", "type", "veth", "peer", "name", "nk1")
    done = run(nook, space, bundle(space, busybox_root, devices, ["true"]))
    assert done.code != 0 and words in done.err, str(done)
    assert "nk0" in ip("link", "show", "nk0")
