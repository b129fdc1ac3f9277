# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images from files: loaded, run, and run as their configs say."""

import gzip
import json
import os
import shutil
import subprocess

import pytest

import hostile_tars as tars
import images

pytestmark = pytest.mark.anywhere

BASE = images.busybox_layer()


@pytest.fixture
def base(nook, layout):
    """The name of a loaded image of two layers."""
    upper = tars.archive(tars.file("file", b"upper\n"), tars.file("bin/.wh.rm", b""))
    layout.image("base", [BASE, upper], {"Cmd": ["cat", "/file"], "Env": ["PATH=/bin", "A=image"]})
    nook("load", "--name", "base:1", layout.source("base"))
    return "base:1"


def test_an_image_runs_what_it_says(nook, base):
    assert nook("run", "--rm", base) == "upper\n"
    assert nook("run", "--rm", base, "echo", "other") == "other\n"
    assert nook("run", "--rm", "docker.io/library/base:1", "sh", "-c", "echo $A") == "image\n"
    assert nook("run", "--rm", "-e", "A=option", base, "sh", "-c", "echo $A") == "option\n"


def test_a_whiteout_hides_and_changes_are_the_containers_own(nook, base):
    assert nook("run", "--rm", base, "sh", "-c", "ls /bin/rm 2>/dev/null || echo hidden; echo mine >/file; cat /file") == "hidden\nmine\n"
    assert nook("run", "--rm", base) == "upper\n"
    nook.fails(1, "run", "--rm", "--read-only", base, "sh", "-c", "echo x >/file")


@pytest.mark.parametrize("entrypoint, cmd, args, options, out", [
    (["echo", "a"], ["b"], [], [], "a b\n"),
    (["echo", "a"], ["b"], ["c"], [], "a c\n"),
    (["echo", "a"], ["b"], ["c"], ["--entrypoint", "pwd"], "/\n"),
    (["echo", "a"], ["b"], ["echo", "d"], ["--entrypoint="], "d\n"),
    (None, "pwd", [], [], "/\n"),
    ([], ["echo", "x"], [], [], "x\n"),
])
def test_entry_point_and_command(nook, layout, entrypoint, cmd, args, options, out):
    layout.image("t", [BASE], {"Entrypoint": entrypoint, "Cmd": cmd, "Env": ["PATH=/bin"]})
    assert nook("run", "--rm", *options, layout.source("t"), *args) == out


def test_user_and_working_directory(nook, layout):
    layout.image("t", [BASE], {"User": "user:extra", "WorkingDir": "/new/../made/dir", "Env": ["PATH=/bin"]})
    if os.geteuid() == 0:
        assert nook("run", "--rm", layout.source("t"), "sh", "-c", "id -u; id -g; pwd") == "1000\n200\n/made/dir\n"
    assert nook("run", "--rm", "-u", "0", layout.source("t"), "sh", "-c", "id -u; id -g; pwd") == "0\n0\n/made/dir\n"
    assert nook("run", "--rm", "-u", "0", "-w", "/tmp", layout.source("t"), "pwd") == "/tmp\n"


@pytest.mark.user("root")
@pytest.mark.parametrize("user, told", [
    ("user", "1000 100 100 200"), ("1000", "1000 100 100 200"), ("user:root", "1000 0 0"), ("user:200", "1000 200 200"), ("4321", "4321 0 0"),
    ("4321:users", "4321 100 100"), (":200", "0 200 200"),
])
def test_users_and_groups(nook, layout, user, told):
    """By name or number; who is named without a group is in those that /etc/group says."""
    groups = tars.archive(tars.file("etc/group", b"root:x:0:\nusers:x:100:\nextra:x:200:other,user\n"))
    layout.image("t", [BASE, groups], {"User": user, "Env": ["PATH=/bin"], "Cmd": ["sh", "-c", "echo $(id -u) $(id -g) $(id -G)"]})
    assert nook("run", "--rm", layout.source("t")) == told + "\n"
    assert nook("run", "--rm", "-u", "0", "--group-add", "extra", layout.source("t")) == "0 0 0 200\n"


@pytest.mark.parametrize("options, word", [([], "SIGUSR1"), (["--stop-signal", "TERM"], "TERM")])
def test_stop_sends_what_the_image_says(nook, layout, options, word):
    layout.image("t", [BASE], {"StopSignal": "SIGUSR1", "Env": ["PATH=/bin"]})
    script = "trap 'echo SIGUSR1; exit 3' USR1; trap 'echo TERM; exit 3' TERM; echo up; while :; do sleep 0.05; done"
    with nook.start("run", "--name", "web", *options, layout.source("t"), "sh", "-c", script) as process:
        assert process.stdout.readline() == "up\n"
        assert nook("stop", "web") == "web\n"
        assert process.communicate(timeout=60)[0] == f"{word}\n" and process.returncode == 3
    assert nook("stop", "web") == "web\n"
    nook("rm", "web")


