# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook box: networks made without rights, networks that are joined, ports that are published."""

import os
import signal
import subprocess

import pytest

import library
from world import WEB

pytestmark = pytest.mark.anywhere

# A server of the box: says when it is ready, answers each connection with what came, once its client has said its last.
SERVER = r"""
import socket, sys, threading
listener = socket.create_server(("::1" if len(sys.argv) > 2 else "127.0.0.1", int(sys.argv[1])), backlog=256,
                                family=socket.AF_INET6 if len(sys.argv) > 2 else socket.AF_INET)
print("ready", flush=True)
def serve(peer):
    with peer:
        data = b""
        while chunk := peer.recv(65536):
            data += chunk
        peer.sendall(b"heard " + data)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""

# Outside, in the world: one line of answer for each connection.
CLIENT = r"""
import socket, sys
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
open_ones = [socket.create_connection((host, port), 20) for i in range(count)]
for number, s in enumerate(open_ones):
    s.sendall(b"%d" % number)
    s.shutdown(socket.SHUT_WR)
for number, s in enumerate(open_ones):
    got = b""
    while chunk := s.recv(65536):
        got += chunk
    assert got == b"heard %d" % number, got
print("all")
"""


@pytest.fixture
def box(either, world):
    return world.nook(either)


def ask(world, host, port, count=1):
    """A client in the world."""
    return subprocess.run([*world.enter, "python3", "-c", CLIENT, host, str(port), str(count)], capture_output=True, text=True, check=False,
                          timeout=60)


def helper_named(process, names):
    children = open(f"/proc/{process.pid}/task/{process.pid}/children").read().split()
    return [int(child) for child in children if open(f"/proc/{child}/comm").read().startswith(names)]


# ---- publish -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", [[], ["--allow", "example.org"]], ids=["none", "proxy"])
def test_ports_are_published(box, world, rules):
    with box.start("box", *rules, "--publish", "8080:80", "--publish", "127.0.0.1:8081:8000", "--fake-root", "--cap", "net_bind_service", "--",
                   "python3", "-c", SERVER, "80") as process:
        assert process.stdout.readline() == "ready\n"
        for host in ("127.0.0.1", "::1", WEB):
            assert ask(world, host, 8080).stdout == "all\n"
        assert ask(world, "127.0.0.1", 8080, 200).stdout == "all\n"
        # Published at one address alone, and nobody listens in the box: the connection ends.
        assert "heard" not in ask(world, "127.0.0.1", 8081).stdout
        assert "refused" in ask(world, WEB, 8081).stderr
        process.terminate()
        assert process.wait(20) == 128 + signal.SIGTERM
    # With the box its port goes.
    assert "refused" in ask(world, "127.0.0.1", 8080).stderr


def test_a_server_of_the_box_may_listen_on_ipv6(box, world):
    with box.start("box", "--publish", "[::1]:8080:8000", "--", "python3", "-c", SERVER, "8000", "six") as process:
        assert process.stdout.readline() == "ready\n"
        assert ask(world, "::1", 8080).stdout == "all\n"
        process.terminate()


def test_a_port_that_is_taken_is_told_before_anything_runs(box, world):
    world.serve(web=[["0.0.0.0", 8080]])
    result = box.result("box", "--publish", "127.0.0.1:8080:80", "--", "echo", "ran")
    assert result.code == 125 and "8080" in result.err and "in use" in result.err and "ran" not in result.out
    assert "a network of the box's own" in box.fails(125, "box", "--net", "host", "--publish", "1:1", "true")


def test_the_library_publishes_too(nook, world, space):
    run = library.compile_program("box_run", space)
    with subprocess.Popen([*world.enter, run, "publish 127.0.0.1:8080:8000", "python3", "-c", SERVER, "8000"], stdout=subprocess.PIPE,
                          text=True) as process:
        assert process.stdout.readline() == "ready\n"
        assert ask(world, "127.0.0.1", 8080).stdout == "all\n"
        # The box ends with its caller, and its helpers with it.
        process.kill()
        process.wait(20)


def test_a_killed_shim_leaves_nothing(nook, world, space):
    """It is the parent of the box and of the helpers; the library's caller goes on."""
    run = library.compile_program("box_run", space)
    rules = "allow example.org\npublish 127.0.0.1:8080:8000"
    with subprocess.Popen([*world.enter, run, rules, "python3", "-c", SERVER, "8000"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        (shim,) = helper_named(process, ("nook-shim",))
        os.kill(shim, signal.SIGKILL)
        assert "nook-shim" in process.stdout.read()
        assert process.wait(20) == 1
    assert "refused" in ask(world, "127.0.0.1", 8080).stderr


# ---- user --------------------------------------------------------------------------------------------------------------

needs_tun = pytest.mark.skipif(os.geteuid() != 0 and not os.access("/dev/net/tun", os.W_OK),
                               reason="/dev/net/tun is for root alone on this machine")


@pytest.fixture(params=["pasta", "slirp4netns"])
def program(request, world):
    """The program that makes the network; the other one is out of sight."""
    if request.param == "slirp4netns":
        empty = world.space / "empty"
        empty.touch()
        subprocess.run([*world.enter, "mount", "--bind", empty, "/usr/bin/passt"], check=True)
    return request.param


@needs_tun
def test_a_network_without_rights(box, world, program):
    """The world and its names are reached, the loopback of the host is not."""
    world.serve(web=[[WEB, 80], ["127.0.0.1", 9999]], dns={"dynamic.example.com": [[WEB]]})
    script = f"""
        curl -sS -m 20 http://{WEB}/1
        curl -sS -m 20 http://dynamic.example.com/2
        for host in 127.0.0.1 198.51.100.2 10.0.2.2; do curl -sS -m 1 http://$host:9999/; done
    """
    result = box.result("box", "--net", "user", "--", "sh", "-c", script)
    assert result.out.splitlines() == [f"GET /1 {WEB} 0", "GET /2 dynamic.example.com 0"], str(result)
    assert not [line for line in world.visitors() if ":9999" in line]


@needs_tun
def test_a_network_without_rights_publishes(box, world):
    with box.start("box", "--net", "user", "--publish", "8080:8000", "--", "python3", "-c", SERVER, "8000") as process:
        assert process.stdout.readline() == "ready\n"
        assert ask(world, "127.0.0.1", 8080, 20).stdout == "all\n"
        process.terminate()


@needs_tun
@pytest.mark.parametrize("victim", ["nook", "guard", "program"])
def test_the_network_ends_with_the_box(box, world, program, victim):
    """Whoever is killed, nothing is left: that is what the leak check looks for."""
    with box.start("box", "--net", "user", "--", "sh", "-c", "echo ready; read line; ip -br -4 address; exit 3", stdin=subprocess.PIPE) as process:
        assert process.stdout.readline() == "ready\n"
        if victim == "nook":
            process.kill()
            return
        names = ("nook-proxy",) if victim == "guard" else ("pasta", "passt", "slirp4netns")
        (pid,) = helper_named(process, names)
        os.kill(pid, signal.SIGKILL)
        out, _ = process.communicate("\n", 30)
        assert process.returncode == 3, out


def test_without_a_program_the_fix_is_told(box, world):
    empty = world.space / "empty"
    empty.touch()
    for path in ("/usr/bin/passt", "/usr/bin/slirp4netns"):
        subprocess.run([*world.enter, "mount", "--bind", empty, path], check=True)
    err = box.fails(125, "box", "--net", "user", "true")
    assert "neither is installed" in err and "passt" in err


# ---- others ------------------------------------------------------------------------------------------------------------


@pytest.mark.user("root")
def test_an_existing_network_is_joined(nook, as_user, world):
    world.serve(web=[[WEB, 80]])
    path = f"ns:/proc/{world.holder.pid}/ns/net"
    assert nook("box", "--net", path, "--", "curl", "-sS", f"http://{WEB}/") == f"GET / {WEB} 0\n"
    # Who has no rights over it may not.
    assert "ns/net" in as_user.fails(125, "box", "--net", path, "true")
    assert "No such file" in nook.fails(125, "box", "--net", "ns:/no/such", "true")


def test_no_network_is_the_default(box, world):
    world.serve(web=[["0.0.0.0", 80]])
    assert box.result("box", "curl", "-sS", "-m", "5", f"http://{WEB}/").code == 7
    assert box("box", "--net", "host", "--", "curl", "-sS", f"http://{WEB}/") == f"GET / {WEB} 0\n"
