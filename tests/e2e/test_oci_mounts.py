# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook-oci: the file system of a container, and what a root file system must not be able to do to the host."""

import os
import pathlib
import socket
import subprocess
import sys

import pytest

pytestmark = pytest.mark.user("root")

EVERY = os.environ.get("NOOK_SWEEP") == "all"


def mount_options(text, target):
    """The options of the last mount on TARGET in /proc/self/mountinfo's words: per mount, then of the superblock."""
    found = [line.split() for line in text.splitlines() if line.split()[4] == target][-1]
    return found[5].split(","), found[-1].split(",")


def mountinfo(bundle):
    return bundle.args("cat", "/proc/self/mountinfo").run()


# ---- option words -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options, has, lacks", [
    (["ro"], ["ro"], []),
    (["nosuid", "nodev", "noexec"], ["nosuid", "nodev", "noexec", "rw"], []),
    (["ro", "rw"], ["rw"], ["ro"]),
    (["noatime"], ["noatime"], ["relatime"]),
    (["strictatime"], [], ["relatime", "noatime"]),
    (["nosymfollow"], ["nosymfollow"], []),
    (["nodiratime"], ["nodiratime"], []),
])
def test_words_of_a_bind_mount(ro_bundle, space, options, has, lacks):
    (space / "src").mkdir()
    ro_bundle.mount("/tmp", "bind", space / "src", "rbind", *options)
    words, _ = mount_options(mountinfo(ro_bundle), "/tmp")
    assert set(has) <= set(words) and not set(lacks) & set(words)


def test_recursive_words_reach_submounts(ro_bundle, space):
    (space / "src/below").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", space / "src/below"], check=True)
    try:
        ro_bundle.mount("/tmp", "bind", space / "src", "rbind", "rro", "rnoexec")
        text = mountinfo(ro_bundle)
        for target in ("/tmp", "/tmp/below"):
            assert {"ro", "noexec"} <= set(mount_options(text, target)[0])
        ro_bundle.config["mounts"].pop()
        ro_bundle.mount("/tmp", "bind", space / "src", "rbind", "ro")
        text = mountinfo(ro_bundle)
        assert "ro" in mount_options(text, "/tmp")[0] and "rw" in mount_options(text, "/tmp/below")[0]
        ro_bundle.config["mounts"].pop()
        ro_bundle.mount("/tmp", "bind", space / "src", "bind")
        assert " /tmp/below " not in mountinfo(ro_bundle)
    finally:
        subprocess.run(["umount", space / "src/below"], check=True)


def test_words_that_clear_are_applied(ro_bundle, space):
    (space / "src").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,noexec,nodev,nosuid", "none", space / "src"], check=True)
    try:
        ro_bundle.mount("/tmp", "bind", space / "src", "rbind", "rw", "exec", "dev", "suid")
        # The superblock itself is read-only, the mount is not.
        assert not {"ro", "noexec", "nodev", "nosuid"} & set(mount_options(mountinfo(ro_bundle), "/tmp")[0])
    finally:
        subprocess.run(["umount", space / "src"], check=True)


def test_the_kernels_own_words_say_what_it_refused(ro_bundle):
    ro_bundle.mount("/tmp", "tmpfs", "tmpfs", "nonsense")
    error = ro_bundle.args("true").fails(1)
    assert "/tmp" in error and "nonsense" in error


def test_a_bind_mount_takes_no_options_of_a_file_system(ro_bundle, space):
    ro_bundle.mount("/tmp", "bind", space, "bind", "size=1m")
    assert "mounts[7]" in ro_bundle.args("true").fails(1)


def test_tmpfs_mode_holds_over_an_existing_directory(ro_bundle):
    ro_bundle.mount("/home", "tmpfs", "tmpfs", "mode=1777", "size=1m")
    out = ro_bundle.sh("stat -c %a /home /proc").run()
    assert out.split() == ["1777", "555"]


