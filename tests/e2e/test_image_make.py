# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images made without a registry: import, commit, save and what others read of it; trees that come back as they went."""

import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import tarfile

import pytest

import hostile_tars as tars
import images
import leaks
import roots

pytestmark = pytest.mark.anywhere

BASE = images.busybox_layer()
ROOT = os.geteuid() == 0
# An ordinary user may have no other ids than one.
USER = "3:4" if ROOT else "0:0"


@pytest.fixture
def base(nook, space):
    """An imported busybox."""
    (space / "base.tar").write_bytes(BASE)
    nook("import", space / "base.tar", "base:1", "--change", 'CMD ["echo", "imported"]', "-c", "ENV PATH=/bin", "-m", "first")
    return "base:1"


def tool(*argv, **options):
    return subprocess.run([*map(str, argv)], stdout=subprocess.PIPE, text=True, check=True, **options).stdout


def test_import_with_changes(nook, base):
    assert nook("run", "--rm", base) == "imported\n"
    shown = json.loads(nook("inspect", base))[0]
    assert shown["config"] == {"Env": ["PATH=/bin"], "Cmd": ["echo", "imported"]}
    assert shown["history"][0]["comment"] == "first"


@pytest.mark.parametrize("program", ["gzip", "zstd", "xz", "bzip2", "cat"])
def test_import_of_compressed_archives(nook, space, base, program):
    packed = space / "packed"
    with packed.open("wb") as out:
        subprocess.run([program, *([] if program == "cat" else ["-c"])], input=BASE, stdout=out, check=True)
    nook("import", packed, "packed")
    first, second = (json.loads(nook("inspect", name))[0] for name in ("base:1", "packed"))
    assert first["layers"] == second["layers"]
    with packed.open("rb") as stream:
        assert nook("import", "-", stdin=stream).startswith("sha256:")


def test_import_of_a_directory(nook, space, own_root):
    nook("import", own_root, "fromdir:1", "-c", "CMD echo ran in $0", "--compression", "zstd")
    assert nook("run", "--rm", "fromdir:1") == "ran in /bin/sh\n"


def test_what_cannot_be_imported(nook, space):
    (space / "text").write_text("no archive " * 100)
    nook.fails(125, "import", space / "text", "x")
    nook.fails(125, "import", space / "nothing", "x")
    (space / "base.tar").write_bytes(BASE)
    assert "RUN" in nook.fails(125, "import", space / "base.tar", "x", "-c", "RUN true")
    assert "gzip, zstd and none" in nook.fails(125, "import", space / "base.tar", "x", "--compression", "lzma")
    assert nook("images", "-q") == ""


CHANGES = """
echo new >/new; rm /bin/pwd; mkdir -p /d/e; rm -r /home; mkdir /home; echo 1 >/home/1; echo more >>/etc/group
echo x >/bin/x; chmod 4755 /bin/x; ln /new /d/link; ln -s /new /d/soft; rm -r /root; echo file >/root
"""
LOOK = "ls /bin/pwd 2>/dev/null; ls /d; ls /home; cat /new /root; stat -c '%a %h' /bin/x /new; readlink /d/soft; ls -d /root"


def test_commit_keeps_what_was_changed(nook, base):
    nook("run", "--name", "worker", base, "sh", "-c", CHANGES)
    before = nook("run", "--rm", base, "sh", "-c", "ls -l /home /bin /etc | cat")
    nook("commit", "worker", "made:1", "-c", 'CMD ["sh", "-c", "echo committed"]', "-a", "me", "-m", "why")
    assert nook("run", "--rm", "made:1") == "committed\n"
    assert nook("run", "--rm", "made:1", "sh", "-c", LOOK) == "e\nlink\nsoft\n1\nnew\nfile\n4755 1\n644 2\n/new\n/root\n"
    assert nook("run", "--rm", base, "sh", "-c", "ls -l /home /bin /etc | cat") == before
    told = json.loads(nook("history", "--format", "json", "made:1"))
    assert len(told) == 2 and told[0]["comment"] == "why"
    nook("rm", "worker")
    nook("rmi", "made:1")


