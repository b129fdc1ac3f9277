# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook-oci features: each value that it lists is supported in fact."""

import json
import os
import pathlib
import platform

import pytest

pytestmark = [pytest.mark.user("root"), pytest.mark.anywhere]


@pytest.fixture
def features(oci):
    return json.loads(oci("features"))


def test_versions(features, ro_bundle):
    for version in (features["ociVersionMin"], features["ociVersionMax"], "1.0.2-dev", "1.99.0"):
        ro_bundle.config["ociVersion"] = version
        ro_bundle.args("true").run()


def test_hooks(features, bundle, space):
    script = f"echo $0 >>{space}/log"
    (bundle.root / space.relative_to("/")).mkdir(parents=True)
    bundle.mount(space, "bind", space, "bind")
    bundle.config["hooks"] = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", script, kind]}] for kind in features["hooks"]}
    bundle.args("true").run()
    assert (space / "log").read_text().split() == features["hooks"] and len(features["hooks"]) == 6


def test_mount_options(features, bundle, space):
    """A mount with each, and what the kernel shows of those that it shows."""
    (space / "src").mkdir()
    (space / "link").symlink_to("/some/where")
    bundle.config["root"]["readonly"] = False
    for word in features["mountOptions"]:
        if word == "copy-symlink":
            bundle.mount(f"/m/{word}", "bind", space / "link", "bind", word)
        elif word in ("bind", "rbind", "src-nofollow", "idmap", "ridmap", "noidmap"):
            bundle.mount(f"/m/{word}", "bind", space / "src", "bind", word)
        else:
            bundle.mount(f"/m/{word}", "tmpfs", "tmpfs", word)
        if word in ("idmap", "ridmap"):
            maps = [{"containerID": 0, "hostID": 1000, "size": 10}]
            bundle.config["mounts"][-1].update(uidMappings=maps, gidMappings=maps)
    lines = {line.split()[4]: line for line in bundle.sh("readlink /m/copy-symlink; cat /proc/self/mountinfo").run().splitlines()
             if line.count(" ") > 4}
    assert {f"/m/{word}" for word in features["mountOptions"]} - set(lines) == {"/m/copy-symlink"}
    shown = {"ro": "ro", "rro": "ro", "nosuid": "nosuid", "rnosuid": "nosuid", "nodev": "nodev", "noexec": "noexec", "noatime": "noatime",
             "rnoatime": "noatime", "nodiratime": "nodiratime", "nosymfollow": "nosymfollow", "rnosymfollow": "nosymfollow"}
    for word, option in shown.items():
        assert option in lines[f"/m/{word}"].split()[5].split(","), word
    for word in ("sync", "dirsync", "lazytime"):
        assert word in lines[f"/m/{word}"].rpartition(" - ")[2].split()[2].split(","), word
    for word, tag in {"shared": "shared:", "rshared": "shared:", "unbindable": "unbindable", "runbindable": "unbindable"}.items():
        assert tag in lines[f"/m/{word}"].partition(" - ")[0], word


def test_namespaces(features, ro_bundle):
    kinds = features["linux"]["namespaces"]
    assert len(kinds) == 8
    ro_bundle.linux["namespaces"] = [{"type": kind} for kind in kinds]
    ro_bundle.linux["uidMappings"] = ro_bundle.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    names = {"mount": "mnt", "network": "net"}
    files = [f"/proc/self/ns/{names.get(kind, kind)}" for kind in kinds]
    inside = ro_bundle.args("sh", "-c", f"for f in {' '.join(files)}; do readlink $f; done").run().split()
    assert len(inside) == 8 and not set(inside) & {os.readlink(file) for file in files}


def test_capabilities(features, ro_bundle):
    names = features["linux"]["capabilities"]
    ro_bundle.process["capabilities"] = {"bounding": names, "effective": names, "permitted": names}
    own = int(pathlib.Path("/proc/self/status").read_text().partition("CapPrm:")[2].split()[0], 16)
    inside = int(ro_bundle.sh("grep CapEff /proc/self/status").run().split()[1], 16)
    assert inside == own and len(names) > pathlib.Path("/proc/sys/kernel/cap_last_cap").read_text().count("\n") + 39


def profile(bundle, *rules, **members):
    bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": list(rules), **members}
    return bundle