def test_tmpcopyup_fills_the_tmpfs(bundle):
    (bundle.root / "data/deep").mkdir(parents=True)
    (bundle.root / "data/file").write_text("text")
    (bundle.root / "data/file").chmod(0o640)
    (bundle.root / "data/link").symlink_to("file")
    os.chown(bundle.root / "data/deep", 5, 6)
    bundle.mount("/data", "tmpfs", "tmpfs", "tmpcopyup", "size=10m")
    out = bundle.sh("cd /data; stat -c '%n %a %u' file deep; readlink link; cat file; echo new >x").run()
    assert out == "file 640 0\ndeep 755 5\nfile\ntext"
    assert not (bundle.root / "data/x").exists()


@pytest.mark.parametrize("kind", ["file", "fifo", "socket"])
def test_binding_what_is_no_directory(ro_bundle, space, kind):
    source = space / "source"
    if kind == "file":
        source.write_text("hello")
    elif kind == "fifo":
        os.mkfifo(source)
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(source))
    ro_bundle.mount("/tmp/x", "bind", source, "bind", "rro")
    ro_bundle.mount("/tmp", "tmpfs", "tmpfs")
    ro_bundle.config["mounts"][-1], ro_bundle.config["mounts"][-2] = ro_bundle.config["mounts"][-2:]
    test = {"file": "-f", "fifo": "-p", "socket": "-S"}[kind]
    ro_bundle.sh(f"test {test} /tmp/x").run()


def test_targets_are_made_and_relative_ones_start_at_the_root(bundle, space):
    (space / "src").mkdir()
    (space / "file").write_text("text")
    bundle.config["root"]["readonly"] = False
    bundle.mount("new/deep/dir", "bind", space / "src", "bind").mount("/other/file", "bind", space / "file", "bind")
    assert bundle.sh("stat -c %a /new /new/deep; cat /other/file").run() == "755\n755\ntext"


def test_a_missing_source_is_named(ro_bundle, space):
    ro_bundle.mount("/tmp", "bind", space / "missing", "bind")
    error = ro_bundle.args("true").fails(1)
    assert "missing" in error and "no such file" in error


def test_copy_symlink_makes_the_same_link(ro_bundle, space):
    (space / "link").symlink_to("/some/where")
    ro_bundle.mount("/tmp", "tmpfs", "tmpfs").mount("/tmp/l", "bind", space / "link", "bind", "copy-symlink")
    assert ro_bundle.sh("readlink /tmp/l").run() == "/some/where\n"


def test_src_nofollow_means_the_link(ro_bundle, space):
    (space / "dir").mkdir()
    (space / "dir/inside").touch()
    (space / "link").symlink_to("dir")
    ro_bundle.mount("/tmp", "bind", space / "link", "rbind")
    assert ro_bundle.sh("ls /tmp").run() == "inside\n"
    ro_bundle.config["mounts"].pop()
    ro_bundle.mount("/tmp", "tmpfs", "tmpfs").mount("/tmp/x", "bind", space / "link", "rbind", "src-nofollow")
    assert ro_bundle.sh("readlink /tmp/x").run() == "dir\n"


def test_dest_nofollow_covers_the_link(bundle, space):
    (space / "file").write_text("over it\n")
    (bundle.root / "target").mkdir()
    (bundle.root / "link").symlink_to("target")
    bundle.mount("/link", "bind", space / "file", "bind", "dest-nofollow")
    assert bundle.sh("cat /link; ls -A /target").run() == "over it\n"
    assert os.readlink(bundle.root / "link") == "target"
    bundle.mount("/link", "bind", space / "file", "bind")
    bundle.config["mounts"].pop(-2)
    # Without the word it leads to a directory, which no file covers.
    assert "/link" in bundle.fails(1)


@pytest.mark.parametrize("kind", ["file", "fifo", "socket"])
def test_binding_onto_what_is_no_directory(bundle, space, kind):
    """Nothing is opened for reading or writing: that would wait at a FIFO."""
    (space / "source").write_text("new\n")
    target = bundle.root / "target"
    if kind == "file":
        target.write_text("old\n")
    elif kind == "fifo":
        os.mkfifo(target)
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(target))
    before = target.lstat()
    bundle.mount("/target", "bind", space / "source", "bind", "rro")
    assert bundle.sh("cat /target; echo >/target || echo no").run() == "new\nno\n"
    assert target.lstat()[:4] == before[:4]


