# SPDX-License-Identifier: LGPL-2.1-or-later
"""Labels of AppArmor and SELinux, on kernels where the module is active and with a policy that knows the labels."""

import pathlib
import subprocess

import pytest

from conftest import SOURCE

selinux = [pytest.mark.user("root"), pytest.mark.lsm("selinux")]
apparmor = [pytest.mark.user("root"), pytest.mark.lsm("apparmor"), pytest.mark.vm]
POLICY_VERSION = 31
PROFILE = """
profile nook-test-web flags=(attach_disconnected,mediate_deleted) {
  file,
  signal,
  capability,
  deny /etc/passwd r,
}
"""


def marked(marks):
    """Puts all of them on a test."""
    def apply(test):
        for mark in marks:
            test = mark(test)
        return test
    return apply


# ---- SELinux --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def policy(tmp_path_factory):
    """Loaded once; the kernel stays permissive, so labels are given and nothing else is refused."""
    fs = pathlib.Path("/sys/fs/selinux")
    if not (fs / "load").exists():
        subprocess.run(["mount", "-t", "selinuxfs", "selinuxfs", fs], check=True)
    binary = tmp_path_factory.mktemp("policy") / "policy"
    subprocess.run(["secilc", "-c", str(POLICY_VERSION), "-o", binary, "-f", "/dev/null", SOURCE / "tests/data/selinux.cil"],
                   check=True)
    with open(fs / "load", "wb", buffering=0) as load:
        load.write(binary.read_bytes())


def context(text):
    return text.rstrip("\n\0 ")


@marked(selinux)
def test_a_context_is_that_of_the_command(nook, policy):
    label = "system_u:system_r:container_t:s0:c1,c2"
    assert context(nook("run", "--rm", "--security-opt", f"label={label}", "host:", "cat", "/proc/self/attr/current")) == label


@marked(selinux)
def test_parts_of_a_context(nook, policy):
    out = nook("run", "--rm", "--security-opt", "label=type:container_t", "--security-opt", "label=level:s0:c1", "host:",
               "cat", "/proc/self/attr/current")
    assert context(out) == "system_u:system_r:container_t:s0:c1"
    out = nook("run", "--rm", "--security-opt", "label=type:container_t", "--security-opt", "label=disable", "host:", "cat",
               "/proc/self/attr/current")
    assert context(out) == "system_u:system_r:base_t:s0"


@marked(selinux)
def test_a_command_that_is_run_later_has_it_too(nook, policy, busybox_root):
    with nook.start("run", "--rm", "--name", "held", "--security-opt", "label=type:container_t", f"dir:{busybox_root}", "sh",
                    "-c", "echo ready; read line", stdin=subprocess.PIPE) as held:
        assert held.stdout.readline() == "ready\n"
        out = nook("exec", "held", "cat", "/proc/self/attr/current")
        held.communicate("\n")
    assert context(out) == "system_u:system_r:container_t:s0"


@marked(selinux)
def test_file_systems_of_the_container_are_labelled(nook, policy, busybox_root):
    out = nook("run", "--rm", "--tmpfs", "/data", "--security-opt", "label=level:s0:c1", "--security-opt",
               "label=filetype:container_file_t", f"dir:{busybox_root}", "cat", "/proc/self/mountinfo")
    lines = {line.split()[4]: line for line in out.splitlines()}
    for target in ("/data", "/dev", "/dev/shm", "/dev/pts"):
        assert "context=" in lines[target] and "container_file_t:s0:c1" in lines[target], lines[target]
    assert "context=" not in lines["/proc"]
    out = nook("run", "--rm", "--overlay", "--security-opt", "label=filetype:container_file_t", f"dir:{busybox_root}", "cat",
               "/proc/self/mountinfo")
    assert "container_file_t" in {line.split()[4]: line for line in out.splitlines()}["/"]


@marked(selinux)
def test_mount_label_of_a_bundle(ro_bundle, policy):
    ro_bundle.config["linux"]["mountLabel"] = "system_u:object_r:container_file_t:s0"
    ro_bundle.process["selinuxLabel"] = "system_u:system_r:container_t:s0"
    result = ro_bundle.sh("cat /proc/self/attr/current; echo; grep ' /dev ' /proc/self/mountinfo").result()
    assert result.code == 0, str(result)
    assert result.out.startswith("system_u:system_r:container_t:s0") and "container_file_t" in result.out


@marked(selinux)
def test_a_context_the_policy_does_not_know(nook, policy):
    err = nook.fails(125, "run", "--rm", "--security-opt", "label=type:nosuch_t", "host:", "true")
    assert "nosuch_t" in err and "the loaded policy has no such" in err


# ---- AppArmor -------------------------------------------------------------------------------------------------------


@pytest.fixture
def profile(space):
    file = space / "profile"
    file.write_text(PROFILE)
    subprocess.run(["apparmor_parser", "-K", "-r", file], check=True)
    yield "nook-test-web"
    subprocess.run(["apparmor_parser", "-R", file], check=True)


@marked(apparmor)
def test_a_profile_holds_for_the_command(nook, profile, busybox_root):
    run = ("run", "--rm", "--security-opt", f"apparmor={profile}", f"dir:{busybox_root}")
    assert nook(*run, "cat", "/proc/self/attr/current") == f"{profile} (enforce)\n"
    result = nook.result(*run, "cat", "/etc/passwd")
    assert result.code == 1 and "Permission denied" in result.err
    assert nook(*run, "cat", "/etc/group")


@marked(apparmor)
def test_a_command_that_is_run_later_has_the_profile(nook, profile, busybox_root):
    with nook.start("run", "--rm", "--name", "held", "--security-opt", f"apparmor={profile}", f"dir:{busybox_root}", "sh",
                    "-c", "echo ready; read line", stdin=subprocess.PIPE) as held:
        assert held.stdout.readline() == "ready\n"
        assert nook("exec", "held", "cat", "/proc/self/attr/current") == f"{profile} (enforce)\n"
        held.communicate("\n")
