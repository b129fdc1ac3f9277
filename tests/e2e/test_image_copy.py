# SPDX-License-Identifier: LGPL-2.1-or-later
"""A store on a file system that carries no overlay or maps no ids, as a container's own root: containers get copies."""

import json
import os
import pathlib
import subprocess

import pytest

import hostile_tars as tars
import images
from roots import tmpfs

KERNEL = tuple(map(int, os.uname().release.split(".")[:2]))
# Before, an overlay takes no marks of another one.
pytestmark = [pytest.mark.anywhere, pytest.mark.user("root"), pytest.mark.skipif(KERNEL < (6, 7), reason="no overlays in overlays before Linux 6.7")]

UPPER = tars.archive(tars.file("bin/.wh.rm", b""), tars.file("owned", b"x", uid=33, gid=34, mode=0o640), tars.file("su", b"x", mode=0o4755),
                     tars.hardlink("again", "owned"), tars.symlink("link", "/etc/passwd"), tars.directory("private", mode=0o700, uid=33, gid=33),
                     tars.file("private/in", b"in", uid=33, gid=33))


@pytest.fixture
def on_overlay(nook, space):
    """The store is on an overlay, which is what a container's root is."""
    with tmpfs(space / "disk", "1g"):
        for name in "lower", "upper", "work":
            (space / "disk" / name).mkdir()
        nook.root.mkdir()
        subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir={space}/disk/lower,upperdir={space}/disk/upper,workdir={space}/disk/work",
                        "overlay", nook.root], check=True)
        try:
            layout = images.Layout(space / "oci")
            layout.image("t", [images.busybox_layer(), UPPER], {"Env": ["PATH=/bin"]})
            nook("load", "--name", "t:1", layout.source("t"))
            yield nook
        finally:
            subprocess.run(["umount", nook.root], check=True)


def test_a_container_of_a_copy(on_overlay):
    nook = on_overlay
    script = "ls /bin/rm 2>/dev/null || echo hidden; stat -c '%u:%g %a %h' /owned; stat -c '%a' /su; readlink /link; cat /private/in; echo; echo x >/new; id -u"
    assert nook("run", "--rm", "t:1", "sh", "-c", script).splitlines() == ["hidden", "33:34 640 2", "4755", "/etc/passwd", "in", "0"]
    assert not list((nook.root / "unpacked").glob("*"))
    # Nothing of it got into the image.
    assert nook("run", "--rm", "t:1", "sh", "-c", "test -e /new || echo clean") == "clean\n"
    assert nook("system", "check") == ""


def test_what_it_changes_stays_with_it(on_overlay):
    nook = on_overlay
    nook("run", "--name", "web", "t:1", "sh", "-c", "echo mine >/new")
    shown = json.loads(nook("inspect", "web"))[0]
    copy = pathlib.Path(shown["rootfs"])
    assert (copy / "new").read_text() == "mine\n" and copy in map(pathlib.Path, shown["kept"])
    # Its files are a range's, not the host's.
    assert (copy / "new").stat().st_uid >= 65536 and (copy / "owned").stat().st_uid == (copy / "new").stat().st_uid + 33
    assert nook("export", "web", "-o", nook.space / "web.tar") == "" and "new" in subprocess.run(
        ["tar", "-tf", nook.space / "web.tar"], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "belongs to the ids" in nook.fails(125, "run", "--rm", "container:web", "cat", "/new")
    nook("rm", "web")
    assert not copy.exists()


def test_every_way_to_keep_changes(on_overlay, space):
    nook = on_overlay
    for options in (["--storage", "tmpfs"], ["--storage", "disk:64m"], ["--overlay"], ["--read-only"], ["--userns", "host"]):
        assert nook("run", "--rm", *options, "t:1", "sh", "-c", "stat -c %u /owned") == "33\n", options
    nook("run", "--name", "host", "--userns", "host", "t:1", "sh", "-c", "echo x >/new")
    nook("rm", "host")
    assert not list((nook.root / "unpacked").glob("*"))


def test_a_copy_that_does_not_fit(nook, space):
    """A full disk in the middle: said, and nothing is left."""
    with tmpfs(space / "disk", "9m"):
        for name in "lower", "upper", "work":
            (space / "disk" / name).mkdir()
        nook.root.mkdir()
        subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir={space}/disk/lower,upperdir={space}/disk/upper,workdir={space}/disk/work",
                        "overlay", nook.root], check=True)
        try:
            layout = images.Layout(space / "oci")
            layout.image("t", [images.busybox_layer(), tars.archive(tars.file("big", os.urandom(2 << 20)))], {"Env": ["PATH=/bin"]})
            nook("load", "--name", "t:1", layout.source("t"))
            assert "No space left" in nook.fails(125, "run", "--rm", "t:1", "true")
            assert not list((nook.root / "unpacked").glob("*")) and nook("ps", "-aq") == ""
        finally:
            subprocess.run(["umount", nook.root], check=True)
