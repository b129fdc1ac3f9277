# SPDX-License-Identifier: LGPL-2.1-or-later
"""Volumes: named and anonymous, directories and disks; filled once, shared, and left alone while somebody has them."""

import json
import os
import shutil
import stat
import subprocess

import pytest

pytestmark = pytest.mark.anywhere

ROOT = pytest.mark.user("root")


@pytest.fixture
def run(nook, busybox_root):
    """Runs a shell line in a throw-away container: run("-v", "web:/srv", "ls /srv")."""
    def go(*arguments):
        *options, line = arguments
        return nook("run", "--rm", *options, "--overlay", f"dir:{busybox_root}", "sh", "-c", line)
    return go


def names(nook, *options):
    return nook("volume", "ls", "-q", *options).split()


# ---- the commands -------------------------------------------------------------------------------------------------------


def test_a_volume_is_made_listed_told_of_and_removed(nook):
    assert nook("volume", "create", "web", "--label", "tier=data", "-l", "empty") == "web\n"
    assert "there is a volume of this name" in nook.fails(125, "volume", "create", "web")
    (told,) = json.loads(nook("volume", "inspect", "web"))
    assert told["driver"] == "dir" and told["labels"] == {"empty": "", "tier": "data"} and not told["anonymous"]
    assert os.path.isdir(told["source"]) and told["usedBy"] == []
    assert nook("volume", "ls").splitlines()[1].split()[:2] == ["web", "dir"]
    assert json.loads(nook("volume", "ls", "--json"))[0]["name"] == "web"
    assert nook("volume", "rm", "web") == "web\n"
    assert not os.path.exists(told["source"]) and names(nook) == []
    assert "there is no such volume" in nook.fails(1, "volume", "rm", "web")
    assert nook("volume", "rm", "-f", "web") == ""


@pytest.mark.parametrize("arguments, words", [
    (["web", "--driver", "nfs"], '"nfs" is not dir or disk'),
    (["web", "--driver", "disk"], "a disk has a size"),
    (["web", "--fs", "ext4"], "a disk has a size"),
    (["web", "--driver", "dir", "--size", "1g"], "only the driver disk has a size"),
    (["web", "--size", "64m", "--fs", "vfat"], "is not ext4, xfs or btrfs"),
    (["web", "-o", "device=/dev/sda"], "is not size=BYTES or fs=TYPE"),
    (["../web"], "../web"),
    ([".web"], ".web"),
])
def test_what_is_no_volume(nook, arguments, words):
    assert words in nook.fails(125, "volume", "create", *arguments)
    assert not list(nook.root.glob("volumes/*")) and not list(nook.root.glob("volumes/.*"))


def test_filters_and_prune(nook, run, busybox_root):
    for name, label in (("a", "x=1"), ("b", "x=2"), ("c", "y")):
        nook("volume", "create", name, "--label", label)
    anonymous = nook("volume", "create").strip()
    nook("run", "--name", "holder", "-v", "a:/data", "--overlay", f"dir:{busybox_root}", "true")
    assert names(nook, "--filter", "label=x") == ["a", "b"] and names(nook, "--filter", "label=x=2") == ["b"]
    assert names(nook, "--filter", "dangling=false") == ["a"] and names(nook, "--filter", "name=c") [0] in ("c", anonymous)
    assert "is not name=" in nook.fails(125, "volume", "ls", "--filter", "size=1")
    assert nook("volume", "prune").split() == [anonymous]
    assert nook("volume", "prune", "--all", "--filter", "label=x").split() == ["b"]
    assert names(nook) == ["a", "c"]
    nook("rm", "holder")


# ---- in containers --------------------------------------------------------------------------------------------------------


def test_what_one_container_writes_the_next_one_reads(nook, run):
    run("-v", "web:/srv", "echo hello >/srv/x; chown 0:0 /srv/x")
    assert run("-v", "web:/data:ro", "cat /data/x; touch /data/y 2>&1 || true") == (
        "hello\ntouch: /data/y: Read-only file system\n")
    assert run("--mount", "type=volume,src=web,dst=/m,readonly", "cat /m/x") == "hello\n"
    assert names(nook) == ["web"]


