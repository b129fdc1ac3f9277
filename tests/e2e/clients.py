# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of nook-oci's clients share: an image, daemons with a place of their own, a terminal."""

import contextlib
import errno
import hashlib
import io
import json
import os
import pathlib
import select
import shutil
import subprocess
import tarfile
import tempfile
import time

import pexpect
import pytest

import conftest
import roots
import runner

# Programs of Debian's packages, whatever else is called so on this machine.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
IMAGE = "docker.io/library/busybox:latest"
PAUSE = "docker.io/library/pause:latest"
GRACE = 10.0
SANITIZERS = {name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}

# Ends with 5 when it is asked to, and says so; nothing in it waits for the clock alone.
SERVICE = 'trap "echo term; exit 5" TERM; trap "echo usr1" USR1; echo started; while :; do sleep 0.05; done'


def wait_for(ready, what, seconds=GRACE, interval=0.02):
    """Asks READY again until it says yes; WHAT() tells what was there instead.  For what sends no event."""
    deadline = time.monotonic() + seconds
    while not (answer := ready()):
        assert time.monotonic() < deadline, what()
        select.select([], [], [], interval)
    return answer


def documented(page, name):
    """The files called NAME that docs/engines/PAGE shows, with the nook-oci under test: indented blocks behind a paragraph
    that names it.  What the tests configure is what the page says."""
    found, paragraph, block = [], "", None
    for line in [*(conftest.SOURCE / "docs/engines" / page).read_text().splitlines(), "# end"]:
        if line.startswith("    "):
            block = [] if block is None and paragraph.endswith(":") and f"`{name}`" in paragraph else block
            if block is not None:
                block.append(line[4:])
        elif line:
            found += ["\n".join(block) + "\n"] if block else []
            paragraph = f"{paragraph} {line}" if block is None and paragraph else line
            block = None
        elif block:
            block.append("")
        else:
            paragraph = "" if not paragraph.endswith(":") else paragraph
    assert found, f"{page} shows no {name}"
    return [text.replace("/usr/local/bin/nook-oci", str(conftest.BUILD / "nook-oci")) for text in found]


def merged(*texts):
    """One TOML file of several: tables of the same name become one."""
    tables = {"": []}
    for text in texts:
        name = ""
        for line in text.splitlines():
            if line.lstrip().startswith("["):
                name = line.strip()
                tables.setdefault(name, [])
            elif line:
                tables[name].append(line)
    return "\n".join("\n".join([name, *lines]) for name, lines in tables.items()).lstrip("\n") + "\n"


def program(name, package, path=PATH):
    found = shutil.which(name, path=path)
    if not found:
        pytest.skip(f"{name} is not installed: apt-get install {package}")
    return found


def add_file(archive, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def make_image(path, layer, tag, command):
    """An archive as `docker save` writes it, of one layer."""
    data = layer.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"], "Cmd": command},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}, "history": [{"created_by": "nook's tests"}]}).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    with tarfile.open(path, "w") as archive:
        add_file(archive, name, config)
        add_file(archive, f"{digest}.tar", data)
        manifest = [{"Config": name, "RepoTags": [tag], "Layers": [f"{digest}.tar"]}]
        add_file(archive, "manifest.json", json.dumps(manifest).encode())


@pytest.fixture(scope="session")
def images():
    """A directory with busybox.tar and pause.tar, to be loaded or imported.  The second waits for ever: it holds a pod."""
    with tempfile.TemporaryDirectory(prefix="nook-image.") as top:
        top = pathlib.Path(top)
        root = roots.make_busybox(top / "root")
        with tarfile.open(top / "layer.tar", "w") as archive:
            archive.add(root, arcname=".")
        make_image(top / "busybox.tar", top / "layer.tar", IMAGE, ["sh"])
        make_image(top / "pause.tar", top / "layer.tar", PAUSE, ["sleep", "2147483647"])
        yield top


class Client(runner.Command):
    """A command line program with fixed first arguments."""

    def __init__(self, argv, env=None, cwd=None):
        self.argv, self.cwd = [str(word) for word in argv], cwd
        self.env = {"PATH": PATH, "HOME": str(cwd), "LANG": "C.UTF-8", "TMPDIR": str(cwd), **SANITIZERS, **(env or {})}

    def result(self, *args, input=None, stdout=subprocess.PIPE):
        argv = [*self.argv, *map(str, args)]
        done = subprocess.run(argv, env=self.env, cwd=self.cwd, text=True, errors="replace", input=input or "",
                              stdout=stdout, stderr=subprocess.PIPE, timeout=runner.TIMEOUT, check=False)
        return runner.Result(argv, done.returncode, done.stdout, done.stderr)

    def terminal(self, *args, rows=31, columns=97):
        """Runs on a terminal of this size: what pexpect calls a child."""
        return pexpect.spawn(self.argv[0], [*self.argv[1:], *map(str, args)], env=self.env, cwd=self.cwd, encoding="utf-8",
                             dimensions=(rows, columns), timeout=runner.TIMEOUT)

    def on_terminal(self, *args, until=None):
        """(exit status, what was shown).  What waits for a line gets one when UNTIL is shown."""
        child = self.terminal(*args)
        shown = ""
        if until:
            child.expect_exact(until)
            shown = child.before + until
            child.sendline()
        child.expect(pexpect.EOF)
        child.close()
        return child.exitstatus, shown + child.before

    def until(self, words, *args):
        """Asks again until WORDS are printed: clients have no way to wait for a line of a log."""
        text = ""

        def there():
            nonlocal text
            text = self(*args)
            return words in text

        wait_for(there, lambda: f"{words!r} does not come in {text!r}")
        return text


@contextlib.contextmanager
def daemon(argv, log, ready, env=None):
    """A daemon that is ready; ended by its pid, however the test went, and by the kernel when the tests are killed."""
    argv = ["setpriv", "--pdeathsig", "KILL", "prlimit", "--core=0", *argv]
    with open(log, "ab") as out:
        process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   env={"PATH": PATH, **SANITIZERS, **(env or {})}, start_new_session=True)
    try:
        wait_for(lambda: process.poll() is not None or ready(), lambda: f"{argv} is not ready\n{end_of(log)}", 3 * GRACE)
        assert process.poll() is None, end_of(log)
        yield process
    finally:
        end(process)


