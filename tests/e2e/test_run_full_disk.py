# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook run where its own directories cannot be written: the message says which, and nothing is left."""

import contextlib
import os
import subprocess

import pytest

pytestmark = pytest.mark.user("root")


@contextlib.contextmanager
def mounted(path, options):
    path.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def test_a_read_only_run_directory(nook, busybox_root):
    with mounted(nook.run_dir, "ro,size=64k"):
        error = nook.fails(125, "run", f"dir:{busybox_root}", "true")
        assert "Read-only file system" in error and str(nook.run_dir) in error or "containers" in error


@pytest.mark.parametrize("inodes", [2, 3, 4, 5, 6, 7, 8])
def test_a_run_directory_without_room(nook, busybox_root, inodes):
    with mounted(nook.run_dir, f"size=64k,nr_inodes={inodes}"):
        result = nook.result("run", "--rm", f"dir:{busybox_root}", "true")
        assert result.code == 0 or (result.code == 125 and "No space left on device" in result.err), str(result)
        # Whatever was begun is undone.
        assert not os.path.exists(nook.run_dir / "containers") or os.listdir(nook.run_dir / "containers") == []


def test_a_full_run_directory(nook, busybox_root):
    with mounted(nook.run_dir, "size=64k"):
        with open(nook.run_dir / "filler", "wb", buffering=0) as filler:
            with contextlib.suppress(OSError):
                while True:
                    filler.write(b"x" * 4096)
        error = nook.fails(125, "run", "--rm", f"dir:{busybox_root}", "true")
        assert "No space left on device" in error
        (nook.run_dir / "filler").unlink()
        nook("run", "--rm", f"dir:{busybox_root}", "true")


def test_a_full_layer_is_the_containers_own_affair(nook, busybox_root):
    out = nook("run", "--rm", "--overlay", "--tmpfs", "/small:size=64k", f"dir:{busybox_root}", "sh", "-c",
               "dd if=/dev/zero of=/small/f bs=1k count=100 2>&1 | grep -o 'No space left on device'; echo alive")
    assert out == "No space left on device\nalive\n"


def test_a_root_directory_that_cannot_be_written_by_its_owner(nook, own_root, space):
    with mounted(space / "ro", "size=8m"):
        subprocess.run(["cp", "-a", f"{own_root}/.", space / "ro"], check=True)
        for name in ("proc", "sys", "dev"):
            (space / "ro" / name).mkdir(exist_ok=True)
        subprocess.run(["mount", "-o", "remount,ro", space / "ro"], check=True)
        assert nook("run", "--rm", f"dir:{space}/ro", "sh", "-c", "touch /x 2>/dev/null || echo read-only") == "read-only\n"