def test_a_new_volume_is_filled_with_what_the_root_has_there_once(nook, run, own_root):
    (own_root / "srv/sub").mkdir(parents=True)
    (own_root / "srv/sub/file").write_text("from the root")
    os.chmod(own_root / "srv/sub/file", 0o640)
    (own_root / "srv/link").symlink_to("/etc/passwd")
    line = ["run", "--rm", "-v", "web:/srv", "--overlay", f"dir:{own_root}", "sh", "-c"]
    out = nook(*line, "cat /srv/sub/file; stat -c %a /srv/sub/file; readlink /srv/link; rm -r /srv/sub; echo new >/srv/new")
    assert out == "from the root640\n/etc/passwd\n"
    # Not again, although it lacks what the root has.
    assert nook(*line, "ls /srv") == "link\nnew\n"
    assert (own_root / "srv/sub/file").read_text() == "from the root"


def tell(top):
    """All that there is to know of a tree."""
    seen = {}
    for path in [top, *sorted(top.rglob("*"))]:
        st = path.lstat()
        attributes = {} if path.is_symlink() else {name: os.getxattr(path, name) for name in os.listxattr(path)}
        holes = stat.S_ISREG(st.st_mode) and st.st_blocks * 512 < st.st_size
        names = sorted(str(p.relative_to(top)) for p in top.rglob("*") if p.lstat().st_ino == st.st_ino) if st.st_nlink > 1 and path.is_file() else []
        seen[str(path.relative_to(top))] = (st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, st.st_rdev, holes, names, attributes,
                                            os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None)
    return seen


