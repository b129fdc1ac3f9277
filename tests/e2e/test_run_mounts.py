# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook run: the file system that the command sees."""

import os
import stat

import pytest


def busybox(nook, root, *command, options=(), **rest):
    return nook("run", "--rm", *options, f"dir:{root}", *command, **rest)


def mounts_of(text):
    """mount point -> (type, set of options), from /proc/self/mountinfo."""
    found = {}
    for line in text.splitlines():
        fields, _, rest = line.partition(" - ")
        words = fields.split()
        found[words[4]] = (rest.split()[0], set(words[5].split(",")) | set(rest.split()[2].split(",")), words[6:])
    return found


def test_the_standard_mounts(nook, busybox_root):
    mounts = mounts_of(busybox(nook, busybox_root, "cat", "/proc/self/mountinfo"))
    for target, kind, options in (("/proc", "proc", {"nosuid", "nodev", "noexec"}), ("/dev", "tmpfs", {"nosuid", "noexec"}),
                                  ("/dev/pts", "devpts", {"nosuid", "noexec"}), ("/dev/shm", "tmpfs", {"nosuid", "nodev", "noexec"}),
                                  ("/dev/mqueue", "mqueue", {"nosuid", "nodev", "noexec"}),
                                  ("/sys", "sysfs", {"ro", "nosuid", "nodev", "noexec"})):
        assert mounts[target][0] == kind and options <= mounts[target][1], target
    assert "nodev" in mounts["/"][1]
    # Nothing of the host's tree is left beside the container's own mounts, and nothing has a peer outside.
    assert not [t for t in mounts if t.startswith(("/home", "/work", "/var"))]
    assert not [t for t, (_, _, tags) in mounts.items() if any(tag.startswith("shared") for tag in tags)]
    assert all(any(o.startswith("nr_inodes") for o in options) for t, (kind, options, _) in mounts.items()
               if kind == "tmpfs" and "ro" not in options)


def test_the_nodes_of_dev(nook, busybox_root):
    out = busybox(nook, busybox_root, "sh", "-c", "cd /dev; for n in *; do stat -c '%n %F %t:%T %a' $n; done; echo x >null; head -c 3 zero | wc -c")
    lines = set(out.splitlines())
    for name, major, minor in (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)):
        assert f"{name} character special file {major}:{minor} 666" in lines
    assert {"fd symbolic link 0:0 777", "ptmx symbolic link 0:0 777", "3"} <= lines
    assert "console" not in out and "kmsg" not in out


def test_masked_and_read_only_paths(nook, busybox_root):
    script = """
        cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c
        ls /proc/acpi /sys/firmware 2>/dev/null | grep -v : | grep -c .
        echo 1 2>/dev/null >/proc/sys/kernel/hostname && echo written
        echo b 2>/dev/null >/proc/sysrq-trigger && echo written
        echo over"""
    assert busybox(nook, busybox_root, "sh", "-c", script) == "0\n0\nover\n"
    assert "kcore" not in busybox(nook, busybox_root, "sh", "-c", "grep /proc/kcore /proc/self/mountinfo; true",
                                  options=["--unmask", "/proc/kcore"])


def test_the_root_is_written_in_place_or_left_alone(nook, own_root):
    busybox(nook, own_root, "sh", "-c", "echo 1 >/in-place; chmod 4755 /in-place")
    info = (own_root / "in-place").stat()
    assert info.st_uid == os.getuid() and stat.S_IMODE(info.st_mode) == 0o4755
    busybox(nook, own_root, "sh", "-c", "echo 2 >/gone; rm /in-place", options=["--overlay"])
    assert (own_root / "in-place").exists() and not (own_root / "gone").exists()
    error = nook.result("run", "--rm", "--read-only", f"dir:{own_root}", "touch", "/x")
    assert error.code == 1 and "Read-only file system" in error.err


def test_a_kept_overlay_keeps_and_owns(nook, own_root, space):
    keep = space / "keep"
    busybox(nook, own_root, "sh", "-c", "echo kept >/file; mkdir /etc/dir; rm -r /etc/dir; mkdir /etc/dir", options=[f"--overlay=keep:{keep}"])
    assert (keep / "upper/file").read_text() == "kept\n" and (keep / "upper/file").stat().st_uid == os.getuid()
    assert busybox(nook, own_root, "cat", "/file", options=[f"--overlay=keep:{keep}"]) == "kept\n"


def test_volumes_show_what_the_words_say(nook, busybox_root, space):
    data = space / "data"
    (data / "sub").mkdir(parents=True)
    (data / "file").write_text("text\n")
    volume = ["--overlay", "-v", f"{data}:/deep/er/data", "-v", f"{data}:/ro:ro,noexec", "-v", f"{data}/file:/etc/one"]
    out = busybox(nook, busybox_root, "sh", "-c", "cat /etc/one; touch /deep/er/data/new; touch /ro/x; cat /proc/self/mountinfo", options=volume)
    mounts = mounts_of(out.partition("\n")[2])
    assert out.startswith("text\n") and (data / "new").exists() and (data / "new").stat().st_uid == os.getuid()
    assert {"ro", "noexec", "nodev"} <= mounts["/ro"][1] and "rw" in mounts["/deep/er/data"][1]


