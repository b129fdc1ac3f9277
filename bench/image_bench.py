# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the benches of images share: an image in a registry on loopback, daemons of one's own, costs of a command."""

import contextlib
import dataclasses
import gzip
import hashlib
import http.client
import json
import os
import pathlib
import platform
import select
import shutil
import statistics
import subprocess
import sys
import time
import urllib.parse

SOURCE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SOURCE / "tests/e2e"))
import registries  # noqa: E402
import roots  # noqa: E402

SHM = "/dev/shm"
REPOSITORY = "bench/debian"
TAG = f"{REPOSITORY}:1"
# The rest is the first layer.
PARTS = (("usr/lib", "lib"), ("usr/share", "usr/bin", "usr/sbin"), ("var",))
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
TICKS = os.sysconf("SC_CLK_TCK")


# ---- the image -------------------------------------------------------------------------------------------------------

def pack(root, members, excluded, path, level):
    """A layer of these members of ROOT; returns its descriptor and its DiffID."""
    plain, packed = hashlib.sha256(), hashlib.sha256()
    argv = ["tar", "-C", root, "--numeric-owner", "--sort=name", *[f"--exclude=./{name}" for name in excluded], "-cf", "-",
            *[f"./{name}" for name in members]]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as tar, open(path, "wb") as out:
        with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=level, mtime=0) as layer:
            while block := tar.stdout.read(1 << 20):
                plain.update(block)
                layer.write(block)
    assert tar.returncode == 0
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            packed.update(block)
    return ({"mediaType": registries.OCI_LAYER + "+gzip", "digest": "sha256:" + packed.hexdigest(), "size": path.stat().st_size},
            "sha256:" + plain.hexdigest())


def send(connection, repository, digest, data):
    connection.request("POST", f"/v2/{repository}/blobs/uploads/")
    answer = connection.getresponse()
    answer.read()
    place = urllib.parse.urlsplit(answer.headers["Location"])
    connection.request("PUT", f"{place.path}?{place.query}&digest={digest}", data, {"Content-Type": "application/octet-stream"})
    answer = connection.getresponse()
    assert answer.status == 201, answer.read()
    answer.read()


