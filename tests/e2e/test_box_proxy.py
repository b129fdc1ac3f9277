# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook box --net proxy: exactly the hosts that rules name, for real clients and for hostile ones."""

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess

import pytest

import library
import runner
from world import SIX, WEB

PORT = 3128


pytestmark = pytest.mark.anywhere


@pytest.fixture
def box(either, world):
    return world.nook(either)


@pytest.fixture
def web(world):
    """A web server at every address of the world, private ones too: who comes where he may not is written down."""
    world.serve(web=[["0.0.0.0", 80], ["::1", 80], [SIX, 80], [WEB, 8080]], echo=[[WEB, 7]])
    return world


# A client that speaks for itself: each argument is bytes, as Python writes them, for a connection of its own; what came back.
RAW = r"""
import socket, sys
for text in sys.argv[1:]:
    s = socket.create_connection(("127.0.0.1", 3128), 30)
    s.sendall(eval("b'" + text + "'"))
    s.shutdown(socket.SHUT_WR)
    got = b""
    while chunk := s.recv(65536):
        got += chunk
    print(repr(got))
"""


def raw(box, *texts, rules=("--allow", "example.org")):
    out = box("box", *rules, "--", "python3", "-c", RAW, *texts)
    return [eval(line) for line in out.splitlines()]


CLIENTS = {
    "curl": ["curl", "-sSf"],
    "curl-connect": ["curl", "-sSf", "--proxytunnel"],
    "curl-socks5h": ["curl", "-sSf", "--socks5-hostname", f"127.0.0.1:{PORT}"],
    "curl-socks4a": ["curl", "-sSf", "--socks4a", f"127.0.0.1:{PORT}"],
    "urllib": ["python3", "-c", "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode(), end='')"],
}


@pytest.mark.parametrize("client", CLIENTS)
def test_clients_reach_what_is_allowed_and_nothing_else(box, web, client):
    for host in ("example.org", "six.example.org"):
        out = box("box", "--allow", "*.example.org", "--allow", "example.org", "--", *CLIENTS[client], f"http://{host}/page")
        assert out == f"GET /page {host} 0\n"
    result = box.result("box", "--allow", "example.org:80", "--", *CLIENTS[client], "http://other.example.net/")
    assert result.code != 0 and "GET" not in result.out
    assert "refused other.example.net:80; allow it with --allow other.example.net:80" in result.err
    assert len(web.visitors()) == 2


def test_addresses_can_be_allowed(box, web):
    assert box("box", "--allow", f"{WEB}:80", "--", "curl", "-sS", f"http://{WEB}/x") == f"GET /x {WEB} 0\n"
    assert box("box", "--allow", f"[{SIX}]:80", "--", "curl", "-sS", f"http://[{SIX}]/x") == f"GET /x [{SIX}] 0\n"
    assert box("box", "--allow", f"{WEB}", "--", "curl", "-sS", "--socks5", f"127.0.0.1:{PORT}", f"http://{WEB}/y") == f"GET /y {WEB} 0\n"
    # The host's loopback, because the rule names it; then it is also no exception for the client.
    assert box("box", "--allow", "127.0.0.1:80", "--", "curl", "-sS", "http://127.0.0.1/z") == "GET /z 127.0.0.1 0\n"


def test_the_library_gives_the_same_network(nook, as_user, web, space):
    run = library.compile_program("box_run", space)
    for who in (nook, as_user):
        prefix = web.enter + who.argv()[:-1]
        done = subprocess.run([*prefix, run, "allow example.org:80", "curl", "-sS", "http://example.org/lib"], capture_output=True,
                              text=True, check=False, env=who.environment)
        assert done.stdout.startswith("GET /lib example.org 0\nexit 0 "), str(done)


def test_refusals_are_told_once_and_counted(box, web):
    script = "for i in 1 2 3; do curl -s http://api.evil.org/; curl -s -p http://api.evil.org:8443/; done; curl -s http://inner.example.org/"
    result = box.result("box", "--allow", "*.example.org", "--json", box.space / "how", "--", "sh", "-c", script)
    notes = sorted(line.split("refused ")[1] for line in result.err.splitlines() if "refused" in line)
    assert notes == ["api.evil.org:80; allow it with --allow api.evil.org:80",
                     "api.evil.org:8443; allow it with --allow api.evil.org:8443",
                     "inner.example.org:80: its address is not public; allow it with --allow 10.1.2.3:80"]
    how = json.loads((box.space / "how").read_text())
    assert how["refused"] == 7 and sorted(how["refusedHosts"]) == ["10.1.2.3:80", "api.evil.org:80", "api.evil.org:8443"]
    assert "api.evil.org:80 is not allowed" in result.out
    assert not web.visitors()


