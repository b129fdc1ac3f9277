# SPDX-License-Identifier: LGPL-2.1-or-later
"""Servers of world.py, one process: web servers, a name server with answers by script.  Each visit is a line in a log."""

import http.server
import ipaddress
import json
import socket
import socketserver
import struct
import sys
import threading

WANT = json.loads(sys.argv[1])
LOCK = threading.Lock()


def visited(text):
    with LOCK, open(WANT["log"], "a") as log:
        log.write(text + "\n")


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        address, port = self.connection.getsockname()[:2]
        visited(f"{address}:{port} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        text = f"{self.command} {self.path} {self.headers['Host']} {len(body)}\n".encode()
        if self.path == "/large":
            text = b"x" * (8 << 20)
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *args):
        pass


class Web(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True

    def __init__(self, address, port):
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, port), Page)

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address):
        pass


def echo(listener):
    """Answers with all that came once the client has said its last: only a half-closed connection shows that."""
    def serve(peer):
        with peer:
            data = b""
            while chunk := peer.recv(65536):
                data += chunk
            peer.sendall(b"heard " + data)

    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


def listen(where):
    family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    return socket.create_server(tuple(where), family=family, backlog=1024)


def greet(listener):
    while True:
        listener.accept()[0].sendall(b"reached")


def name_server(server, zone):
    """zone: name to a list of answers, taken in turn, the last one for ever; each a list of addresses, or "late"."""
    turns = {}
    while True:
        query, client = server.recvfrom(512)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, (kind,) = ".".join(labels).lower(), struct.unpack("!H", query[at + 1:at + 3])
        question = query[12:at + 5]
        answers = zone.get(name)
        found = []
        if answers:
            turn = turns.get((name, kind), 0)
            turns[name, kind] = turn + 1
            answer = answers[min(turn, len(answers) - 1)]
            if answer == "late":
                continue
            found = [a for a in map(ipaddress.ip_address, answer) if (a.version == 4) == (kind == 1) and kind in (1, 28)]
            if kind == 1:
                visited(f"dns {name} {' '.join(answer)}")
        records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(a.packed)) + a.packed for a in found)
        server.sendto(query[:2] + struct.pack("!HHHHH", 0x8180 if answers else 0x8183, 1, len(found), 0, 0) + question + records, client)


def main():
    for address, port in WANT.get("web", []):
        threading.Thread(target=Web(address, port).serve_forever, daemon=True).start()
    for where in WANT.get("echo", []):
        threading.Thread(target=echo, args=(listen(where),), daemon=True).start()
    for where in WANT.get("greet", []):
        threading.Thread(target=greet, args=(listen(where),), daemon=True).start()
    if "dns" in WANT:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 53))
        threading.Thread(target=name_server, args=(server, WANT["dns"]), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