def put_image(registry, place, level=6):
    """Makes the image and puts it there; returns its size."""
    root = roots.debian()
    moved = [name for part in PARTS for name in part if not (root / name).is_symlink()]
    parts = [([path.name for path in sorted(root.iterdir())], moved), *[([name for name in part if (root / name).exists()
             and not (root / name).is_symlink()], ()) for part in PARTS]]
    layers, diff_ids = [], []
    connection = http.client.HTTPConnection(registry.host)
    with contextlib.closing(connection):
        for i, (members, excluded) in enumerate(parts):
            path = place / f"layer{i}"
            layer, diff_id = pack(root, members, excluded, path, level)
            send(connection, REPOSITORY, layer["digest"], path.read_bytes())
            path.unlink()
            layers.append(layer)
            diff_ids.append(diff_id)
        config = json.dumps({"architecture": ARCHITECTURE, "os": "linux", "config": {"Cmd": ["sh"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]},
                             "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()
        send(connection, REPOSITORY, registries.digest(config), config)
        manifest = json.dumps({"schemaVersion": 2, "mediaType": registries.OCI_MANIFEST, "layers": layers, "config": {
            "mediaType": registries.OCI_CONFIG, "digest": registries.digest(config), "size": len(config)}})
        connection.request("PUT", f"/v2/{REPOSITORY}/manifests/1", manifest, {"Content-Type": registries.OCI_MANIFEST})
        answer = connection.getresponse()
        assert answer.status == 201, answer.read()
    return sum(layer["size"] for layer in layers)


# ---- costs -----------------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Cost:
    wall: float
    cpu: float
    rss: int  # KiB, of the largest process


# What a process was before exec counts as its memory too, so it is started by somebody small.
LAUNCHER = """
import os, sys, time
begin = time.monotonic()
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)]), 0)
print("cost", status, time.monotonic() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
"""


def measure(argv, env):
    """One run to its end."""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", LAUNCHER, *map(str, argv)], env=env, text=True, errors="replace",
                          capture_output=True, check=True)
    _, status, wall, cpu, rss = next(line for line in reversed(done.stdout.splitlines()) if line.startswith("cost ")).split()
    if status != "0":
        raise SystemExit(f"{argv}: {done.stderr}{done.stdout}")
    return Cost(float(wall), float(cpu), int(rss))


def add(*costs):
    return Cost(sum(cost.wall for cost in costs), sum(cost.cpu for cost in costs), max(cost.rss for cost in costs))


def quiet(argv, env, **options):
    """A command that is not measured."""
    done = subprocess.run([str(word) for word in argv], env=env, stdin=subprocess.DEVNULL, text=True, capture_output=True, check=False, **options)
    if done.returncode != 0:
        raise SystemExit(f"{argv}: {done.stderr}")
    return done.stdout


def medians(costs):
    """Of each list but the first run, which warms up."""
    return {name: {"wall": statistics.median(cost.wall for cost in runs[1:]), "cpu": statistics.median(cost.cpu for cost in runs[1:]),
                   "rss_kib": max(cost.rss for cost in runs)} for name, runs in costs.items()}


def table(title, rows, ours):
    """Prints medians; the last columns say how much of the others' OURS takes."""
    print(f"\n{title}\n{'':24} {'wall s':>8} {'cpu s':>8} {'peak MiB':>9} {'nook wall':>10} {'nook cpu':>9}")
    for name, row in rows.items():
        first = rows.get(ours)
        ratios = f"{first['wall'] / row['wall']:9.2f}x {first['cpu'] / max(row['cpu'], 1e-3):8.2f}x" if first else ""
        print(f"{name:24} {row['wall']:8.3f} {row['cpu']:8.3f} {row['rss_kib'] / 1024:9.1f} {ratios}")


# ---- daemons ---------------------------------------------------------------------------------------------------------

def children():
    """Pids by the pid of their parent."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            found.setdefault(int(path.read_text().rpartition(")")[2].split()[1]), []).append(int(path.parent.name))
    return found


class Daemon:
    """A daemon and what it started: processor time, those that have ended among it, and the peak of the largest."""

    def __init__(self, argv, log, env, ready):
        self.out = open(log, "ab")  # noqa: SIM115 (closed with the daemon)
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *map(str, argv)], env=env, stdin=subprocess.DEVNULL,
                                        stdout=self.out, stderr=self.out)
        deadline = time.monotonic() + 60
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{argv[0]} does not start:\n{pathlib.Path(log).read_text()[-2000:]}")
            select.select([], [], [], 0.05)

    def pids(self):
        tree, found = children(), []
        todo = [self.process.pid]
        while todo:
            found.append(todo.pop())
            todo += tree.get(found[-1], [])
        return found

    def cpu(self):
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                total += sum(map(int, pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]))
        return total / TICKS

    def peak(self, reset=False):
        most = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                if reset:
                    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")
                line = next(line for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
                most = max(most, int(line.split()[1]))
        return most

    def measure(self, argv, env):
        """A command that has the daemon do the work."""
        self.peak(reset=True)
        before = self.cpu()
        cost = measure(argv, env)
        return Cost(cost.wall, cost.cpu + self.cpu() - before, max(cost.rss, self.peak()))

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.out.close()


def dockerd(place, env):
    """A dockerd with everything of its own below PLACE, and its client's first words."""
    place.mkdir()
    client = ["docker", "-H", f"unix://{place}/sock"]
    settings = {"data-root": f"{place}/root", "exec-root": f"{place}/exec", "pidfile": f"{place}/pid", "hosts": [f"unix://{place}/sock"],
                "bridge": "none", "iptables": False, "ip-forward": False, "storage-driver": "overlay2",
                "exec-opts": ["native.cgroupdriver=cgroupfs"]}
    (place / "daemon.json").write_text(json.dumps(settings))
    path = {**env, "PATH": f"/usr/sbin:/usr/bin:/sbin:/bin:{env['PATH']}"}
    return Daemon(["dockerd", "--config-file", place / "daemon.json"], place / "log", path, lambda: (place / "sock").exists() and
                  subprocess.run([*client, "version"], env=env, capture_output=True, check=False).returncode == 0), client


def containerd(place, env):
    place.mkdir()
    (place / "config.toml").write_text(f'version = 2\nroot = "{place}/root"\nstate = "{place}/state"\n'
                                       f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{place}/sock"\n')
    client = ["ctr", "--address", f"{place}/sock"]
    return Daemon(["containerd", "--config", place / "config.toml"], place / "log", env, lambda: (place / "sock").exists() and
                  subprocess.run([*client, "version"], env=env, capture_output=True, check=False).returncode == 0), client


def podman(place):
    """The first words of a podman with stores of its own."""
    return ["podman", "--root", place / "podman", "--runroot", place / "podman-run", "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs"]


def clear(stores):
    for store in stores:
        # podman leaves a mount of its own
        subprocess.run(["umount", "-q", store / "overlay"], check=False, capture_output=True)
        shutil.rmtree(store, ignore_errors=True)


def missing(needs):
    return [need for need in needs if not shutil.which(need, path="/usr/sbin:" + os.environ["PATH"])]
