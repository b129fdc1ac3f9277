# SPDX-License-Identifier: LGPL-2.1-or-later
"""A container's root as one file, and a container from that file: what was in it is the same on both sides."""

import json
import os
import shutil
import subprocess
import tarfile

import pytest

import leaks

ROOT = pytest.mark.user("root")
# An ordinary user may have no other ids than one.
USER = "7:8" if os.geteuid() == 0 else "0:0"
# Tells of each name what ls -l would, times to the second, and the content.
TELL = ("cd /; find . -xdev ! -path './bin/*' ! -path './proc*' ! -path './sys*' ! -path './dev*' ! -path './run*' | sort | while read -r f; do "
        "stat -c '%n %A %u:%g %Y %h %s %t:%T' \"$f\"; [ -h \"$f\" ] && readlink \"$f\"; [ -f \"$f\" ] && md5sum \"$f\"; done; true")
FILL = r"""
mkdir -p /odd/deep/er /odd/empty
echo one >/odd/file; ln /odd/file /odd/hard; ln -s file /odd/link; ln -s /no/where /odd/dangling
echo two >/odd/deep/er/two; chown 1000:100 /odd/deep/er/two; chmod 4711 /odd/deep/er/two; chmod 1777 /odd/empty; chmod 2750 /odd/deep
mkfifo /odd/fifo
dd if=/dev/urandom of=/odd/holes bs=4k count=1 seek=512 2>/dev/null
touch -d '2001-02-03 04:05:06' /odd/file /odd/deep /odd
"""


def listing(text):
    """Without what differs from one place to another: sizes and link counts of directories."""
    lines = []
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) == 7 and words[1].startswith("d"):
            words[4] = words[5] = "-"
        # The time of the root directory itself changes when mount points are made in it.
        if words[0] == "." and len(words) == 7:
            words[3] = "-"
        lines.append(" ".join(words))
    return lines


@pytest.fixture(scope="module")
def formats():
    return {"ext4": "root.img", "xfs": "root.img", "btrfs": "root.img", "squashfs": "root.sqfs", "erofs": "root.erofs"}


@pytest.mark.anywhere
@pytest.mark.parametrize("fs", ["ext4", "xfs", "btrfs", "squashfs", "erofs"])
@ROOT
def test_a_container_starts_from_what_another_one_was(nook, busybox_root, formats, fs):
    nook("run", "--name", "web", "--storage", "dir", f"dir:{busybox_root}", "sh", "-c", FILL)
    layer = next(nook.root.glob("layers/*/upper/odd"))
    os.setxattr(layer / "file", "user.color", b"blue")
    os.setxattr(layer / "deep", "user.place", b"deep")
    before = tell(nook, "container:web")
    nook("export", "--format", fs, "web", formats[fs])
    after = tell(nook, f"img:{formats[fs]}")
    assert listing(after) == listing(before)
    if fs in ("ext4", "xfs", "btrfs"):
        # Nanoseconds, holes and attributes, as the kernel shows them.
        assert int(nook("run", "--rm", f"img:{formats[fs]}", "stat", "-c", "%b", "/odd/holes")) <= 16
        assert mounted(nook, formats[fs]) == (b"blue", b"deep", (layer / "holes").stat().st_mtime_ns)
        assert nook("disk", "fsck", formats[fs]) == f"{formats[fs]}: clean\n"
    nook("rm", "web")


def tell(nook, source):
    return nook("run", "--rm", source, "sh", "-c", TELL)


def mounted(nook, name):
    point = nook.space / "mnt"
    point.mkdir()
    subprocess.run(["mount", "-o", "loop,ro", nook.space / name, point], check=True)
    try:
        return (os.getxattr(point / "odd/file", "user.color"), os.getxattr(point / "odd/deep", "user.place"),
                (point / "odd/holes").stat().st_mtime_ns)
    finally:
        subprocess.run(["umount", point], check=True)


@pytest.mark.anywhere
def test_a_tar_archive_of_it(nook, busybox_root, space):
    nook("run", "--name", "web", "--storage", "dir", f"dir:{busybox_root}", "sh", "-c",
         "mkdir /odd; echo one >/odd/file; ln /odd/file /odd/hard; rm /etc/group; mkfifo /odd/fifo")
    nook("export", "web", "-o", "web.tar")
    with nook.start("export", "web", text=False) as process:
        piped = process.stdout.read()
    assert piped == (space / "web.tar").read_bytes()
    with nook.start("export", "-o", "-", "web", text=False) as process:
        assert process.stdout.read() == piped
    assert not (space / "-").exists()
    with tarfile.open(space / "web.tar") as tar:
        names = tar.getnames()
        assert "./odd/file" in names and "./etc/passwd" in names and "./etc/group" not in names
        assert tar.extractfile("./odd/hard").read() == b"one\n" and tar.getmember("./etc/passwd").uid == 0
    assert nook("run", "--rm", "tar:web.tar", "cat", "/odd/file") == "one\n"
    nook("rm", "web")