@pytest.mark.user("root")
@pytest.mark.parametrize("options", [[], ["--size", "64m"]], ids=["dir", "disk"])
def test_what_fills_a_volume_is_what_the_root_has_in_every_respect(nook, own_root, space, options):
    """Owners, modes, times, attributes, capabilities, holes, hard links."""
    top = own_root / "srv"
    (top / "d/e").mkdir(parents=True)
    (top / "f").write_text("1")
    os.chown(top / "f", 1000, 100)
    os.link(top / "f", top / "d/e/same")
    os.link(top / "f", top / "again")
    (top / "soft").symlink_to("f")
    os.lchown(top / "soft", 5, 6)
    os.mkfifo(top / "pipe", 0o640)
    with (top / "holes").open("wb") as out:
        out.write(b"start")
        out.seek(8 << 20)
        out.write(b"middle")
        out.truncate(16 << 20)
    shutil.copy("/bin/busybox", top / "program")
    os.chmod(top / "program", 0o4755)
    os.setxattr(top / "program", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    os.setxattr(top / "f", "user.color", b"a\0b")
    os.setxattr(top / "d", "user.place", b"here")
    os.chmod(top / "d", 0o1777)
    for name in "f", "d/e", "d", ".":
        os.utime(top / name, ns=(10**18 + 1, 10**18 + 123456789))
    before = tell(top)
    nook("volume", "create", "web", *options)
    assert nook("run", "--rm", "-v", "web:/srv", f"dir:{own_root}", "cat", "/srv/d/e/same") == "1"
    if options:
        point = space / "mnt"
        point.mkdir()
        subprocess.run(["mount", "-o", "loop,ro", nook.root / "volumes/web/disk.img", point], check=True)
        try:
            after = tell(point)
        finally:
            subprocess.run(["umount", point], check=True)
    else:
        after = tell(nook.root / "volumes/web/data")
    assert after == before
    nook("volume", "rm", "web")


def test_a_read_only_use_fills_it_too_and_nocopy_never(nook, own_root):
    (own_root / "srv").mkdir()
    (own_root / "srv/file").write_text("x")
    line = ["run", "--rm", "--overlay", f"dir:{own_root}"]
    assert nook("run", "--rm", "-v", "a:/srv:ro", *line[2:], "ls", "/srv") == "file\n"
    assert nook("run", "--rm", "-v", "b:/srv:nocopy", *line[2:], "ls", "/srv") == ""
    assert nook("run", "--rm", "-v", "b:/srv", *line[2:], "ls", "/srv") == ""
    assert nook("run", "--rm", "--mount", "type=volume,src=c,dst=/srv,volume-nocopy", *line[2:], "ls", "/srv") == ""


def test_filling_follows_no_link_out_of_the_root(nook, own_root, space):
    (space / "host").mkdir()
    (space / "host/secret").write_text("of the host")
    (own_root / "srv").symlink_to(space / "host")
    (own_root / "deep").mkdir()
    (own_root / "deep/link").symlink_to(space / "host")
    line = ["--overlay", f"dir:{own_root}", "sh", "-c"]
    # The link leads nowhere inside, so there is no directory to mount on.
    result = nook.result("run", "--rm", "-v", "a:/srv", *line, "cat /srv/secret")
    assert result.code != 0 and "of the host" not in result.out
    assert nook("run", "--rm", "-v", "b:/deep", *line, "cat /deep/link/secret 2>/dev/null || echo none") == "none\n"


def test_a_start_that_fails_leaves_the_volume_to_be_filled(nook, own_root):
    (own_root / "srv").mkdir()
    (own_root / "srv/file").write_text("x")
    line = ["run", "--rm", "-v", "web:/srv", "--overlay", f"dir:{own_root}"]
    assert nook.result(*line, "no-such-command").code == 127
    assert nook(*line, "ls", "/srv") == "file\n"


def test_anonymous_volumes_go_with_their_container(nook, run, busybox_root):
    assert run("-v", "/data", "echo x >/data/x; cat /data/x") == "x\n"
    assert names(nook) == []
    nook("run", "--name", "web", "-v", "/data", "--mount", "type=volume,dst=/more", "--overlay", f"dir:{busybox_root}", "true")
    assert len(names(nook)) == 2
    assert nook("run", "--rm", "--volumes-from", "web", "--overlay", f"dir:{busybox_root}", "sh", "-c", "ls -d /data /more") == (
        "/data\n/more\n")
    assert len(names(nook)) == 2
    nook("rm", "-v", "web")
    assert names(nook) == []
    assert nook.result("run", "-v", "/data", "--memory", "nonsense", f"dir:{busybox_root}", "true").code == 125
    assert nook.result("run", "-v", "/data", "dir:/no/such/root", "true").code == 125
    assert names(nook) == []


def test_a_volume_in_use_is_not_removed(nook, busybox_root):
    process = nook.start("run", "--rm", "--name", "web", "-v", "data:/data", "--overlay", f"dir:{busybox_root}", "sh", "-c",
                         "echo ready; cat >/dev/null", stdin=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    error = nook.fails(1, "volume", "rm", "data")
    assert json.loads(nook("inspect", "web"))[0]["id"] in error and "uses it" in error
    assert json.loads(nook("volume", "inspect", "data"))[0]["usedBy"] == [json.loads(nook("inspect", "web"))[0]["id"]]
    process.communicate(timeout=60)
    nook("volume", "rm", "data")


def test_volumes_from_shows_all_that_another_container_shows(nook, busybox_root, space):
    (space / "host").mkdir()
    (space / "host/x").write_text("host")
    root = ["--overlay", f"dir:{busybox_root}"]
    nook("run", "--name", "web", "-v", "data:/data", "-v", f"{space}/host:/host:ro", *root, "sh", "-c", "echo v >/data/x")
    assert nook("run", "--rm", "--volumes-from", "web", *root, "sh", "-c", "cat /data/x /host/x; touch /host/y 2>&1 || true") == (
        "v\nhosttouch: /host/y: Read-only file system\n")
    assert "Read-only" in nook("run", "--rm", "--volumes-from", "web:ro", *root, "sh", "-c", "touch /data/y 2>&1 || true")
    nook("rm", "web")


def test_a_container_that_is_run_again_has_its_volumes(nook, busybox_root, space):
    """Named, anonymous and of the host; what the options put there comes first; and they go with the first container alone."""
    (space / "host").mkdir()
    (space / "host/file").write_text("host")
    nook("run", "--name", "web", "--storage", "dir", "-v", "named:/a", "-v", "/b", "-v", f"{space}/host:/c:ro", f"dir:{busybox_root}", "sh", "-c",
         "echo 1 >>/a/x; echo 2 >>/b/x; cat /a/x /b/x /c/file; echo x 2>/dev/null >/c/new || echo read-only")
    assert nook("run", "--rm", "container:web") == "1\n1\n2\n2\nhostread-only\n"
    assert nook("run", "--rm", "-v", "other:/a", "container:web", "sh", "-c", "ls /a; cat /b/x") == "2\n2\n"
    assert len(names(nook)) == 3
    nook("rm", "-v", "web")
    assert sorted(names(nook)) == ["named", "other"]
    nook("volume", "rm", "named", "other")


def test_nothing_is_made_for_a_plan(nook, busybox_root):
    assert "bind" in nook("run", "--explain", "-v", "web:/data", "-v", "/more", f"dir:{busybox_root}", "true")
    assert names(nook) == []


@ROOT
def test_a_disk_is_a_volume_with_a_limit(nook, run, own_root):
    nook("volume", "create", "db", "--driver", "disk", "--size", "32m")
    (told,) = json.loads(nook("volume", "inspect", "db"))
    assert told["bytes"] == 32 << 20 and told["fs"] == "ext4"
    assert run("-v", "db:/data", "ls -A /data; dd if=/dev/zero of=/data/big bs=1M 2>/dev/null; echo $?") == "1\n"
    assert run("-v", "db:/data:ro", "ls /data") == "big\n"
    assert nook("disk", "fsck", told["source"]) == f"{told['source']}: clean\n"
    (own_root / "srv").mkdir()
    (own_root / "srv/file").write_text("x")
    assert nook("run", "--rm", "--mount", "type=volume,src=new,dst=/srv,volume-driver=disk,volume-opt=size=16m", "--overlay",
                f"dir:{own_root}", "ls", "-A", "/srv") == "file\n"
    assert sorted(names(nook, "--filter", "driver=disk")) == ["db", "new"]


@pytest.mark.user("rootless")
def test_an_ordinary_users_disk_is_made_but_not_mounted(nook, busybox_root):
    nook("volume", "create", "db", "--size", "16m")
    error = nook.fails(125, "run", "--rm", "-v", "db:/data", f"dir:{busybox_root}", "true")
    assert "only root can mount a file system in a file" in error or "needs root" in error or "so root" in error


@pytest.mark.parametrize("arguments, words", [
    (["-v", "web:data"], "is not absolute"),
    (["-v", "data"], "is not absolute"),
    (["-v", "-web:/data"], "-web"),
    (["-v", "web:/data:no-such-word"], "no-such-word"),
    (["-v", "web:/data:driver=disk"], "a disk has a size"),
    (["--volumes-from", "nobody"], "nobody"),
])
def test_what_is_no_use_of_a_volume(nook, busybox_root, arguments, words):
    assert words in nook.fails(125, "run", "--rm", *arguments, f"dir:{busybox_root}", "true")


@pytest.mark.anywhere
def test_what_is_told_of_a_volume_in_other_words(nook):
    nook("volume", "create", "--label", "tier=test", "web")
    source = json.loads(nook("volume", "inspect", "web"))[0]["source"]
    assert nook("volume", "inspect", "-f", "{{.Name}} {{.source}} {{.labels.tier}}", "web") == f"web {source} test\n"
    assert nook("inspect", "--type", "volume", "-f", "{{.driver}}", "web") == nook("inspect", "-f", "{{.driver}}", "web") == "dir\n"
    assert "no member" in nook.fails(125, "volume", "inspect", "-f", "{{.nothing}}", "web")
    assert "no such container" in nook.fails(1, "inspect", "--type", "container", "web")
    assert "no such image" in nook.fails(1, "inspect", "--type", "image", "web")
    assert "container, image and volume" in nook.fails(125, "inspect", "--type", "network", "web")


@pytest.mark.anywhere
def test_system_prune_takes_volumes_when_asked(nook, busybox_root):
    nook("volume", "create", "named")
    nook("run", "-v", "/data", f"dir:{busybox_root}", "true")
    (nameless,) = [name for name in nook("volume", "ls", "-q").split() if name != "named"]
    nook("run", "--name", "holds", "-v", f"{nameless}:/data", f"dir:{busybox_root}", "true")
    nook("prune")
    assert set(nook("volume", "ls", "-q").split()) <= {"named", nameless}
    nook("system", "prune", "--volumes", "-f")
    assert nook("volume", "ls", "-q").split() == ["named"]
