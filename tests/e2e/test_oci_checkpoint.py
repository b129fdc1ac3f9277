# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook-oci checkpoint and restore: what criu is asked for (by a criu that plays a part), and what is told when it fails."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import bundles

pytestmark = pytest.mark.user("root")

FAKE = pathlib.Path(__file__).resolve().parent / "fake_criu.py"


@pytest.fixture
def criu(oci, space):
    """Says what the next criu does; then tells what it was asked for."""
    control = space / "criu"
    oci.environment = {**oci.environment, "NOOK_FAKE_CRIU": str(control)}

    class Criu:
        def plays(self, what):
            control.write_text(what)
            return ["--criu", FAKE]

        def asked(self):
            return json.loads(control.with_suffix(".asked").read_text())
    return Criu()


@pytest.fixture
def running(oci, ro_bundle, space):
    (space / "data").mkdir()
    ro_bundle.mount("/tmp", "bind", space / "data", "rbind")
    ro_bundle.args("sleep", "1000").run("--detach")
    return ro_bundle


def test_checkpoint_and_restore(oci, running, criu, space):
    pid = oci.state("c")["pid"]
    oci(*criu.plays("ok"), "checkpoint", "--image-path", space / "image", "--tcp-established", "--shell-job", "c")
    asked = criu.asked()
    assert asked["kind"] == 1 and asked["pid"] == str(pid) and asked["root"] == str(running.root) and asked["log_file"] == "dump.log"
    assert asked["tcp_established"] == asked["shell_job"] == "1" and "leave_running" not in asked
    assert asked["mounts"]["/tmp"] == "/tmp" and asked["mounts"]["/proc/keys"] == "/proc/keys"
    assert "/c" in asked["freeze_cgroup"] or "nook-c" in asked["freeze_cgroup"]
    assert oci("list", "-q") == ""
    assert len(json.loads((space / "image/descriptors.json").read_text())) == 3

    oci(*criu.plays("ok"), "restore", "--detach", "-b", running.path, "--image-path", space / "image", "--pid-file", space / "pid", "c")
    asked = criu.asked()
    assert asked["kind"] == 2 and asked["rst_sibling"] == "1" and asked["root"].endswith("/criu-root")
    assert asked["mounts"]["/proc/keys"] == "/dev/null"
    assert asked["mounts"]["/tmp"] == str(space / "data") and "nook-c" in asked["groups"]
    state = oci.state("c")
    assert state["status"] == "running" and (space / "pid").read_text() == str(state["pid"])
    assert pathlib.Path(f"/proc/{state['pid']}/cmdline").read_text() == "sleep\0" "1000\0"
    assert "criu-root" not in pathlib.Path("/proc/self/mountinfo").read_text()
    oci("kill", "c", "KILL")
    oci.wait("c", "stopped")
    oci("delete", "c")


def test_restore_ends_as_what_it_restored(oci, running, criu, space):
    oci(*criu.plays("ok"), "checkpoint", "--image-path", space / "image", "c")
    with oci.start(*criu.plays("ok"), "restore", "-b", running.path, "--image-path", space / "image", "c") as restore:
        while '"running"' not in oci.result("state", "c").out:
            assert restore.poll() is None, restore.stderr.read()
        oci("kill", "c", "TERM")
        assert restore.wait(20) == 128 + 15
    assert oci("list", "-q") == ""


def test_checkpoints_that_leave_it_running(oci, running, criu, space):
    oci(*criu.plays("ok"), "checkpoint", "--pre-dump", "--image-path", space / "first", "c")
    assert criu.asked()["kind"] == 4 and criu.asked()["track_mem"] == "1" and oci.status("c") == "running"
    oci(*criu.plays("ok"), "checkpoint", "--leave-running", "--parent-path", "../first", "--image-path", space / "second",
        "--empty-ns", "network", "--manage-cgroups-mode", "soft", "--page-server", "127.0.0.1:9876", "c")
    asked = criu.asked()
    assert asked["kind"] == 1 and asked["leave_running"] == "1" and asked["parent_img"] == "../first" and asked["empty_ns"] == str(0x40000000)
    assert asked["cgroups_mode"] == "3" and "127.0.0.1" in asked["page_server"] and oci.status("c") == "running"


def test_a_kernel_on_which_criu_does_not_work(oci, running, criu, space):
    err = oci.fails(1, *criu.plays("broken"), "checkpoint", "--image-path", space / "image", "c")
    assert "criu check fails on this kernel" in err and "nothing that is needed" in err
    assert oci.status("c") == "running"


def test_a_failure_is_told_in_the_words_of_the_log(oci, running, criu, space):
    assert "cannot do that" in oci.fails(1, *criu.plays("refuse"), "checkpoint", "--image-path", space / "image", "c")
    assert oci.status("c") == "running"
    assert "ended without a word" in oci.fails(1, *criu.plays("deaf"), "checkpoint", "--image-path", space / "image2", "c")
    oci(*criu.plays("ok"), "checkpoint", "--image-path", space / "image", "c")
    assert "cannot do that" in oci.fails(1, *criu.plays("refuse"), "restore", "-b", running.path, "--image-path", space / "image", "c")
    assert oci("list", "-q") == ""


