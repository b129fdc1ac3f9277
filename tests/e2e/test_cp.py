# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook cp: docker's rules, both directions, streams; and what a container does to get out while somebody copies."""

import io
import json
import os
import pathlib
import subprocess
import tarfile

import pytest

pytestmark = pytest.mark.anywhere


ROOT = pytest.mark.user("root")


@pytest.fixture
def web(nook, own_root, space):
    """A running container whose root is the test's own directory."""
    process = nook.start("run", "--name", "web", f"dir:{own_root}", "sh", "-c", "echo ready; cat >/dev/null",
                         stdin=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n", process.stderr.read()
    yield own_root
    process.communicate(timeout=60)
    nook("rm", "-f", "web")


@pytest.fixture
def tree(space):
    """A tree with what trees have."""
    top = space / "tree"
    (top / "deep/er").mkdir(parents=True)
    (top / "file").write_text("one")
    (top / "deep/er/file").write_text("two")
    (top / "link").symlink_to("file")
    (top / "dangling").symlink_to("/no/where")
    os.link(top / "file", top / "hard")
    os.mkfifo(top / "fifo")
    (top / ("long" * 60)).write_text("long")
    with open(top / "holes", "wb") as f:
        f.truncate(8 << 20)
        f.seek(4 << 20)
        f.write(b"x")
    os.chmod(top / "deep", 0o750)
    os.utime(top / "file", ns=(10**18, 1_234_567_890_123_456_789))
    os.utime(top / "deep", ns=(10**18, 987_654_321_987_654_321))
    return top


def look(top):
    """What a tree is: type, mode, time, content, link and holes of each name."""
    found = {}
    for path in sorted([top, *top.rglob("*")]):
        st = path.lstat()
        kind = st.st_mode >> 12
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if kind == 8 else None
        found[str(path.relative_to(top))] = (oct(st.st_mode) if not path.is_symlink() else "link", st.st_mtime_ns, content,
                                             st.st_nlink if kind == 8 else 0)
    return found


# ---- there and back -----------------------------------------------------------------------------------------------------


def test_a_tree_comes_back_as_it_was(nook, web, tree, space):
    nook("cp", tree, "web:/srv")
    nook("cp", "web:/srv", "back")
    assert look(space / "back") == look(tree)
    assert (space / "back/holes").stat().st_blocks * 512 < 1 << 20
    assert (space / "back/file").stat().st_ino == (space / "back/hard").stat().st_ino


def test_what_is_copied_belongs_to_root_inside_and_to_the_caller_outside(nook, web, space):
    (space / "mine").write_text("x")
    os.chmod(space / "mine", 0o4755)
    nook("cp", "mine", "web:/tmp/")
    assert nook("exec", "web", "stat", "-c", "%u:%g %a", "/tmp/mine") == "0:0 755\n"
    nook("cp", "web:/tmp/mine", "back")
    st = (space / "back").stat()
    assert (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (os.geteuid(), os.getegid(), 0o755)


@ROOT
def test_archive_keeps_owners_rights_and_attributes(nook, web, space):
    nook("exec", "web", "sh", "-c", "echo x >/srv; chown 1000:100 /srv; chmod 4750 /srv")
    os.setxattr(web / "srv", "user.color", b"blue")
    nook("cp", "-a", "web:/srv", "back")
    st = (space / "back").stat()
    assert (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (1000, 100, 0o4750)
    assert os.getxattr(space / "back", "user.color") == b"blue"
    nook("cp", "-a", "back", "web:/again")
    assert nook("exec", "web", "stat", "-c", "%u:%g %a", "/again") == "1000:100 4750\n"
    assert os.getxattr(web / "again", "user.color") == b"blue"


@pytest.mark.parametrize("storage", ["dir", pytest.param("disk:64m", marks=ROOT)])
def test_a_container_that_has_ended_keeps_its_files(nook, busybox_root, space, storage):
    nook("run", "--name", "old", "--storage", storage, f"dir:{busybox_root}", "sh", "-c", "echo mine >/etc/new; rm /etc/group")
    nook("cp", "old:/etc/new", ".")
    assert (space / "new").read_text() == "mine\n"
    (space / "more").write_text("more")
    nook("cp", "more", "old:/etc/more")
    nook("cp", "old:/etc", "etc")
    assert sorted(os.listdir(space / "etc")) == ["more", "new", "passwd"]
    assert not (busybox_root / "etc/more").exists()
    nook("rm", "old")


def test_what_was_in_memory_is_gone_and_that_is_said(nook, busybox_root):
    nook("run", "--name", "old", "--overlay", f"dir:{busybox_root}", "touch", "/new")
    assert "its changes with it" in nook.fails(125, "cp", "old:/new", ".")
    nook("rm", "old")


@ROOT
def test_volumes_are_part_of_what_is_copied(nook, busybox_root, space):
    (space / "data").mkdir()
    (space / "data/x").write_text("volume")
    process = nook.start("run", "--rm", "--name", "web", "-v", f"{space}/data:/data", "--overlay", f"dir:{busybox_root}", "sh", "-c",
                         "echo ready; cat >/dev/null", stdin=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    nook("cp", "web:/data/x", "back")
    nook("cp", "back", "web:/data/y")
    process.communicate(timeout=60)
    assert (space / "data/y").read_text() == "volume"


# ---- docker's rules -----------------------------------------------------------------------------------------------------


# Source, target, and what is there then (or what is said).
RULES = [
    # A file ...
    ("file", "new", {"new"}),               # ... under a new name
    ("file", "dir", {"dir/file"}),          # ... into a directory
    ("file", "dir/", {"dir/file"}),
    ("file", "old", {"old"}),               # ... over a file
    ("file", "to-dir", {"dir/file"}),       # ... into what a link leads to
    ("file", "to-old", {"old", "to-old"}),  # ... over what a link leads to
    ("file", "new/", "no such directory"),
    ("file", "missing/new", "No such file"),
    ("file", "old/", "Not a directory"),
    ("file/", "new", "Not a directory"),
    ("nothing", "new", "No such file"),
    # A directory ...
    ("folder", "new", {"new/a"}),           # ... becomes the new one
    ("folder", "new/", {"new/a"}),
    ("folder/.", "new", {"new/a"}),
    ("folder", "dir", {"dir/folder/a"}),    # ... goes into one
    ("folder/", "dir", {"dir/folder/a"}),
    ("folder/.", "dir", {"dir/a"}),         # ... or what is in it
    ("folder", "old", "a directory does not go over it"),
    ("folder/.", "old", "a directory does not go over it"),
    # A link ...
    ("link", "new", {"new -> file"}),
    ("to-folder/", "new", {"new/a"}),
    ("-L link", "new", {"new"}),
    ("-L to-folder", "new", {"new/a"}),
    ("-L dangling", "new", "No such file"),
]


@pytest.mark.parametrize("direction", ["in", "out"])
def test_where_things_go(nook, web, space, direction):
    for number, (source, target, expected) in enumerate(RULES):
        here, there = space / f"here{number}", web / f"srv{number}"
        if direction == "out":
            here, there = web / f"srv{number}", space / f"here{number}"
        prefixes = [f"{space}/here{number}", f"web:/srv{number}"]
        check_rule(nook, here, there, prefixes if direction == "in" else prefixes[::-1], (source, target, expected))


def check_rule(nook, here, there, prefixes, rule):
    source, target, expected = rule
    for top in (here, there):
        top.mkdir()
    (here / "folder").mkdir()
    (here / "folder/a").write_text("a")
    (here / "file").write_text("file")
    (here / "link").symlink_to("file")
    (here / "to-folder").symlink_to("folder")
    (here / "dangling").symlink_to("nowhere")
    (there / "dir").mkdir()
    (there / "old").write_text("old")
    (there / "to-dir").symlink_to("dir")
    (there / "to-old").symlink_to("old")
    before = {str(path.relative_to(there)) for path in there.rglob("*")}
    *options, name = source.split()
    line = ["cp", *options, f"{prefixes[0]}/{name}", f"{prefixes[1]}/{target}"]
    if isinstance(expected, str):
        assert expected in nook.fails(125, *line), rule
        return
    nook(*line)
    for item in expected:
        path, _, link = item.partition(" -> ")
        path = there / path
        assert (os.readlink(path) == link) if link else path.read_text() in ("a", "file"), rule
    after = {str(path.relative_to(there)) for path in there.rglob("*")}
    made = {item.partition(" -> ")[0] for item in expected}
    new = {path for path in after - before if not (there / path).is_dir() or (there / path).is_symlink()}
    assert new == made - before, rule


@pytest.mark.parametrize("line, words", [
    (["a", "b"], "one of the two is CONTAINER:PATH"),
    (["./a:b", "b"], "one of the two is CONTAINER:PATH"),
    (["web:/a", "web:/b"], "does not copy between containers"),
    (["nobody:/a", "b"], "nobody"),
])
def test_what_is_no_copy(nook, web, line, words):
    assert words in nook.fails(125, "cp", *line)


# ---- streams ------------------------------------------------------------------------------------------------------------


def test_a_stream_out_is_a_tar_archive(nook, web, tree):
    nook("cp", tree, "web:/srv")
    with nook.start("cp", "web:/srv", "-", text=False) as process:
        data = process.stdout.read()
    assert process.returncode == 0
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = tar.getnames()
        assert names[0] == "srv" and "srv/deep/er/file" in names and "srv/" + "long" * 60 in names
        assert tar.extractfile("srv/file").read() == b"one" and tar.extractfile("srv/hard").read() == b"one"
        assert tar.getmember("srv/link").linkname == "file" and tar.getmember("srv/fifo").isfifo()
        assert abs(tar.getmember("srv/deep").mtime - 987654321.987654321) < 1e-5
    listed = subprocess.run(["tar", "-tf", "-"], input=data, capture_output=True, check=True)
    assert listed.stderr == b""


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["ustar", "gnu", "pax"])
def test_a_stream_in_is_what_tar_writes(nook, web, kind):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=kind) as tar:
        for name, content in (("a/b", b"x"), ("a/" + "n" * 90 + "/" + "m" * 90, b"long"), ("./c", b"c")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mtime = 12345
            tar.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "a/b"
        tar.addfile(link)
        hard = tarfile.TarInfo("hard")
        hard.type, hard.linkname = tarfile.LNKTYPE, "a/b"
        tar.addfile(hard)
    (web / "srv").mkdir()
    send(nook, data.getvalue(), "web:/srv")
    assert (web / "srv/a/b").read_text() == "x" and (web / "srv/a/b").stat().st_mtime == 12345
    assert (web / "srv/a" / ("n" * 90) / ("m" * 90)).read_text() == "long" and (web / "srv/c").read_text() == "c"
    assert os.readlink(web / "srv/link") == "a/b" and (web / "srv/hard").stat().st_ino == (web / "srv/a/b").stat().st_ino


def send(nook, data, target, code=0):
    with nook.start("cp", "-", target, stdin=subprocess.PIPE, text=False) as process:
        _, err = process.communicate(data, timeout=60)
    assert process.returncode == code, err
    return err.decode()


def archive(*members):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, kind, text in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                member.linkname = text
                tar.addfile(member)
            else:
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
    return data.getvalue()


@pytest.mark.parametrize("data, words", [
    (b"no archive at all" * 100, "it is no tar archive"),
    (archive(("x", tarfile.REGTYPE, "y" * 2000))[:1024], "ends in the middle"),
    (archive(("../x", tarfile.REGTYPE, "y")), '".."'),
    (archive(("x", tarfile.LNKTYPE, "../../etc/passwd")), '".."'),
    (archive(("dir/x", tarfile.REGTYPE, "y"), ("dir", tarfile.REGTYPE, "y")), "a directory is in the way"),
], ids=["no-archive", "cut", "dots", "hard-link", "directory"])
def test_a_stream_that_is_refused(nook, web, data, words):
    assert words in send(nook, data, "web:/tmp", 125)


# ---- a container that wants out --------------------------------------------------------------------------------------------


@pytest.fixture
def secret(space):
    """A place on the host, with the same path as one in the container."""
    top = space / "host"
    top.mkdir()
    (top / "file").write_text("secret of the host")
    return top


@pytest.mark.parametrize("link", ["absolute", "relative"])
def test_links_lead_nowhere_but_into_the_container(nook, web, space, secret, link):
    target = str(secret) if link == "absolute" else "../" * 40 + str(secret)[1:]
    (web / "srv").symlink_to(target)
    (space / "mine").write_text("mine")
    assert "No such file" in nook.fails(125, "cp", "web:/srv/file", "out")
    assert "No such file" in nook.fails(125, "cp", "mine", "web:/srv/file")
    assert send(nook, archive(("file", tarfile.REGTYPE, "new")), "web:/srv", 125)
    # Where the same path is there inside, it is that one.
    inside = web / str(secret)[1:]
    inside.mkdir(parents=True)
    nook("cp", "mine", "web:/srv/file")
    send(nook, archive(("other", tarfile.REGTYPE, "new")), "web:/srv")
    assert (inside / "file").read_text() == "mine" and (inside / "other").read_text() == "new"
    assert (secret / "file").read_text() == "secret of the host" and not (secret / "other").exists()


def test_links_in_an_archive_stay_inside(nook, web, secret):
    data = archive(("a", tarfile.SYMTYPE, str(secret)), ("a/file", tarfile.REGTYPE, "new"))
    result = send(nook, data, "web:/tmp", 125)
    assert "No such file" in result or "link" in result or "way" in result, result
    assert (secret / "file").read_text() == "secret of the host"


def test_links_on_the_hosts_side_are_not_followed_for_names_from_inside(nook, web, space, secret):
    (web / "srv/sub").mkdir(parents=True)
    (web / "srv/sub/file").write_text("from inside")
    (space / "out/srv").mkdir(parents=True)
    (space / "out/srv/sub").symlink_to(secret)
    error = nook.fails(125, "cp", "web:/srv", "out")
    assert "in the way" in error and (secret / "file").read_text() == "secret of the host"


RACE = """
mkdir -p /race/dir {path}
echo inside >/race/dir/file; echo inside >{path}/file
cd /race
echo ready
while :; do
	mv dir kept; ln -s {path} dir; rm dir; mv kept dir
done
"""


def test_a_race_of_links_never_reaches_the_host(nook, own_root, space, secret):
    """CVE-2018-15664: what was checked is a link to the host's file a moment later."""
    process = nook.start("run", "--rm", "--name", "racer", f"dir:{own_root}", "sh", "-c", RACE.format(path=secret),
                         stdin=subprocess.DEVNULL)
    try:
        assert process.stdout.readline() == "ready\n"
        (space / "mine").write_text("inside, from outside")
        seen = set()
        for i in range(60):
            out = space / f"out{i}"
            for line in (["cp", "racer:/race/dir/file", out], ["cp", "-L", "racer:/race/dir", out / "d"],
                         ["cp", "mine", "racer:/race/dir/file"]):
                result = nook.result(*line)
                assert result.code in (0, 125), str(result)
                seen.add(result.code)
            for path in [out, *(out.rglob("*") if out.is_dir() else [])]:
                assert not path.is_file() or path.read_text().startswith("inside"), path
        assert 0 in seen
        assert (secret / "file").read_text() == "secret of the host" and os.listdir(secret) == ["file"]
    finally:
        nook("rm", "-f", "racer")
        process.communicate(timeout=60)


def test_nothing_of_the_container_is_loaded_or_run(nook, web, space):
    """CVE-2019-14271: no library and no program of the container gets into a process of the host's."""
    for name in ("lib/x86_64-linux-gnu/libnss_files.so.2", "lib/libnss_files.so.2", "etc/ld.so.preload", "etc/nsswitch.conf"):
        (web / name).parent.mkdir(parents=True, exist_ok=True)
        (web / name).write_text("evil")
    log = space / "strace.log"
    subprocess.run(["strace", "-f", "-e", "trace=execve,execveat,open,openat,openat2,chroot,pivot_root", "-o", log,
                    *nook.argv("cp", "web:/etc/passwd", "out")], env=nook.environment, cwd=space, check=True,
                   stdin=subprocess.DEVNULL)
    text = log.read_text()
    assert text.count("execve") == 1 and "chroot(" not in text and "pivot_root(" not in text
    assert "libnss" not in text and "ld.so.preload" not in text.replace("/etc/ld.so.preload\", R_OK", "")
    assert (space / "out").read_text() == (web / "etc/passwd").read_text()


@ROOT
def test_what_the_containers_root_may_not_read_is_not_copied(nook, busybox_root, space):
    """A file of the host's root, shown in the container without mapped ids."""
    (space / "data").mkdir()
    (space / "data/private").write_text("of the host's root")
    os.chmod(space / "data/private", 0o600)
    process = nook.start("run", "--rm", "--name", "web", "-v", f"{space}/data:/data:noidmap", "--overlay", f"dir:{busybox_root}",
                         "sh", "-c", "echo ready; cat >/dev/null", stdin=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    assert "Permission denied" in nook.fails(125, "cp", "web:/data/private", "out")
    process.communicate(timeout=60)


def test_a_device_and_a_fifo_are_never_opened(nook, web, space):
    os.mkfifo(web / "srv")
    nook("cp", "web:/srv", "out")
    assert (space / "out").is_fifo()
    with nook.start("cp", "web:/dev/zero", "-", text=False) as process:
        data = process.stdout.read()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getmembers()[0].ischr()
    assert json.loads(nook("inspect", "web"))[0]["status"] == "running"
    assert not (pathlib.Path(space) / "zero").exists()
