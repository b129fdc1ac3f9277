# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a test left behind on the machine: mounts, cgroups, processes, links, firewall rules, loop devices, files.

Processes need no guessing: the test session is a subreaper, so whatever a test started and forgot hangs below it.
Mounts, network devices and firewall rules are looked for in namespaces of the session's own; its mounts are shared, as on
a machine with systemd, so a mount that nook lets slip is seen, and what others do on the machine meanwhile is not.  Groups
are the machine's: those of others are told by their names or by their processes.

The kernel takes some things down a moment after the last process has gone (a dying cgroup, a lazily unmounted tree, the
links of a network namespace), so a difference counts only when it is still there after GRACE.
"""

import contextlib
import ctypes
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import time

GRACE = 5.0
MACHINE_NETWORK = []  # a descriptor of it, once the session has its own
DEFAULT_PLACES = ("/run/nook", "/run/nook-oci", "/var/lib/nook")
MADE_ONCE = {"/run/nook-oci/containers"}  # by engines' clients; states come and go in it
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
MS_REC, MS_PRIVATE, MS_SHARED = 1 << 14, 1 << 18, 1 << 20


def call(name, *args):
    """A function of the C library that answers 0 or sets errno."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*args) != 0:
        raise OSError(ctypes.get_errno(), name)


def become_subreaper():
    call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def on_machine_network(*argv):
    """The command line, in the network that the session came from: for what fetches Debian's packages."""
    return [word for fd in MACHINE_NETWORK for word in ("nsenter", f"--net=/proc/{os.getpid()}/fd/{fd}")] + list(argv)


def own_namespaces():
    """A mount and a network namespace of the session's own.  The mounts are cut off from the machine first, then shared
    again among whatever is started here; where nook keeps things by default, the session has empty places of its own."""
    MACHINE_NETWORK.append(os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
    call("unshare", CLONE_NEWNS | CLONE_NEWNET)
    for propagation in (MS_PRIVATE, MS_SHARED):
        call("mount", b"none", b"/", None, ctypes.c_ulong(MS_REC | propagation), None)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for path in DEFAULT_PLACES:
        os.makedirs(path, exist_ok=True)
        call("mount", b"tmpfs", os.fsencode(path), b"tmpfs", ctypes.c_ulong(0), None)


def mounts():
    """Mount point and type of each mount of this namespace."""
    found = []
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        found.append(f"mount {fields.split()[4]} ({rest.split()[0]})")
    return found


def cgroups():
    """Every group of every hierarchy in sight."""
    found = []
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        if rest.split()[0] in ("cgroup", "cgroup2"):
            found += [f"cgroup {path}" for path, _, _ in os.walk(fields.split()[4])]
    return found


def links():
    lines = pathlib.Path("/proc/net/dev").read_text().splitlines()[2:]
    return [f"network device {line.split(':')[0].strip()}" for line in lines]


def firewall():
    if not shutil.which("nft"):
        return []
    rules = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False)
    return [f"nft {line}" for line in rules.stdout.splitlines()]


def loop_devices():
    found = []
    for path in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
        # Somebody else's may go away while it is looked at.
        with contextlib.suppress(OSError):
            found.append(f"loop device {path.parent.parent.name}: {path.read_text().strip()}")
    return found


def run_entries():
    """State outside the test's own directories: nobody but a default run may write there."""
    found = []
    for top in DEFAULT_PLACES:
        found += [f"{path}/{name}" for path, folders, files in os.walk(top) for name in folders + files]
    return [f"file {path}" for path in found if path not in MADE_ONCE]


def processes():
    """Everything that descends from this process; the dead among them are reaped on the way."""
    with contextlib.suppress(ChildProcessError):
        while os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG):
            pass
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                name, _, rest = (entry / "stat").read_text().rpartition(")")
                children.setdefault(int(rest.split()[1]), []).append((int(entry.name), name.partition("(")[2]))
    found, look = [], [os.getpid()]
    while look:
        for pid, name in children.get(look.pop(), []):
            found.append(f"process {pid} {name}")
            look.append(pid)
    return found


def command_line(pid):
    return pathlib.Path("/proc", pid, "cmdline").read_text(errors="replace").replace("\0", " ")


def group_tag(run_dir):
    """What nook puts behind the id in the name of a group: FNV-1a of its run directory, folded to 32 bits."""
    tag = 0xCBF29CE484222325
    for byte in os.fsencode(run_dir):
        tag = (tag ^ byte) * 0x100000001B3 % 2**64
    return f"{(tag ^ tag >> 32) % 2**32:08x}"


def is_others(thing, space):
    """What belongs to another directory of tests than SPACE, such as the daemon that a module's tests share; and a group of
    another session or of somebody who uses nook by hand: the tag of a run directory that is not the test's, or processes
    that are not ours are in it."""
    kind, _, path = thing.partition(" ")
    words = path
    with contextlib.suppress(OSError):
        words = command_line(path.split()[0]) if kind == "process" else path
    spaces = set(re.findall(r"nook-test\.\w+", words))
    if spaces and kind in ("process", "mount", "cgroup", "loop"):
        return space.name not in spaces
    if kind != "cgroup":
        return False
    for name in path.split("/"):
        if name.startswith("nook-") and "@" in name:
            return name.rpartition("@")[2] not in {group_tag(run_dir) for run_dir in space.glob("**/run")}
    with contextlib.suppress(OSError):
        pids = set((pathlib.Path(path) / "cgroup.procs").read_text().split())
        return bool(pids) and not pids & {process.split()[1] for process in processes()}
    return False


class Snapshot:
    """The things that must be the same after a test."""

    ANYBODYS = (processes,)
    ROOTS = (mounts, cgroups, links, firewall, loop_devices, run_entries)

    def __init__(self):
        kinds = self.ANYBODYS + (self.ROOTS if os.geteuid() == 0 else ())
        self.things = {kind: kind() for kind in kinds}

    def news(self):
        """What is there now and was not then."""
        found = []
        for kind, before in self.things.items():
            now = kind()
            for thing in before:
                if thing in now:
                    now.remove(thing)
            found += now
        return found


def below(space):
    """Id ranges that are still taken although no container runs; states of ended containers are kept on purpose."""
    return [f"file {path}" for path in space.glob("**/run/ids/*") if path.is_symlink()]


def left_behind(before, space):
    """The differences that last.  Processes that were left are killed then, so that the next test starts clean."""
    deadline = time.monotonic() + GRACE
    while left := [thing for thing in before.news() if not is_others(thing, space)] + below(space):
        # Wakes when a process of ours ends; the rest of the kernel's clearing up cannot be polled for.
        if time.monotonic() >= deadline:
            break
        select.select([], [], [], 0.02)
    kill_new(before, space)
    return left


def kill_new(before, space):
    """Ends every process that descends from this one, was not there BEFORE, and belongs to no other space."""
    spared = {thing.split()[1] for thing in before.things[processes]}
    for thing in processes():
        pid = thing.split()[1]
        if pid not in spared and not is_others(thing, space):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(pid), signal.SIGKILL)


def remove_tree(path):
    """Removes a test's directory, and never what a test left mounted in it."""
    points = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in reversed(points):
        if point.startswith(f"{path}/"):
            subprocess.run(["umount", "-l", point], check=True)
    subprocess.run(["rm", "-rf", "--one-file-system", path], check=True)
