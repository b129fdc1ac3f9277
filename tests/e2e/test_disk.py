# SPDX-License-Identifier: LGPL-2.1-or-later
"""File systems in files: made, looked at, grown, compacted, checked, copied; mounted where only the container sees them."""

import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import time

import pytest

import leaks

pytestmark = pytest.mark.anywhere

WRITABLE = ["ext4", "xfs", "btrfs"]
# The least that mkfs.xfs makes is 300 MB; the files are sparse.
SIZE = "320m"
MOUNTS = pytest.mark.user("root")



def create(nook, path, fs="ext4", size=SIZE):
    nook("disk", "create", path, "--size", size, "--fs", fs)
    return path


def view(nook, path):
    return json.loads(nook("disk", "inspect", path))[0]


def loops(space):
    """Loop devices over files of this test."""
    return [line for line in leaks.loop_devices() if str(space) in line]


def wait_for(condition, what):
    deadline = time.monotonic() + leaks.GRACE
    while not condition():
        assert time.monotonic() < deadline, what
        select.select([], [], [], 0.01)


@pytest.fixture
def held(nook):
    """Starts a container that runs until its input ends; the first line that it prints is waited for."""
    started = []

    def start(*arguments):
        process = nook.start("run", "--rm", *arguments, "sh", "-c", "echo ready; cat >/dev/null", stdin=subprocess.PIPE)
        started.append(process)
        line = process.stdout.readline()
        assert line == "ready\n", process.stderr.read()
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.communicate(timeout=60)


# ---- the file ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fs", WRITABLE)
def test_a_new_disk_is_a_sparse_file_with_a_clean_file_system(nook, space, fs):
    nook("disk", "create", "web.img", "--size", SIZE, "--fs", fs, "--label", "web")
    seen = view(nook, "web.img")
    assert seen["fs"] == fs and seen["label"] == "web" and seen["writable"] and seen["user"] is None
    assert seen["bytes"] == 320 << 20 and seen["fsBytes"] <= seen["bytes"]
    assert seen["allocated"] < seen["bytes"] / 4
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", seen["uuid"])
    assert nook("disk", "fsck", "web.img") == "web.img: clean\n"
    assert (space / "web.img").stat().st_mode & 0o777 == 0o600


def test_create_never_touches_what_is_there(nook, space):
    (space / "precious").write_text("mine")
    assert "File exists" in nook.fails(125, "disk", "create", "precious", "--size", "8m")
    assert (space / "precious").read_text() == "mine"


@pytest.mark.parametrize("arguments, words", [
    (["x.img"], "how large?"),
    (["x.img", "--size", "1k"], "at least 1m"),
    (["x.img", "--size", "5000001"], "multiple of 4096"),
    (["x.img", "--size", "8m", "--fs", "vfat"], '"vfat" is not ext4, xfs or btrfs'),
    (["x.img", "--size", "8m", "--fs", "squashfs"], "is not ext4, xfs or btrfs"),
    (["x.img", "--size", "8m", "--fs", "btrfs"], "mkfs.btrfs: "),
    (["missing/x.img", "--size", "8m"], "No such file"),
])
def test_create_refuses_what_cannot_be_and_leaves_no_file(nook, space, arguments, words):
    assert words in nook.fails(125, "disk", "create", *arguments)
    assert not list(space.glob("**/*.img")) and not list(space.glob(".*"))


def test_a_killed_create_leaves_no_file(nook, space):
    """The file has no name before it is whole."""
    process = subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", "inject=linkat:signal=KILL:when=1",
                              *nook.argv("disk", "create", "web.img", "--size", "16m")],
                             env=nook.environment, cwd=space, check=False, capture_output=True)
    assert process.returncode != 0
    assert not list(space.glob("*.img")) and not list(space.glob(".*"))


def test_ls_lists_disks_and_nothing_else(nook, space):
    create(nook, "b.img", size="16m")
    create(nook, "a.img", size="16m")
    (space / "notes.txt").write_text("no disk")
    lines = nook("disk", "ls").splitlines()
    assert lines[0].split() == ["FILE", "FS", "SIZE", "TAKES", "IN", "USE", "BY"]
    assert [line.split()[:3] for line in lines[1:]] == [["a.img", "ext4", "16M"], ["b.img", "ext4", "16M"]]
    rows = json.loads(nook("disk", "ls", "--json", str(space)))
    assert [pathlib.Path(row["file"]).name for row in rows] == ["a.img", "b.img"] and rows[0]["bytes"] == 16 << 20
    assert "there is no ext4" in nook.fails(125, "disk", "ls", "notes.txt")


