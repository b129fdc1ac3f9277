# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook-unpack: what an archive says is done inside the target or refused with a message that names the entry."""

import os
import pathlib
import shutil
import stat
import subprocess
import tarfile

import pytest

import hostile_tars as tars
import runner
from conftest import BUILD

ROOT = os.geteuid() == 0


class Place:
    """A target to unpack into, with a directory beside it that nothing may touch."""

    def __init__(self, space):
        self.target, self.outside = space / "target", space / "outside"
        self.target.mkdir()
        self.outside.mkdir()
        (self.outside / "secret").write_text("secret")
        os.utime(self.outside / "secret", (1, 1))
        os.utime(self.outside, (1, 1))
        self.before = self.look(self.outside)

    @staticmethod
    def look(top):
        """Everything below TOP: name, type, mode, links, times, content."""
        seen = {}
        for path in [top, *sorted(top.rglob("*"))]:
            st = path.lstat()
            text = path.read_bytes() if stat.S_ISREG(st.st_mode) else None
            seen[str(path.relative_to(top))] = (st.st_mode, st.st_nlink, st.st_mtime_ns, st.st_uid, text)
        return seen

    def run(self, archive, *options):
        done = subprocess.run([BUILD / "nook-unpack", "--target", self.target, *options], input=archive,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        assert self.look(self.outside) == self.before, "the outside was touched"
        return done.returncode, done.stderr.decode("utf-8", "replace")

    def unpack(self, archive, *options):
        code, err = self.run(archive, *options)
        assert code == 0, err
        return err

    def refuses(self, archive, *options):
        code, err = self.run(archive, *options)
        assert code == 1, f"exit status {code}: {err}"
        assert err.count("\n") == 1
        return err

    def __truediv__(self, name):
        return self.target / name


@pytest.fixture
def place(space):
    return Place(space)


@pytest.fixture
def xattrs(space):
    """For tests that set user.* attributes, which a tmpfs has since Linux 6.6."""
    try:
        os.setxattr(space, "user.nook", b"1")
    except OSError as error:
        pytest.skip(f"the file system of {space} has no user attributes: {error}")


# ---- names that lead out ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["../outside/new", "a/../../outside/new", "a/..", "..", "./../outside/secret"])
def test_dotdot_is_refused(place, name):
    err = place.refuses(tars.archive(tars.file("fine"), tars.file(name)))
    assert f'"{name}"' in err and 'has ".." in its name' in err
    assert (place / "fine").exists()


def test_absolute_names_stay_inside(place):
    place.unpack(tars.header("/etc/evil", 1) + tars.pad(b"x") + tars.header("//../"[:2] + "two", 1) + tars.pad(b"y") + tars.END)
    assert (place / "etc/evil").read_text() == "x"
    assert (place / "two").read_text() == "y"


def test_links_to_the_outside_are_texts_only(place):
    place.unpack(tars.archive(tars.symlink("abs", str(place.outside)), tars.symlink("rel", "../outside/secret"),
                              tars.symlink("top", "/"), tars.file("top/etc/x"), tars.file("rel", b"new")))
    assert os.readlink(place / "abs") == str(place.outside)
    assert (place / "etc/x").read_text() == "data"
    assert (place / "rel").read_text() == "new" and not (place / "rel").is_symlink()


@pytest.mark.parametrize("text", ["../outside", "../../../../../../../../{outside}", "{outside}"])
def test_nothing_is_written_through_a_link(place, text):
    text = text.format(outside=place.outside)
    for name in "l/secret", "l/new/dir":
        err = place.refuses(tars.archive(tars.symlink("l", text), tars.file(name)))
        assert name in err


def test_directory_swapped_for_a_link(place):
    err = place.refuses(tars.archive(tars.directory("d"), tars.file("d/f"), tars.symlink("d", "../outside"), tars.file("d/x")))
    assert "d/x" in err
    assert os.readlink(place / "d") == "../outside"


def test_a_parent_is_looked_up_anew_when_its_link_was_replaced(place):
    """The second entry below "a" replaces "a" itself, through itself."""
    err = place.refuses(tars.archive(tars.symlink("a", "."), tars.file("a/one"), tars.symlink("a/a", "../outside"),
                                     tars.file("a/secret")))
    assert "a/secret" in err
    assert not (place / "secret").exists()


@pytest.mark.parametrize("target, why", [
    ("../outside/secret", '".."'), ("{outside}/secret", "not in the root"), ("l/secret", "not in the root"),
    ("later", "not in the root"), ("dir", "directory"), (".", "root"), ("", None),
])
def test_hard_links_find_only_files_of_the_archive(place, target, why):
    target = target.format(outside=place.outside)
    code, err = place.run(tars.archive(tars.directory("dir"), tars.symlink("l", "../outside"), tars.hardlink("x", target),
                                       tars.file("later")))
    assert code == 1 or why is None
    if why:
        assert '"x"' in err and why in err


def test_hard_link_to_a_link_does_not_lead_out(place):
    place.unpack(tars.archive(tars.symlink("s", "../outside/secret"), tars.hardlink("h", "s"), tars.file("h", b"mine")))
    assert (place / "h").read_text() == "mine"
    assert os.readlink(place / "s") == "../outside/secret"


def test_hard_links_share_the_file(place):
    place.unpack(tars.archive(tars.file("a/f", b"12"), tars.hardlink("b/g", "a/f"), tars.hardlink("a/f", "/a/f"),
                              tars.hardlink("c", "./a/f")))
    assert (place / "b/g").samefile(place / "a/f") and (place / "c").samefile(place / "a/f")
    assert (place / "a/f").stat().st_nlink == 3 and (place / "a/f").read_text() == "12"


@pytest.mark.parametrize("make", [tars.file, lambda n: tars.symlink(n, "/etc"), tars.fifo])
@pytest.mark.parametrize("name", [".", "/", "./"])
def test_the_root_is_not_replaced(place, make, name):
    info, data = make(".")
    kind = {tarfile.REGTYPE: b"0", tarfile.SYMTYPE: b"2", tarfile.FIFOTYPE: b"6"}[info.type]
    code, _ = place.run(tars.header(name, kind=kind, link=info.linkname) + tars.END)
    assert stat.S_ISDIR(place.target.lstat().st_mode)
    assert code == 1 or name.endswith("/")


# ---- duplicates ------------------------------------------------------------------------------------------------------

KINDS = {
    "file": (lambda: [tars.file("n")], stat.S_ISREG), "dir": (lambda: [tars.directory("n")], stat.S_ISDIR),
    "full": (lambda: [tars.directory("n"), tars.file("n/below")], stat.S_ISDIR),
    "link": (lambda: [tars.symlink("n", "../outside")], stat.S_ISLNK), "fifo": (lambda: [tars.fifo("n")], stat.S_ISFIFO),
    "hard": (lambda: [tars.file("other"), tars.hardlink("n", "other")], stat.S_ISREG),
}


@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("second", KINDS)
def test_the_later_entry_wins(place, first, second):
    place.unpack(tars.archive(*KINDS[first][0](), *KINDS[second][0]()))
    assert KINDS[second][1]((place / "n").lstat().st_mode)
    assert (place / "n/below").exists() == (second == "full" or (first, second) == ("full", "dir"))


def test_a_deep_tree_is_replaced(place):
    place.unpack(tars.archive(tars.directory("d"), tars.file("d/" * 400 + "f"), tars.file("d", b"file")))
    assert (place / "d").read_bytes() == b"file" and len(list(place.target.iterdir())) == 1


def test_the_later_metadata_wins(place):
    place.unpack(tars.archive(tars.directory("d", 0o700, mtime=5), tars.file("d/f"), tars.directory("d", 0o750, mtime=9)))
    assert stat.S_IMODE((place / "d").stat().st_mode) == 0o750
    assert (place / "d").stat().st_mtime == 9


# ---- what entries carry ----------------------------------------------------------------------------------------------

def test_modes_and_times(place):
    place.unpack(tars.archive(
        tars.directory(".", 0o711, mtime=77), tars.directory("closed", 0o000, mtime=3), tars.file("closed/in", mode=0o400),
        tars.directory("ro", 0o555, mtime=-4), tars.directory("ro/deep", 0o111), tars.file("ro/deep/f", mtime=-1.25),
        tars.symlink("l", "nowhere", mtime=12), tars.file("all", mode=0o7777)))
    assert stat.S_IMODE(place.target.stat().st_mode) == 0o711 and place.target.stat().st_mtime == 77
    assert stat.S_IMODE((place / "closed").stat().st_mode) == 0
    assert stat.S_IMODE((place / "ro").stat().st_mode) == 0o555 and (place / "ro").stat().st_mtime == -4
    assert stat.S_IMODE((place / "ro/deep").stat().st_mode) == 0o111
    assert (place / "ro/deep/f").stat().st_mtime_ns == -1250000000
    assert (place / "l").lstat().st_mtime == 12
    assert stat.S_IMODE((place / "all").stat().st_mode) == 0o7777
    for name in "closed", "ro", "ro/deep":
        (place / name).chmod(0o700)
    assert stat.S_IMODE((place / "closed/in").stat().st_mode) == 0o400


@pytest.mark.user("root")
def test_owners_then_setuid_and_capabilities(place, xattrs):
    pax = {"SCHILY.xattr.security.capability": tars.CAPABILITY.decode("latin1"), "SCHILY.xattr.user.note": "ok"}
    place.unpack(tars.archive(tars.file("su", mode=0o6755, uid=2000000, gid=3000000000, pax_headers=pax),
                              tars.directory("d", 0o2775, uid=7, gid=8), tars.file("d/f", uid=1, gid=2),
                              tars.symlink("l", "x", uid=9, gid=10)))
    st = (place / "su").stat()
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (2000000, 3000000000, 0o6755)
    assert os.getxattr(place / "su", "security.capability") == tars.CAPABILITY
    assert os.getxattr(place / "su", "user.note") == b"ok"
    assert ((place / "d").stat().st_uid, stat.S_IMODE((place / "d").stat().st_mode)) == (7, 0o2775)
    assert ((place / "d/f").stat().st_uid, (place / "d/f").stat().st_gid) == (1, 2)
    assert ((place / "l").lstat().st_uid, (place / "l").lstat().st_gid) == (9, 10)


def test_own_files_and_ordinary_users_keep_their_ids(place):
    place.unpack(tars.archive(tars.file("f", uid=2000000, gid=5)), "--own-files")
    assert (place / "f").stat().st_uid == os.geteuid()


@pytest.mark.user("root")
@pytest.mark.parametrize("uid", [-1, -70000, 2**32 - 1, 2**32, 2**40])
def test_ids_out_of_range_are_refused(place, uid):
    err = place.refuses(tars.header("f", uid=uid) + tars.END)
    assert '"f"' in err and "out of range" in err


def test_xattrs_that_speak_to_the_kernel_are_left_out(place, xattrs):
    names = ("trusted.overlay.opaque", "trusted.overlay.redirect", "user.overlay.redirect", "security.selinux",
             "system.posix_acl_access", "user.fine")
    pax = {f"SCHILY.xattr.{name}": "y" for name in names}
    err = place.unpack(tars.archive(tars.directory("d", pax_headers=pax), tars.file("f", pax_headers=pax)))
    assert "note: 10 extended attributes left out" in err
    for name in "d", "f":
        assert os.listxattr(place / name) == ["user.fine"]


@pytest.mark.user("root")
def test_devices_are_made_or_skipped_as_asked(place):
    archive = tars.archive(tars.device("null", 1, 3, mode=0o666, uid=5), tars.device("sda", 8, 0, tarfile.BLKTYPE),
                           tars.fifo("fifo", mode=0o600))
    place.unpack(archive, "--skip-devices")
    assert [path.name for path in place.target.iterdir()] == ["fifo"]
    place.unpack(archive)
    st = (place / "null").stat()
    assert stat.S_ISCHR(st.st_mode) and st.st_rdev == os.makedev(1, 3) and stat.S_IMODE(st.st_mode) == 0o666 and st.st_uid == 5
    assert stat.S_ISBLK((place / "sda").stat().st_mode)


@pytest.mark.user("rootless")
def test_devices_of_an_ordinary_user_are_refused(place):
    assert '"null"' in place.refuses(tars.archive(tars.device("null", 1, 3)))
    place.unpack(tars.archive(tars.device("null", 1, 3)), "--skip-devices")


def test_odd_names_survive(place):
    names = ["h\u00e9llo", "\u65e5\u672c", "bad\udcff", "new\nline", " ", "-rf", "x" * 255, "a/" * 100 + "b", "'\"\\"]
    for form in tarfile.PAX_FORMAT, tarfile.GNU_FORMAT:
        place.unpack(tars.archive(*(tars.file(name, b"1") for name in names), form=form))
        for name in names:
            assert (place / name).read_bytes() == b"1", name
        shutil.rmtree(place.target)
        place.target.mkdir()


def test_messages_do_not_speak_to_the_terminal(place):
    err = place.refuses(tars.archive(tars.file("\x1b[2J/../\n\x07")))
    assert "\x1b" not in err and "\\x1b[2J/../\\x0a\\x07" in err


@pytest.mark.parametrize("flag", ["--format=gnu", "--format=posix --sparse-version=0.0", "--format=posix --sparse-version=0.1",
                                  "--format=posix --sparse-version=1.0"])
def test_holes_stay_holes(place, space, flag):
    whole = space / "sparse"
    with open(whole, "wb") as f:
        f.write(b"start")
        f.seek(1 << 40)
        f.write(b"end")
        f.truncate((1 << 40) + (1 << 30))
    archive = subprocess.run(["tar", "-cS", *flag.split(), "-C", space, "sparse"], stdout=subprocess.PIPE, check=True).stdout
    place.unpack(archive)
    st = (place / "sparse").stat()
    assert st.st_size == (1 << 40) + (1 << 30) and st.st_blocks * 512 < 1 << 20
    with open(place / "sparse", "rb") as f:
        assert f.read(6) == b"start\0"
        f.seek(1 << 40)
        assert f.read(4) == b"end\0"


# ---- bombs and rubbish -----------------------------------------------------------------------------------------------

def test_limits_name_the_entry(place):
    many = tars.archive(*(tars.file(f"f{i}", b"") for i in range(20)))
    assert '"f10": is one of more than 10 entries' in place.refuses(many, "--max-entries", "10")
    zeros = tars.archive(tars.file("small"), tars.file("zeros", bytes(4 << 20)), compression="gz")
    err = place.refuses(zeros, "--max-bytes", "1m")
    assert '"zeros": takes the archive beyond 1048576 bytes' in err
    assert "too deep" in place.refuses(tars.archive(tars.file("d/" * 600 + "f")))
    assert "255 bytes" in place.refuses(tars.archive(tars.file("x" * 256)))
    assert "4095 bytes" in place.refuses(tars.archive(tars.file(("x" * 200 + "/") * 30)))
    assert '"huge"' in place.refuses(tars.header("huge", size=1 << 60) + bytes(4096))


RUBBISH = {
    "nothing": b"", "a byte": b"x", "zeros": bytes(10240), "gzip": b"\x1f\x8b" + bytes(600), "zip": b"PK\x03\x04" + bytes(600),
    "bytes": bytes(range(256)) * 40, "script": b"#!/bin/sh\nexit 0\n", "xz": b"\xfd7zXZ\0" + bytes(600),
    "zstd": b"\x28\xb5\x2f\xfd" + bytes(600),
}


@pytest.mark.parametrize("what", RUBBISH)
def test_what_is_no_archive_is_refused(place, what):
    if what == "zeros":  # an archive without entries
        place.unpack(RUBBISH[what])
    else:
        place.refuses(RUBBISH[what])
    assert list(place.target.iterdir()) == []


@pytest.mark.parametrize("compression", ["", "gz", "xz"])
def test_a_cut_archive_is_refused(place, compression):
    whole = tars.archive(tars.file("f", os.urandom(100000)), compression=compression)
    assert place.refuses(whole[:len(whole) // 2])


def test_every_cut_and_flip_of_a_small_archive_is_harmless(place):
    """Truncated everywhere and garbled at many places: refused or unpacked inside, never a crash."""
    whole = tars.archive(tars.directory("d"), tars.symlink("d/l", "../../outside"), tars.file("d/f"), tars.hardlink("h", "d/f"))
    for at in range(0, len(whole), 97):
        for bad in whole[:at], whole[:at] + b"\xff" + whole[at + 1:]:
            code, err = place.run(bad, "--skip-devices")
            assert code in (0, 1), err


# ---- the rest --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("packer", [[], ["-z"], ["-j"], ["-J"], ["--zstd"]])
def test_agrees_with_gnu_tar(place, space, packer):
    tree = space / "tree"
    shutil.copytree(pathlib.Path(__file__).parent, tree / "e2e", ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "link").symlink_to("e2e/conftest.py")
    os.link(tree / "e2e/conftest.py", tree / "hard")
    os.mkfifo(tree / "fifo", 0o640)
    archive = subprocess.run(["tar", "-c", *packer, "-C", tree, "."], stdout=subprocess.PIPE, check=True).stdout
    place.unpack(archive)
    seen, wanted = Place.look(place.target), Place.look(tree)
    # GNU tar writes whole seconds.
    strip = lambda all_: {name: (mode, n, when // 10**9, uid, text) for name, (mode, n, when, uid, text) in all_.items()}
    assert strip(seen) == strip(wanted)


def test_target_by_descriptor_and_archive_by_name(place, space):
    (space / "a.tar").write_bytes(tars.archive(tars.file("f")))
    fd = os.open(place.target, os.O_RDONLY)
    try:
        subprocess.run([BUILD / "nook-unpack", "--target-fd", str(fd), space / "a.tar"], pass_fds=[fd], check=True)
    finally:
        os.close(fd)
    assert (place / "f").read_text() == "data"


@pytest.mark.parametrize("options, word", [
    (["--target", "/nonexistent"], "/nonexistent"), ([], "--target"), (["--target", "/", "--layer=x"], "--layer"),
    (["--nonsense"], "--nonsense"), (["--target-fd", "77"], "target"), (["--target", "/", "a", "b"], "b"),
])
def test_misuse_is_said(options, word):
    done = subprocess.run([BUILD / "nook-unpack", *options], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          check=False)
    assert done.returncode in (1, 2) and word in done.stderr and done.stderr.count("\n") == 1


def test_a_layer_below_is_no_link(place, space):
    (space / "link").symlink_to(place.outside)
    (space / "a.tar").write_bytes(tars.archive(tars.hardlink("mine", "secret")))
    assert "link" in place.refuses(b"", "--image", "--layer=both", "--lower", space / "link", space / "a.tar")


def test_is_jailed_before_it_reads(place):
    """The pipe takes 64 KiB: when more is written, the reader has begun, so it must be shut in by then."""
    data = tars.header("f", size=1 << 30) + bytes(256 << 10)
    with subprocess.Popen([BUILD / "nook-unpack", "--target", place.target], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        p.stdin.write(data)
        p.stdin.flush()
        proc = pathlib.Path(f"/proc/{p.pid}")
        status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
        mounts = (proc / "mountinfo").read_text().splitlines()
        # A process that is not dumpable shows its root to the machine's root alone.
        root = (proc / "root").stat() if ROOT else place.target.stat()
        p.stdin.close()
        err = p.stderr.read()
        p.wait()
    assert p.returncode == 1 and b'"f"' in err
    assert status["NoNewPrivs"] == "1"
    # A sanitizer cannot live with so few system calls; the build for it has no filter.
    assert status["Seccomp"] == ("0" if runner.is_sanitized(BUILD / "nook-unpack") else "2")
    # CHOWN DAC_OVERRIDE FOWNER FSETID MKNOD SETFCAP at most
    assert int(status["CapEff"], 16) & ~((1 << 0) | (1 << 1) | (1 << 3) | (1 << 4) | (1 << 27) | (1 << 31)) == 0
    assert (root.st_dev, root.st_ino) == (place.target.stat().st_dev, place.target.stat().st_ino)
    assert len(mounts) == 1, mounts


# ---- tar: sources ----------------------------------------------------------------------------------------------------

@pytest.fixture
def busybox_tar(own_root, space):
    path = space / "root.tar.gz"
    subprocess.run(["tar", "-czf", path, "-C", own_root, "."], check=True)
    return path


def unpacked(nook):
    top = nook.root / "unpacked"
    return list(top.iterdir()) if top.exists() else []


def test_runs_from_an_archive_and_forgets_it(nook, busybox_tar):
    out = nook("run", "--rm", f"tar:{busybox_tar}", "sh", "-c", "echo new > /file; cat /file; stat -c %u:%g /bin/busybox")
    assert out == "new\n0:0\n"
    assert unpacked(nook) == []


def test_the_unpacked_root_is_gone_when_the_container_has_ended(nook, busybox_tar):
    nook("run", "--name", "kept", f"tar:{busybox_tar}", "sh", "-c", "echo new > /file")
    assert unpacked(nook) == []
    assert stat.S_IMODE((nook.root / "unpacked").stat().st_mode) == 0o700
    nook("rm", "kept")


def test_an_ordinary_user_runs_from_an_archive(as_user, busybox_tar):
    os.chmod(busybox_tar, 0o644)
    assert as_user("run", "--rm", f"tar:{busybox_tar}", "id", "-u") == "0\n"
    assert unpacked(as_user) == []


def test_a_hostile_archive_leaves_nothing(nook, space):
    (space / "bad.tar").write_bytes(tars.archive(tars.file("fine"), tars.file("../evil")))
    err = nook.fails(125, "run", f"tar:{space / 'bad.tar'}", "sh")
    assert f'unpack "{space}/bad.tar": "../evil": has ".." in its name' in err
    assert unpacked(nook) == [] and nook("ps", "-a", "-q") == "" and not (nook.root / "evil").exists()


@pytest.mark.parametrize("make, words", [
    (lambda path: None, "No such file or directory"), (lambda path: path.mkdir(), "is a directory"),
    (lambda path: os.mkfifo(path), "no regular file"), (lambda path: path.write_text("text"), "Unrecognized archive format"),
])
def test_what_is_no_archive_is_said(nook, space, make, words):
    make(space / "x.tar")
    err = nook.fails(125, "run", f"tar:{space / 'x.tar'}", "sh")
    assert words in err and "x.tar" in err
    assert unpacked(nook) == []


# ---- layers ----------------------------------------------------------------------------------------------------------

def is_whiteout(path):
    st = path.lstat()
    return stat.S_ISCHR(st.st_mode) and st.st_rdev == 0


@pytest.mark.parametrize("kind", ["user", pytest.param("trusted", marks=pytest.mark.user("root"))])
def test_whiteouts_of_a_layer(place, xattrs, kind):
    opaque = f"{kind}.overlay.opaque"
    place.unpack(tars.archive(
        tars.file("a/.wh.gone"), tars.file("b/kept"), tars.file("b/.wh.kept"), tars.file("c/.wh.back"), tars.file("c/back"),
        tars.directory("d"), tars.file("d/new"), tars.file("d/.wh..wh..opq"), tars.file(".wh..wh.plnk"),
        tars.file(".wh.dir"), tars.directory("dir"), tars.directory("e/dir"), tars.file("e/.wh.dir")), f"--layer={kind}")
    assert is_whiteout(place / "a/gone")
    assert (place / "b/kept").read_text() == "data" and (place / "c/back").read_text() == "data"
    assert (place / "d/new").exists()
    for name in "d", "dir", "e/dir":
        assert os.getxattr(place / name, opaque) == b"y", name
    assert not any(path.name.startswith(".wh.") for path in place.target.rglob("*"))


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "d/.wh..."])
def test_whiteouts_of_no_name_are_refused(place, name):
    err = place.refuses(tars.archive(tars.directory("d"), tars.file(name)), "--layer=user")
    assert f'"{name}"' in err and "whiteout of no name" in err


def test_whiteouts_are_plain_names_without_a_layer(place):
    place.unpack(tars.archive(tars.file(".wh.x", b"1")))
    assert (place / ".wh.x").read_bytes() == b"1"
