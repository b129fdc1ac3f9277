# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bundles and the command line of nook-oci, for the tests that call it as an engine would."""

import array
import contextlib
import json
import os
import pathlib
import select
import socket
import tempfile
import time

import leaks
import roots
import runner


class Oci(runner.Nook):
    """nook-oci with states below one directory: oci("create", "-b", bundle, "id")."""

    def argv(self, *args, program="nook-oci"):
        return super().argv("--root", self.space / "oci", *args, program=program)

    def start(self, *args, program="nook-oci", **options):
        return super().start(*args, program=program, **options)

    def result(self, *args, timeout=runner.TIMEOUT, **options):
        """A container that outlives the command has its output still open, so that goes to files."""
        if "create" not in args and not {"-d", "--detach"} & set(args):
            return super().result(*args, timeout=timeout, **options)
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            with self.start(*args, stdout=out, stderr=err, **options) as process:
                process.wait(timeout)
            out.seek(0)
            err.seek(0)
            return runner.Result(process.args, process.returncode, out.read(), err.read())

    def state(self, name):
        return json.loads(self("state", name))

    def status(self, name):
        return self.state(name)["status"]

    def wait(self, name, status, timeout=10):
        """Until the container is in this state; its process is watched, so only a short poll is needed at the end."""
        deadline = time.monotonic() + timeout
        while (now := self.status(name)) != status:
            assert time.monotonic() < deadline, f"{name} is still {now}, not {status}"
            select.select([], [], [], 0.01)


class Bundle:
    """A directory with config.json (the dict CONFIG until save()) and a root file system."""

    def __init__(self, oci, path, root=None, rootless=False, owner=None):
        self.oci, self.path = oci, path
        path.mkdir(exist_ok=True)
        if owner is not None:
            os.chown(path, owner, owner)
        oci("spec", "-b", path, *(["--rootless"] if rootless else []))
        self.config = json.loads((path / "config.json").read_text())
        self.root = root or roots.make_busybox(path / "rootfs")
        self.config["root"] = {"path": str(self.root), "readonly": root is not None}
        self.process["terminal"] = False

    @property
    def process(self):
        return self.config["process"]

    @property
    def linux(self):
        return self.config["linux"]

    def args(self, *words):
        self.process["args"] = list(words)
        return self

    def sh(self, script):
        return self.args("sh", "-c", script)

    def mount(self, destination, kind, source, *options):
        self.config["mounts"].append(
            {"destination": str(destination), "type": kind, "source": str(source), "options": list(options)})
        return self

    def namespace(self, kind):
        return next((ns for ns in self.linux["namespaces"] if ns["type"] == kind), None)

    def drop_namespace(self, kind):
        self.linux["namespaces"] = [ns for ns in self.linux["namespaces"] if ns["type"] != kind]

    def save(self):
        (self.path / "config.json").write_text(json.dumps(self.config))
        return self.path

    def run(self, *options, name="c", **rest):
        """Runs it to its end: what it printed."""
        return self.oci("run", "-b", self.save(), *options, name, **rest)

    def result(self, *options, name="c", **rest):
        return self.oci.result("run", "-b", self.save(), *options, name, **rest)

    def fails(self, code, *options, name="c"):
        return self.oci.fails(code, "run", "-b", self.save(), *options, name)


class Console:
    """A socket at which an engine waits for a terminal."""

    def __init__(self, path):
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        here = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
        self.listener.bind(f"/proc/self/fd/{here}/{path.name}")
        os.close(here)
        self.listener.listen(1)
        self.listener.settimeout(20)

    def receive(self):
        """The descriptor that came, and the text beside it."""
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(20)
            text, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
        numbers = array.array("i", ancillary[0][2][:4])
        return numbers[0], text.decode()

    def close(self):
        self.listener.close()


def read_all(fd):
    """What a terminal says until it hangs up."""
    out = b""
    while True:
        try:
            chunk = os.read(fd, 65536)
        except OSError:
            break
        if not chunk:
            break
        out += chunk
    os.close(fd)
    return out.decode()


def delete_all(oci):
    # A pid namespace ends only when the dead in it are reaped; those that exec --detach left are this session's children, and
    # some of them die of the deletion itself.
    leaks.processes()
    children = [int(pid) for pid in pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    for name in oci("list", "-q").split():
        with oci.start("delete", "--force", name) as run:
            while run.poll() is None:
                for pid in children:
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(pid, os.WNOHANG)
                select.select([], [], [], 0.005)
            assert run.returncode == 0, run.stderr and run.stderr.read()