def test_stop_kills_who_does_not_listen(nook, layout):
    layout.image("t", [BASE], {"Env": ["PATH=/bin"]})
    with nook.start("run", "--rm", "--name", "web", layout.source("t"), "sh", "-c", "echo up; read line", stdin=subprocess.PIPE) as process:
        assert process.stdout.readline() == "up\n"
        assert nook("stop", "-t", "0", "web") == "web\n"
        assert process.wait(60) == 137
    assert "no such container" in nook.fails(1, "stop", "web")
    assert "no such signal" in nook.fails(125, "run", "--stop-signal", "NOPE", layout.source("t"))


@pytest.mark.user("root")
def test_stop_lets_who_is_paused_run_on_for_it(nook, layout):
    layout.image("t", [BASE], {"Env": ["PATH=/bin"]})
    script = "trap 'echo TERM; exit 3' TERM; echo up; while :; do sleep 0.05; done"
    with nook.start("run", "--rm", "--name", "web", layout.source("t"), "sh", "-c", script) as process:
        assert process.stdout.readline() == "up\n"
        nook("pause", "web")
        nook("stop", "web")
        assert process.communicate(timeout=60)[0] == "TERM\n" and process.returncode == 3


def test_a_working_directory_behind_a_link_stays_inside(nook, layout, space):
    target = space / "outside"
    target.mkdir()
    layout.image("t", [BASE, tars.archive(tars.symlink("out", str(target)))], {"WorkingDir": "/out/made", "Env": ["PATH=/bin"]})
    nook.result("run", "--rm", "-u", "0", layout.source("t"), "pwd")
    assert not list(target.iterdir())


def test_labels_are_annotations(nook, layout):
    digest = layout.image("t", [BASE], {"Labels": {"who": "me", "nook.image": "sha256:" + "0" * 64, "nook.else": "x"}, "StopSignal": "SIGINT", "Env": ["PATH=/bin"]})
    nook("run", "--name", "labelled", layout.source("t"), "true")
    annotations = json.loads(nook("inspect", "labelled"))[0]["annotations"]
    assert annotations["nook.image"] == digest and "nook.else" not in annotations
    assert annotations["who"] == "me" and annotations["org.opencontainers.image.stopSignal"] == "SIGINT"
    nook("rm", "labelled")


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
def test_compressions(nook, layout, compression):
    layout.image("t", [BASE], {"Cmd": ["echo", "ran"], "Env": ["PATH=/bin"]}, compression=compression)
    assert nook("run", "--rm", layout.source("t")) == "ran\n"


@pytest.mark.parametrize("compression", ["", "zstd"])
def test_sha512_throughout(nook, space, compression):
    """Manifest, config, layers and DiffIDs; as image-spec 1.1 has it."""
    layout = images.Layout(space / "sha512", "sha512")
    upper = tars.archive(tars.file("file", b"upper\n"), tars.hardlink("same", "bin/busybox"))
    digest = layout.image("t", [BASE, upper], {"Cmd": ["cat", "/file"]}, compression)
    assert nook("run", "--rm", layout.source("t")) == "upper\n"
    nook("load", "--name", "t:1", layout.source("t"))
    shown = json.loads(nook("inspect", "t:1"))[0]
    assert shown["digest"] == digest and shown["id"].startswith("sha512:")
    for name in shown["id"], shown["id"][7:], shown["id"][7:19], digest, f"t@{digest}":
        assert nook("run", "--rm", name) == "upper\n"
    assert nook("system", "check") == nook("system", "check", "--repair")
    for form in "docker-archive", "oci-archive":
        nook("save", "--format", form, "-o", space / form, "t:1")
    nook("rmi", "t:1")
    assert images.store_of(nook)["layers"] == []
    for form in "docker-archive", "oci-archive":
        assert nook("run", "--rm", f"{form}:{space}/{form}") == "upper\n"
    # One byte of a layer is another one.
    blob = layout.path / "blobs/sha512" / layout.digest(images.compress(upper, compression)).partition(":")[2]
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)
    nook("rmi", "-a", "-f")
    assert "sha512:" in nook.fails(125, "run", "--rm", layout.source("t"))


