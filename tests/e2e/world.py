# SPDX-License-Identifier: LGPL-2.1-or-later
"""A network of the test's own that plays the internet: public addresses on a loopback, names, servers that write down who
came.  It is a network, mount and, for an ordinary user, user namespace, held by one process."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys

import runner

SERVERS = pathlib.Path(__file__).resolve().parent / "world_servers.py"
WEB, OTHER, SIX = "93.184.215.14", "93.184.215.15", "2606:2800:21f::1"
HOSTS = f"""127.0.0.1 localhost
{WEB} example.org www.example.org a.b.example.org
{OTHER} other.example.net
{SIX} six.example.org
10.1.2.3 inner.example.org
127.0.0.1 loop.example.org
169.254.169.254 metadata.example.org
::1 loop6.example.org
10.1.2.3 mixed.example.org
{WEB} mixed.example.org
"""

SET_UP = f"""
    ip link set lo up
    for address in {WEB}/32 {OTHER}/32 10.1.2.3/32 169.254.169.254/32 {SIX}/128; do ip address add $address dev lo; done
    ip link add out type veth peer name far
    ip address add 198.51.100.2/24 dev out
    ip link set out up; ip link set far up
    ip route add default via 198.51.100.1 dev out
    if [ "$2" = root ]; then
        # Open to everybody, as udev makes it.
        mount -t tmpfs net /dev/net && mknod -m 666 /dev/net/tun c 10 200
    fi
    mount --bind "$1/hosts" /etc/hosts && mount --bind "$1/resolv.conf" /etc/resolv.conf && mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf
    echo ready
    exec sleep 3600
"""


class Inside(runner.Nook):
    """nook where the host's network is that of the world."""

    def __init__(self, nook, enter):
        super().__init__(nook.build, nook.space, nook.uid)
        self.enter, self.cwd = enter, nook.space

    def argv(self, *args, program="nook"):
        return [*self.enter, f"--wdns={self.cwd}", *super().argv(*args, program=program)]

    def start(self, *args, cwd=None, **options):
        self.cwd = cwd or self.space
        return super().start(*args, **options)


class World:
    def __init__(self, space, holder):
        self.space, self.holder = space, holder
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        self.enter = ["nsenter", "-t", str(holder.pid), *user, "--net", "--mount"]
        self.stack = contextlib.ExitStack()

    def start(self, *argv, **options):
        """A process in the world that ends with the test; its first line says that it is ready."""
        process = self.stack.enter_context(subprocess.Popen([*self.enter, *map(str, argv)], stdout=subprocess.PIPE, text=True, **options))
        self.stack.callback(process.kill)
        assert process.stdout.readline() == "ready\n"
        return process

    def serve(self, **what):
        """Servers of world_servers.py: web=[[address, port], ...], dns={name: [[address, ...], ...]}."""
        return self.start(sys.executable, SERVERS, json.dumps({"log": str(self.space / "visitors"), **what}), cwd=self.space)

    def visitors(self):
        """Where servers were visited: "address:port path"."""
        return (self.space / "visitors").read_text().splitlines() if (self.space / "visitors").exists() else []

    def nook(self, nook):
        return Inside(nook, self.enter)


@contextlib.contextmanager
def make(space):
    place = space / "world"
    place.mkdir()
    place.chmod(0o777)
    (place / "hosts").write_text(HOSTS)
    (place / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    (place / "nsswitch.conf").write_text("hosts: files dns\n")
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    with subprocess.Popen(["unshare", *user, "--net", "--mount", "sh", "-ec", SET_UP, "sh", place,
                           "root" if os.geteuid() == 0 else "user"], stdout=subprocess.PIPE,
                          text=True) as holder:
        try:
            assert holder.stdout.readline() == "ready\n"
            world = World(place, holder)
            with world.stack:
                yield world
        finally:
            holder.kill()
