# SPDX-License-Identifier: LGPL-2.1-or-later
"""A store on a file system that carries no overlay or maps no ids, as a container's own root: containers get copies."""

import contextlib
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


@contextlib.contextmanager
def store_on_overlay(nook, space, size):
    """An overlay is what a container's root is."""
    with tmpfs(space / "disk", size):
        for name in "lower", "upper", "work":
            (space / "disk" / name).mkdir()
        nook.root.mkdir()
        subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir={space}/disk/lower,upperdir={space}/disk/upper,workdir={space}/disk/work",
                        "overlay", nook.root], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", nook.root], check=True)


def image_of(folder, *layers):
    """A source for nook load: these layers over busybox."""
    layout = images.Layout(folder)
    layout.image("t", [images.busybox_layer(), *layers], {"Env": ["PATH=/bin"]})
    return layout.source("t")


@pytest.fixture
def on_overlay(nook, space):
    with store_on_overlay(nook, space, "1g"):
        nook("load", "--name", "t:1", image_of(space / "oci", UPPER))
        yield nook


def test_a_container_of_a_copy(on_overlay):
    nook = on_overlay
    script = "ls /bin/rm 2>/dev/null || echo hidden; stat -c '%u:%g %a %h' /owned; stat -c '%a' /su; readlink /link; cat /private/in; echo; echo x >/new; id -u"
    assert nook("run", "--rm", "t:1", "sh", "-c", script).splitlines() == ["hidden", "33:34 640 2", "4755", "/etc/passwd", "in", "0"]
    assert not list((nook.root / "unpacked").glob("*"))
    # Nothing of it got into the image.
    assert nook("run", "--rm", "t:1", "sh", "-c", "test -e /new || echo clean") == "clean\n"
    # The top has its mode, too: who is not root gets in.
    assert nook("run", "--rm", "-u", "1000", "t:1", "sh", "-c", "stat -c '%a %u' /; cat /etc/passwd >/dev/null && echo read") == "755 0\nread\n"
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
    assert nook("run", "--rm", "container:web", "sh", "-c", "cat /new; stat -c %u /owned") == "mine\n33\n"
    assert "as it was" in nook.fails(125, "run", "--rm", "--userns", "host", "container:web", "cat", "/new")
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
    with store_on_overlay(nook, space, "9m"):
        nook("load", "--name", "t:1", image_of(space / "oci", tars.archive(tars.file("big", os.urandom(2 << 20)))))
        assert "No space left" in nook.fails(125, "run", "--rm", "t:1", "true")
        assert not list((nook.root / "unpacked").glob("*")) and nook("ps", "-aq") == ""


CHANGES = ("echo mine >/new; rm /link; rm -r /private; mkdir -p /private/deep/er; echo x >/private/deep/er/file; chmod 600 /owned; "
           "echo y >>/su; rm /bin/ls; ln /su /su2; chown 7:8 /new; ln -s /new /to-new; mkfifo /fifo")
LOOK = "cd /; find . -xdev -path ./proc -prune -o -path ./sys -prune -o -path ./dev -prune -o -path ./etc -prune -o -print | sort | while read -r f; do stat -c '%n %F %a %u:%g %s %h' \"$f\"; done"


def seen(nook, image):
    """All that a new container of IMAGE finds, but for sizes and links of directories."""
    lines = nook("run", "--rm", image, "sh", "-c", LOOK).splitlines()
    return [line.rsplit(" ", 2)[0] if " directory " in line else line for line in lines]


def layer_of(nook, image, nth=-1):
    """Names in a layer of IMAGE, as tar lists them."""
    nook("save", "--format", "oci", "-o", nook.space / "saved", image)
    blobs = nook.space / "saved/blobs/sha256"
    index = json.loads((nook.space / "saved/index.json").read_text())
    manifest = json.loads((blobs / index["manifests"][0]["digest"][7:]).read_text())
    layer = blobs / manifest["layers"][nth]["digest"][7:]
    text = subprocess.run(["tar", "-tf", layer], stdout=subprocess.PIPE, text=True, check=True).stdout
    subprocess.run(["rm", "-r", nook.space / "saved"], check=True)
    return sorted(text.splitlines())


@pytest.mark.parametrize("options", [[], ["--userns", "host"]])
def test_commit_of_a_copy(on_overlay, options):
    nook = on_overlay
    nook("run", "--name", "web", *options, "t:1", "sh", "-c", CHANGES)
    nook("commit", "web", "u:1")
    script = "stat -c '%u:%g %a %h' /new /owned; stat -c %h /su; cat /new; for f in /bin/ls /link /private/in; do test -e $f && echo $f; done; true"
    assert nook("run", "--rm", "u:1", "sh", "-c", script).splitlines() == [
        "7:8 644 1", "33:34 600 2", "2", "mine"]
    lines = seen(nook, "u:1")
    assert "./private directory 755 0:0" in lines and "./private/deep/er/file regular file 644 0:0 2 1" in lines
    assert [line for line in lines if line.startswith("./again regular file") and "33:34 1" in line] and not [line for line in lines if ".wh." in line or "./private/in" in line]
    nook("rm", "web")
    assert nook("system", "check") == ""


