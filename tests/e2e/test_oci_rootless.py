# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook-oci for an ordinary user, who maps no id but his own."""

import json
import os

import pytest

import bundles

pytestmark = pytest.mark.user("rootless")


@pytest.fixture
def own(oci, space, busybox_root):
    bundle = bundles.Bundle(oci, space / "bundle", busybox_root, rootless=True)
    bundle.drop_namespace("network")
    return bundle


def test_root_inside_is_the_user_outside(own, space):
    (space / "data").mkdir()
    own.mount("/tmp", "bind", space / "data", "bind", "rw").sh("id -u; cat /proc/self/setgroups; touch /tmp/made; exit 3")
    result = own.result()
    assert (result.out, result.code) == ("0\ndeny\n", 3)
    assert (space / "data/made").stat().st_uid == os.getuid()


def test_a_life(own, oci):
    own.sh("trap 'exit 5' TERM; echo started; while :; do sleep 0.05; done").save()
    oci("create", "-b", own.path, "c")
    oci("start", "c")
    assert oci("exec", "c", "sh", "-c", "id -u; cat /proc/1/comm") == "0\nsh\n"
    oci.fails(9, "exec", "c", "sh", "-c", "exit 9")
    oci("kill", "c", "KILL")
    oci.wait("c", "stopped")
    oci("delete", "c")


def test_mounts_come_and_go(own, oci, space):
    own.args("sleep", "1000").run("--detach")
    (space / "data").mkdir()
    (space / "data/file").write_text("shown\n")
    mounts = [{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["size=64k", "nosuid"]},
              {"destination": "/tmp/in", "type": "bind", "source": str(space / "data"), "options": ["bind", "ro"]}]
    (space / "mounts.json").write_text(json.dumps(mounts))
    oci("mounts", "add", "c", space / "mounts.json")
    assert oci("exec", "c", "sh", "-c", "cat /tmp/in/file; touch /tmp/in/x || cut -d' ' -f5 /proc/1/mountinfo | grep -c ^/tmp") == "shown\n2\n"
    oci("mounts", "remove", "c", space / "mounts.json")
    assert oci("exec", "c", "sh", "-c", "cut -d' ' -f5 /proc/1/mountinfo | grep -c ^/tmp; true") == "0\n"
    mounts[1]["source"] = "/no/such"
    (space / "mounts.json").write_text(json.dumps(mounts[1:]))
    assert "/no/such" in oci.fails(1, "mounts", "add", "c", space / "mounts.json")


def test_other_ids_take_the_helper(own):
    """Without a range in /etc/subuid newuidmap(1) refuses, and says so."""
    own.linux["uidMappings"] = [{"containerID": 0, "hostID": os.getuid(), "size": 1}, {"containerID": 1, "hostID": 1, "size": 1}]
    assert "newuidmap" in own.fails(1)