@pytest.mark.parametrize("fs", [pytest.param("ext4"), pytest.param("xfs", marks=MOUNTS), pytest.param("btrfs", marks=MOUNTS)])
def test_grow_makes_file_and_file_system_larger(nook, fs):
    create(nook, "web.img", fs)
    nook("disk", "grow", "web.img", "--size", "640m")
    seen = view(nook, "web.img")
    assert seen["bytes"] == 640 << 20 and seen["fsBytes"] > 600 << 20
    assert nook("disk", "fsck", "web.img") == "web.img: clean\n"
    assert "nothing is cut off" in nook.fails(125, "disk", "grow", "web.img", "--size", "320m")


@pytest.mark.parametrize("fs", WRITABLE)
@MOUNTS
def test_compact_gives_back_what_was_deleted(nook, space, held, busybox_root, fs):
    create(nook, "web.img", fs)
    script = "dd if=/dev/urandom of=/data/big bs=1M count=48 2>/dev/null; sync; echo kept >/data/small; rm /data/big"
    nook("run", "--rm", "--disk", "web.img:/data", "--overlay", f"dir:{busybox_root}", "sh", "-c", script)
    freed = int(nook("disk", "compact", "web.img").split()[0])
    assert freed >= 40 << 20
    assert (space / "web.img").stat().st_blocks * 512 < 16 << 20
    assert nook("disk", "fsck", "web.img") == "web.img: clean\n"
    assert nook("run", "--rm", "--disk", "web.img:/data", "--overlay", f"dir:{busybox_root}", "cat", "/data/small") == "kept\n"


@pytest.mark.user("rootless")
def test_an_ordinary_user_makes_grows_and_checks_ext4(nook, busybox_root):
    create(nook, "web.img", size="16m")
    nook("disk", "grow", "web.img", "--size", "32m")
    assert nook("disk", "compact", "web.img").endswith(" bytes freed\n")
    assert nook("disk", "fsck", "--repair", "web.img") == "web.img: clean\n"
    create(nook, "other.img", "xfs")
    assert "needs root" in nook.fails(125, "disk", "grow", "other.img", "--size", "1g")
    assert "needs a mount, and so root" in nook.fails(125, "disk", "compact", "other.img")
    error = nook.fails(125, "run", "--rm", "--disk", "web.img:/data", f"dir:{busybox_root}", "true")
    assert "only root can mount a file system in a file" in error


def test_fsck_tells_damage_and_mends_it(nook, space):
    create(nook, "web.img", size="16m")
    with open(space / "web.img", "r+b") as f:
        # The first group descriptor: the bitmaps and the inode table lie elsewhere now.
        f.seek(4096)
        f.write(b"\xff" * 32)
    result = nook.result("disk", "fsck", "web.img")
    assert result.code == 1 and result.out == "web.img: damaged\n" and result.err
    assert nook("disk", "fsck", "--repair", "web.img") == "web.img: repaired\n"
    assert nook("disk", "fsck", "web.img") == "web.img: clean\n"


def test_cp_keeps_holes_and_says_when_blocks_cannot_be_shared(nook, space):
    create(nook, "web.img", size="64m")
    nook("disk", "cp", "web.img", "copy.img")
    assert (space / "copy.img").read_bytes() == (space / "web.img").read_bytes()
    assert (space / "copy.img").stat().st_blocks <= (space / "web.img").stat().st_blocks + 64
    assert "File exists" in nook.fails(125, "disk", "cp", "web.img", "copy.img")
    reflinked = nook.result("disk", "cp", "--reflink", "web.img", "shared.img")
    assert reflinked.code == 0 or "cannot share blocks" in reflinked.err
    assert (space / "shared.img").exists() == (reflinked.code == 0)


@MOUNTS
def test_cp_shares_blocks_where_the_file_system_can(nook, space):
    """On a btrfs of its own: the copy takes no space."""
    create(nook, "host.img", "btrfs", "512m")
    (space / "mnt").mkdir()
    subprocess.run(["mount", "-o", "loop", space / "host.img", space / "mnt"], check=True)
    try:
        create(nook, space / "mnt/a.img", size="64m")
        nook("disk", "cp", "--reflink", space / "mnt/a.img", space / "mnt/b.img")
        assert (space / "mnt/a.img").read_bytes() == (space / "mnt/b.img").read_bytes()
    finally:
        subprocess.run(["umount", space / "mnt"], check=True)