def test_ports_are_part_of_the_rule(box, web):
    assert box("box", "--allow", "example.org:8080", "--", "curl", "-sS", "http://example.org:8080/") == "GET / example.org:8080 0\n"
    assert box.result("box", "--allow", "example.org:8080", "--", "curl", "-fsS", "http://example.org/").code == 22


TARGETS = [
    "169.254.169.254", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::]", "0.0.0.0",
    "10.1.2.3", "localhost", "2130706433", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "127.1", "127.0.0.01", "0", "224.0.0.1",
    "255.255.255.255", "[fe80::1]", "[fe80::1%25lo]", "[fd00::1]", "inner.example.org", "loop.example.org", "loop6.example.org",
    "metadata.example.org", "example.org@127.0.0.1", "127.0.0.1#@example.org", "127.0.0.1\\\\example.org", "example.org.127.0.0.1", "example.org%2e",
]


def test_what_is_not_public_stays_out_of_reach(box, web):
    """In every spelling and by name, although everything public is allowed."""
    texts = [f"CONNECT {target}:80 HTTP/1.1\\r\\n\\r\\n" for target in TARGETS]
    texts += [f"GET http://{target}/ HTTP/1.1\\r\\n\\r\\n" for target in TARGETS]
    names = [target.strip("[]") for target in TARGETS]
    texts += [f"\\5\\1\\0\\5\\1\\0\\3\\x{len(name.encode().decode('unicode_escape')):02x}{name}\\0\\x50" for name in names]
    texts += [f"\\4\\1\\0\\x50\\0\\0\\0\\1\\x00{name}\\0" for name in names]
    texts += ["\\5\\1\\0\\5\\1\\0\\1\\x7f\\0\\0\\1\\0\\x50", "\\4\\1\\0\\x50\\x7f\\0\\0\\1\\0", "\\5\\1\\0\\5\\1\\0\\1\\xa9\\xfe\\xa9\\xfe\\0\\x50",
              "\\5\\1\\0\\5\\1\\0\\4" + "\\0" * 15 + "\\1\\0\\x50", "\\5\\1\\0\\5\\1\\0\\4" + "\\0" * 10 + "\\xff\\xff\\x7f\\0\\0\\1\\0\\x50"]
    for text, answer in zip(texts, raw(box, *texts, rules=("--allow", "*")), strict=True):
        allowed = (b"HTTP/1.1 400", b"HTTP/1.1 403", b"HTTP/1.1 502", b"\5\0\5\2", b"\5\0\5\1", b"\5\0\5\4", b"\0\x5b")
        assert answer.startswith(allowed), (text, answer)
    assert not web.visitors()


def test_of_several_addresses_only_the_public_are_used(box, web):
    assert box("box", "--allow", "mixed.example.org", "--", "curl", "-sS", "http://mixed.example.org/") == "GET / mixed.example.org 0\n"
    assert web.visitors() == [f"{WEB}:80 /"]
    # A rule that names the private one opens it.
    assert "inner" in box("box", "--allow", "inner.example.org", "--allow", "10.1.2.3:80", "--", "curl", "-sS", "http://inner.example.org/")


def test_a_name_that_changes_its_mind_is_judged_each_time(box, world):
    """DNS rebinding: what is connected to is what was judged, and nobody asks again in between."""
    world.serve(web=[["0.0.0.0", 80]], dns={"rebind.example.com": [[WEB], ["127.0.0.1"], [WEB], ["169.254.169.254"]]})
    script = "for i in 1 2 3 4; do curl -sS http://rebind.example.com/$i; done"
    result = box.result("box", "--allow", "*", "--", "sh", "-c", script)
    assert result.out.splitlines()[0] == "GET /1 rebind.example.com 0" and "GET /3 rebind.example.com 0" in result.out
    assert result.out.count("GET") == 2 and "127.0.0.1, which is not public" in result.out
    visits = world.visitors()
    assert [line for line in visits if not line.startswith("dns")] == [f"{WEB}:80 /1", f"{WEB}:80 /3"]
    assert len([line for line in visits if line.startswith("dns rebind")]) == 4


