# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook image slim: what goes, what stays, what is told, for root and for an ordinary user."""

import json
import os
import pathlib
import re

import pytest

import hostile_tars as tars
import images

pytestmark = pytest.mark.anywhere

# Path, bytes.
DOCS = {
    "usr/share/doc/bash/changelog.gz": 100, "usr/share/doc/bash/examples/one/script": 20, "usr/share/man/man1/ls.1.gz": 3,
    "usr/share/man/de/man1/ls.1.gz": 4, "usr/share/info/dir": 5, "usr/share/gtk-doc/html/glib/index.html": 6,
    "usr/share/lintian/overrides/bash": 7, "usr/share/doc/bash/twice": 11,
}
LOCALES = {"usr/share/locale/de/LC_MESSAGES/bash.mo": 200, "usr/share/locale/enm/LC_MESSAGES/a.mo": 30}
I18N = {"usr/share/i18n/locales/de_DE": 40, "usr/share/i18n/charmaps/UTF-8.gz": 50}
CACHES = {
    "var/cache/apt/archives/bash.deb": 300, "var/cache/apt/pkgcache.bin": 60, "var/lib/apt/lists/mirror_Packages": 70, "tmp/a/b": 80,
    "var/tmp/c": 90, "root/.cache/pip/wheel": 1000,
}
LOGS = {"var/log/dpkg.log": 400, "var/log/apt/history.log": 500}
KEPT = {
    "usr/share/doc/bash/copyright": 8, "usr/share/locale/en/LC_MESSAGES/a.mo": 9, "usr/share/locale/en_GB/LC_MESSAGES/a.mo": 10,
    "usr/share/locale/C.UTF-8/a": 11, "usr/share/locale/locale.alias": 12, "usr/share/locale/POSIX": 13, "var/cache/debconf/config.dat": 14,
    "usr/lib/python3/__pycache__/a.pyc": 15, "var/log/wtmp": 16, "usr/share/docs/a": 17, "var/log/empty.log": 0,
}
EMPTY_FOLDERS = ["usr/share/man/man1", "usr/share/man/de/man1", "var/cache/apt/archives", "var/lib/apt/lists", "tmp", "var/tmp", "root/.cache"]
GONE_FOLDERS = ["usr/share/doc/bash/examples", "usr/share/locale/de", "usr/share/gtk-doc/html", "tmp/a", "root/.cache/pip"]


def tree(*more):
    """A busybox with a file for each rule and each exception of it."""
    files = {**DOCS, **LOCALES, **I18N, **CACHES, **LOGS, **KEPT}
    entries = {}
    for path, size in files.items():
        for folder in reversed(pathlib.PurePath(path).parents[:-1]):
            entries.setdefault(str(folder), tars.directory(str(folder), 0o1777 if str(folder) in ("tmp", "var/tmp") else 0o755))
        entries[path] = tars.file(path, b"x" * size)
    for name in ("proc", "sys", "dev"):
        entries[name] = tars.directory(name)
    entries["bin"] = tars.directory("bin")
    entries["bin/busybox"] = tars.file("bin/busybox", pathlib.Path("/bin/busybox").read_bytes(), mode=0o755)
    for name in ("sh", "cat", "ls", "rm", "mkdir", "ln"):
        entries["bin/" + name] = tars.symlink("bin/" + name, "busybox")
    links = [
        tars.hardlink("usr/share/doc/bash/hard", "usr/share/docs/a"), tars.hardlink("usr/share/man/thrice", "usr/share/doc/bash/twice"),
        tars.symlink("usr/share/doc/sh", "bash"), tars.symlink("usr/share/doc/bash/NEWS", "changelog.gz"),
        tars.symlink("usr/lib/pointer", "../share/doc/bash/changelog.gz"),
        tars.symlink("usr/share/man/out", "/bin"), tars.symlink("var/cache/up", "../../bin"),
    ]
    return tars.archive(*entries.values(), *links, *more)


@pytest.fixture(params=["caller", "ordinary"])
def who(request, nook, as_user):
    return nook if request.param == "caller" else as_user


def imported(who, space, *more, options=()):
    (space / "tree.tar").write_bytes(tree(*more))
    who("import", space / "tree.tar", "fat:1", "-c", 'CMD ["cat", "/usr/share/docs/a"]', "-c", "ENV PATH=/bin", "-c", "LABEL l=1", *options)
    return "fat:1"


def shown(who, name):
    return json.loads(who("inspect", name))[0]


def layer(who, name):
    paths = shown(who, name)["layers"]
    assert len(paths) == 1
    return pathlib.Path(paths[0])