def test_a_root_that_cannot_be_pivoted(oci, ro_bundle, space):
    """--no-pivot, as a ramdisk needs it."""
    hook = [{"path": "/bin/true"}]
    for hooks in ({}, {"createContainer": hook}):
        ro_bundle.config["hooks"] = hooks
        ro_bundle.sh("ls -d /bin/busybox; test /.. -ef / && head -1 /proc/self/mountinfo | cut -d' ' -f5; readlink /proc/1/root")
        assert ro_bundle.run("--no-pivot") == "/bin/busybox\n/\n/\n"


def test_idmapped_mount(ro_bundle, space):
    (space / "src").mkdir()
    (space / "src/file").touch()
    os.chown(space / "src/file", 1000, 1000)
    ro_bundle.mount("/tmp", "bind", space / "src", "bind", "idmap")
    maps = [{"containerID": 1000, "hostID": 7, "size": 1}]
    ro_bundle.config["mounts"][-1].update(uidMappings=maps, gidMappings=maps)
    result = ro_bundle.sh("stat -c '%u %g' /tmp/file").result()
    assert result.out == "7 7\n", str(result)


# ---- masks and the root -----------------------------------------------------------------------------------------------

def test_masked_and_read_only_paths(bundle):
    (bundle.root / "secret").write_text("x")
    (bundle.root / "hidden").mkdir()
    (bundle.root / "hidden/file").touch()
    (bundle.root / "fixed").mkdir()
    bundle.config["root"]["readonly"] = False
    bundle.linux["maskedPaths"] = ["/secret", "/hidden", "/proc/kcore", "/missing"]
    bundle.linux["readonlyPaths"] = ["/fixed", "/proc/sys", "/missing2"]
    out = bundle.sh("cat /secret; ls -A /hidden; touch /hidden/x || echo no1; touch /fixed/x || echo no2; "
                    "echo 1 >/proc/sys/vm/swappiness || echo no3; stat -c %t,%T /secret").run()
    assert out.split() == ["no1", "no2", "no3", "1,3"]


def test_a_read_only_root(bundle):
    bundle.config["root"]["readonly"] = True
    assert bundle.sh("touch /x || echo no; touch /dev/shm/y && echo yes").run() == "no\nyes\n"
    bundle.config["root"]["readonly"] = False
    bundle.sh("touch /x").run()
    assert (bundle.root / "x").exists()


def test_a_root_that_is_a_mount_point_on_a_shared_mount(bundle, space):
    subprocess.run(["mount", "--bind", bundle.root, bundle.root], check=True)
    try:
        subprocess.run(["mount", "--make-shared", bundle.root], check=True)
        bundle.config["root"]["readonly"] = False
        bundle.mount("/tmp/t", "tmpfs", "tmpfs")
        assert "/tmp/t" in mountinfo(bundle)
        assert f"{bundle.root}/tmp/t" not in pathlib.Path("/proc/self/mountinfo").read_text()
    finally:
        subprocess.run(["umount", bundle.root], check=True)


@pytest.mark.parametrize("word, field", [("private", ""), ("rprivate", ""), ("shared", "shared:"), ("unbindable", "unbindable")])
def test_propagation_of_the_root(ro_bundle, word, field):
    ro_bundle.linux["rootfsPropagation"] = word
    line = [line for line in mountinfo(ro_bundle).splitlines() if line.split()[4] == "/"][-1]
    tags = line.split(" - ")[0].split()[6:]
    assert (tags == []) if not field else any(tag.startswith(field) for tag in tags)


def test_a_slave_root_sees_later_mounts_of_the_host(oci, bundle, space):
    (space / "src").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", space / "src"], check=True)
    try:
        subprocess.run(["mount", "--make-shared", space / "src"], check=True)
        (space / "src/later").mkdir()
        bundle.linux["rootfsPropagation"] = "rslave"
        bundle.mount("/tmp", "bind", space / "src", "rbind", "rslave")
        bundle.args("sleep", "1000").run("--detach")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=77k", "none", space / "src/later"], check=True)
        assert "/tmp/later" in oci("exec", "c", "cat", "/proc/mounts")
        oci("delete", "--force", "c")
        subprocess.run(["umount", space / "src/later"], check=True)
    finally:
        subprocess.run(["umount", "-R", space / "src"], check=True)