def test_diff_tells_what_was_changed(nook, base, space):
    nook("run", "--name", "first", base, "sh", "-c", "mkdir /d; echo 1 >/d/1; echo 2 >/d/2")
    nook("commit", "first", "two:1")
    nook("run", "--name", "worker", "two:1", "sh", "-c", "echo new >/new; rm /d/1; echo more >>/d/2; rm /bin/pwd")
    lines = set(nook("diff", "worker").splitlines())
    assert {"A /new", "D /d/1", "M /d/2", "D /bin/pwd"} <= lines, lines
    assert {change["path"].lstrip("/") for change in json.loads(nook("diff", "--json", "first"))} >= {"d/1", "d/2"}
    nook("rm", "first", "worker")


def test_commit_of_a_running_container(nook, base):
    with nook.start("run", "--name", "live", base, "sh", "-c", "echo up >/state; echo up; read line", stdin=subprocess.PIPE) as held:
        assert held.stdout.readline() == "up\n"
        nook("commit", "live", "live:1")
        held.communicate("\n")
    assert nook("run", "--rm", "live:1", "cat", "/state") == "up\n"
    nook("rm", "live")


def test_save_over_what_is_there(nook, base, space):
    """A file keeps its mode, a link leads on, and what cannot be written leaves the old file."""
    out = space / "out.tar"
    nook("save", "-o", out, base)
    assert stat.S_IMODE(out.stat().st_mode) == 0o644
    whole = out.read_bytes()
    out.write_bytes(b"old")
    out.chmod(0o600)
    (space / "link").symlink_to(out)
    assert "no such image" in nook.fails(125, "save", "-o", out, "nothing:1")
    assert out.read_bytes() == b"old"
    nook("save", "-o", out, base)
    assert out.read_bytes() == whole and stat.S_IMODE(out.stat().st_mode) == 0o600
    out.write_bytes(b"old")
    nook("save", "-o", space / "link", base)
    assert out.read_bytes() == whole and (space / "link").is_symlink()
    assert "No such file" in nook.fails(125, "save", "-o", space / "nowhere/out.tar", base)
    assert sorted(path.name for path in space.glob("*out*")) == ["out.tar"] and not list(space.glob(".out*"))


@pytest.mark.skipif(not shutil.which("strace"), reason="strace sees what is opened")
@pytest.mark.parametrize("options, pauses", [([], True), (["-p"], True), (["--pause=true"], True), (["--pause=false"], False), (["--no-pause"], False)])
def test_commit_pauses_or_not(nook, base, options, pauses):
    """What the command opens to write says it: the freezer's file.  Without groups, as a user's may be, nothing can pause it."""
    with nook.start("run", "--name", "live", base, "sh", "-c", "echo up; read line", stdin=subprocess.PIPE) as held:
        assert held.stdout.readline() == "up\n"
        log = nook.space / "calls"
        has_groups = bool(json.loads(nook("inspect", "live"))[0]["cgroups"])
        commit = subprocess.run(["strace", "-f", "-qq", "-o", log, "-e", "trace=openat,openat2", *nook.argv("commit", *options, "live", "live:1")],
                                env=nook.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True, timeout=60)
        frozen = bool(re.search(r'(freezer.state|cgroup.freeze)", (\{flags=)?(O_WRONLY|O_RDWR)', log.read_text()))
        held.communicate("\n")
    assert frozen == (pauses and has_groups)
    assert ("it has no control groups to pause it by" in commit.stderr) == (pauses and not has_groups)
    nook("rm", "live")
    assert "true or false" in nook.fails(125, "commit", "--pause=perhaps", "live", "x")