def test_commit_of_a_layer_over_a_copy(on_overlay):
    nook = on_overlay
    nook("run", "--name", "web", "--storage", "disk:64m", "t:1", "sh", "-c", "echo mine >/new; chown 7:8 /new; rm /bin/ls; chmod 600 /owned")
    nook("commit", "web", "u:1")
    assert nook("run", "--rm", "u:1", "sh", "-c", "cat /new; stat -c '%u:%g %a' /new /owned; test -e /bin/ls || echo gone").splitlines() == [
        "mine", "7:8 644", "33:34 600", "gone"]
    assert nook("run", "--rm", "container:web", "sh", "-c", "cat /new; stat -c '%u:%g' /new /again").splitlines() == ["mine", "7:8", "33:34"]
    nook("clone", "web", "other")
    assert nook("run", "--rm", "container:other", "cat", "/new") == "mine\n"
    nook("rm", "web", "other")
    assert nook("system", "check") == ""


def test_a_copy_says_what_it_has_changed(on_overlay):
    """As a container with a layer does."""
    nook = on_overlay
    nook("run", "--name", "copy", "t:1", "sh", "-c", CHANGES)
    nook("run", "--name", "layer", "--storage", "disk:64m", "t:1", "sh", "-c", CHANGES)
    told = nook("diff", "copy").splitlines()
    for line in ("A /new", "M /su", "A /su2", "P /owned", "D /link", "D /private/in", "A /private/deep/", "A /private/deep/er/file", "D /bin/ls",
                 "A /to-new -> /new", "A /fifo"):
        assert line in told, line
    # A link over a hard link keeps what it is; the layer tells only the names that were written to.
    assert not [line for line in told if "/rm" in line or "busybox" in line]
    assert {line["path"] for line in json.loads(nook("diff", "--json", "copy"))} >= {"new", "owned", "bin/ls"}
    assert {line for line in nook("diff", "layer").splitlines() if " /private" in line} == {line for line in told if " /private" in line}
    nook("rm", "copy", "layer")


def test_the_layer_of_a_copy_is_what_differs(on_overlay):
    nook = on_overlay
    nook("run", "--name", "web", "t:1", "sh", "-c", "echo x >/etc/file; rm /su")
    nook("commit", "web", "u:1")
    names = layer_of(nook, "u:1")
    assert {"./", "etc/", "etc/file", ".wh.su"} <= set(names)
    assert not [name for name in names if name.startswith(("bin/", "owned", "again", "private", "link", "su"))]
    nook("rm", "web")
    # Nothing changed: nothing but what the start itself made.
    nook("run", "--name", "idle", "t:1", "true")
    nook("commit", "idle", "v:1")
    assert not [name for name in layer_of(nook, "v:1") if name.startswith(("bin/", "owned", "su", ".wh."))]
    assert [line for line in nook("diff", "idle").splitlines() if line[0] != "A"] == []
    nook("rm", "idle")


def test_capabilities_of_a_file_in_a_copy(on_overlay):
    """They name the root that gave them; in the layer they are those that anybody has."""
    nook = on_overlay
    nook("run", "--name", "web", "t:1", "sh", "-c", "echo x >/capable")
    copy = pathlib.Path(json.loads(nook("inspect", "web"))[0]["rootfs"])
    owner = (copy / "capable").stat().st_uid
    os.setxattr(copy / "capable", "security.capability", bytes.fromhex("01000003" + "00040000" + "00" * 12) + owner.to_bytes(4, "little"))
    nook("commit", "web", "u:1")
    found = list((nook.root / "images/layers").glob("*/capable"))
    assert [os.getxattr(path, "security.capability").hex() for path in found] == ["01000002" + "00040000" + "00" * 12]
    nook("rm", "web")


def test_snapshots_of_a_copy(on_overlay):
    nook = on_overlay
    nook("run", "--name", "web", "t:1", "sh", "-c", "echo one >/new")
    assert nook("snapshot", "create", "web", "first") == "first\n"
    assert nook("run", "--rm", "container:web", "sh", "-c", "cat /new; echo two >/new; rm /owned; id -u; stat -c %u /again") == "one\n0\n33\n"
    nook("snapshot", "create", "web", "second")
    nook("snapshot", "restore", "web", "first")
    copy = pathlib.Path(json.loads(nook("inspect", "web"))[0]["rootfs"])
    assert (copy / "new").read_text() == "one\n" and (copy / "owned").exists() and not (copy / "restored").exists()
    nook("snapshot", "restore", "web", "second")
    assert nook("run", "--rm", "container:web", "sh", "-c", "cat /new; ls /owned 2>/dev/null; stat -c %u /again") == "two\n33\n"
    assert [line.split()[0] for line in nook("snapshot", "ls", "web").splitlines()[1:]] == ["first", "second"]
    nook("rm", "web")
    assert not list((nook.root / "snapshots").glob("*")) and not list((nook.root / "unpacked").glob("*"))


