# SPDX-License-Identifier: LGPL-2.1-or-later
"""opencontainers/runtime-tools, as far as Debian has it: bundles of its generator, its validator, its cgroup reader and the
schemas of runtime-spec.  podman and CRI-O write their bundles with that generator.

Its validation suite and runtimetest are not in Debian's package, so each case says itself what has to be seen inside.
What cannot pass here, each held to by a test that wants it to fail:

    CheckJSONSchema   fetches the schema from the network; test_files_have_the_form_of_the_schemas reads the packaged one
    CheckMounts       knows no type "none", which binds have in what runc's and nook-oci's `spec --rootless` write
    CheckSemVer       knows the version of its own package alone; the one of `nook-oci spec` is newer
    GetBlockIOData    asks for blkio.weight and leaf_weight, which left Linux with the CFQ scheduler
    GetHugepageLimitData, GetNetworkData   read v1 hierarchies that a machine need not mount
    cgroup v2         "cgroupv2 is not supported yet"
    memory.kernel     Linux has removed the limit: nook-oci warns
"""

import json
import pathlib
import re
import shutil
import subprocess

import pytest

import conftest
import roots

SOURCE = conftest.SOURCE / "tests/programs/runtime_tools.go"
CASES = [name for name in re.findall(r'^\t\{"(\w+)", func', SOURCE.read_text(), re.M)]
FAILS = {"CheckJSONSchema": "raw.githubusercontent.com", "CheckSemVer": "currently only handles version",
         "CheckMounts": 'unsupported mount type "none"'}
V1 = pathlib.Path("/sys/fs/cgroup")
READERS = {"GetBlockIOData": V1 / "blkio/blkio.leaf_weight", "GetHugepageLimitData": V1 / "hugetlb", "GetNetworkData": V1 / "net_cls"}

pytestmark = [pytest.mark.user("root"), pytest.mark.plain, pytest.mark.view("hybrid")]


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    """The program, built by Debian's Go from Debian's packages; the compiler's cache makes the second time quick."""
    if not shutil.which("go", path="/usr/bin"):
        pytest.skip("go is not installed: apt-get install golang-go golang-github-opencontainers-runtime-tools-dev")
    program = tmp_path_factory.mktemp("tools") / "runtime-tools"
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "GO111MODULE": "off", "GOPATH": "/usr/share/gocode",
           "GOCACHE": str(roots.cache() / "go")}
    subprocess.run(["go", "build", "-o", program, SOURCE], env=env, check=True)

    def run(*args, fails=False, view=None):
        prefix = [conftest.SOURCE / "tests/tools/cgroup-view", view] if view else []
        done = subprocess.run([*prefix, program, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert fails or done.returncode == 0, done.stdout
        return done.stdout

    return run


@pytest.fixture
def generated(tools, space, busybox_root):
    """bundles/NAME for each case, with a root that the test may change."""
    place = space / "bundles"
    tools("generate", place)

    def bundle(name):
        roots.make_busybox(place / name / "rootfs")
        return place / name

    return bundle


@pytest.mark.parametrize("name", CASES)
def test_a_generated_bundle(name, generated, oci, space):
    bundle = generated(name)
    result = oci.result("run", "-b", bundle, "c", input="\n")
    assert result.code == 0 and result.out == (bundle / "want").read_text(), str(result)
    if name == "hooks":
        log = (space / "bundles/hooks.log").read_text()
        assert log == 'prestart "creating"\npoststart "running"\npoststop "stopped"\n'


@pytest.mark.controllers("memory", "cpu", "cpuset", "pids", "devices")
def test_limits_are_those_of_the_bundle(generated, tools, oci):
    bundle = generated("limits")
    path = bundle / "config.json"
    config = json.loads(path.read_text())
    config["linux"]["cgroupsPath"] = f"/{bundle.parent.parent.name}"
    config["linux"]["resources"]["memory"]["kernel"] = 16 << 20
    path.write_text(json.dumps(config))
    assert "kernel memory limit is not enforced" in oci.result("--log-level", "warning", "create", "-b", bundle, "c").err
    found = json.loads(tools("limits", oci.state("c")["pid"], config["linux"]["cgroupsPath"]))
    for kind in ("memory", "cpu", "pids"):
        wanted = config["linux"]["resources"][kind]
        got = {name: found[kind].get(name) for name in wanted}
        assert {name for name in wanted if got[name] != wanted[name]} == ({"kernel"} if kind == "memory" else set()), got
    # The bundle allows no device but those that every container has.
    assert {"allow": True, "type": "a", "access": "rwm"} not in found["devices"]
    place = [oci.state("c")["pid"], config["linux"]["cgroupsPath"]]
    said = dict(line.split(" ", 1) for line in tools("read", *place).splitlines())
    assert {name for name in said if said[name] != "ok"} == {name for name, path in READERS.items() if not path.exists()}, said
    assert tools("read", *place, view="v2", fails=True) == "cgroupv2 is not supported yet\n"


@pytest.mark.parametrize("options", [(), ("--rootless",)], ids=["spec", "rootless"])
def test_the_validator_likes_what_spec_writes(options, tools, oci, space):
    roots.make_busybox(space / "rootfs")
    oci("spec", *options, "-b", space)
    said = dict(line.split(" ", 1) for line in tools("check", space).splitlines() if line.startswith("Check"))
    wanted = {name: FAILS[name] for name in FAILS if name != "CheckMounts" or options}
    assert {name for name in said if said[name] != "ok"} == wanted.keys(), said
    assert all(words in said[name] for name, words in wanted.items()), said


def test_files_have_the_form_of_the_schemas(tools, oci, space, busybox_root):
    oci("spec", "-b", space)
    assert tools("schema", "config-schema.json", space / "config.json") == ""
    config = json.loads((space / "config.json").read_text())
    config["root"]["path"] = str(busybox_root)
    config["process"]["terminal"] = False
    (space / "config.json").write_text(json.dumps(config))
    oci("create", "-b", space, "c")
    (space / "state.json").write_text(oci("state", "c"))
    assert tools("schema", "state-schema.json", space / "state.json") == ""
    # The schema is one: it finds what is wrong.
    config["process"]["cwd"] = 7
    (space / "config.json").write_text(json.dumps(config))
    assert "cwd" in tools("schema", "config-schema.json", space / "config.json", fails=True)