def test_commit_keeps_how_it_was_started(nook, base):
    """As docker has it: what the container was started with is what the image runs, until --change says otherwise."""
    nook("run", "--name", "worker", "-e", "MINE=yes", "-w", "/w", "-u", USER, "--label", "a=b", "--stop-signal", "INT", base, "sh", "-c", "pwd; id -u")
    nook("commit", "worker", "made:1")
    assert nook("run", "--rm", "made:1") == f"/w\n{USER[0]}\n"
    config = json.loads(nook("inspect", "made:1"))[0]["config"]
    assert config == {"User": USER, "Env": ["PATH=/bin", "MINE=yes"], "Cmd": ["sh", "-c", "pwd; id -u"], "WorkingDir": "/w",
                      "Labels": {"a": "b"}, "StopSignal": "INT"}
    nook("commit", "worker", "made:2", "-c", "CMD echo changed", "-c", "USER 0")
    assert nook("run", "--rm", "made:2") == "changed\n"
    nook("rm", "worker")


@pytest.mark.user("root")
@pytest.mark.parametrize("fs", ["ext4", "btrfs"])
def test_commit_and_diff_of_changes_in_a_disk(nook, base, fs):
    """Also while it runs: what the host never mounts is looked at beside it."""
    storage = ["--storage", f"disk:128m,fs={fs}"]
    nook("run", "--name", "ended", *storage, base, "sh", "-c", CHANGES)
    assert {"A /new", "D /bin/pwd", "A /d/link"} <= set(nook("diff", "ended").splitlines())
    nook("commit", "ended", "ended:1")
    assert nook("run", "--rm", "ended:1", "sh", "-c", LOOK) == "e\nlink\nsoft\n1\nnew\nfile\n4755 1\n644 2\n/new\n/root\n"
    with nook.start("run", "--name", "live", *storage, base, "sh", "-c", "echo up >/state; rm /bin/id; echo up; read line; echo more >>/state; echo up; read line",
                    stdin=subprocess.PIPE) as held:
        assert held.stdout.readline() == "up\n"
        assert {"A /state", "D /bin/id"} <= set(nook("diff", "live").splitlines())
        nook("commit", "live", "live:1")
        held.stdin.write("\n")
        held.stdin.flush()
        assert held.stdout.readline() == "up\n"
        nook("commit", "live", "live:2")
        held.communicate("\n")
    assert nook("run", "--rm", "live:1", "cat", "/state") == "up\n"
    assert nook("run", "--rm", "live:2", "cat", "/state") == "up\nmore\n"
    nook("commit", "live", "live:3")
    assert nook("run", "--rm", "live:3", "sh", "-c", "cat /state; ls /bin/id 2>/dev/null; true") == "up\nmore\n"
    nook("rm", "live", "ended")


def test_what_cannot_be_committed(nook, base, own_root):
    nook("run", "--name", "plain", f"dir:{own_root}", "true")
    assert "not made of an image" in nook.fails(125, "commit", "plain", "x")
    assert "no such container" in nook.fails(125, "commit", "nothing", "x")
    nook("rm", "plain")


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive", "oci"])
def test_what_was_saved_can_be_loaded(nook, base, space, form):
    before = json.loads(nook("inspect", base))[0]
    out = space / "saved"
    nook("save", "--format", form, "-o", out, base)
    nook("rmi", base)
    assert images.store_of(nook)["layers"] == []
    nook("load", f"{form}:{out}")
    after = json.loads(nook("inspect", base))[0]
    assert (before["id"], before["digest"]) == (after["id"], after["digest"])
    assert nook("run", "--rm", base) == "imported\n"


def test_saved_to_a_pipe_and_loaded_from_one(nook, base, as_user):
    with nook.start("save", base, text=False) as saving:
        out = as_user.start("load", stdin=saving.stdout, text=True)
        saving.stdout.close()
        assert "base:1" in out.communicate()[0]
    assert saving.returncode == 0 and out.returncode == 0
    assert "terminal" not in nook.result("save", base, "-o", "/dev/null").err