def test_seccomp_architectures_and_flags(features, ro_bundle):
    seccomp = features["linux"]["seccomp"]
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}
    profile(ro_bundle, rule, architectures=seccomp["archs"])
    assert "not supported" in ro_bundle.sh("mkdir /tmp/x; true").result().err
    assert f"SCMP_ARCH_{platform.machine().upper()}" in seccomp["archs"]
    for flag in seccomp["knownFlags"]:
        # One of them is about agents alone.
        result = profile(ro_bundle, rule, flags=[flag]).result()
        assert "not supported" in result.err or flag == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", f"{flag}: {result}"
    assert set(seccomp["supportedFlags"]) <= set(seccomp["knownFlags"])


def test_seccomp_actions(features, ro_bundle):
    """mkdir does it or not, and how it ends; an agent's part is another test's."""
    sigsys = 128 + 31
    ends = {
        "SCMP_ACT_ALLOW": ("", 0), "SCMP_ACT_LOG": ("", 0), "SCMP_ACT_ERRNO": ("Operation not permitted", 1),
        "SCMP_ACT_TRACE": ("not implemented", 1), "SCMP_ACT_TRAP": ("", sigsys), "SCMP_ACT_KILL": ("", sigsys),
        "SCMP_ACT_KILL_THREAD": ("", sigsys), "SCMP_ACT_KILL_PROCESS": ("", sigsys)}
    assert set(features["linux"]["seccomp"]["actions"]) == {*ends, "SCMP_ACT_NOTIFY"}
    ro_bundle.mount("/tmp", "tmpfs", "tmpfs").args("mkdir", "/tmp/x")
    for action, (words, code) in ends.items():
        result = profile(ro_bundle, {"names": ["mkdir", "mkdirat"], "action": action}).result()
        assert result.code == code and words in result.err, f"{action}: {result}"


def test_seccomp_operators(features, ro_bundle):
    """kill(1) of a pid that nobody has: the number of the signal decides who refuses it."""
    truth = {"SCMP_CMP_NE": lambda n: n != 10, "SCMP_CMP_LT": lambda n: n < 10, "SCMP_CMP_LE": lambda n: n <= 10, "SCMP_CMP_EQ": lambda n: n == 10,
             "SCMP_CMP_GE": lambda n: n >= 10, "SCMP_CMP_GT": lambda n: n > 10, "SCMP_CMP_MASKED_EQ": lambda n: n & 3 == 2}
    assert set(features["linux"]["seccomp"]["operators"]) == set(truth)
    signals = [2, 9, 10, 11, 14]
    ro_bundle.sh("for n in " + " ".join(map(str, signals)) + "; do kill -$n 99999 2>&1; done; true")
    for op, holds in truth.items():
        values = {"value": 3, "valueTwo": 2} if op == "SCMP_CMP_MASKED_EQ" else {"value": 10}
        profile(ro_bundle, {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "op": op, **values}]})
        assert ["not permitted" in line for line in ro_bundle.run().splitlines()] == [holds(n) for n in signals], op


def test_memory_policies(features, ro_bundle):
    policy = features["linux"]["memoryPolicy"]
    shown = {"MPOL_DEFAULT": "default", "MPOL_PREFERRED": "prefer:0", "MPOL_BIND": "bind:0", "MPOL_INTERLEAVE": "interleave:0",
             "MPOL_LOCAL": "local", "MPOL_PREFERRED_MANY": "prefer (many):0", "MPOL_WEIGHTED_INTERLEAVE": "weighted interleave:0"}
    assert set(policy["modes"]) == set(shown)
    for mode, words in shown.items():
        ro_bundle.linux["memoryPolicy"] = {"mode": mode, **({"nodes": "0"} if ":" in words else {})}
        result = ro_bundle.args("head", "-1", "/proc/self/numa_maps").result()
        assert words in result.out or "invalid argument" in result.err and mode == "MPOL_WEIGHTED_INTERLEAVE", f"{mode}: {result}"
    for flag in policy["flags"]:
        ro_bundle.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0", "flags": [flag]}
        assert "bind" in ro_bundle.run(), flag


def test_annotations_that_change_what_a_container_may(features):
    """Whatever begins so is read from nobody whom the engine does not trust."""
    unsafe = features["potentiallyUnsafeConfigAnnotations"]
    for name in ("run.oci.hooks.stdout", "run.oci.keep_original_groups", "run.nook.landlock.rw", "org.systemd.property.Slice", "org.criu.config"):
        assert any(name == known or known.endswith(".") and name.startswith(known) for known in unsafe), name