def test_names_that_are_none_and_servers_that_are_not_there(box, world):
    world.serve(web=[[WEB, 80]], dns={})
    result = box.result("box", "--allow", "*", "--", "sh", "-c", "curl -sS http://nowhere.example.com/; curl -sS http://example.org:81/")
    assert "nowhere.example.com:80 has no address" in result.out and "example.org:81 Connection refused" in result.out
    assert "refused no" not in result.err


def test_malformed_requests_get_an_answer(box, web):
    texts = ["GET / HTTP/1.1\\r\\nHost: example.org\\r\\n\\r\\n", "GET https://example.org/ HTTP/1.1\\r\\n\\r\\n",
             "CONNECT example.org:80\\r\\nX: HTTP/1.1\\r\\n\\r\\n", "GET http://example.org/\\r\\nEvil: x HTTP/1.1\\r\\n\\r\\n",
             "GET http://example.org/ HTTP/1.1\\r\\n" + "A: " + "b" * 30000 + "\\r\\n\\r\\n", "\\x16\\x03\\x01\\0\\5hello",
             "\\5\\1\\0\\5\\1\\0\\3\\x0dexample.org\\r\\n\\0\\x50"]
    answers = raw(box, *texts)
    assert b"this is a proxy" in answers[0] and b"CONNECT HOST:PORT" in answers[1]
    assert all(answer.startswith(b"HTTP/1.1 400") for answer in answers[:4] + answers[5:6]), answers
    assert answers[4].startswith(b"HTTP/1.1 431") and answers[6].startswith(b"\5\0\5\1")
    assert not web.visitors()


