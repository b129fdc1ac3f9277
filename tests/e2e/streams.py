# SPDX-License-Identifier: LGPL-2.1-or-later
"""A kubelet's way to what runs: the streams of exec, attach and port-forward, over a WebSocket (RFC 6455).

The first byte of each message is a channel of Kubernetes' `v4.channel.k8s.io`: stdin, stdout, stderr, how the command ended,
and the size of the terminal."""

import base64
import collections
import ctypes
import json
import os
import socket
import struct
import urllib.parse

import leaks

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
BINARY, CLOSE, PING = 2, 8, 9
SECONDS = 60


def connect(netns, address):
    """A connection out of another network namespace, to which a socket belongs that was made there."""
    with open("/proc/thread-self/ns/net", "rb") as here, open(netns, "rb") as there:
        leaks.call("setns", there.fileno(), ctypes.c_int(leaks.CLONE_NEWNET))
        try:
            return socket.create_connection(address, SECONDS)
        finally:
            leaks.call("setns", here.fileno(), ctypes.c_int(leaks.CLONE_NEWNET))


class Stream:
    """What came by each channel is in received[channel]."""

    def __init__(self, url, netns):
        url = urllib.parse.urlsplit(url)
        self.socket = connect(netns, (url.hostname, url.port))
        self.file = self.socket.makefile("rb")
        self.received = collections.defaultdict(bytes)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall("\r\n".join([
            f"GET {url.path} HTTP/1.1", f"Host: {url.netloc}", "Connection: Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: v4.channel.k8s.io", "", ""]).encode())
        status = self.file.readline()
        assert b" 101 " in status, status + self.file.read(1000)
        while self.file.readline() != b"\r\n":
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, channel, data):
        """One message; what a client sends is masked, with zeros as with any other word."""
        data = bytes([channel]) + data
        assert len(data) < 126
        self.socket.sendall(struct.pack("!BBI", 0x80 | BINARY, 0x80 | len(data), 0) + data)

    def resize(self, columns, rows):
        self.send(RESIZE, json.dumps({"Width": columns, "Height": rows}).encode())

    def receive(self):
        """One frame into received; False when the other side is done."""
        head = self.file.read(2)
        if len(head) < 2 or head[0] & 15 == CLOSE:
            return False
        size = head[1] & 127
        if size > 125:
            size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
        data = self.file.read(size)
        if head[0] & 15 == BINARY and data:
            self.received[data[0]] += data[1:]
        return True

    def until(self, channel, words):
        while words not in self.received[channel]:
            assert self.receive(), dict(self.received)

    def end(self):
        """Reads to the end: the command's exit status, or why there was no command."""
        while self.receive():
            pass
        status = json.loads(self.received[ERROR])
        if status["status"] == "Success":
            return 0
        if status["reason"] == "NonZeroExitCode":
            return next(int(cause["message"]) for cause in status["details"]["causes"] if cause["reason"] == "ExitCode")
        return status["message"]