def test_what_is_asked_for_wrongly(oci, running, criu, space):
    image = ["checkpoint", "--image-path", space / "image"]
    assert "not installed" in oci.fails(1, "--criu", "no-such-criu", *image, "c")
    for option, value in (("--manage-cgroups-mode", "some"), ("--empty-ns", "pid"), ("--page-server", "here"), ("--network-lock", "x")):
        assert option in oci.fails(1, *criu.plays("ok"), *image, option, value, "c")
    assert "does not exist" in oci.fails(1, *criu.plays("ok"), *image, "nobody")
    assert str(space / "none") in oci.fails(1, *criu.plays("ok"), "restore", "-b", running.path, "--image-path", space / "none", "d")
    assert os.listdir(space / "oci/containers") == ["c"]


def test_a_file_of_the_host_as_stdin_is_the_callers_when_restored(oci, ro_bundle, criu, space):
    """Engines start with their /dev/null, of a mount that no container has: criu would not know it."""
    ro_bundle.args("sleep", "1000").run("--detach")
    assert os.readlink(f"/proc/{oci.state('c')['pid']}/fd/0") == "/dev/null"
    info = pathlib.Path(f"/proc/{oci.state('c')['pid']}/fdinfo/0").read_text()
    key = f"file[{int(re.search(r'mnt_id:(.*)', info).group(1)):x}:{os.stat('/dev/null').st_ino:x}]"
    oci(*criu.plays("ok"), "checkpoint", "--image-path", space / "image", "c")
    assert key in criu.asked()["external"]
    oci(*criu.plays("ok"), "restore", "--detach", "-b", ro_bundle.path, "--image-path", space / "image", "c")
    assert criu.asked()["inherited"][key] == 0


def count_in(space):
    return int((space / "data/count").read_text())


def counter(bundle, space):
    """A program that counts in its memory, and shows it."""
    bundle.config["root"]["readonly"] = False
    (space / "data").mkdir()
    (space / "data").chmod(0o777)
    (bundle.root / "data").mkdir()
    bundle.mount("/data", "bind", space / "data", "rbind")
    bundle.sh("i=0; while :; do i=$((i + 1)); echo $i >/data/n; mv /data/n /data/count; sleep 0.1; done")


needs_criu = pytest.mark.skipif(not shutil.which("criu"), reason="criu is in the virtual machine that runs systemd")


@pytest.mark.systemd
@needs_criu
def test_a_real_criu_with_a_terminal(oci, bundle, space):
    counter(bundle, space)
    bundle.process["terminal"] = True
    first, second = bundles.Console(space / "first"), bundles.Console(space / "second")
    oci("run", "--detach", "-b", bundle.save(), "--console-socket", first.path, "c")
    master, _ = first.receive()
    while not (space / "data/count").exists() or count_in(space) < 5:
        os.sched_yield()
    oci("checkpoint", "--image-path", space / "image", "c", timeout=100)
    os.close(master)
    stopped_at = count_in(space)
    assert oci("list", "-q") == ""
    oci("restore", "--detach", "-b", bundle.path, "--image-path", space / "image", "--console-socket", second.path, "c", timeout=100)
    master, _ = second.receive()
    while count_in(space) < stopped_at + 5:
        assert oci.status("c") == "running"
    assert oci("exec", "c", "readlink", "/proc/1/fd/1").startswith("/dev/pts/")
    oci("kill", "c", "KILL")
    oci.wait("c", "stopped")
    os.close(master)
    first.close()
    second.close()


@pytest.mark.systemd
@needs_criu
def test_a_real_criu(oci, bundle, space):
    """A program counts in its memory, and goes on counting."""
    counter(bundle, space)
    bundle.save()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}

    def count():
        return count_in(space)
    with subprocess.Popen(oci.argv("run", "-b", bundle.path, "c"), env=oci.environment, **pipes):
        while not (space / "data/count").exists() or count() < 5:
            os.sched_yield()
        oci("checkpoint", "--image-path", space / "image", "c", timeout=100)
    stopped_at = count()
    assert stopped_at >= 5 and oci("list", "-q") == ""
    with subprocess.Popen(oci.argv("restore", "-b", bundle.path, "--image-path", space / "image", "c"), env=oci.environment, **pipes) as restore:
        while count() < stopped_at + 5:
            assert restore.poll() is None, restore.stderr.read()
        assert count() < stopped_at + 100 and oci.status("c") == "running"
        assert oci("exec", "c", "cat", "/data/count").strip().isdigit()
        oci("kill", "c", "KILL")
        assert restore.wait(30) == 128 + 9