@pytest.mark.anywhere
def test_what_is_mounted_in_it_is_not_part_of_it(nook, busybox_root, space):
    (space / "data").mkdir()
    (space / "data/private").write_text("x")
    process = nook.start("run", "--rm", "--name", "web", "-v", f"{space}/data:/data", "--overlay", f"dir:{busybox_root}", "sh", "-c",
                         "touch /here; echo ready; cat >/dev/null", stdin=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    nook("export", "web", "web.tar")
    with tarfile.open(space / "web.tar") as tar:
        names = set(tar.getnames())
    assert "./here" in names and "./data" in names and "./data/private" not in names
    assert not [name for name in names if name.startswith(("./proc/", "./sys/", "./dev/"))]
    process.communicate(timeout=60)


@pytest.mark.parametrize("fs", ["ext4", "squashfs", "erofs"])
def test_everybody_exports_what_runs(nook, busybox_root, space, fs):
    """A paused container; it runs on afterwards."""
    process = nook.start("run", "--rm", "--name", "web", "--overlay", f"dir:{busybox_root}", "sh", "-c",
                         "echo mine >/etc/new; chmod 640 /etc/new; echo ready; cat >/dev/null; echo on", stdin=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    nook("export", "--format", fs, "--size", "64m", "web", "web.img")
    out, _ = process.communicate(timeout=60)
    assert out == "on\n"
    assert nook("disk", "inspect", "web.img").find(f'"fs": "{fs}"') > 0
    assert (space / "web.img").stat().st_mode & 0o777 == 0o600
    if os.geteuid() == 0:
        assert nook("run", "--rm", "img:web.img", "sh", "-c", "stat -c '%u:%g %a' /etc/new; cat /etc/new") == "0:0 640\nmine\n"
    else:
        subprocess.run({"ext4": ["e2fsck", "-fn", space / "web.img"], "squashfs": ["unsquashfs", "-l", space / "web.img"],
                        "erofs": ["fsck.erofs", space / "web.img"]}[fs], check=True, capture_output=True)


FORMATS = ["tar", "oci"] + (["ext4", "xfs", "squashfs", "erofs"] if os.geteuid() == 0 else [])


@pytest.fixture
def started(nook):
    """A container of an image, started with a command, a variable and a directory of its own."""
    nook("bootstrap", "busybox", "--name", "base", "-c", "ENV FROM=image", "-c", 'ENTRYPOINT ["sh", "-c"]', "-c", "STOPSIGNAL SIGINT")
    nook("run", "--name", "web", "-e", "MINE=option", "-w", "/new/place", "-u", USER, "--label", "who=me", "base",
         "echo $FROM $MINE $(pwd) $(id -u):$(id -g)")
    yield "web"
    nook("rm", "web")


@pytest.mark.anywhere
@pytest.mark.parametrize("form", FORMATS)
def test_it_starts_again_as_it_was(nook, started, form):
    """Its command, environment, user and directory go with the file; and without them it is files alone."""
    nook("export", "--format", form, "--size", "320m", started, "web.img")
    assert nook("run", "--rm", "img:web.img") == f"image option /new/place {USER}\n"
    assert nook("run", "--rm", "-e", "MINE=other", "img:web.img", "echo $MINE") == "other\n"
    nook("run", "--name", "again", "img:web.img")
    config = json.loads(nook("inspect", "again"))[0]["config"]
    assert config["Labels"] == {"who": "me"} and config["StopSignal"] == "SIGINT" and config["Entrypoint"] == ["sh", "-c"]
    nook("rm", "again")
    nook("export", "--format", form, "--size", "320m", "--no-config", started, "bare.img")
    assert nook("run", "--rm", "img:bare.img", "sh", "-c", "echo $FROM.$(id -u)") == ".0\n"


@pytest.mark.anywhere
def test_a_tar_archive_that_says_how_it_is_run(nook, started, space):
    nook("export", started, "web.tar")
    assert nook("run", "--rm", "tar:web.tar") == f"image option /new/place {USER}\n"
    told = subprocess.run(["tar", "-tf", space / "web.tar"], capture_output=True, text=True, check=True)
    assert "./etc/passwd" in told.stdout and told.stderr == ""
    subprocess.run(["gzip", space / "web.tar"], check=True)
    assert nook("run", "--rm", "img:web.tar.gz", "id", "-u") == "0\n"


@pytest.mark.anywhere
@pytest.mark.skipif(not shutil.which("skopeo") or not shutil.which("umoci"), reason="skopeo and umoci are not here")
def test_others_read_the_archive(nook, started, space):
    nook("export", "--format", "oci", started, "web.oci")
    assert nook("load", "-q", "oci-archive:web.oci").startswith("sha256:")
    subprocess.run(["skopeo", "copy", "-q", f"oci-archive:{space}/web.oci", f"oci:{space}/layout:web"], check=True)
    config = json.loads(subprocess.run(["skopeo", "inspect", "--config", f"oci:{space}/layout:web"], capture_output=True, check=True).stdout)
    assert config["config"]["User"] == USER and config["config"]["WorkingDir"] == "/new/place"
    subprocess.run(["umoci", "unpack", *(["--rootless"] if os.geteuid() else []), "--image", f"{space}/layout:web", space / "bundle"],
                   check=True, capture_output=True)
    assert (space / "bundle/rootfs/new/place").is_dir()


@pytest.mark.anywhere
@ROOT
def test_a_disk_that_grows_keeps_what_goes_with_it(nook, started):
    nook("export", "--format", "ext4", "--size", "32m", started, "web.img")
    nook("disk", "grow", "--size", "64m", "web.img")
    nook("disk", "compact", "web.img")
    assert nook("run", "--rm", "img:web.img") == f"image option /new/place {USER}\n"
    assert int(nook("run", "--rm", "img:web.img", "df -k / | tail -1").split()[1]) > 50000
    assert nook("disk", "fsck", "web.img") == "web.img: clean\n"


@pytest.mark.anywhere
@pytest.mark.user("rootless")
@pytest.mark.parametrize("fs", ["squashfs", "erofs"])
def test_an_ordinary_user_starts_from_what_is_never_written(nook, started, space, fs):
    """He cannot mount it: it is unpacked for the container, by a program in a container of its own."""
    nook("export", "--format", fs, started, "web.img")
    result = nook.result("run", "--rm", "img:web.img")
    assert result.out == f"image option /new/place {USER}\n" and "unpacked for this container" in result.err
    assert nook("--quiet", "run", "--rm", "img:web.img", "echo x >/etc/new; cat /etc/new") == "x\n"
    assert not (nook.root / "unpacked").exists() or not list((nook.root / "unpacked").iterdir())
    whole = (space / "web.img").read_bytes()
    (space / "cut.img").write_bytes(whole[:len(whole) // 2])
    assert nook.result("run", "--rm", "img:cut.img").code == 125
    (space / "a:b.img").write_bytes(whole)
    assert "colon" in nook.fails(125, "run", "--rm", "img:a:b.img")
    assert nook("ps", "-aq").split() == [json.loads(nook("inspect", "web"))[0]["id"]]


@pytest.mark.anywhere
def test_what_img_cannot_be(nook, space):
    (space / "text").write_text("neither an archive nor a file system " * 100)
    assert "there is no ext4" in nook.fails(125, "run", "img:text")
    (space / "damaged").write_bytes(b"\0" * 8168 + b"\xff" * 16 + b"nooknote")
    assert "there is no ext4" in nook.fails(125, "run", "img:damaged")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", space / "ext4", "4m"], check=True)
    with (space / "ext4").open("ab") as out:
        out.write(b"{}" + b"\0" * 4078 + b"\xff" * 8 + b"nooknote")
    assert "damaged" in nook.fails(125, "run", "img:ext4")


@pytest.mark.anywhere
@pytest.mark.parametrize("arguments, words", [
    (["--format", "zip", "web", "web.img"], '"zip" is not tar, ext4'),
    (["--format", "squashfs", "web"], "name the file to write"),
    (["nobody", "x.tar"], "nobody"),
    (["--format", "oci", "web"], "name the file to write"),
    (["--format", "oci", "web", "there"], "File exists"),
    (["--format", "oci", "nobody", "x.img"], "nobody"),
    (["web", "there"], "File exists"),
    (["--format", "squashfs", "web", "there"], "File exists"),
    (["web", "missing/x.tar"], "No such file"),
])
def test_what_cannot_be_exported(nook, busybox_root, space, arguments, words):
    (space / "there").write_text("precious")
    nook("run", "--name", "web", "--storage", "dir", f"dir:{busybox_root}", "true")
    assert words in nook.fails(125, "export", *arguments)
    assert (space / "there").read_text() == "precious" and not list(space.glob("*.img")) and not list(space.glob("*.tar"))
    nook("rm", "web")


@pytest.mark.anywhere
@ROOT
def test_a_file_system_that_is_too_small_leaves_no_file(nook, busybox_root, space):
    nook("run", "--name", "web", "--storage", "dir", f"dir:{busybox_root}", "dd", "if=/dev/urandom", "of=/big", "bs=1M", "count=20")
    assert "No space left" in nook.fails(125, "export", "--format", "ext4", "--size", "16m", "web", "web.img")
    assert not list(space.glob("*.img")) and not list(space.glob(".*")) and not [
        line for line in leaks.loop_devices() if str(space) in line]
    nook("rm", "web")


@pytest.mark.anywhere
def test_a_container_without_its_changes_is_not_exported(nook, busybox_root):
    nook("run", "--name", "web", "--overlay", f"dir:{busybox_root}", "true")
    assert "its changes with it" in nook.fails(125, "export", "web", "web.tar")
    nook("rm", "web")
