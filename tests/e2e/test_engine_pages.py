# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files that docs/engines shows can be read by those that they are for, also where no test runs the engine."""

import json
import re
import tomllib

import pytest

import clients
import conftest

pytestmark = [pytest.mark.anywhere, pytest.mark.plain]

FILES = [
    ("docker.md", "/etc/docker/daemon.json", json.loads),
    ("swarm.md", "/etc/docker/daemon.json", json.loads),
    ("podman.md", "/etc/containers/containers.conf", tomllib.loads),
    ("containerd.md", "/etc/containerd/config.toml", tomllib.loads),
    ("cri-o.md", "/etc/crio/crio.conf.d/10-nook.conf", tomllib.loads),
]


@pytest.mark.parametrize("page,name,parse", FILES, ids=[page for page, _, _ in FILES])
def test_files_parse_and_name_nook_oci(page, name, parse):
    texts = clients.documented(page, name)
    assert str(conftest.BUILD / "nook-oci") in json.dumps([parse(text) for text in texts])


def test_the_runtime_class_is_the_handler_of_every_runtime():
    handler = re.search(r"^handler: (\w+)$", clients.documented("kubernetes.md", "runtimeclass.yaml")[0], re.M).group(1)
    crio = tomllib.loads(clients.merged(*clients.documented("cri-o.md", "/etc/crio/crio.conf.d/10-nook.conf")))["crio"]["runtime"]
    assert handler in crio["runtimes"] and crio["default_runtime"] == handler
    containerd = tomllib.loads(clients.documented("containerd.md", "/etc/containerd/config.toml")[0])
    assert handler in containerd["plugins"]["io.containerd.grpc.v1.cri"]["containerd"]["runtimes"]


def test_pages_link_to_pages_that_are_there():
    for page in (conftest.SOURCE / "docs/engines").glob("*.md"):
        for link in re.findall(r"\]\(([\w-]+\.md)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
