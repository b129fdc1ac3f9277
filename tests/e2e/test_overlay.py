# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook box --overlay, and nook diff, apply and discard: what a command changed comes back when somebody says so, and only
there."""

import json
import os
import pathlib
import socket
import stat
import subprocess

import pytest

pytestmark = pytest.mark.anywhere


@pytest.fixture(params=["self", "ordinary"])
def box(request, nook, as_user):
    return nook if request.param == "self" else as_user


@pytest.fixture
def project(box):
    """A directory of whoever runs the boxes, with one file of each sort."""
    top = box.space / "project"
    for path, text in (("same", "same\n"), ("edit", "before\n"), ("gone", "gone\n"), ("dir/inner", "inner\n"), ("dir/deep/leaf", "leaf\n")):
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text)
    (top / "link").symlink_to("same")
    give(box, top)
    return top


def give(box, *paths):
    """To whom the boxes are run by."""
    if box.uid is not None:
        subprocess.run(["chown", "-R", "--no-dereference", f"{box.uid}:{box.uid}", *paths], check=True)


def content(top):
    """Everything below a directory: what it is, its mode, what stands in it."""
    found = {}
    for path in sorted(top.rglob("*")):
        st = path.lstat()
        text = os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else None
        found[str(path.relative_to(top))] = (stat.S_IFMT(st.st_mode), stat.S_IMODE(st.st_mode), text)
    return found


def changed(box, project, script):
    """Runs SCRIPT over the project with its changes kept; the directory that keeps them."""
    keep = box.space / "keep"
    assert box.result("box", "--overlay", f"{project},keep={keep}", "--cwd", project, "sh", "-ec", script).code == 0
    return keep


def test_changes_are_thrown_away(box, project):
    before = content(project)
    out = box("box", "--overlay", project, "--cwd", project, "sh", "-ec", "rm -r dir gone; echo x > new; echo y >> edit; cat edit; ls")
    assert out.split() == ["before", "y", "edit", "link", "new", "same"]
    assert content(project) == before


def test_an_overlay_may_stand_elsewhere(box, project):
    out = box("box", "--overlay", f"{project}:/srv/copy", "sh", "-ec", "echo more >> /srv/copy/edit; cat /srv/copy/edit")
    assert out == "before\nmore\n" and (project / "edit").read_text() == "before\n"


CHANGE = """
    echo after > edit; rm gone; chmod 600 same; rm link; ln -s dir link; rm -r dir; mkdir dir; echo fresh > dir/fresh
    mkdir -p new/tree; echo leaf > new/tree/leaf; rm new/tree/leaf; echo leaf > new/tree/leaf; chmod 700 new
