# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook-oci for an ordinary user, who maps no id but his own."""

import json
import os
import shutil
import subprocess

import pytest

import bundles
from conftest import BUILD, ORDINARY_UID

rootless = pytest.mark.user("rootless")


@pytest.fixture
def own(oci, space, busybox_root):
    bundle = bundles.Bundle(oci, space / "bundle", busybox_root, rootless=True)
    bundle.drop_namespace("network")
    return bundle


@rootless
def test_root_inside_is_the_user_outside(own, space):
    (space / "data").mkdir()
    own.mount("/tmp", "bind", space / "data", "bind", "rw").sh("id -u; cat /proc/self/setgroups; touch /tmp/made; exit 3")
    result = own.result()
    assert (result.out, result.code) == ("0\ndeny\n", 3)
    assert (space / "data/made").stat().st_uid == os.getuid()


@rootless
def test_a_life(own, oci):
    own.sh("trap 'exit 5' TERM; echo started; while :; do sleep 0.05; done").save()
    oci("create", "-b", own.path, "c")
    oci("start", "c")
    assert oci("exec", "c", "sh", "-c", "id -u; cat /proc/1/comm") == "0\nsh\n"
    oci.fails(9, "exec", "c", "sh", "-c", "exit 9")
    oci("kill", "c", "KILL")
    oci.wait("c", "stopped")
    oci("delete", "c")


@rootless
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


@rootless
def test_other_ids_take_the_helper(own):
    """Without a range in /etc/subuid newuidmap(1) refuses, and says so."""
    own.linux["uidMappings"] = [{"containerID": 0, "hostID": os.getuid(), "size": 1}, {"containerID": 1, "hostID": 1, "size": 1}]
    assert "newuidmap" in own.fails(1)


# A machine whose user has subordinate ids, in a mount namespace: ROOT-OF-IDS COMMAND.
WITH_IDS = """
set -e
cp /etc/passwd $1/passwd
echo "someone:x:$2:$2::/:/bin/sh" >>$1/passwd
echo "someone:300000:65536" >$1/ids
mount --bind $1/passwd /etc/passwd
mount --bind $1/ids /etc/subuid
mount --bind $1/ids /etc/subgid
uid=$2
shift 2
exec setpriv --reuid=$uid --regid=$uid --clear-groups "$@"
"""


@pytest.mark.user("root")
@pytest.mark.anywhere
@pytest.mark.skipif(not shutil.which("newuidmap"), reason="newuidmap(1) is not installed")
def test_subordinate_ids_are_mapped_by_the_helper(space, busybox_root):
    home = space / "home"
    home.mkdir()
    os.chown(home, ORDINARY_UID, ORDINARY_UID)
    oci = bundles.Oci(BUILD, home, uid=ORDINARY_UID)
    bundle = bundles.Bundle(oci, home / "bundle", busybox_root, rootless=True, owner=ORDINARY_UID)
    bundle.drop_namespace("network")
    maps = [{"containerID": 0, "hostID": ORDINARY_UID, "size": 1}, {"containerID": 1, "hostID": 300000, "size": 65535}]
    bundle.linux["uidMappings"] = bundle.linux["gidMappings"] = maps
    bundle.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [7]}
    bundle.sh("cat /proc/self/uid_map; id -u; id -G").save()
    line = oci.argv("run", "-b", bundle.path, "c")[4:]
    done = subprocess.run(["unshare", "-m", "sh", "-c", WITH_IDS, "sh", space, str(ORDINARY_UID), *line], env=oci.environment,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["0", str(ORDINARY_UID), "1", "1", "300000", "65535", "1000", "1000", "7"], done.stderr