@pytest.mark.skipif(not shutil.which("skopeo") or not shutil.which("umoci"), reason="skopeo and umoci are not here")
def test_others_read_what_was_saved(nook, base, space):
    nook("save", "-o", space / "docker.tar", base)
    nook("save", "--format", "oci", "-o", space / "layout", base)
    environment = {**os.environ, "TMPDIR": str(space)}
    assert json.loads(tool("skopeo", "inspect", f"docker-archive:{space}/docker.tar:base:1", env=environment))["Architecture"]
    assert json.loads(tool("skopeo", "inspect", "--config", f"oci:{space}/layout:1", env=environment))["config"]["Env"] == ["PATH=/bin"]
    tool("umoci", "unpack", *([] if ROOT else ["--rootless"]), "--image", f"{space}/layout:1", space / "bundle")
    assert (space / "bundle/rootfs/bin/busybox").read_bytes() == open("/bin/busybox", "rb").read()


# ---- every oddity ----------------------------------------------------------------------------------------------------

@pytest.mark.user("root")
@pytest.mark.skipif(not shutil.which("podman"), reason="podman is not here")
def test_podman_reads_what_was_saved_and_the_other_way_round(nook, base, space):
    """Every format of both; the image stays the same one."""
    def podman(*args):
        return tool("podman", "--root", space / "podman", "--runroot", space / "podman-run", "--storage-driver", "vfs",
                    "--cgroup-manager", "cgroupfs", *args, env={**os.environ, "TMPDIR": str(space)})

    nook("run", "--name", "worker", base, "sh", "-c", "rm /bin/pwd; echo new >/new")
    nook("commit", "worker", "made:1")
    nook("rm", "worker")
    id = json.loads(nook("inspect", "made:1"))[0]["id"]
    for form in "docker-archive", "oci-archive":
        nook("save", "--format", form, "-o", space / form, "made:1")
        podman("load", "-q", "-i", space / form)
        assert podman("images", "-q", "--no-trunc").split() == [id]
        mounted = pathlib.Path(podman("image", "mount", id).strip())
        assert (mounted / "new").read_text() == "new\n" and not (mounted / "bin/pwd").is_symlink() and (mounted / "bin/sh").is_symlink()
        podman("image", "umount", id)
        podman("rmi", "-f", id)
    podman("load", "-q", "-i", space / "docker-archive")
    nook("rmi", "-a", "-f")
    for form in "docker-archive", "oci-archive", "oci-dir", "docker-dir":
        out = space / f"podman-{form}"
        podman("save", "-q", "--format", form, "-o", out, id.partition(":")[2])
        source = {"oci-dir": "oci:", "docker-dir": "dir:"}.get(form, f"{form}:") + str(out)
        nook("load", "--name", "back:1", source)
        assert json.loads(nook("inspect", "back:1"))[0]["id"] == id
        assert nook("run", "--rm", source, "cat", "/new") == "new\n"
        nook("rmi", "-a", "-f")
    podman("rmi", "-a", "-f")


@pytest.mark.user("root")
def test_a_tree_with_every_oddity_comes_back(nook, layout, space):
    """Unpacked, saved, unpacked by umoci, imported from there, and compared with what tar says."""
    digest = layout.image("odd", [images.oddities()])
    nook("load", "--name", "odd:1", layout.source("odd"))
    shown = json.loads(nook("inspect", "odd:1"))[0]
    ours = images.look(pathlib.Path(shown["layers"][0]))
    assert shown["digest"] == digest and len(ours) > 30
    assert ours[b"d"][0] == stat.S_IFDIR | 0o1777 and ours[b"d"][3] == 2000 * 10**9
    assert ours[b"d/f"][3] == 3000500000000 and ours[b"negative"][3] == -100250000000 and ours[b"far"][3] == 13569465600 * 10**9
    assert ours[b"d/f"][6] == ours[b"d/link"][6] and ours[b"soft"][6] == ours[b"soft2"][6]
    assert ours[b"bigid"][1:3] == (100000, 4000000) and stat.S_IMODE(ours[b"suid"][0]) == 0o6755
    assert ours[b"attrs"][9] == {"user.binary": b"a\0b"} and ours[b"attrs-empty"][9] == {"user.empty": b""}
    assert ours[b"caps"][9] == {"security.capability": tars.CAPABILITY}
    nook("save", "--format", "oci", "-o", space / "saved", "odd:1")
    if shutil.which("umoci"):
        tool("umoci", "unpack", "--image", f"{space}/saved:1", space / "bundle")
        theirs = images.look(space / "bundle/rootfs")
        # umoci has 32 bits for a time, drops empty attributes, and the top is its own.
        assert {name for name in ours if ours[name] != theirs.get(name)} <= {b".", b"far", b"attrs-empty"}
        assert set(theirs) == set(ours)
    nook("import", shown["layers"][0], "back:1")
    assert images.look(pathlib.Path(json.loads(nook("inspect", "back:1"))[0]["layers"][0])) == ours