def test_a_request_carries_no_other_host(box, web):
    """A Host header that lies, and a second request on the same connection, stay with the server that was allowed."""
    answers = raw(box, "GET http://example.org/1 HTTP/1.1\\r\\nHost: other.example.net\\r\\n\\r\\nGET http://other.example.net/2 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    assert b"GET /1 example.org 0" in answers[0]
    assert web.visitors() == [f"{WEB}:80 /1"]


def test_half_closed_connections_carry_the_rest(box, web):
    """The server speaks only once the client has said its last; and what comes with the request is not lost."""
    answers = raw(box, "CONNECT example.org:7 HTTP/1.1\\r\\n\\r\\nearly and late", "\\5\\1\\0\\5\\1\\0\\3\\x0bexample.org\\0\\7hello")
    assert answers[0].endswith(b"\r\n\r\nheard early and late") and answers[1].endswith(b"heard hello")


def test_much_data_both_ways(box, web):
    script = "head -c 8000000 /dev/zero > up; curl -sS http://example.org/large | wc -c; curl -sS -p -T up http://example.org/up"
    out = box("box", "--allow", "example.org", "--", "sh", "-c", f"cd /tmp; {script}").split("\n")
    assert out[0].strip() == str(8 << 20) and out[1] == "PUT /up example.org 8000000"


MANY = r"""
import socket
answers = 0
open_ones = [socket.create_connection(("127.0.0.1", 3128)) for i in range(1000)]
for s in open_ones:
    s.sendall(b"CONNECT example.org:7 HTTP/1.1\r\n\r\n")
for number, s in enumerate(open_ones):
    assert s.recv(39).startswith(b"HTTP/1.1 200")
    s.sendall(b"%d" % number)
    s.shutdown(socket.SHUT_WR)
for number, s in enumerate(open_ones):
    got = b""
    while chunk := s.recv(100):
        got += chunk
    answers += got == b"heard %d" % number
print(answers)
"""


def test_a_thousand_connections_at_once(box, web):
    assert box("box", "--allow", "example.org", "--limit", "files=4096", "--", "python3", "-c", MANY) == "1000\n"


def test_without_the_proxy_there_is_nothing(box, web):
    script = "import socket; socket.create_connection(('93.184.215.14', 80), 5)"
    assert "unreachable" in box.result("box", "--allow", "example.org", "--", "python3", "-c", script).err
    assert "unreachable" in box.result("box", "python3", "-c", script).err


def test_rules_that_do_not_go_together(box):
    assert "net proxy alone" in box.fails(125, "box", "--net", "host", "--allow", "example.org", "true")
    assert "neither the name of a host nor an address" in box.fails(125, "box", "--allow", "127.1", "true")


# ---- the helper alone --------------------------------------------------------------------------------------------------


class Proxy:
    """nook-proxy on a socket pair, as its owner has it (box/proxy_wire.h)."""

    ORDER, REPORT_HEAD = struct.Struct("=6I32H"), struct.Struct("=IIiH")
    RULES, LISTEN = 0, 1
    READY, FAILED, REFUSED = 0, 1, 2

    def __init__(self, build, rules, timeout_ms):
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = subprocess.Popen([build / "nook-proxy", "test"], stdin=theirs)
        theirs.close()
        file = os.memfd_create("rules")
        os.write(file, rules.encode())
        self.order(self.RULES, file, timeout_ms)
        assert self.report()[0] == self.READY
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.address = listener.getsockname()
            self.order(self.LISTEN, listener.fileno())

    def order(self, kind, fd, timeout_ms=0):
        socket.send_fds(self.control, [self.ORDER.pack(self.ORDER.size, kind, timeout_ms, 0, 0, 0, *[0] * 32)], [fd])

    def report(self):
        return self.REPORT_HEAD.unpack(self.control.recv(4096)[:self.REPORT_HEAD.size])

    def connect(self):
        return socket.create_connection(self.address, 10)

    def end(self):
        self.control.close()
        assert self.process.wait(10) == 0


@pytest.fixture
def proxy(nook):
    made = Proxy(nook.build, "example.org\n", 300)
    yield made
    made.end()


def test_clients_that_are_slow_are_let_go(proxy):
    silent, slow, whole = proxy.connect(), proxy.connect(), proxy.connect()
    slow.sendall(b"CONNECT example.org:443 HT")
    whole.sendall(b"CONNECT evil.org:443 HTTP/1.1\r\n\r\n")
    assert whole.recv(4096).startswith(b"HTTP/1.1 403")
    assert silent.recv(100) == b"" and slow.recv(100) == b""
    for client in (silent, slow, whole):
        client.close()


def test_the_proxy_has_shut_itself_in(nook, proxy):
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{proxy.process.pid}/status").read().splitlines() if ":\t" in line)
    # A sanitizer needs calls that the filter would refuse.
    assert runner.is_sanitized(nook.build / "nook-proxy") or status["Seccomp"] == "2"
    assert status["NoNewPrivs"] == "1" and int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0


def test_the_proxy_ends_with_its_owner(nook):
    made = Proxy(nook.build, "example.org\n", 0)
    with made.connect() as client:
        client.sendall(b"CONNECT evil.org:443 HTTP/1.1\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 403")
    with made.connect() as client, contextlib.suppress(ConnectionResetError):
        made.end()
        assert client.recv(1) == b""


# ---- ends --------------------------------------------------------------------------------------------------------------

WAITING = r"""
import socket, sys
s = socket.create_connection(("127.0.0.1", 3128))
s.sendall(b"CONNECT example.org:7 HTTP/1.1\r\n\r\n")
assert s.recv(39).startswith(b"HTTP/1.1 200")
print("connected", flush=True)
sys.stdin.read()
try:
    socket.create_connection(("127.0.0.1", 3128), 5)
    print("still open")
except ConnectionRefusedError:
    print("closed", s.recv(1))
"""


def helpers_of(pid):
    """The helper processes that a nook has started (nsenter and setpriv have become it)."""
    children = open(f"/proc/{pid}/task/{pid}/children").read().split()
    return [int(child) for child in children if open(f"/proc/{child}/comm").read() == "nook-proxy\n"]


def test_nook_killed_leaves_nothing(box, web):
    with box.start("box", "--allow", "example.org", "--", "python3", "-c", WAITING, stdin=subprocess.PIPE) as process:
        assert process.stdout.readline() == "connected\n"
        process.kill()
        assert process.stdout.read() == ""


def test_a_killed_proxy_leaves_no_way_out(box, web):
    with box.start("box", "--allow", "example.org", "--", "python3", "-c", WAITING, stdin=subprocess.PIPE) as process:
        assert process.stdout.readline() == "connected\n"
        helpers = helpers_of(process.pid)
        assert len(helpers) == 1
        end = os.pidfd_open(helpers[0])
        os.kill(helpers[0], signal.SIGKILL)
        select.select([end], [], [])
        os.close(end)
        process.stdin.close()
        assert process.stdout.read() == "closed b''\n"
        assert process.wait(20) == 0