# ---- devices ----------------------------------------------------------------------------------------------------------

def test_standard_devices(ro_bundle):
    out = ro_bundle.sh("cd /dev; for n in null zero full random urandom tty; do stat -c '%n %a %t:%T' $n; done; "
                       "readlink ptmx fd; readlink stdin; echo >null; head -c3 zero | wc -c").run().splitlines()
    assert out[:6] == ["null 666 1:3", "zero 666 1:5", "full 666 1:7", "random 666 1:8", "urandom 666 1:9", "tty 666 5:0"]
    assert out[-1] == "3"


def test_devices_of_the_configuration(ro_bundle):
    ro_bundle.linux["devices"] = [
        {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 7, "gid": 8},
        {"path": "/dev/deep/blk", "type": "b", "major": 7, "minor": 9},
        {"path": "/dev/pipe", "type": "p", "fileMode": 0o600}]
    out = ro_bundle.sh("stat -c '%F %a %u %g %t:%T' /dev/fuse; stat -c '%F %t:%T' /dev/deep/blk; stat -c '%F %a' /dev/pipe").run(
        preexec_fn=lambda: os.umask(0o77))
    assert out.splitlines() == ["character special file 640 7 8 a:e5", "block special file 7:9", "fifo 600"]


# ---- a root file system that means harm ---------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["dev", "proc", "sys"])
def test_a_link_in_place_of_a_system_directory(oci, bundle, space, name):
    """CVE-2019-19921, CVE-2023-27561, CVE-2026-41579, CVE-2026-47766."""
    (space / "victim").mkdir()
    (bundle.root / name).rmdir()
    (bundle.root / name).symlink_to(space / "victim")
    bundle.config["root"]["readonly"] = False
    error = bundle.args("true").fails(1)
    assert f"/{name}" in error
    assert list((space / "victim").iterdir()) == []


def test_links_in_a_mount_target_stay_inside(bundle, space):
    (space / "victim").mkdir()
    (bundle.root / "evil").symlink_to("/../../../../../../.." + str(space / "victim"))
    bundle.config["root"]["readonly"] = False
    result = bundle.mount("/evil/sub", "tmpfs", "tmpfs").sh("echo x").result()
    assert list((space / "victim").iterdir()) == []
    assert result.code in (0, 1)


@pytest.mark.parametrize("path", ["/proc/../link", "/sys/../link", "/proc/self/../../link", "/proc//../link", "//proc/../link"])
def test_a_masked_path_that_leaves_proc_stays_in_the_container(bundle, path):
    """What "/" means in a link of the image is the container's root, whatever stands before it."""
    (bundle.root / "secrets").mkdir()
    (bundle.root / "secrets/key").write_text("secret\n")
    (bundle.root / "link").symlink_to("/secrets")
    bundle.linux["maskedPaths"] = [path]
    assert bundle.sh("ls /secrets").run() == ""


@pytest.mark.parametrize("member", ["maskedPaths", "readonlyPaths"])
@pytest.mark.parametrize("path", ["/proc/self/root/etc", "/proc/1/cwd", "/proc/thread-self/root", "/proc/./self/root"])
def test_a_masked_path_follows_no_link_of_a_process(bundle, member, path):
    bundle.linux[member] = [path]
    assert "too many levels of symbolic links" in bundle.args("true").fails(1)


@pytest.mark.parametrize("path", ["/proc/", "/proc//version", "/proc/./version"])
def test_a_masked_path_may_be_spelt_in_other_ways(bundle, path):
    bundle.linux["maskedPaths"] = [path]
    assert bundle.sh("cat /proc/version 2>/dev/null || true").run() == ""


def test_masks_never_use_the_containers_null(bundle):
    """CVE-2025-31133: /dev comes from the image and its null is something else."""
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if not m["destination"].startswith("/dev")]
    (bundle.root / "secret").write_text("secret")
    (bundle.root / "dev/null").symlink_to("/secret")
    bundle.config["root"]["readonly"] = False
    bundle.linux["maskedPaths"] = ["/proc/kcore", "/secret"]
    result = bundle.sh("stat -Lc %t:%T /secret; cat /secret").result()
    assert "secret" not in result.out
    assert result.code != 0 or result.out == "1:3\n"


