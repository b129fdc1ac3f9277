# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook doctor: what it says must be so; what is taken away must be noticed, with the remedy.

Nothing here expects a certain machine: each claim is compared with what another program finds, or with what the test
itself took away in namespaces of its own.
"""

import json
import os
import pathlib
import subprocess

import pytest

import runner


def doctor(nook, prefix=(), setup=None):
    """The parsed report of nook doctor, run behind PREFIX; SETUP is a shell command that comes first."""
    argv = [*prefix, *nook.argv("doctor", "--json")]
    if setup:
        argv = [*prefix, "sh", "-c", f'{setup} && exec "$@"', "sh", *nook.argv("doctor", "--json")]
    done = subprocess.run(argv, env=nook.environment, cwd=nook.space, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False)
    assert done.stderr == ""
    report = json.loads(done.stdout)
    report["code"] = done.returncode
    report["by_name"] = {(check["group"], check["name"]): check for check in report["checks"]}
    return report


def works(*argv):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


@pytest.mark.vm
def test_report_is_well_formed(nook):
    report = doctor(nook)
    assert report["kernel"] == os.uname().release
    assert report["machine"] == os.uname().machine
    assert report["uid"] == os.geteuid()
    assert len(report["by_name"]) == len(report["checks"]) > 25
    for check in report["checks"]:
        assert check["state"] in ("ok", "limited", "missing")
        assert check["detail"]
        # One fix line for each thing that is missing.
        assert (check["fix"] is None) == (check["state"] == "ok"), check
        assert not check["fix"] or "\n" not in check["fix"]
    assert report["can_run"] == all(check["state"] != "missing" for check in report["checks"])
    assert report["code"] == (0 if report["can_run"] else 1)


@pytest.mark.vm
def test_containers_can_run_where_tests_run(nook):
    assert doctor(nook)["can_run"]


@pytest.mark.vm
def test_people_read_the_same(nook):
    report = doctor(nook)
    text = nook.result("doctor").out
    for check in report["checks"]:
        assert any(line.split()[:1] == [check["state"]] and check["name"] in line and check["detail"] in line
                   for line in text.splitlines()), check
        assert not check["fix"] or text.count(f"fix: {check['fix']}\n") == 1
    assert text.splitlines()[-1] == "Containers can run here."
    assert "\033" not in text


@pytest.mark.parametrize("kind, option", [
    ("mnt", "--mount"), ("pid", "--pid"), ("net", "--net"), ("uts", "--uts"), ("ipc", "--ipc"), ("cgroup", "--cgroup"),
    ("time", "--time"), ("user", "--user"),
])
def test_namespaces_are_as_unshare_finds_them(nook, kind, option):
    user = ["--user"] if os.geteuid() and kind != "user" else []
    check = doctor(nook)["by_name"]["namespaces", kind]
    assert (check["state"] == "ok") == works("unshare", *user, "--fork", option, "true")


@pytest.mark.user("root")
@pytest.mark.parametrize("kind", ["veth", "bridge", "macvlan", "ipvlan", "vlan"])
def test_links_are_as_ip_finds_them(nook, kind):
    parent = "ip link add parent type veth && " if "vlan" in kind else ""
    more = {"macvlan": "link parent", "ipvlan": "link parent", "vlan": "link parent"}.get(kind, "")
    identifier = "id 1" if kind == "vlan" else ""
    possible = works("unshare", "--net", "sh", "-c", f"{parent}ip link add {more} name x type {kind} {identifier}")
    assert (doctor(nook)["by_name"]["network", kind]["state"] == "ok") == possible


def test_overlay_in_a_user_namespace_is_as_mount_finds_it(nook, space):
    script = (f"mount -t tmpfs none {space} && cd {space} && mkdir l u w m && "
              "mount -t overlay -o lowerdir=l,upperdir=u,workdir=w none m")
    possible = works("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script)
    assert (doctor(nook)["by_name"]["file systems", "overlay in a userns"]["state"] == "ok") == possible


def test_cgroup_layout_is_that_of_the_mount_table(nook):
    checks = doctor(nook)["by_name"]
    layout = runner.cgroup_layout()
    if layout == "none":
        assert checks["cgroups", "layout"]["state"] == "limited"
        return
    assert checks["cgroups", "layout"]["detail"].split(":")[0] == layout
    shown = {word for check in checks.values() if check["group"] == "cgroups" and check["name"].startswith("controllers")
             for word in check["detail"].split()}
    known = {line.split()[0] for line in pathlib.Path("/proc/cgroups").read_text().splitlines()[1:]}
    assert shown <= known | {"misc", "rdma"}


@pytest.mark.user("rootless")
def test_ordinary_user_without_subids_has_one_id(nook):
    if f"\n{os.geteuid()}:" in "\n" + pathlib.Path("/etc/subuid").read_text():
        pytest.skip("this uid has subordinate ids")
    check = doctor(nook)["by_name"]["ids", "ids of a container"]
    assert check["state"] == "limited"
    assert "usermod --add-subuids" in check["fix"]


def test_user_namespaces_switched_off(nook):
    """The limit is one of each user namespace, so it can be taken away below one of our own."""
    report = doctor(nook, ["unshare", "--user", "--map-root-user"], "echo 0 > /proc/sys/user/max_user_namespaces")
    check = report["by_name"]["namespaces", "user"]
    assert check["state"] == "limited"
    assert check["detail"] == "No space left on device"
    assert check["fix"] == "user namespaces are switched off here: sysctl -w user.max_user_namespaces=15000"
    assert report["can_run"], "root has --userns host left"


def test_user_namespaces_switched_off_for_an_ordinary_user(nook):
    report = doctor(nook, ["unshare", "--user", "--map-root-user"],
                    "echo 1 > /proc/sys/user/max_user_namespaces && set -- unshare --user --map-user=1000 \"$@\"")
    assert report["uid"] == 1000
    assert report["by_name"]["namespaces", "user"]["state"] == "missing"
    assert report["by_name"]["namespaces", "mnt"]["detail"] == "needs a user namespace"
    assert not report["can_run"] and report["code"] == 1


def test_network_namespaces_switched_off(nook):
    report = doctor(nook, ["unshare", "--user", "--map-root-user"], "echo 0 > /proc/sys/user/max_net_namespaces")
    assert report["by_name"]["namespaces", "net"]["state"] == "missing"
    assert report["by_name"]["namespaces", "uts"]["state"] == "ok"
    assert not report["can_run"] and report["code"] == 1


def test_masked_proc_is_noticed(nook):
    report = doctor(nook, ["unshare", "--user", "--map-root-user", "--mount"], "mount -t tmpfs none /proc/sys/fs")
    check = report["by_name"]["namespaces", "new proc"]
    assert check["state"] != "ok"
    assert check["fix"].startswith("something is mounted over parts of /proc")


def test_read_only_state_directory_is_noticed(nook):
    report = doctor(nook, ["unshare", "--user", "--map-root-user", "--mount"],
                    f"mount -t tmpfs -o ro none {nook.space}")
    check = report["by_name"]["kernel", "state directory"]
    assert check["state"] == "missing"
    assert "Read-only file system" in check["detail"]
    assert "--run DIR" in check["fix"]
    assert report["code"] == 1


@pytest.mark.user("root")
def test_unprivileged_container_like_surroundings(nook):
    """No capabilities at all, as a plain service would have it."""
    report = doctor(nook, ["setpriv", "--bounding-set=-all", "--inh-caps=-all"])
    lacking = report["by_name"]["security", "capabilities"]
    assert lacking["state"] == "limited" and "CAP_SYS_ADMIN" in lacking["detail"]


def test_makes_no_state(nook):
    doctor(nook)
    assert not nook.run_dir.exists() and not nook.root.exists()
