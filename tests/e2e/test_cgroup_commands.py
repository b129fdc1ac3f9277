# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook cgroup: groups made by hand are what the cgroup tools would have made."""

import json
import os
import pathlib
import subprocess

import pytest

from conftest import ORDINARY_UID
from groups import MOUNTS, group_of, has, on_v2

pytestmark = pytest.mark.vm
root = pytest.mark.user("root")


@pytest.fixture
def lab(nook):
    """The name of a group of the test's own, gone after it."""
    name = f"nook-hand-{os.getpid()}"
    yield name
    nook.result("cgroup", "rm", "-r", "-m", name)


HAND = [name for name in ("cpu", "memory", "freezer", "pids") if name in MOUNTS] or ["v2"]


@root
def test_create_exec_move_and_remove(nook, lab):
    one = HAND[0]
    nook("cgroup", "create", f"{','.join(HAND)}:{lab}/a")
    listed = nook("cgroup", "ls", f"{one}:{lab}").splitlines()
    assert [line.split(":")[1] for line in listed] == [f"/{lab}", f"/{lab}/a"]
    out = nook("cgroup", "exec", f"{','.join(HAND)}:{lab}/a", "--", "cat", "/proc/self/cgroup")
    assert out.count(f":/{lab}/a\n") == len({MOUNTS[name] for name in HAND})
    with subprocess.Popen(["sleep", "inf"]) as process:
        try:
            nook("cgroup", "mv", f"{one}:{lab}/a", process.pid)
            assert group_of(process.pid, one) == MOUNTS[one] / lab / "a"
            assert "a (1)" in nook("cgroup", "tree", f"{one}:{lab}")
            assert f"{process.pid} sleep" in nook("cgroup", "tree", "--pids", f"{one}:{lab}")
            assert f"process {process.pid} is in it" in nook.fails(125, "cgroup", "rm", f"{one}:{lab}/a")
            assert "-r removes them" in nook.fails(125, "cgroup", "rm", f"{one}:{lab}")
            nook("cgroup", "mv", f"{one}:/", process.pid)
        finally:
            process.kill()
    nook("cgroup", "rm", "-r", lab)
    assert "no hierarchy has a group" in nook.fails(125, "cgroup", "ls", lab)


@root
@has("cpu", "memory")
def test_set_and_get(nook, lab):
    shares, memory = ("cpu.weight", "memory.max") if on_v2("cpu") else ("cpu.shares", "memory.limit_in_bytes")
    nook("cgroup", "create", f"cpu,memory:{lab}")
    nook("cgroup", "set", lab, f"{shares}=512", "-r", f"{memory}=64M")
    assert nook("cgroup", "get", "-v", f"cpu,memory:{lab}", shares, memory) == f"512\n{64 << 20}\n"
    assert f"{shares}: 512\n" in nook("cgroup", "get", f"cpu:{lab}")
    other = "cpu.shares" if on_v2("cpu") else "cpu.weight"
    assert f"it is {shares} there" in nook.fails(125, "cgroup", "set", f"cpu:{lab}", f"{other}=1")
    assert "does not take" in nook.fails(125, "cgroup", "set", f"cpu:{lab}", f"{shares}=many")


@root
@has("cpu", "memory")
def test_save_and_restore(nook, lab, space):
    shares, memory = ("cpu.weight", "memory.max") if on_v2("cpu") else ("cpu.shares", "memory.limit_in_bytes")
    nook("cgroup", "create", "-t", f"{ORDINARY_UID}:{ORDINARY_UID}", f"cpu,memory:{lab}/a")
    nook("cgroup", "set", f"{lab}/a", f"{shares}=300", f"{memory}=64M")
    saved = nook("cgroup", "save", f"cpu,memory:{lab}")
    assert f'{shares} = "300";' in saved
    nook("cgroup", "rm", "-r", lab)
    (space / "conf").write_text(saved)
    nook("cgroup", "restore", space / "conf")
    assert nook("cgroup", "save", f"cpu,memory:{lab}") == saved
    assert os.stat(MOUNTS["cpu"] / lab / "a" / "cgroup.procs").st_uid == ORDINARY_UID
    assert 'line 1: "=" is missing' in nook.fails(125, "cgroup", "restore", input="group x { cpu { a b; } }")


@root
def test_our_file_is_read_by_cgconfigparser(nook, lab, space):
    if "v2" in MOUNTS and MOUNTS["v2"] == pathlib.Path("/sys/fs/cgroup") or subprocess.run(
            ["sh", "-c", "command -v cgconfigparser"], capture_output=True, check=False).returncode:
        pytest.skip("no cgconfigparser that knows this layout")
    conf = f'group {lab} {{\n\tcpu {{\n\t\tcpu.shares = "300";\n\t}}\n}}\n'
    (space / "conf").write_text(conf)
    subprocess.run(["cgconfigparser", "-l", space / "conf"], check=True)
    assert nook("cgroup", "get", "-v", f"cpu:{lab}", "cpu.shares") == "300\n"
    nook("cgroup", "rm", lab)
    nook("cgroup", "restore", input=conf)
    assert nook("cgroup", "get", "-v", f"cpu:{lab}", "cpu.shares") == "300\n"


def test_ls_tells_where_each_controller_lives(nook):
    listed = {entry["controller"]: entry for entry in json.loads(nook("cgroup", "ls", "--format", "json"))}
    for name, mount in MOUNTS.items():
        if name in listed:
            assert listed[name]["mount"] == str(mount)
    assert "removed in Linux 3.0" in listed["ns"]["note"]


def test_names_that_mean_nothing(nook):
    assert "Linux 3.0 removed" in nook.fails(125, "cgroup", "create", "ns:x")
    assert "no such controller" in nook.fails(125, "cgroup", "create", "nonsense:x")
    assert "say for which controllers" in nook.fails(125, "cgroup", "create", "x")
    assert "cannot be removed" in nook.fails(125, "cgroup", "rm", "/")


@pytest.mark.user("rootless")
def test_an_ordinary_user_cannot_make_groups_at_the_top(nook):
    assert "Permission denied" in nook.fails(125, "cgroup", "create", f"{HAND[0]}:nook-nobody")