def test_holes_stay_holes_where_it_matters(nook, layout, space):
    """A terabyte of nothing (GNU sparse) takes no disk."""
    sparse = space / "sparse"
    with sparse.open("wb") as out:
        out.truncate(1 << 40)
        out.write(b"x")
    archive = subprocess.run(["tar", "-C", space, "--sparse", "-c", "sparse"], stdout=subprocess.PIPE, check=True).stdout
    layout.image("t", [archive])
    nook("load", "--name", "t", layout.source("t"))
    layer = json.loads(nook("inspect", "t"))[0]["layers"][0]
    st = os.stat(f"{layer}/sparse")
    assert st.st_size == 1 << 40 and st.st_blocks * 512 < 1 << 20


def make_sparse(path, size):
    with path.open("wb") as out:
        out.seek(1 << 20)
        out.write(b"middle")
        out.seek(size)
        out.write(b"end")


def check_sparse(path, size):
    st = path.stat()
    assert st.st_size == size + 3 and st.st_blocks * 512 < 1 << 20
    with path.open("rb") as file:
        assert file.seek(1 << 20) and file.read(6) == b"middle" and file.seek(size) and file.read() == b"end"


def test_holes_go_into_images_and_archives(nook, own_root, space):
    """A terabyte of nothing, by a name too long for a header, through import, commit and export."""
    name = "d" * 90 + "/" + "f" * 90
    (own_root / name).parent.mkdir()
    make_sparse(own_root / name, 1 << 40)
    os.link(own_root / name, own_root / "same")
    (own_root / "only-a-hole").touch()
    os.truncate(own_root / "only-a-hole", 1 << 40)
    os.setxattr(own_root / "same", "user.note", b"x")
    nook("import", own_root, "sparse:1")
    layer = pathlib.Path(json.loads(nook("inspect", "sparse:1"))[0]["layers"][0])
    check_sparse(layer / name, 1 << 40)
    assert (layer / "same").samefile(layer / name) and os.getxattr(layer / name, "user.note") == b"x"
    assert (layer / "only-a-hole").stat().st_size == 1 << 40 and (layer / "only-a-hole").stat().st_blocks == 0
    nook("run", "--name", "worker", "sparse:1", "sh", "-c", "rm only-a-hole; dd if=/dev/zero of=/new bs=1 count=1 seek=1099511627775 2>/dev/null")
    nook("commit", "worker", "sparse:2")
    upper = pathlib.Path(json.loads(nook("inspect", "sparse:2"))[0]["layers"][0])
    assert (upper / "new").stat().st_size == 1 << 40 and (upper / "new").stat().st_blocks * 512 < 1 << 20
    nook("export", "worker", "worker.tar")
    assert (space / "worker.tar").stat().st_size < 8 << 20
    (space / "out").mkdir()
    subprocess.run(["tar", "-C", space / "out", "-xf", space / "worker.tar"], check=True)
    check_sparse(space / "out" / name, 1 << 40)
    assert nook("run", "--rm", "tar:worker.tar", "stat", "-c", "%s", f"/{name}", "/new") == f"{(1 << 40) + 3}\n{1 << 40}\n"
    nook("rm", "worker")