def test_rm_removes_disks_alone(nook, space):
    create(nook, "web.img", size="16m")
    (space / "notes.txt").write_text("no disk")
    result = nook.result("disk", "rm", "web.img", "notes.txt", "missing.img")
    assert result.code == 1 and result.out == "web.img\n"
    assert "notes.txt" in result.err and "missing.img" in result.err
    assert not (space / "web.img").exists() and (space / "notes.txt").exists()


@MOUNTS
def test_a_disk_in_use_is_left_alone(nook, space, held, busybox_root):
    create(nook, "web.img", size="64m")
    held("--disk", "web.img:/data", "--overlay", f"dir:{busybox_root}")
    assert view(nook, "web.img")["user"].startswith("/dev/loop")
    for command in (["grow", "web.img", "--size", "128m"], ["compact", "web.img"], ["fsck", "web.img"],
                    ["fsck", "--repair", "web.img"], ["cp", "web.img", "new.img"]):
        assert "is in use" in nook.fails(125, "disk", *command)
    assert "is in use" in nook.fails(1, "disk", "rm", "web.img")
    assert "is in use" in nook.fails(125, "run", "--rm", "--disk", "web.img:/data", "--overlay", f"dir:{busybox_root}", "true")
    assert "is in use" in nook.fails(125, "run", "--rm", "--disk", "web.img:/data:ro", "--overlay", f"dir:{busybox_root}", "true")


# ---- mounted ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fs", WRITABLE)
@MOUNTS
def test_a_disk_keeps_what_a_container_writes(nook, busybox_root, fs):
    create(nook, "home.img", fs)
    line = ["run", "--rm", "--disk", "home.img:/home", "--overlay", f"dir:{busybox_root}"]
    nook(*line, "sh", "-c", "echo hello >/home/x; chown 1000:100 /home/x; chmod 4751 /home/x")
    # Root of the next container has another range of ids on the host; in the disk the owner is what it was.
    assert nook(*line, "sh", "-c", "stat -c '%u:%g %a' /home/x; cat /home/x") == "1000:100 4751\nhello\n"
    assert nook("disk", "fsck", "home.img") == "home.img: clean\n"


@MOUNTS
def test_the_host_never_sees_what_the_container_sees(nook, space, held, busybox_root):
    create(nook, "home.img", size="64m")
    held("--name", "web", "--disk", "home.img:/home", "--overlay", f"dir:{busybox_root}")
    nook("exec", "web", "touch", "/home/inside")
    device = view(nook, "home.img")["user"]
    pid = json.loads(nook("inspect", "web"))[0]["pid"]
    inside = pathlib.Path(f"/proc/{pid}/mountinfo").read_text()
    assert re.search(rf" /home rw,nosuid,nodev,\S* - ext4 {device} ", inside)
    ours = os.readlink(f"/proc/{pid}/ns/mnt")
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(proc / "ns/mnt") != ours:
                assert f" {device} " not in (proc / "mountinfo").read_text(), proc
        except (FileNotFoundError, ProcessLookupError, OSError):
            continue
    assert not (space / "inside").exists() and not pathlib.Path("/home/inside").exists()
    # The device goes when the last user of it goes.
    flags = pathlib.Path("/sys/block", pathlib.Path(device).name, "loop/autoclear").read_text()
    assert flags == "1\n"


@MOUNTS
def test_a_disk_is_made_on_the_way_when_its_size_is_told(nook, space, busybox_root):
    line = ["run", "--rm", "--disk", "new.img:/data:size=16m,fs=ext4", "--overlay", f"dir:{busybox_root}"]
    nook(*line, "touch", "/data/x")
    assert nook(*line, "ls", "/data") == "lost+found\nx\n"
    assert (space / "new.img").stat().st_size == 16 << 20


@MOUNTS
def test_read_only_disks_are_shared(nook, space, held, busybox_root):
    create(nook, "data.img", size="64m")
    nook("run", "--rm", "--disk", "data.img:/data", "--overlay", f"dir:{busybox_root}", "touch", "/data/x")
    before = (space / "data.img").read_bytes()
    held("--disk", "data.img:/data:ro", "--overlay", f"dir:{busybox_root}")
    line = ["run", "--rm", "--mount", "type=disk,src=data.img,dst=/data,ro", "--overlay", f"dir:{busybox_root}", "sh", "-c"]
    assert nook(*line, "ls /data; touch /data/y 2>&1 || true") == "lost+found\nx\ntouch: /data/y: Read-only file system\n"
    assert "is in use" in nook.fails(125, "run", "--disk", "data.img:/data", "--overlay", f"dir:{busybox_root}", "true")
    assert (space / "data.img").read_bytes() == before


