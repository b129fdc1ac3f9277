# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looking after images: names, lists, history, removal, what they take."""

import datetime
import json
import os
import pathlib
import subprocess

import pytest

import hostile_tars as tars
import images

pytestmark = pytest.mark.anywhere

BASE = images.busybox_layer()


@pytest.fixture
def two(nook, layout):
    """Two images that share a layer."""
    layout.image("a", [BASE], {"Cmd": ["sleep", "100"], "Labels": {"kind": "first"}, "Env": ["PATH=/bin"]},
                 history=[{"created_by": "made by hand", "created": "2026-01-01T00:00:00Z"},
                          {"created_by": "nothing", "empty_layer": True}])
    layout.image("b", [BASE, tars.archive(tars.file("x", b"x" * 100000))], {"Cmd": ["true"], "Env": ["PATH=/bin"]})
    for name in "a", "b":
        nook("load", "--name", f"{name}:1", layout.source(name))
    return nook


def rows(nook, *args):
    return json.loads(nook("images", "--format", "json", *args))


def test_images_are_listed(two):
    assert sorted((row["repository"], row["tag"]) for row in rows(two)) == [("a", "1"), ("b", "1")]
    assert [row["repository"] for row in rows(two, "a*")] == ["a"]
    assert [row["repository"] for row in rows(two, "--filter", "label=kind=first")] == ["a"]
    assert rows(two, "--filter", "label=kind=other") == [] == rows(two, "--filter", "dangling=true")
    assert rows(two, "--filter", "until=1h") == []
    for row in rows(two):
        both = [{r["repository"] for r in rows(two, "--filter", f"{side}={row['repository']}:1")} for side in ("before", "since")]
        assert row["repository"] not in both[0] | both[1] and not both[0] & both[1]
    assert "no such image" in two.fails(125, "images", "--filter", "since=nothing:1")
    assert "a" in two("images") and len(two("images", "-q").split()) == 2
    two.fails(125, "images", "--filter", "colour=red")


def test_names_lead_to_images(two):
    two("tag", "a:1", "other/name", "localhost:5000/x:y")
    shown = json.loads(two("inspect", "other/name"))[0]
    assert shown["names"] == ["docker.io/library/a:1", "docker.io/other/name:latest", "localhost:5000/x:y"]
    for text in shown["id"], shown["id"][7:19], shown["digest"], f"a@{shown['digest']}", f"a:9@{shown['digest']}":
        assert json.loads(two("inspect", text))[0]["digest"] == shown["digest"]
    assert two("rmi", "other/name") == "Untagged: other/name:latest\n"
    two.fails(1, "rmi", shown["id"])
    two("tag", "b:1", "a:1")
    assert json.loads(two("inspect", "a:1"))[0]["digest"] != shown["digest"]
    assert "upper-case" in two.fails(125, "tag", "a:1", "A")
    assert "no such image" in two.fails(125, "tag", "nothing", "a")


def test_history(two):
    told = json.loads(two("history", "--format", "json", "a:1"))
    assert [row["createdBy"] for row in told] == ["nothing", "made by hand"]
    assert told[0]["bytes"] == 0 and told[1]["bytes"] > 100000
    assert len(json.loads(two("history", "--format", "json", "b:1"))) == 2


def test_dockers_templates(two):
    """docker's names of columns, headings over aligned fields, a row as JSON; a name that there is not is told, rows or not."""
    shown = json.loads(two("images", "--format", "json"))
    ids = {f"{row['repository']}:{row['tag']}": row["id"] for row in shown}
    lines = two("images", "--format", "{{.Repository}}:{{ .Tag }} {{.ID}}\\t{{.Digest}}").splitlines()
    assert {line.split()[0]: line.split()[1] for line in lines} == {name: id[7:19] for name, id in ids.items()}
    assert {line.split("\t")[1] for line in lines} == {row["digest"] for row in shown}
    assert set(two("images", "--no-trunc", "--format", "{{.ID}}").split()) == set(ids.values())
    head, *rows = two("images", "--format", "table {{.Tag}}\\t{{.Repository}}").splitlines()
    assert head.split() == ["TAG", "REPOSITORY"] and len({line.index(line.split()[1]) for line in [head, *rows]}) == 1
    assert [json.loads(line) for line in two("images", "--format", "{{json .}}").splitlines()] == shown
    assert "{{.Nope}}" in two.fails(125, "images", "--format", "{{.Nope}}")
    assert "{{.Nope}}" in two.fails(125, "ps", "--format", "table {{.Nope}}")
    assert "neither table nor json" in two.fails(125, "images", "--format", "yaml")
    name = next(iter(ids))
    assert two("inspect", "-f", "{{.Id}} {{json .ID}} {{.Config.Env}}", name).startswith(f'{ids[name]} "{ids[name]}" ')
    assert two("history", "-q", name).split() == json.loads(two("inspect", name))[0]["rootfs"]["diff_ids"][::-1]
    assert two("image", "history", "-q", name) == two("history", "-q", name)
    two("image", "save", "-q", "-o", two.space / "saved.tar", name)
    assert two("image", "load", "-i", two.space / "saved.tar") == f"Loaded image: {name}\n"
    assert json.loads(two("image", "inspect", name)) == json.loads(two("inspect", name))
    two("volume", "create", "v1")
    assert two("volume", "ls", "--format", "{{.Name}}={{.Driver}}") == "v1=dir\n"
    two("volume", "rm", "v1")