def test_long_mounts(nook, busybox_root, space):
    (space / "data").mkdir()
    options = ["--overlay", "--mount", f"type=bind,source={space}/data,target=/b,readonly",
               "--mount", "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700"]
    mounts = mounts_of(busybox(nook, busybox_root, "cat", "/proc/self/mountinfo", options=options))
    assert "ro" in mounts["/b"][1] and {"size=1024k", "mode=700"} <= mounts["/t"][1]


def test_tmpfs_sizes(nook, busybox_root):
    out = busybox(nook, busybox_root, "sh", "-c", "df -k /scratch /dev/shm | awk '{print $2}' | tail -2; dd if=/dev/zero of=/scratch/f bs=1M count=8 2>&1 | grep -c 'No space'",
                  options=["--overlay", "--tmpfs", "/scratch:size=4m", "--shm-size", "8m"])
    assert out == "4096\n8192\n1\n"


@pytest.mark.parametrize("link", ["/outside", "../../../outside"])
def test_planted_links_lead_nowhere_outside(nook, own_root, space, link):
    outside = space / "outside"
    outside.mkdir()
    (own_root / "trap").symlink_to(link if link.startswith("..") else outside)
    (space / "data").mkdir()
    nook.result("run", "--rm", "-v", f"{space}/data:/trap/sub", f"dir:{own_root}", "true")
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["proc", "sys", "dev"])
def test_system_directories_that_are_links_are_refused(nook, own_root, space, name):
    (space / "outside").mkdir()
    if (own_root / name).exists():
        (own_root / name).rmdir()
    (own_root / name).symlink_to(space / "outside")
    error = nook.fails(125, "run", "--rm", f"dir:{own_root}", "true")
    assert f"/{name}" in error and list((space / "outside").iterdir()) == []


def test_files_and_pipes_as_sources(nook, busybox_root, space):
    os.mkfifo(space / "pipe")
    out = busybox(nook, busybox_root, "stat", "-c", "%F", "/run/pipe", options=["--overlay", "-v", f"{space}/pipe:/run/pipe"])
    assert out == "fifo\n"


@pytest.mark.user("root")
def test_idmapped_sources_keep_their_owners(nook, busybox_root, space):
    data = space / "data"
    data.mkdir()
    (data / "mine").write_text("x")
    os.chown(data / "mine", 1000, 1001)
    out = busybox(nook, busybox_root, "sh", "-c", "stat -c %u:%g /data/mine; chown 7:8 /data/mine; cut -c1-40 /proc/self/uid_map | awk '{print $1, ($2 > 500000), $3}'",
                  options=["--overlay", "-v", f"{data}:/data"])
    assert out == "1000:1001\n0 1 65536\n"
    assert ((data / "mine").stat().st_uid, (data / "mine").stat().st_gid) == (7, 8)
    out = busybox(nook, busybox_root, "stat", "-c", "%u:%g", "/data/mine", options=["--overlay", "-v", f"{data}:/data:noidmap"])
    assert out == "65534:65534\n"


@pytest.mark.user("root")
def test_device_nodes_of_the_hosts_tree_do_not_work(nook, own_root):
    os.mknod(own_root / "planted", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    error = nook.result("run", "--rm", f"dir:{own_root}", "head", "-c1", "/planted")
    assert error.code != 0 and "Permission denied" in error.err
    assert nook("run", "--rm", "--device", "/dev/zero:/dev/other", f"dir:{own_root}", "sh", "-c", "head -c 2 /dev/other | wc -c") == "2\n"


def test_the_host_as_source(nook):
    out = nook("run", "--rm", "host:", "sh", "-c", "ls /usr/bin/env; ls /tmp /run | wc -l; touch /tmp/x && echo tmp; cat /proc/1/comm")
    assert out.splitlines()[0] == "/usr/bin/env" and "tmp" in out and out.splitlines()[-1] == "sh"


@pytest.mark.user("root")
def test_the_host_can_be_written_and_stays_as_it_is(nook):
    out = nook("run", "--rm", "host:", "sh", "-c", "echo x >/etc/nook-was-here && cat /etc/nook-was-here; rm -rf /etc/apt; ls /etc/apt 2>&1 | wc -l")
    assert out == "x\n1\n"
    assert not os.path.exists("/etc/nook-was-here") and os.path.isdir("/etc/apt")


def test_more_volumes_than_there_is_room_for_are_refused(nook, busybox_root, space):
    (space / "d").mkdir()
    options = [word for n in range(600) for word in ("-v", f"{space}/d:/m{n}")]
    error = nook.fails(125, "run", "--overlay", *options, f"dir:{busybox_root}", "true")
    assert "Argument list too long" in error