@MOUNTS
def test_programs_in_a_disk_do_not_gain_rights_and_nodes_do_not_work(nook, busybox_root, space):
    create(nook, "evil.img", size="64m")
    (space / "mnt").mkdir()
    subprocess.run(["mount", "-o", "loop", space / "evil.img", space / "mnt"], check=True)
    try:
        shutil.copy2("/bin/busybox", space / "mnt/id")
        os.chmod(space / "mnt/id", 0o4755)
        os.mknod(space / "mnt/zero", 0o20666, os.makedev(1, 5))
        os.chmod(space / "mnt/zero", 0o666)
    finally:
        subprocess.run(["umount", space / "mnt"], check=True)
    script = "/data/id -u; head -c 1 /data/zero"
    result = nook.result("run", "--rm", "-u", "1000", "--security-opt", "no-new-privileges=false", "--disk", "evil.img:/data",
                         "--overlay", f"dir:{busybox_root}", "sh", "-c", script)
    assert result.out == "1000\n" and "Permission denied" in result.err and result.code != 0


@pytest.mark.parametrize("options, words", [
    ("disk.img", "is not FILE:DST[:OPTIONS]"),
    ("disk.img:data", "is not absolute"),
    ("missing.img:/data", "No such file"),
    ("notes.txt:/data", "there is no ext4, xfs, btrfs, squashfs or erofs in it"),
    ("disk.img:/data:size=x", '"x" is no size'),
    ("disk.img:/data:fs=vfat", '"vfat" is not ext4'),
    ("disk.img:/data:no-such-word", "no-such-word"),
])
@MOUNTS
def test_what_cannot_be_a_disk_is_said(nook, space, busybox_root, options, words):
    create(nook, "disk.img", size="16m")
    (space / "notes.txt").write_text("no disk")
    assert words in nook.fails(125, "run", "--rm", "--disk", options, "--overlay", f"dir:{busybox_root}", "true")


@MOUNTS
def test_a_damaged_disk_is_refused_in_the_kernels_words(nook, space, busybox_root):
    create(nook, "web.img", size="16m")
    with open(space / "web.img", "r+b") as f:
        f.seek(1024 + 0x60)
        f.write(b"\xff\xff\xff\xff")  # features that nobody has
    error = nook.fails(125, "run", "--rm", "--disk", "web.img:/data", "--overlay", f"dir:{busybox_root}", "true")
    assert 'disk "web.img"' not in error and str(space / "web.img") in error
    create(nook, "journal.img", size="16m")
    with open(space / "journal.img", "r+b") as f:
        f.seek(1024 + 0xE4)
        f.write(b"\x01\x08\x00\x00")
    error = nook.fails(125, "run", "--rm", "--disk", "journal.img:/data", "--overlay", f"dir:{busybox_root}", "true")
    assert "it keeps its journal on another device" in error