def end_of(log):
    return log.read_text(errors="replace")[-4000:]


def end(process):
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Machine:
    """A network and a host name of its own, for daemons that take each other for machines."""

    def __init__(self, space, number):
        self.name, self.address, self.space = f"node{number}", f"10.9.0.{number}", space / f"node{number}"
        self.space.mkdir()

    @contextlib.contextmanager
    def up(self):
        """The namespaces, held by a process that waits."""
        begin = ["unshare", "--net", "--uts", "sh", "-c", f"hostname {self.name}; touch {self.space}/up; exec sleep infinity"]
        with daemon(begin, self.space / "holder", (self.space / "up").exists) as holder:
            self.inside = ["nsenter", f"--net=/proc/{holder.pid}/ns/net", f"--uts=/proc/{holder.pid}/ns/uts"]
            self.holder = holder.pid
            self.run("ip", "link", "set", "lo", "up")
            yield self

    def run(self, *args):
        return Client(self.inside)(*args)


def connect(first, second):
    """A cable between two machines that are up."""
    Client(["ip"])("link", "add", "wire", "netns", first.holder, "type", "veth", "peer", "name", "wire", "netns", second.holder)
    for machine in (first, second):
        machine.run("ip", "address", "add", f"{machine.address}/24", "dev", "wire")
        machine.run("ip", "link", "set", "wire", "up")


# ---- dockerd ---------------------------------------------------------------------------------------------------------

def docker(space):
    return Client([program("docker", "docker.io"), "-H", f"unix://{space}/sock"], cwd=space)


@contextlib.contextmanager
def dockerd(space, group, page, prefix=()):
    """A dockerd with the daemon.json of a page of docs/engines beside places below SPACE, behind the words of PREFIX."""
    settings = {
        "data-root": f"{space}/root", "exec-root": f"{space}/exec", "pidfile": f"{space}/pid", "hosts": [f"unix://{space}/sock"],
        "bridge": "none", "iptables": False, "ip-forward": False, "storage-driver": "vfs", "cgroup-parent": f"/{group}",
    }
    for text in documented(page, "/etc/docker/daemon.json"):
        settings.update(json.loads(text))
    (space / "daemon.json").write_text(json.dumps(settings))
    argv = [*prefix, program("dockerd", "docker.io"), "--config-file", space / "daemon.json"]
    with daemon(argv, space / "log", lambda: (space / "sock").exists() and docker(space).result("version").code == 0) as process:
        yield process


# ---- groups ----------------------------------------------------------------------------------------------------------

def group_tops(name):
    """The group's directory in each hierarchy that has it."""
    top = pathlib.Path("/sys/fs/cgroup")
    tops = [top / name, *(path / name for path in top.iterdir() if path.is_dir())]
    return [path for path in tops if path.is_dir()]


def groups_below(name):
    return [path for top in group_tops(name) for path in top.iterdir() if path.is_dir()]


def pids_in(name):
    """Processes of a group and of those below it."""
    found = set()
    for top in group_tops(name):
        for path in top.glob("**/cgroup.procs"):
            found.update(map(int, path.read_text().split()))
    return found


def remove_groups(name):
    """Clients leave the groups above their containers' for ever; what is left in them has GRACE to end."""
    def is_removed(path):
        with contextlib.suppress(FileNotFoundError):
            try:
                path.rmdir()
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                return False
        return True

    for top in group_tops(name):
        for path, _, _ in os.walk(top, topdown=False):
            wait_for(lambda path=pathlib.Path(path): is_removed(path), lambda path=path: f"{path} does not get empty")


# Where a limit is: v1's hierarchy and file, v2's file.
FILES = {
    "memory": ("memory", "memory.limit_in_bytes", "memory.max"),
    "cpu": ("cpu", "cpu.cfs_quota_us", "cpu.max"),
    "shares": ("cpu", "cpu.shares", "cpu.weight"),
    "pids": ("pids", "pids.max", "pids.max"),
}


def limit_file(what, group=""):
    """The file of a limit, by its path from the root; a container sees its own group as the top."""
    controller, v1, v2 = FILES[what]
    return f"/sys/fs/cgroup/{group}/{v2}" if runner.cgroup_layout() == "v2" else f"/sys/fs/cgroup/{controller}/{group}/{v1}"


def read_limit(group, what):
    return int(pathlib.Path(limit_file(what, group)).read_text().split()[0])