"""


def test_diff_tells_and_apply_brings_back(box, project):
    before = content(project)
    keep = changed(box, project, CHANGE)
    assert content(project) == before
    lines = box("diff", keep).splitlines()
    assert lines == ["D dir/deep", "D dir/deep/leaf", "D dir/inner", "A dir/fresh", "M edit", "D gone", "M link -> dir", "A new/",
                     "A new/tree/", "A new/tree/leaf", "P same"]
    kinds = {entry["path"]: entry["kind"] for entry in json.loads(box("diff", "--json", keep))}
    assert kinds["gone"] == "deleted" and kinds["same"] == "metadata" and len(kinds) == len(lines)
    assert box("apply", keep).splitlines() == lines
    after = content(project)
    assert sorted(after) == ["dir", "dir/fresh", "edit", "link", "new", "new/tree", "new/tree/leaf", "same"]
    assert after["edit"][2] == "after\n" and after["same"][1] == 0o600 and after["new"][1] == 0o700 and after["link"][2] == "dir"
    assert not keep.exists()


def test_changes_add_up_over_runs(box, project):
    changed(box, project, "echo one > a")
    keep = changed(box, project, "cat a; echo two > b; rm a")
    assert box("diff", keep) == "A b\n"
    assert box("apply", "--keep", keep) == "A b\n"
    assert (project / "b").read_text() == "two\n" and box("diff", keep) == ""
    box("discard", keep)
    assert not keep.exists()


def test_types_change(box, project):
    keep = changed(box, project, "rm edit; mkdir edit; echo in > edit/in; rm -r dir; echo file > dir; rm gone; ln -s /nowhere gone")
    assert box("diff", keep).splitlines() == ["T dir", "T edit/", "A edit/in", "T gone -> /nowhere"]
    box("apply", keep)
    assert (project / "dir").read_text() == "file\n" and (project / "edit/in").read_text() == "in\n"
    assert os.readlink(project / "gone") == "/nowhere"


def test_nothing_was_changed(box, project):
    keep = changed(box, project, "cat edit; touch -c nothing; chmod 644 same")
    assert box("diff", keep) == ""
    before = content(project)
    assert box("apply", keep) == "" and content(project) == before


def test_holes_and_attributes_come_back(box, project):
    keep = changed(box, project, """
        truncate -s 1T big; printf end | dd of=big bs=1 seek=500000000000 conv=notrunc 2>/dev/null
        python3 -c 'import os; os.setxattr("edit", "user.note", b"seen")'
    """)
    box("apply", keep)
    big = (project / "big").stat()
    assert big.st_size == 1 << 40 and big.st_blocks < 1000
    assert os.getxattr(project / "edit", "user.note") == b"seen"


def test_names_cannot_speak_to_the_terminal(box, project):
    keep = changed(box, project, r"""touch "$(printf 'a\033[2Jb\nD same')" """)
    assert box("diff", keep) == "A a\\033[2Jb\\012D same\n"


# ---- hostile layers -----------------------------------------------------------------------------------------------------

def test_special_files_and_set_id_bits_stay_behind(box, project):
    keep = changed(box, project, "mkfifo pipe; cp /bin/true tool; chmod 6755 tool; mkdir sub; mkfifo sub/pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(keep / "upper/sock"))
    if os.geteuid() == 0:
        os.mknod(keep / "upper/disk", 0o660 | stat.S_IFBLK, os.makedev(7, 0))
    give(box, keep / "upper")
    (keep / "upper/tool").chmod(0o6755)  # chown(1) has cleared it
    before = content(project)
    err = box.fails(125, "apply", keep)
    assert "cannot be brought back" in err and "--skip" in err and content(project) == before
    out = box("apply", "--skip", keep)
    assert "! pipe (" in out and "! sub/pipe (" in out and "! sock (" in out and "A tool (without its set-id bits)" in out
    for path in project.rglob("*"):
        mode = path.lstat().st_mode
        assert stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode), path
        assert not mode & 0o6000, path


def test_links_in_the_layer_are_not_followed(box, project):
    """A layer in which links stand where the original has directories, and directories where it has links."""
    outside = box.space / "outside"
    outside.mkdir()
    (outside / "victim").write_text("untouched\n")
    give(box, outside)
    keep = changed(box, project, f"rm -r dir; ln -s {outside} dir; rm link; mkdir link; echo x > link/same")
    box("apply", keep)
    assert content(outside) == {"victim": (stat.S_IFREG, 0o644, "untouched\n")}
    assert os.readlink(project / "dir") == str(outside) and (project / "link/same").read_text() == "x\n"
    # The next run changes "dir/victim" where dir has been that link all the time: the box has no such directory.
    assert box.result("box", "--overlay", f"{project},keep={keep}", "--cwd", project, "sh", "-c", "echo y > dir/victim").code != 0
    assert (outside / "victim").read_text() == "untouched\n"


def test_a_component_replaced_by_a_link_meanwhile(box, project):
    outside = box.space / "outside"
    outside.mkdir()
    (outside / "inner").write_text("untouched\n")
    give(box, outside)
    keep = changed(box, project, "echo evil > dir/inner; rm dir/deep/leaf; echo more > dir/more")
    (project / "dir").rename(project / "away")
    (project / "dir").symlink_to(outside)
    # The layer says that dir is a directory: it becomes one again, and the link goes.
    box.result("apply", keep)
    assert content(outside) == {"inner": (stat.S_IFREG, 0o644, "untouched\n")}


def test_the_directory_itself_replaced_by_a_link(box, project):
    keep = changed(box, project, "echo evil > edit")
    moved = project.with_name("moved")
    project.rename(moved)
    project.symlink_to(moved)
    err = box.fails(125, "apply", keep)
    assert str(project) in err and (moved / "edit").read_text() == "before\n"
    project.unlink()
    project.mkdir()
    give(box, project)
    assert "not the directory that the box saw" in box.fails(125, "apply", keep)
    assert list(project.iterdir()) == []
    box("discard", keep)


def test_both_forms_of_whiteouts(box, project):
    keep = changed(box, project, "true")
    upper = keep / "upper"
    (upper / "gone").write_text("")
    os.setxattr(upper / "gone", "user.overlay.whiteout", b"y")
    (upper / "edit").write_text("")
    give(box, upper)
    # Without the directory's mark it is an empty file, as the kernel shows it.
    assert box("diff", keep).splitlines() == ["M edit", "M gone"]
    os.setxattr(upper, "user.overlay.opaque", b"x")
    assert box("diff", keep).splitlines() == ["M edit", "D gone"]
    (upper / "dir").mkdir()
    os.setxattr(upper / "dir", "user.overlay.opaque", b"y")
    give(box, upper)
    assert box("diff", keep).splitlines() == ["D dir/deep", "D dir/deep/leaf", "D dir/inner", "M edit", "D gone"]
    box("apply", keep)
    assert sorted(content(project)) == ["dir", "edit", "link", "same"]


@pytest.mark.user("root")
def test_a_mount_in_the_original_is_not_entered(nook, project_of_root):
    project, keep = project_of_root
    mounted = nook.space / "mounted"
    mounted.mkdir()
    (mounted / "inner").write_text("untouched\n")
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    result = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", mounted, project / "dir", *nook.argv("apply", keep)],
                            env=nook.environment, capture_output=True, text=True, check=False)
    assert result.returncode == 125 and "mount point" in result.stderr, result.stderr
    assert (mounted / "inner").read_text() == "untouched\n"
    nook("discard", keep)


@pytest.fixture
def project_of_root(nook):
    project = nook.space / "tree"
    (project / "dir").mkdir(parents=True)
    (project / "dir/inner").write_text("inner\n")
    return project, changed(nook, project, "echo evil > dir/inner")


# ---- the directory that keeps --------------------------------------------------------------------------------------------

def test_one_box_at_a_time(box, project):
    keep = box.space / "keep"
    line = ["box", "--overlay", f"{project},keep={keep}", "--cwd", project]
    with box.start(*line, "sh", "-c", "echo x > a; echo ready; read line", stdin=subprocess.PIPE) as first:
        assert first.stdout.readline() == "ready\n"
        for other in ([*line, "true"], ["diff", keep], ["apply", keep], ["discard", keep]):
            assert "a box runs on it" in box.fails(125, *other)
        first.communicate("\n", timeout=20)
        assert first.returncode == 0
    assert box("diff", keep) == "A a\n"


def test_what_keeps_changes_is_ones_own(box, project, nook):
    keep = changed(box, project, "echo x > a")
    keep.chmod(0o755)
    assert "mode 0700" in box.fails(125, "diff", keep)
    keep.chmod(0o700)
    other = box.space / "other"
    other.mkdir()
    give(box, other)
    assert "it keeps changes of" in box.fails(125, "box", "--overlay", f"{other},keep={keep}", "true")
    plain = box.space / "plain"
    plain.mkdir(mode=0o700)
    (plain / "file").write_text("mine\n")
    give(box, plain)
    for command in ("diff", "apply", "discard"):
        assert "it keeps no changes" in box.fails(125, command, plain)
    assert (plain / "file").exists()
    if box.uid is not None:
        assert "somebody else" in nook.fails(125, "diff", keep)


def test_changes_are_kept_elsewhere(box, project):
    for place in (project / "keep", project.parent):
        err = box.fails(125, "box", "--overlay", f"{project},keep={place}", "true")
        assert "outside of the directory" in err or "mode 0700" in err
    err = box.fails(125, "box", "-w", box.space, "--overlay", f"{project},keep={box.space}/keep", "true")
    assert "could write to where" in err
    assert not pathlib.Path(project / "keep/upper").exists()