@MOUNTS
def test_no_loop_device_is_left_wherever_nook_is_killed(nook, space, own_root):
    """kill -9 at system calls spread over the whole start, those around the loop device all."""
    create(nook, "web.img", size="16m")
    line = nook.argv("run", "--rm", "--disk", "web.img:/data", f"dir:{own_root}", "true")
    log = space / "strace.log"
    subprocess.run(["strace", "-f", "-o", log, *line], env=nook.environment, cwd=space, check=True, stdin=subprocess.DEVNULL)
    counts, places, near = {}, [], []
    for text in log.read_text().splitlines():
        call = re.match(r"(\d+) +(\w+)\(", text)
        if call and call[1] == log.read_text().split(maxsplit=1)[0]:
            counts[call[2]] = counts.get(call[2], 0) + 1
            (near if re.search("loop|LOOP|fsopen|fsconfig|fsmount|clone3|flock", text) else places).append((call[2], counts[call[2]]))
    assert ("clone3", 1) in near and any(name == "ioctl" for name, _ in near)
    killed = 0
    for name, number in near[:16] + places[::max(1, len(places) // 16)]:
        done = subprocess.run(["strace", "-o", "/dev/null", "-e", f"inject={name}:signal=KILL:when={number}", *line],
                              env=nook.environment, cwd=space, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        killed += done.returncode == -signal.SIGKILL
        wait_for(lambda: not loops(space), f"a loop device is left by a kill at {name} {number}")
        nook("rm", "-f", "--all")
    assert killed >= 24
    assert nook("disk", "fsck", "--repair", "web.img") in ("web.img: clean\n", "web.img: repaired\n")
    nook("run", "--rm", "--disk", "web.img:/data", f"dir:{own_root}", "true")


@MOUNTS
def test_a_killed_nook_takes_container_and_loop_device_with_it(nook, space, held, busybox_root):
    create(nook, "web.img", size="16m")
    line = ["--disk", "web.img:/data", "--overlay", f"dir:{busybox_root}"]
    process = held("--name", "web", *line)
    assert loops(space)
    process.kill()
    process.wait()
    wait_for(lambda: not loops(space), "a loop device is left")
    nook("run", "--rm", *line, "true")
    nook("rm", "-f", "web")


# ---- roots ------------------------------------------------------------------------------------------------------------


def make_root(space, busybox_root, fs):
    """The busybox root as an image; made by the file systems' own programs."""
    image = space / f"root.{fs}"
    if fs == "squashfs":
        subprocess.run(["mksquashfs", busybox_root, image, "-quiet", "-no-progress"], check=True, stdout=subprocess.DEVNULL)
    elif fs == "erofs":
        subprocess.run(["mkfs.erofs", image, busybox_root], check=True, stdout=subprocess.DEVNULL)
    else:
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", busybox_root, image, "64m"], check=True)
    return image


@pytest.mark.parametrize("fs", ["ext4", "squashfs", "erofs"])
@MOUNTS
def test_a_container_starts_from_an_image(nook, space, busybox_root, fs):
    image = make_root(space, busybox_root, fs)
    before = image.read_bytes()
    line = ["run", "--rm", f"img:{image}", "sh", "-c"]
    assert nook(*line, "id -u; stat -c %u /bin/busybox; echo x >/etc/new && cat /etc/new") == "0\n0\nx\n"
    again = nook(*line, "cat /etc/new 2>/dev/null || echo none")
    assert again == ("x\n" if fs == "ext4" else "none\n")
    assert fs == "ext4" or image.read_bytes() == before


@pytest.mark.parametrize("fs", ["ext4", "squashfs", "erofs"])
@MOUNTS
def test_an_image_below_a_layer_is_never_written(nook, space, busybox_root, held, fs):
    image = make_root(space, busybox_root, fs)
    before = image.read_bytes()
    held("--overlay", f"img:{image}")
    assert nook("run", "--rm", "--read-only", f"img:{image}", "sh", "-c", "touch /x 2>&1 || true") == (
        "touch: /x: Read-only file system\n")
    nook("run", "--rm", "--overlay=keep:layer", f"img:{image}", "sh", "-c", "echo kept >/etc/new")
    assert nook("run", "--rm", "--overlay=keep:layer", f"img:{image}", "cat", "/etc/new") == "kept\n"
    assert image.read_bytes() == before


@MOUNTS
def test_erofs_needs_no_loop_device(nook, space, busybox_root, held):
    held(f"img:{make_root(space, busybox_root, 'erofs')}")
    kernel = tuple(map(int, os.uname().release.split("-")[0].split(".")[:2]))
    assert kernel < (6, 12) or not loops(space)


@MOUNTS
def test_a_root_image_has_a_place_for_what_it_lacks(nook, space, busybox_root):
    """An image without /proc and /sys starts all the same, read-only too."""
    (space / "bare/bin").mkdir(parents=True)
    shutil.copy2("/bin/busybox", space / "bare/bin/busybox")
    image = space / "bare.sqfs"
    subprocess.run(["mksquashfs", space / "bare", image, "-quiet", "-no-progress"], check=True, stdout=subprocess.DEVNULL)
    assert nook("run", "--rm", "--read-only", f"img:{image}", "/bin/busybox", "ls", "/proc/self/fd/0") == "/proc/self/fd/0\n"


@pytest.mark.user("rootless")
def test_an_ordinary_user_is_told_what_an_image_needs(nook, space, busybox_root):
    image = make_root(space, busybox_root, "ext4")
    for options in [], ["--overlay"]:
        error = nook.fails(125, "run", "--rm", *options, f"img:{image}", "true")
        assert "only root can mount a file system in a file" in error and "debugfs rdump" in error
