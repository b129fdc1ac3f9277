# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Docker Swarm of two nodes, each a dockerd in a network namespace of its own, whose default runtime is nook-oci."""

import collections
import contextlib
import json
import os
import pathlib
import re
import signal

import pytest

import clients
from clients import images  # noqa: F401: a fixture

pytestmark = [pytest.mark.user("root"), pytest.mark.view("hybrid"), pytest.mark.plain,
              pytest.mark.controllers("memory", "cpu", "pids")]

# Nobody listens there, so that a node gives up at once to ask a registry and takes what it has.
IMAGE = "127.0.0.1:9/busybox:latest"
# A task gives up after 30 s when its node has not heard of the network, after a return say, and another one begins.
SECONDS = 75.0


def page(space):
    """A server that says which task it is.  Its command line names the space that it belongs to."""
    return f"mkdir /tmp/{space.name}; cd /tmp/{space.name}; hostname >index.html; exec httpd -f -p 80 -h /tmp/{space.name}"


def wait_for(ready, what):
    """A question is a docker command or three."""
    return clients.wait_for(ready, what, SECONDS, interval=0.2)


class Node(clients.Machine):
    """A machine with a dockerd."""

    def __init__(self, space, group, number):
        super().__init__(space, number)
        self.group = f"{group}/{self.name}"
        self.docker = clients.docker(self.space)
        self.stack = contextlib.ExitStack()

    def start(self):
        """dockerd; what ran before it is gone."""
        self.dockerd = self.stack.enter_context(clients.dockerd(self.space, self.group, "swarm.md", self.inside))

    def load(self, archive):
        self.docker("load", "-q", "-i", archive)
        self.docker("tag", clients.IMAGE, IMAGE)

    def lose(self):
        """The machine goes down: its daemons, its containers and their shims, without a word."""
        containerd = int((self.space / "exec/containerd/containerd.pid").read_text())
        self.run("ip", "link", "set", "wire", "down")
        self.dockerd.kill()  # which is containerd's end as well
        self.dockerd.wait()
        os.waitpid(containerd, 0)
        for pid in clients.pids_in(self.group) | shims(self.space):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def shims(space):
    """They outlive their daemon."""
    found = set()
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_text(errors="replace").split("\0")
            if "containerd-shim" in words[0] and f"{space}/exec/containerd/containerd.sock" in words:
                found.add(int(path.parent.name))
    return found


class Swarm:
    """The first node manages, the second one works."""

    def __init__(self, nodes):
        self.nodes, self.docker = nodes, nodes[0].docker

    def table(self, *args):
        return [json.loads(line) for line in self.docker(*args, "--format", "{{json .}}").splitlines()]

    def running(self):
        """How many tasks of the service run as they should on each node."""
        tasks = self.table("service", "ps", "--filter", "desired-state=running", "web")
        return collections.Counter(task["Node"] for task in tasks if task["CurrentState"].startswith("Running"))

    def settles(self, **nodes):
        """Waits until so many tasks run on each node, as the manager sees it and as the nodes named do."""
        def is_settled():
            there = {node.name: len(self.tasks(node)) for node in self.nodes if node.name in nodes}
            return there == nodes and self.running() == collections.Counter(nodes)

        wait_for(is_settled, lambda: f"{nodes}, not:\n{self.docker('service', 'ps', '--no-trunc', 'web')}")

    def state(self, name):
        return next(node["Status"] for node in self.table("node", "ls") if node["Hostname"] == name)

    def tasks(self, node):
        return node.docker("ps", "-q", "--filter", "label=com.docker.swarm.service.name=web").split()


@pytest.fixture(scope="module")
def swarm(module_space, images):  # noqa: F811
    nodes = [Node(module_space, module_space.name, number) for number in (1, 2)]
    try:
        with contextlib.ExitStack() as stack:
            for node in nodes:
                stack.enter_context(node.up())
            clients.connect(*nodes)
            for node in nodes:
                stack.push(node.stack)
                node.start()
                node.load(images / "busybox.tar")
            nodes[0].docker("swarm", "init", "--advertise-addr", nodes[0].address, "--dispatcher-heartbeat", "1s")
            token = nodes[0].docker("swarm", "join-token", "-q", "worker").strip()
            nodes[1].docker("swarm", "join", "--token", token, f"{nodes[0].address}:2377")
            for node in nodes:
                wait_for((node.space / "exec/netns/ingress_sbox").exists, lambda: "no ingress network")
            nodes[0].docker("network", "create", "--driver", "overlay", "--attachable", "mesh")
            nodes[0].docker("service", "create", "-d", "--name", "web", "--network", "mesh", "--endpoint-mode", "dnsrr",
                            "--replicas", "4", "--restart-delay", "0s", "--stop-signal", "KILL", "--limit-memory", "64m",
                            IMAGE, "sh", "-c", page(module_space))
            yield Swarm(nodes)
            nodes[0].docker("service", "rm", "web")
            for node in nodes:
                wait_for(lambda node=node: not clients.groups_below(node.group), lambda node=node: node.docker("ps"))
            for node in reversed(nodes):
                node.docker("swarm", "leave", "--force")
    finally:
        clients.remove_groups(module_space.name)