def test_what_others_need_stays(two):
    assert len(images.store_of(two)["layers"]) == 2
    two("rmi", "b:1")
    assert len(images.store_of(two)["layers"]) == 1
    two("rmi", "a:1")
    assert images.store_of(two) == {"layers": [], "blobs/sha256": [], "ingest": []}
    assert "no such image" in two.fails(1, "rmi", "a:1")
    two("rmi", "-f", "a:1")


def test_an_image_in_use_stays(two):
    with two.start("run", "--rm", "--name", "user", "a:1", "sh", "-c", "echo up; read line", stdin=subprocess.PIPE) as held:
        assert held.stdout.readline() == "up\n"
        for force in [], ["-f"]:
            assert "container user runs on it" in two.fails(1, "rmi", *force, "a:1")
        two("image", "prune", "--all")
        assert [row["repository"] for row in rows(two)] == ["a"]
        held.communicate("\n")
    two("rmi", "a:1")


def test_prune_takes_what_nobody_needs(two, layout):
    layout.image("a2", [BASE, tars.archive(tars.file("y"))], {"Cmd": ["true"]})
    two("load", "--name", "a:1", layout.source("a2"))
    assert len(rows(two, "--filter", "dangling=true")) == 1
    (two.root / "images/ingest/sha256-" ).parent.joinpath("sha256-" + "0" * 64).write_bytes(b"x" * 1000)
    (two.root / "images/ingest/layer-cutoff").mkdir()
    (two.root / "images/layers" / ("f" * 64)).mkdir()
    assert "Reclaimed" in two("image", "prune")
    assert rows(two, "--filter", "dangling=true") == [] and len(rows(two)) == 2
    assert images.store_of(two)["ingest"] == [] and "f" * 64 not in images.store_of(two)["layers"]
    two("prune", "--all")
    assert images.store_of(two) == {"layers": [], "blobs/sha256": [], "ingest": []}


def test_images_before_and_since(nook, layout):
    for name, year in ("old", 2001), ("middle", 2002), ("new", 2003):
        layout.image(name, [BASE], {"Env": [f"NAME={name}"]}, created=f"{year}-01-01T00:00:00Z")
        nook("load", "--name", f"{name}:1", layout.source(name))
    assert [row["repository"] for row in rows(nook, "--filter", "before=middle:1")] == ["old"]
    assert [row["repository"] for row in rows(nook, "--filter", "since=middle:1")] == ["new"]
    assert rows(nook, "--filter", "since=old:1", "--filter", "before=new:1")[0]["repository"] == "middle"


def test_prune_by_filters(two, layout):
    """Which images go is what docker's filters say; what does not match stays."""
    layout.image("old", [BASE], {"Labels": {"keep": "yes", "stage": "build"}}, created="2020-01-01T00:00:00Z")
    layout.image("new", [BASE], {"Labels": {"stage": "final"}}, created=datetime.datetime.now(datetime.timezone.utc).isoformat())

    def left(*options):
        for name in "old", "new":
            two("load", "--name", f"{name}:1", layout.source(name))
        two("image", "prune", *options)
        return {row["repository"] for row in rows(two)} - {"<none>"}

    everything = {"a", "b", "old", "new"}
    assert left() == everything  # only what has no name
    assert left("--all", "--filter", "label=stage=build") == everything - {"old"}
    assert left("--all", "--filter", "label=stage") == everything - {"old", "new"}
    assert left("--all", "--filter", "label=stage", "--filter", "label=keep") == everything - {"old"}
    assert left("--all", "--filter", "until=24h", "--filter", "label=stage") == everything - {"old"}
    assert left("--all", "--filter", "dangling=true") == everything
    assert left("--all", "--filter", "reference=n*") == everything - {"new"}
    two("load", "--name", "new:1", layout.source("new"))
    two("tag", "new:1", "old:1")
    assert len(rows(two, "--filter", "dangling=true")) == 1
    assert left("--filter", "until=24h") == everything
    assert "is no span of time" in two.fails(125, "image", "prune", "--filter", "until=soon")
    assert "does not begin with" in two.fails(125, "image", "prune", "--filter", "size=1")
    assert left("--all") == set()


