#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A criu that does as it is told by NOOK_FAKE_CRIU, and writes what it was asked for to that path with ".asked".

ok: a dump kills the process, a restore is a new `sleep 1000`; deaf: ends without an answer; refuse: answers with an error.
"""

import array
import ctypes
import json
import os
import pathlib
import signal
import socket
import sys

CLONE_PARENT, SYS_CLONE = 0x8000, 56
NAMES = {1: "images_dir_fd", 2: "pid", 3: "leave_running", 5: "tcp_established", 7: "shell_job", 10: "log_file", 13: "root",
         14: "parent_img", 15: "track_mem", 17: "work_dir_fd", 23: "ext_mnt", 26: "rst_sibling", 27: "inherit_fd", 34: "cgroups_mode", 37: "external",
         38: "empty_ns", 44: "freeze_cgroup", 11: "page_server", 52: "tcp_close", 53: "lsm_profile"}


def fields(data):
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value
    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            assert key & 7 == 2, key
            length = varint()
            at += length
            yield key >> 3, data[at - length:at]


def number(field, value):
    out = bytes([field << 3])
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def text(field, data):
    return bytes([field << 3 | 2, len(data)]) + data


def notify(connection, script, pid=0, fd=None):
    inner = text(1, script) + (number(2, pid) if pid else b"")
    message = number(1, 6) + number(2, 1) + text(5, inner)
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd is not None else []
    connection.sendmsg([message], ancillary)
    assert dict(fields(connection.recv(65536))) == {1: 6, 3: 1}


def main():
    control = pathlib.Path(os.environ["NOOK_FAKE_CRIU"])
    what = control.read_text().strip()
    if sys.argv[1] == "check":
        if what == "broken":
            print("Error (criu/fake.c:1): this kernel has nothing that is needed")
        return what == "broken"
    connection = socket.socket(fileno=int(sys.argv[2]))
    request = list(fields(connection.recv(65536)))
    kind, options = request[0][1], list(fields(request[1][1]))
    asked = {"kind": kind, "groups": pathlib.Path("/proc/self/cgroup").read_text(), "mounts": {}, "inherited": {}, "external": []}
    for field, value in options:
        name = NAMES.get(field, str(field))
        if name == "ext_mnt":
            pair = dict(fields(value))
            asked["mounts"][pair[1].decode()] = pair[2].decode()
        elif name == "external":
            asked["external"].append(value.decode())
        elif name == "inherit_fd":
            pair = dict(fields(value))
            asked["inherited"][pair[1].decode()] = pair[2]
        else:
            asked[name] = value.decode() if isinstance(value, bytes) and field != 11 else str(value)
    control.with_suffix(".asked").write_text(json.dumps(asked))
    peer = os.getppid()
    images = f"/proc/{peer}/fd/{asked['images_dir_fd']}"
    if what in ("deaf", "broken"):
        return 1
    if what == "refuse":
        pathlib.Path(f"/proc/{peer}/fd/{asked['work_dir_fd']}", asked["log_file"]).write_text("fine\nError (criu/fake.c:7): cannot do that\nend\n")
        connection.send(number(1, kind) + number(2, 0) + number(7, 22))
        return 1
    pid = 0
    if kind == 2:
        assert f" {asked['root']} " in pathlib.Path("/proc/self/mountinfo").read_text()
        assert pathlib.Path(images, "image").read_text() == "memory"
        pid = ctypes.CDLL(None).syscall(SYS_CLONE, CLONE_PARENT, 0, 0, 0, 0)
        if pid == 0:
            connection.close()
            os.execv("/usr/bin/sleep", ["sleep", "1000"])
        notify(connection, b"post-restore", pid)
    else:
        notify(connection, b"pre-dump")
        pathlib.Path(images, "image").write_text("memory")
        if kind == 1 and "leave_running" not in asked:
            os.kill(int(asked["pid"]), signal.SIGKILL)
    connection.send(number(1, kind) + number(2, 1) + (text(4, number(1, pid)) if pid else b""))
    return 0


sys.exit(main())
