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
def layout(space):
    return images.Layout(space / "oci")


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


def test_a_working_directory_behind_a_link_stays_inside(nook, layout, space):
    target = space / "outside"
    target.mkdir()
    layout.image("t", [BASE, tars.archive(tars.symlink("out", str(target)))], {"WorkingDir": "/out/made", "Env": ["PATH=/bin"]})
    nook.result("run", "--rm", "-u", "0", layout.source("t"), "pwd")
    assert not list(target.iterdir())


def test_labels_are_annotations(nook, layout):
    layout.image("t", [BASE], {"Labels": {"who": "me"}, "StopSignal": "SIGINT", "Env": ["PATH=/bin"]})
    nook("run", "--name", "labelled", layout.source("t"), "true")
    annotations = json.loads(nook("inspect", "labelled"))[0]["annotations"]
    assert annotations["who"] == "me" and annotations["org.opencontainers.image.stopSignal"] == "SIGINT"
    nook("rm", "labelled")


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
def test_compressions(nook, layout, compression):
    layout.image("t", [BASE], {"Cmd": ["echo", "ran"], "Env": ["PATH=/bin"]}, compression=compression)
    assert nook("run", "--rm", layout.source("t")) == "ran\n"


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


def test_a_hundred_layers(nook, layout):
    layers = [BASE] + [tars.archive(tars.file(f"layer/{i}", b"%d\n" % i)) for i in range(1, 128)]
    layout.image("t", layers, {"Env": ["PATH=/bin"]})
    assert nook("run", "--rm", layout.source("t"), "cat", "/layer/1", "/layer/127") == "1\n127\n"


def test_hard_links_to_files_of_layers_below(nook, layout):
    below = tars.archive(tars.directory("d"), tars.file("d/f", b"below\n", mode=0o640, mtime=1000), tars.file("gone"))
    middle = tars.archive(tars.file(".wh.gone", b""))
    layout.image("t", [BASE, below, middle, tars.archive(tars.hardlink("link", "d/f"))], {"Env": ["PATH=/bin"]})
    assert nook("run", "--rm", layout.source("t"), "sh", "-c", "cat link; stat -c '%a %Y' link") == "below\n640 1000\n"
    layout.image("bad", [BASE, below, middle, tars.archive(tars.hardlink("link", "gone"))])
    err = nook.fails(125, "load", layout.source("bad"))
    assert '"link"' in err or "link" in err and "gone" in err
