# SPDX-License-Identifier: LGPL-2.1-or-later
"""The hierarchies of this machine, or of the view that a test has, and where a process is in them."""

import contextlib
import json
import pathlib

import pytest


def hierarchies():
    """controllers (v1) or "v2" to mount point; v2's controllers are keys of their own."""
    found = {}
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split()[:3]
        point = pathlib.Path(fields.split()[4])
        if kind == "cgroup" and (point / "cgroup.procs").exists():
            for name in options.split(","):
                found[name] = point
        elif kind == "cgroup2" and (point / "cgroup.controllers").exists():
            found["v2"] = point
            for name in (point / "cgroup.controllers").read_text().split():
                found.setdefault(name, point)
                if name == "io":
                    found.setdefault("blkio", point)
    return found


MOUNTS = hierarchies()


def has(*controllers):
    """Only where they can be had without mounting them; the rest of the machines have other tests."""
    missing = [name for name in controllers if name not in MOUNTS]
    return pytest.mark.skipif(bool(missing), reason=f"no {', '.join(missing)} controller in this view")


def on_v2(controller):
    return MOUNTS[controller] == MOUNTS.get("v2")


def group_of(pid, controller):
    """The directory of a process's group."""
    v2 = controller == "v2" or on_v2(controller)
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        number, names, path = line.split(":", 2)
        if (number == "0" and not names) if v2 else controller in names.split(","):
            return pathlib.Path(f"{MOUNTS['v2' if v2 else controller]}{path}")
    raise AssertionError(f"{controller} is not in /proc/{pid}/cgroup")


def value(pid, controller, v1, v2):
    return (group_of(pid, controller) / (v2 if on_v2(controller) else v1)).read_text().strip()


@contextlib.contextmanager
def running(nook, *options, command=("sleep", "inf"), source="host:", name="t"):
    """A container that has said it is there; the pid of its init on the host."""
    shell = ["sh", "-c", 'echo ready; exec "$@"', "sh", *command]
    with nook.start("run", "--name", name, *options, source, *shell) as process:
        try:
            line = process.stdout.readline()
            if line != "ready\n":
                raise AssertionError(f"the container does not start: {line}{process.stderr.read()}")
            yield json.loads(nook("ps", "--format", "json", "--filter", f"name={name}"))[0]["pid"]
        finally:
            nook.result("unpause", name)
            nook.result("kill", "-s", "KILL", name)
            process.communicate()
            nook.result("rm", "-f", name)