def df_and_du(nook):
    lines = {line["type"]: line for line in json.loads(nook("system", "df", "--format", "json"))}
    # An ordinary user may not look into the kernel's own part of an overlay; nothing is in there.
    done = subprocess.run(["du", "-s", "--block-size=1", nook.root], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    taken = int(done.stdout.split()[0])
    return sum(line["bytes"] for line in lines.values()), taken, lines


def test_df_of_everything(two, layout):
    """Hard links within and between layers, holes, containers that keep a directory or a disk, volumes of both kinds, snapshots."""
    linked = tars.archive(tars.file("big", b"x" * 300000), *[tars.hardlink(f"link{i}", "big") for i in range(50)])
    layout.image("links", [BASE, linked, tars.archive(tars.hardlink("copy", "big"))], {"Env": ["PATH=/bin"]})
    two("load", "--name", "links:1", layout.source("links"))
    two("run", "--name", "dir", "links:1", "sh", "-c", "dd if=/dev/zero of=/new bs=1k count=700 2>/dev/null; dd of=/hole bs=1M seek=500 count=0 2>/dev/null; true")
    two("volume", "create", "plain")
    two("run", "--rm", "-v", "plain:/data", "links:1", "sh", "-c", "dd if=/dev/zero of=/data/x bs=1k count=400 2>/dev/null")
    two("snapshot", "create", "dir", "first")
    if os.geteuid() == 0:
        two("volume", "create", "--driver", "disk", "--opt", "size=64m", "disk")
        two("run", "--name", "disk", "--storage", "disk:64m", "links:1", "sh", "-c", "dd if=/dev/zero of=/new bs=1k count=3000 2>/dev/null")
    told, taken, lines = df_and_du(two)
    assert abs(told - taken) <= taken * 0.05, (told, taken, lines)
    for name in ["dir"] + ["disk"] * (os.geteuid() == 0):
        two("rm", name)
    for name in ["plain"] + ["disk"] * (os.geteuid() == 0):
        two("volume", "rm", name)
    two("prune", "--all")
    told, taken, lines = df_and_du(two)
    assert abs(told - taken) <= max(taken * 0.05, 64 << 10), (told, taken, lines)


def test_df_counts_as_du_does(two):
    told, taken, lines = df_and_du(two)
    assert abs(told - taken) <= taken * 0.05
    assert lines["Images"]["total"] == 2 and lines["Images"]["active"] == 0
    assert lines["Images"]["reclaimable"] >= 0.9 * lines["Images"]["bytes"]


def test_many_at_once(two, layout):
    """Loads, removals and runs side by side: each ends as if it were alone."""
    layout.image("c", [BASE, tars.archive(tars.file("c"))], {"Cmd": ["echo", "c"], "Env": ["PATH=/bin"]})
    two("rmi", "b:1")
    running = [two.start("load", "--name", f"c:{i}", layout.source("c")) for i in range(6)]
    running += [two.start("run", "--rm", "a:1", "true") for _ in range(4)]
    for process in running:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert {row["repository"] for row in rows(two)} == {"a", "c"} and len(rows(two)) == 7
    removing = [two.start("rmi", f"c:{i}") for i in range(6)]
    for process in removing:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert [row["repository"] for row in rows(two)] == ["a"]
    assert len(images.store_of(two)["layers"]) == 1


def damage(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def change_content(layer):
    (layer / "etc/passwd").write_text("root::0:0::/root:/bin/sh\n")


def change_mode(layer):
    (layer / "bin/busybox").chmod(0o4755)


def add_file(layer):
    (layer / "etc/new").write_text("x")


def remove_file(layer):
    (layer / "etc/group").unlink()


def change_link(layer):
    (layer / "bin/sh").unlink()
    (layer / "bin/sh").symlink_to("/tmp/evil")


@pytest.mark.parametrize("change", [change_content, change_mode, add_file, remove_file, change_link])
def test_check_finds_what_was_changed_in_a_layer(two, change):
    shown = json.loads(two("inspect", "a:1"))[0]
    layer = pathlib.Path(shown["layers"][0])
    change(layer)
    result = two.result("system", "check")
    assert result.code == 1 and f"layer {layer.name} was changed at ./" in result.out and result.out.count("was changed") == 1, str(result)
    assert "unpacked anew" in two("system", "check", "--repair")
    assert two("system", "check") == "" and two("run", "--rm", "b:1", "sh", "-c", "test -s /etc/group && echo whole") == "whole\n"
    assert images.store_of(two)["ingest"] == []


def test_check_tells_of_a_file_whose_name_speaks_to_the_terminal(nook, layout):
    layout.image("t", [tars.archive(tars.file("\x1b]0;owned\x07", b"x"))])
    nook("load", "--name", "t:1", layout.source("t"))
    layer = pathlib.Path(json.loads(nook("inspect", "t:1"))[0]["layers"][0])
    (layer / "\x1b]0;owned\x07").write_text("y")
    out = nook.result("system", "check").out
    assert "was changed at ./\\x1b]0;owned\\x07\n" in out and "\x1b" not in out, out


def test_a_changed_layer_in_use_is_left_alone(two):
    layer = pathlib.Path(json.loads(two("inspect", "a:1"))[0]["layers"][0])
    with two.start("run", "--rm", "--name", "user", "a:1", "sh", "-c", "echo up; read line", stdin=subprocess.PIPE) as held:
        assert held.stdout.readline() == "up\n"
        add_file(layer)
        result = two.result("system", "check", "--repair")
        assert result.code == 1 and "a container runs on it" in result.err, str(result)
        held.communicate("\n")
    assert "unpacked anew" in two("system", "check", "--repair")


@pytest.mark.parametrize("how", ["gone", "no database", "damaged", "cut"])
def test_check_makes_the_database_anew(two, how):
    """Names are in it and nowhere else; images are found by their documents."""
    top = two.root / "images"
    before = {row["id"] for row in rows(two)}
    digests = {json.loads(two("inspect", f"{name}:1"))[0]["digest"] for name in "ab"}
    path = top / "depot.db"
    data = bytearray(path.read_bytes())
    if how == "gone":
        path.unlink()
    elif how == "no database":
        path.write_bytes(b"this is none" * 1000)
    elif how == "damaged":
        data[4096:] = bytes(byte ^ 0x5a for byte in data[4096:])
        path.write_bytes(data)
    else:
        path.write_bytes(data[:len(data) // 2])
    for name in "depot.db-wal", "depot.db-shm":
        (top / name).unlink(missing_ok=True)
    result = two.result("system", "check")
    assert result.code == 1 and "depot.db: " in result.out, str(result)
    out = two("system", "check", "--repair")
    assert all(f"image {digest}: found again" in out for digest in digests), out
    assert {row["id"] for row in rows(two)} == before and two("system", "check") == ""
    for row in rows(two):
        two("tag", row["id"], f"again:{row['id'][7:15]}")
    assert len(rows(two, "again*")) == 2
    assert two("run", "--rm", rows(two, "again*")[0]["id"], "sh", "-c", "echo runs") == "runs\n"


def test_check_finds_and_repairs(two):
    """What somebody broke by hand: a layer is unpacked anew, a damaged blob goes, an image without its manifest goes."""
    assert two("system", "check") == ""
    top = two.root / "images"
    shown = {name: json.loads(two("inspect", f"{name}:1"))[0] for name in "ab"}
    subprocess.run(["rm", "-rf", shown["b"]["layers"][0]], check=True)
    (top / "layers" / ("e" * 64)).mkdir()
    result = two.result("system", "check")
    assert result.code == 1 and "is missing" in result.out and "no image needs it" in result.out, str(result)
    assert "unpacked anew" in two("system", "check", "--repair")
    assert two("system", "check") == "" and two("run", "--rm", "b:1", "sh", "-c", "test -s /x && echo there") == "there\n"
    damage(top / "blobs/sha256" / shown["a"]["digest"][7:])
    assert "damaged" in two.result("system", "check").out
    assert "removed" in two("system", "check", "--repair")
    assert [row["repository"] for row in rows(two)] == ["b"] and two("system", "check") == ""