def test_labels_and_parameters_are_written_to_the_real_proc(bundle):
    """CVE-2019-16884, CVE-2025-52881: a tmpfs over /proc catches what the runtime writes."""
    bundle.mount("/proc", "tmpfs", "tmpfs")
    bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    result = bundle.sh("ls -R /proc | head -50").result()
    assert result.code != 0 or "ip_forward" not in result.out


EXCHANGE = """
import ctypes, sys
exchange = ctypes.CDLL(None).renameat2
first, second = (name.encode() for name in sys.argv[1:])
while True:
    exchange(-100, first, -100, second, 2)
"""


@pytest.mark.parametrize("part", range(7 if EVERY else 1))
def test_a_target_that_flips_between_directory_and_link(oci, bundle, space, part):
    """CVE-2021-30465, CVE-2024-45310: nothing of 300 creates (2100 in a full sweep) may land outside."""
    (space / "victim").mkdir()
    flip, keep = bundle.root / "flip", bundle.root / "keep"
    keep.mkdir()
    flip.symlink_to(space / "victim")
    bundle.config["root"]["readonly"] = False
    (space / "file").touch()
    bundle.mount("/flip/a/b", "tmpfs", "tmpfs").mount("/flip/file", "bind", space / "file", "bind").args("true").save()
    # A process of its own: it would keep the interpreter from the test.
    with subprocess.Popen([sys.executable, "-c", EXCHANGE, flip, keep]) as flipper:
        try:
            for _ in range(300):
                oci.result("run", "-b", bundle.path, "c")
                assert list((space / "victim").iterdir()) == []
        finally:
            flipper.kill()
    assert oci("list", "-q") == ""


def test_the_host_keeps_its_mounts(ro_bundle):
    before = pathlib.Path("/proc/self/mountinfo").read_text()
    ro_bundle.sh("mount -t tmpfs none /tmp; true").run()
    assert pathlib.Path("/proc/self/mountinfo").read_text() == before


# ---- user namespaces ----------------------------------------------------------------------------------------------------

def user_namespace(bundle, first=100000):
    bundle.linux["namespaces"].append({"type": "user"})
    bundle.linux["uidMappings"] = bundle.linux["gidMappings"] = [{"containerID": 0, "hostID": first, "size": 65536}]


def test_a_user_namespace(oci, ro_bundle):
    user_namespace(ro_bundle)
    out = ro_bundle.sh("cat /proc/self/uid_map; id -u; stat -c %u /; ls /dev; echo >/dev/null && echo ok").run().split()
    assert out[:3] == ["0", "100000", "65536"] and out[3] == "0" and out[4] == "65534"
    assert {"null", "zero", "tty", "urandom"} <= set(out) and out[-1] == "ok"


def test_a_user_namespace_that_exists_is_joined(oci, ro_bundle, space):
    holder = subprocess.Popen(["unshare", "-U", "sleep", "1000"])
    try:
        path = pathlib.Path(f"/proc/{holder.pid}/ns/user")
        while path.readlink() == pathlib.Path("/proc/self/ns/user").readlink():
            pass
        for kind in ("uid", "gid"):
            pathlib.Path(f"/proc/{holder.pid}/{kind}_map").write_text("0 200000 65536")
        ro_bundle.linux["namespaces"].append({"type": "user", "path": str(path)})
        assert ro_bundle.sh("cat /proc/self/uid_map; id -u").run().split() == ["0", "200000", "65536", "0"]
    finally:
        holder.kill()
        holder.wait()


def test_locked_flags_of_a_source_stay_in_a_user_namespace(ro_bundle, space):
    (space / "src").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nosuid,nodev,noexec,mode=755", "none", space / "src"], check=True)
    try:
        user_namespace(ro_bundle)
        ro_bundle.mount("/tmp", "bind", space / "src", "rbind", "ro")
        words, _ = mount_options(mountinfo(ro_bundle), "/tmp")
        assert {"ro", "nosuid", "nodev", "noexec"} <= set(words)
    finally:
        subprocess.run(["umount", space / "src"], check=True)