def test_archives_of_skopeo(nook, layout, space):
    if not shutil.which("skopeo"):
        pytest.skip("skopeo is not here")
    layout.image("t", [BASE], {"Cmd": ["echo", "ran"], "Env": ["PATH=/bin"]})
    for kind in "docker-archive", "oci-archive":
        subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", layout.source("t"), f"{kind}:{space}/{kind}.tar:some/name:{kind}"],
                       check=True, env={**os.environ, "TMPDIR": str(space)})
        assert nook("run", "--rm", f"{kind}:{space}/{kind}.tar") == "ran\n"
        assert nook("run", "--rm", f"some/name:{kind}") == "ran\n"
        packed = space / f"{kind}.tar.gz"
        packed.write_bytes(gzip.compress((space / f"{kind}.tar").read_bytes(), 1))
        with packed.open("rb") as stream:
            assert f"some/name:{kind}" in nook("load", stdin=stream)


@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not here")
def test_a_directory_of_skopeo(nook, layout, space):
    """dir: is a root or, as skopeo has it, an image: one says so in a file."""
    digest = layout.image("t", [BASE], {"Cmd": ["echo", "flat"], "Env": ["PATH=/bin"]})
    subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", layout.source("t"), f"dir:{space}/flat"], check=True,
                   env={**os.environ, "XDG_RUNTIME_DIR": "/nonexistent"})
    assert nook("run", "--rm", f"dir:{space}/flat") == "flat\n"
    nook("load", "--name", "t:1", f"dir:{space}/flat")
    assert json.loads(nook("inspect", "t:1"))[0]["digest"] == digest
    (space / "flat/manifest.json").unlink()
    assert "no manifest.json" in nook.fails(125, "load", f"dir:{space}/flat")


def test_a_colon_that_was_forgotten_is_told(nook, space):
    """No registry is asked, wherever this runs."""
    (space / "blocked.conf").write_text('[[registry]]\nprefix = "docker.io"\nblocked = true\n')
    said = nook.fails(125, "run", "--rm", "host", "true", env={"CONTAINERS_REGISTRIES_CONF": str(space / "blocked.conf")})
    assert '"host" is docker.io/library/host:latest; this machine\'s own system is spelled "host:"' in said


def test_what_is_missing_is_said(nook, space):
    assert "there is no such image" in nook.fails(125, "run", "--rm", "--pull", "never", "nothing:1", "true")
    assert "always, missing or never" in nook.fails(125, "run", "--rm", "--pull", "now", "nothing:1", "true")
    assert "upper-case" in nook.fails(125, "run", "--rm", "--pull", "never", "Nothing", "true")
    (space / "empty.tar").write_bytes(bytes(1024))
    assert "no archive of images" in nook.fails(125, "load", "-i", space / "empty.tar")
    (space / "oci").mkdir()
    assert "no OCI layout" in nook.fails(125, "load", f"oci:{space}/oci")


def test_layers_are_kept_once(nook, layout):
    layout.image("a", [BASE], {"Cmd": ["true"]})
    layout.image("b", [BASE, tars.archive(tars.file("x"))], {"Cmd": ["true"]})
    nook("load", "--name", "a", layout.source("a"))
    nook("load", "--name", "b", layout.source("b"))
    assert len(images.store_of(nook)["layers"]) == 2
    assert images.store_of(nook)["ingest"] == []


@pytest.mark.parametrize("n", [60, pytest.param(110, marks=pytest.mark.vm)])
def test_a_hundred_layers(nook, layout, n):
    """Before Linux 6.5 they fit into one value, into mount(2)'s page, or nowhere; with a layer of changes and without."""
    layers = [BASE] + [tars.archive(tars.file(f"layer/{i}", b"%d\n" % i)) for i in range(1, n)]
    layout.image("t", layers, {"Env": ["PATH=/bin"]})
    nook("load", "--name", "t:1", layout.source("t"))
    assert nook("run", "--name", "web", "t:1", "sh", "-c", f"cat /layer/1 /layer/{n - 1}; echo x >>/layer/1") == f"1\n{n - 1}\n"
    assert nook("diff", "web") == "M /layer/1\n"
    assert nook("run", "--rm", "--read-only", "t:1", "cat", f"/layer/{n - 1}") == f"{n - 1}\n"
    assert "Size:" in nook("image", "slim", "--dry-run", "t:1")
    nook("rm", "web")


def test_hard_links_to_files_of_layers_below(nook, layout):
    below = tars.archive(tars.directory("d"), tars.file("d/f", b"below\n", mode=0o640, mtime=1000), tars.file("gone"))
    middle = tars.archive(tars.file(".wh.gone", b""))
    layout.image("t", [BASE, below, middle, tars.archive(tars.hardlink("link", "d/f"))], {"Env": ["PATH=/bin"]})
    assert nook("run", "--rm", layout.source("t"), "sh", "-c", "cat link; stat -c '%a %Y' link") == "below\n640 1000\n"
    layout.image("bad", [BASE, below, middle, tars.archive(tars.hardlink("link", "gone"))])
    err = nook.fails(125, "load", layout.source("bad"))
    assert '"link"' in err or "link" in err and "gone" in err