def test_a_clone_of_a_copy(on_overlay):
    nook = on_overlay
    nook("run", "--name", "web", "t:1", "sh", "-c", "echo one >/new")
    nook("clone", "web", "other")
    roots = [json.loads(nook("inspect", name))[0]["rootfs"] for name in ("web", "other")]
    assert roots[0] != roots[1] and all(pathlib.Path(root).is_dir() for root in roots)
    assert nook("run", "--rm", "container:other", "sh", "-c", "cat /new; echo two >/new; stat -c %u /owned") == "one\n33\n"
    assert nook("run", "--rm", "container:web", "cat", "/new") == "one\n"
    # Both have the same ids: one at a time.
    process = nook.start("run", "--rm", "container:web", "sh", "-c", "echo ready; cat >/dev/null", stdin=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    assert "in use by another container" in nook.fails(125, "run", "--rm", "container:other", "true")
    process.communicate(timeout=60)
    nook("commit", "other", "u:1")
    assert nook("run", "--rm", "u:1", "cat", "/new") == "two\n"
    nook("rm", "web")
    assert nook("run", "--rm", "container:other", "cat", "/new") == "two\n"
    nook("rm", "other")
    assert not list((nook.root / "unpacked").glob("*"))


def test_what_a_copy_exports_has_the_owners_inside(on_overlay):
    nook = on_overlay
    nook("run", "--name", "web", "t:1", "sh", "-c", "echo mine >/new")
    nook("export", "web", "-o", nook.space / "web.tar")
    text = subprocess.run(["tar", "--numeric-owner", "-tvf", nook.space / "web.tar"], stdout=subprocess.PIPE, text=True, check=True).stdout
    owners = {line.split()[5].lstrip("./"): line.split()[1] for line in text.splitlines()}
    assert owners["new"] == "0/0" and owners["again"] == owners["owned"] == "33/34"
    nook("rm", "web")


def test_what_cannot_be_seen_with_the_owners_inside(on_overlay):
    """A disk over a copy, when nothing runs there that knows both: refused, and not written with the host's ids."""
    nook = on_overlay
    nook("run", "--name", "web", "--storage", "disk:64m", "t:1", "sh", "-c", "echo mine >/new")
    assert "belongs to the ids it had" in nook.fails(125, "export", "web", "-o", nook.space / "web.tar")
    assert "belongs to the ids it had" in nook.fails(125, "cp", "web:/new", nook.space / "copy")
    assert not (nook.space / "web.tar").exists()
    assert nook("run", "--name", "again", "container:web", "sh", "-c", "cat /new; stat -c %u /owned") == "mine\n33\n"
    nook("rm", "again", "web")


def test_names_in_a_root_are_no_layer(on_overlay, space):
    """A root may have what a layer has: "upper", "disk.img"."""
    nook = on_overlay
    layout = images.Layout(space / "odd")
    layout.image("t", [images.busybox_layer(), tars.archive(tars.directory("upper"), tars.file("upper/in", b"x"), tars.file("disk.img", b"x"))],
                 {"Env": ["PATH=/bin"]})
    nook("load", "--name", "odd:1", layout.source("t"))
    nook("run", "--name", "web", "odd:1", "sh", "-c", "echo mine >/new")
    assert "A /new" in nook("diff", "web").splitlines()
    nook("commit", "web", "u:1")
    assert nook("run", "--rm", "u:1", "sh", "-c", "cat /new /upper/in /disk.img; test -e /in && echo in; true") == "mine\nxx"
    nook("rm", "web")


BELOW = tars.archive(tars.directory("all"), tars.file("all/gone", b"x"), tars.file("all/secret", b"x"), tars.directory("one"),
                     tars.file("one/gone", b"x"), tars.file("one/kept", b"x"))
ALL_GONE, ONE_GONE = tars.file("all/.wh..wh..opq", b""), tars.file("one/.wh.gone", b"")


@pytest.mark.parametrize("hides", [[ALL_GONE, ONE_GONE], [ONE_GONE, ALL_GONE], [ALL_GONE, tars.file("all/.wh.gone", b""), ONE_GONE]],
                         ids=["all-first", "one-first", "twice"])
def test_what_a_layer_hides_stays_hidden(on_overlay, space, hides):
    """Whatever the order: a directory that hides all goes on doing so when a name in it is hidden as well."""
    nook = on_overlay
    nook("load", "--name", "hides:1", image_of(space / "hides", BELOW, tars.archive(tars.directory("all"), tars.directory("one"), *hides)))
    assert nook("run", "--rm", "hides:1", "sh", "-c", "ls /all /one") == "/all:\n\n/one:\nkept\n"
    assert nook("system", "check") == ""


def test_a_directory_that_hides_names_first_and_then_all(on_overlay, space):
    """What hides a name there would become a file."""
    hides = tars.archive(tars.directory("all"), tars.file("all/.wh.gone", b""), ALL_GONE)
    assert "hides a directory" in on_overlay.fails(125, "load", "--name", "hides:1", image_of(space / "hides", BELOW, hides))