@pytest.mark.skipif(not shutil.which("umoci"), reason="umoci is not here")
def test_others_read_holes(nook, own_root, space):
    make_sparse(own_root / "file", 8 << 20)
    nook("import", own_root, "sparse:1")
    nook("save", "--format", "oci", "-o", space / "layout", "sparse:1")
    tool("umoci", "unpack", *([] if ROOT else ["--rootless"]), "--image", f"{space}/layout:1", space / "bundle")
    assert (space / "bundle/rootfs/file").read_bytes() == (own_root / "file").read_bytes()


# ---- bootstrap -------------------------------------------------------------------------------------------------------

def test_a_base_image_of_busybox(nook):
    nook("bootstrap", "busybox")
    assert nook("run", "--rm", "busybox", "sh", "-c", "id -u; echo $PATH; stat -c %a /tmp") == \
        "0\n/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n1777\n"
    assert images.store_of(nook)["ingest"] == []


def test_a_base_image_of_a_directory(nook, own_root):
    nook("bootstrap", "--from", own_root, "--name", "own:1", "-c", 'CMD ["echo", "own"]')
    assert nook("run", "--rm", "own:1") == "own\n"
    assert "--name" in nook.fails(125, "bootstrap", "--from", own_root)


def test_what_cannot_be_bootstrapped(nook):
    assert "neither busybox nor" in nook.fails(125, "bootstrap", "windows")
    assert "what from?" in nook.fails(125, "bootstrap")
    assert "no name of a suite" in nook.fails(125, "bootstrap", "debian:--help", "--name", "x")


@pytest.mark.user("root")
@pytest.mark.skipif(not os.environ.get("NOOK_TEST_BOOTSTRAP"), reason="it takes two minutes and a mirror: asked for by NOOK_TEST_BOOTSTRAP=1")
def test_a_base_image_of_a_distribution(nook):
    signal.alarm(600)
    line = leaks.on_machine_network(*nook.argv("bootstrap", f"debian:{roots.host_codename()}", "--include", "bc", "--name", "deb:1"))
    subprocess.run(line, env={**nook.environment}, check=True, stdin=subprocess.DEVNULL, timeout=600)
    assert nook("run", "--rm", "deb:1", "sh", "-c", "echo 6*7 | bc; ls /var/cache/apt /var/lib/apt/lists 2>/dev/null; . /etc/os-release; echo $ID") == "42\ndebian\n"
    assert json.loads(nook("inspect", "deb:1"))[0]["config"]["Cmd"] == ["bash"]
    nook("image", "slim", "deb:1")
    sizes = {row["tag"]: row["bytes"] for row in json.loads(nook("images", "--format", "json"))}
    assert sizes["1-slim"] < sizes["1"]
    assert nook("run", "--rm", "deb:1-slim", "bash", "-c", "echo $BASH_VERSION | cut -c1; perl -e 'print 1'").endswith("1")


@pytest.mark.user("root")
def test_a_tool_that_fails_leaves_nothing(nook, space):
    if not shutil.which("debootstrap"):
        pytest.skip("debootstrap is not here")
    assert "exit status" in nook.fails(125, "bootstrap", "--mirror", f"file://{space}/no-mirror", "debian:bookworm")
    assert images.store_of(nook) == {"layers": [], "blobs/sha256": [], "ingest": []}


def test_import_for_another_platform(nook, space):
    (space / "root").mkdir()
    nook("import", "--platform", "linux/arm64", space / "root", "arm:1")
    nook("import", space / "root", "own:1")
    assert nook("inspect", "-f", "{{.platform}}", "arm:1") == "linux/arm64\n" != nook("inspect", "-f", "{{.platform}}", "own:1")
    for wrong in ("a/b/c/d/e", "nonsense"):
        assert "linux/arm64" in nook.fails(125, "import", "--platform", wrong, space / "root", "x:1")