def told(out):
    """The groups with their numbers, both sizes, and the last line."""
    groups = {name: (int(files), int(size)) for name, files, size in re.findall(r"^(\w+) +(\d+) +(\d+)$", out, re.M)}
    sizes = re.search(r"^Size: .* \((\d+) bytes\) before, .* \((\d+) bytes\) after$", out, re.M)
    return groups, int(sizes[1]), int(sizes[2]), out.splitlines()[-1]


def sizes_of(top):
    """Bytes of regular files, each once."""
    return sum({st.st_ino: st.st_size for st in (p.lstat() for p in top.rglob("*") if p.is_file() and not p.is_symlink())}.values())


ALL = {
    "docs": (len(DOCS) + 4, sum(DOCS.values())), # hard, thrice, NEWS and out are names that cost nothing
    "locales": (len(LOCALES) + len(I18N), sum(LOCALES.values()) + sum(I18N.values())),
    "caches": (len(CACHES) + len(LOGS) + 1, sum(CACHES.values()) + sum(LOGS.values())),
}


def test_what_goes_and_what_stays(who, space):
    fat = imported(who, space)
    before, old = sizes_of(layer(who, fat)), shown(who, fat)
    groups, first, second, last = told(who("image", "slim", fat))
    assert groups == ALL
    assert first == before and second == before - sum(size for _, size in ALL.values())
    new = shown(who, "fat:1-slim")
    assert last == f"fat:1-slim: {new['id']}" and shown(who, fat) == old
    top = layer(who, "fat:1-slim")
    assert sizes_of(top) == second
    for path in {**DOCS, **LOCALES, **I18N, **CACHES}:
        assert not os.path.lexists(top / path), path
    for path, size in {**KEPT, **dict.fromkeys(LOGS, 0)}.items():
        assert (top / path).read_bytes() == b"x" * size, path
    for path in EMPTY_FOLDERS:
        assert os.listdir(top / path) == [], path
    for path in GONE_FOLDERS:
        assert not (top / path).exists(), path
    assert (top / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert os.readlink(top / "usr/lib/pointer") == "../share/doc/bash/changelog.gz"
    assert (top / "usr/share/doc/sh/copyright").exists() and not os.path.lexists(top / "usr/share/doc/bash/NEWS")
    assert sorted(os.listdir(top / "bin")) == ["busybox", "cat", "ln", "ls", "mkdir", "rm", "sh"]
    assert new["config"] == old["config"] and [step["created_by"] for step in new["history"]] == ["nook image slim"]
    assert who("run", "--rm", "fat:1-slim") == "x" * 17
    who("rmi", fat)
    assert who("run", "--rm", "fat:1-slim", "ls", "/usr/share/doc/bash") == "copyright\n"


def test_groups_that_are_kept(who, space):
    fat = imported(who, space)
    groups, *_ = told(who("image", "slim", fat, "--keep", "docs", "--keep", "caches", "--name", "less:1"))
    assert groups == {"locales": ALL["locales"]}
    top = layer(who, "less:1")
    assert all((top / path).exists() for path in {**DOCS, **CACHES})
    assert not (top / "usr/share/locale/de").exists()
    fat_top = layer(who, fat)
    assert (fat_top / "usr/share/docs/a").stat().st_nlink == (top / "usr/share/docs/a").stat().st_nlink == 2


def test_sources_of_locales_stay_where_they_can_be_compiled(who, space):
    fat = imported(who, space, tars.directory("usr/bin"), tars.file("usr/bin/localedef", b"", mode=0o755))
    groups, *_ = told(who("image", "slim", fat))
    assert groups["locales"] == (len(LOCALES), sum(LOCALES.values()))
    assert all((layer(who, "fat:1-slim") / path).exists() for path in I18N)


def test_a_dry_run_tells_the_same_and_changes_nothing(who, space):
    fat = imported(who, space)
    stored, names = images.store_of(who), who("images", "--format", "json")
    dry = who("image", "slim", "--dry-run", fat)
    assert images.store_of(who) == stored and who("images", "--format", "json") == names
    real = who("image", "slim", fat)
    assert real.startswith(dry) and len(real.splitlines()) == len(dry.splitlines()) + 1


CHANGES = """
rm /usr/share/doc/bash/copyright /usr/share/docs/a; rm -r /usr/lib/python3; mkdir -p /usr/lib/python3/new
echo more >>/var/log/dpkg.log; echo new >/var/cache/new; echo kept >/kept; rm /var/log/wtmp; mkdir /var/log/wtmp
"""


def test_changes_of_upper_layers_count(who, space):
    """Whiteouts, opaque directories and files that became directories: the new layer hides nothing and shows nothing old."""
    fat = imported(who, space)
    who("run", "--name", "worker", fat, "sh", "-c", CHANGES)
    who("commit", "worker", "two:1", "-c", 'CMD ["cat", "/kept"]')
    who("rm", "worker")
    assert len(shown(who, "two:1")["layers"]) == 2
    groups, first, second, _ = told(who("image", "slim", "two:1"))
    listed = {row["tag"]: row["bytes"] for row in json.loads(who("images", "--format", "json", "two"))}
    assert listed == {"1": first, "1-slim": second}
    assert groups["caches"] == (ALL["caches"][0] + 1, ALL["caches"][1] + len("more\n") + len("new\n"))
    # /usr/share/docs/a is gone, and its other name goes now.
    assert groups["docs"] == (ALL["docs"][0], ALL["docs"][1] + 17)
    top = layer(who, "two:1-slim")
    assert sizes_of(top) == second
    assert os.listdir(top / "usr/share/doc/bash") == [] and os.listdir(top / "usr/share/docs") == []
    assert os.listdir(top / "usr/lib/python3") == ["new"] and (top / "var/log/wtmp").is_dir()
    assert not [path for path in top.rglob("*") if path.name.startswith(".wh.")]
    assert not [path for path in top.rglob("*") if any("opaque" in key for key in os.listxattr(path, follow_symlinks=False))]
    assert not [path for path in top.rglob("*") if path.is_char_device()]
    assert who("run", "--rm", "two:1-slim") == "kept\n"


def test_a_lone_layer_with_marks_of_its_own(who, space):
    """Whiteouts hide nothing in a lowest layer, and are in no image that is made of it."""
    fat = imported(who, space, tars.file("usr/share/doc/bash/.wh.nothing", b""), tars.file("usr/share/docs/.wh..wh..opq", b""))
    groups, *_ = told(who("image", "slim", fat))
    assert groups == ALL
    top = layer(who, "fat:1-slim")
    assert os.listdir(top / "usr/share/doc/bash") == ["copyright"]
    assert not any("opaque" in key for key in os.listxattr(top / "usr/share/docs"))


def test_links_in_place_of_directories_lead_nowhere(who, space):
    (space / "tree.tar").write_bytes(tars.archive(
        tars.directory("usr/share"), tars.directory("data"), tars.file("data/bash", b"1"), tars.symlink("usr/share/doc", "/data"),
        tars.symlink("tmp", "/data"), tars.symlink("var", "/"), tars.symlink("usr/bin", "/../../bin")))
    who("import", space / "tree.tar", "links:1")
    groups, first, second, _ = told(who("image", "slim", "links:1"))
    assert set(groups.values()) == {(0, 0)} and first == second == 1
    top = layer(who, "links:1-slim")
    assert (top / "data/bash").read_text() == "1" and os.readlink(top / "usr/share/doc") == "/data" and os.readlink(top / "tmp") == "/data"


def test_names(who, space):
    imported(who, space)
    identity = shown(who, "fat:1")["id"]
    who("tag", "fat:1", "localhost:5000/team/app")
    assert told(who("image", "slim", "localhost:5000/team/app"))[3].startswith("localhost:5000/team/app:latest-slim: ")
    assert told(who("image", "slim", "fat:1", "--name", "fat:1"))[3].startswith("fat:1: ")
    assert shown(who, "fat:1")["id"] != identity and shown(who, "localhost:5000/team/app")["id"] == identity


def test_an_image_without_a_name(who, space):
    (space / "tree.tar").write_bytes(tree())
    identity = who("import", space / "tree.tar").strip()
    assert "--name" in who.fails(125, "image", "slim", identity)
    assert told(who("image", "slim", "--dry-run", identity))[0] == ALL
    assert told(who("image", "slim", identity, "--name", "named:1"))[0] == ALL
    assert told(who("image", "slim", shown(who, "named:1")["id"]))[3].startswith("named:1-slim: ")


def test_what_cannot_be_slimmed(who, space):
    assert "no such image" in who.fails(125, "image", "slim", "--dry-run", "nothing")
    assert "nothing" in who.fails(125, "image", "slim", "nothing")
    imported(who, space)
    stored = images.store_of(who)
    assert '"fonts" is none of docs, locales and caches' in who.fails(125, "image", "slim", "fat:1", "--keep", "fonts")
    assert "gzip, zstd and none" in who.fails(125, "image", "slim", "fat:1", "--compression", "lzma")
    who.fails(125, "image", "slim", "fat:1", "--name", "Not A Name")
    assert "digest" in who.fails(125, "image", "slim", "fat:1", "--name", "x@sha256:" + "0" * 64)
    assert images.store_of(who) == stored