def test_sysfs_is_really_read_only_in_a_user_namespace(ro_bundle):
    user_namespace(ro_bundle)
    out = ro_bundle.sh("for d in /sys/fs/cgroup/*/; do mkdir $d/x && echo made; done; touch /sys/kernel/x || echo no; "
                       "mount -o remount,rw /sys || echo no").run()
    assert out == "no\nno\n"


def test_parameters_of_the_network_in_a_user_namespace(ro_bundle):
    user_namespace(ro_bundle)
    ro_bundle.linux["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 65535"}
    out = ro_bundle.sh("cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range").run()
    assert out.split() == ["0", "0", "65535"]


def test_a_group_range_that_is_not_mapped_is_told(ro_bundle):
    user_namespace(ro_bundle)
    ro_bundle.linux["sysctl"] = {"net.ipv4.ping_group_range": "0 2147483647"}
    error = ro_bundle.args("true").fails(1)
    assert "ping_group_range" in error


def test_devices_of_the_configuration_in_a_user_namespace(bundle):
    """Nodes cannot be made there: the host's are shown."""
    user_namespace(bundle)
    bundle.linux["devices"] = [{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}, {"path": "/dev/loop-control", "type": "c", "major": 10, "minor": 237}]
    out = bundle.sh("stat -c '%n %t:%T' /dev/kmsg /dev/loop-control; grep -c ' /dev/kmsg ' /proc/self/mountinfo").run()
    assert out == "/dev/kmsg 1:b\n/dev/loop-control a:ed\n1\n"
    bundle.linux["devices"] = [{"path": "/dev/no-such", "type": "c", "major": 1, "minor": 11}]
    assert "/dev/no-such" in bundle.fails(1)


# ---- namespaces by path -------------------------------------------------------------------------------------------------

def test_a_network_namespace_by_path(oci, ro_bundle):
    holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "ip link set lo up; echo; exec sleep 1000"],
                              stdout=subprocess.PIPE)
    try:
        holder.stdout.readline()
        path = f"/proc/{holder.pid}/ns/net"
        ro_bundle.namespace("network")["path"] = path
        assert ro_bundle.args("readlink", "/proc/self/ns/net").run() == os.readlink(path) + "\n"
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_all_namespaces_by_path(ro_bundle):
    """One container in the namespaces of another: all but the mounts, of which it makes its own."""
    kinds = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "cgroup": "cgroup", "time": "time"}
    holder = subprocess.Popen(["unshare", "-n", "-i", "-u", "-C", "-p", "-T", "--boottime", "864000", "--fork", "--kill-child", "sh", "-c", "echo; exec sleep 1000"],
                              stdout=subprocess.PIPE)
    try:
        holder.stdout.readline()
        pid, = pathlib.Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()
        ro_bundle.linux["namespaces"] = [{"type": "mount"}, *({"type": kind, "path": f"/proc/{pid}/ns/{file}"} for kind, file in kinds.items())]
        del ro_bundle.config["hostname"]
        names = " ".join(kinds.values())
        out = ro_bundle.sh(f"for n in {names}; do readlink /proc/self/ns/$n; done; cut -d. -f1 /proc/uptime").run().split()
        assert out[:-1] == [os.readlink(f"/proc/{pid}/ns/{file}") for file in kinds.values()]
        assert int(out[-1]) >= 864000
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_a_path_that_is_no_such_namespace_is_refused(ro_bundle):
    ro_bundle.namespace("network")["path"] = "/proc/self/ns/uts"
    assert "/proc/self/ns/uts" in ro_bundle.args("true").fails(1)


def test_the_hosts_namespaces(ro_bundle):
    for kind in ("network", "uts", "ipc"):
        ro_bundle.drop_namespace(kind)
    del ro_bundle.config["hostname"]
    out = ro_bundle.sh("hostname; readlink /proc/self/ns/net").run().split()
    assert out == [os.uname().nodename, os.readlink("/proc/self/ns/net")]


def test_a_shared_pid_namespace(oci, ro_bundle):
    ro_bundle.drop_namespace("pid")
    ro_bundle.sh("sleep 1000 & sleep 1000").run("--detach")
    assert len(oci("ps", "--format", "json", "c").split(",")) >= 1
    oci("kill", "c", "KILL")
    oci.wait("c", "stopped")
    oci("delete", "c")