@pytest.fixture
def service(swarm):
    """Four replicas of a server of its own name, on both nodes."""
    swarm.docker("service", "scale", "-d", "web=4")
    swarm.settles(node1=2, node2=2)
    return swarm


def test_a_service_over_an_overlay_network(service):
    first, second = service.nodes
    names = [name for node in service.nodes for name in service.tasks(node)]
    assert first.docker("inspect", "-f", "{{.HostConfig.Runtime}}", service.tasks(first)[0]) == "nook\n"
    task = service.tasks(second)[0]
    assert second.docker("exec", task, "cat", clients.limit_file("memory")) == f"{64 << 20}\n"

    # A task of one node reaches those of both, by the name of the service.
    shown = second.docker("exec", task, "nslookup", "-type=a", "web")
    addresses = {line.split()[1] for line in shown.splitlines() if line.startswith("Address: 10.")}
    pages = [second.docker("exec", task, "wget", "-qO-", f"http://{address}").strip() for address in addresses]
    assert sorted(pages) == sorted(names)

    service.docker("service", "scale", "-d", "web=6")
    service.settles(node1=3, node2=3)
    service.docker("service", "scale", "-d", "web=2")
    service.settles(node1=1, node2=1)


def test_a_virtual_address_needs_ipvs(swarm):
    """Where the kernel has none, dockerd says so; that is why the service above is one of names (dnsrr)."""
    first = swarm.nodes[0]
    has_ipvs = pathlib.Path("/proc/net/ip_vs").exists()
    swarm.docker("service", "create", "-d", "--name", "virtual", "--network", "mesh", "--constraint", "node.hostname==node1",
                 "--stop-signal", "KILL", IMAGE, "sh", "-c", page(first.space.parent))
    try:
        task = wait_for(lambda: first.docker("ps", "-q", "--filter", "label=com.docker.swarm.service.name=virtual").strip(), lambda: "no task")
        wait_for(lambda: first.docker.result("exec", task, "wget", "-qO-", "http://tasks.virtual").code == 0, lambda: "no page")
        shown = first.docker("exec", task, "nslookup", "-type=a", "virtual")
        assert re.search(r"Address: 10\.", shown)
        reached = first.docker.result("exec", task, "wget", "-T", "1", "-qO-", "http://virtual").code == 0
        assert reached == has_ipvs
        assert ("Could not get ipvs family information" in (first.space / "log").read_text()) != has_ipvs
    finally:
        swarm.docker("service", "rm", "virtual")


def test_a_killed_task_comes_back(service):
    second = service.nodes[1]
    victim, *others = service.tasks(second)
    second.docker("kill", victim)
    wait_for(lambda: len(service.tasks(second)) == 2 and victim not in service.tasks(second),
             lambda: service.docker("service", "ps", "web"))
    service.settles(node1=2, node2=2)
    assert set(others) <= set(service.tasks(second))
    assert "task: non-zero exit (137)" in service.docker("service", "ps", "--no-trunc", "web")


def test_a_drained_node_has_no_tasks(service):
    service.docker("node", "update", "--availability", "drain", "node2")
    service.settles(node1=4)
    wait_for(lambda: service.tasks(service.nodes[1]) == [], lambda: "tasks stay")
    service.docker("node", "update", "--availability", "active", "node2")
    service.docker("service", "scale", "-d", "web=8")
    service.settles(node1=4, node2=4)


def test_a_lost_node_and_its_return(service):
    second = service.nodes[1]
    second.lose()
    wait_for(lambda: service.state("node2") == "Down", lambda: service.docker("node", "ls"))
    service.settles(node1=4)
    second.run("ip", "link", "set", "wire", "up")
    second.start()
    wait_for(lambda: service.state("node2") == "Ready", lambda: service.docker("node", "ls"))
    # What ran there when it was lost is not what the swarm wants now.
    wait_for(lambda: second.docker("ps", "-q") == "", lambda: second.docker("ps"))
    service.docker("service", "scale", "-d", "web=8")
    service.settles(node1=4, node2=4)
