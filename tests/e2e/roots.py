# SPDX-License-Identifier: LGPL-2.1-or-later
"""Root directories to run containers from."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess

import leaks

DIRECTORIES = ("bin", "dev", "etc", "home", "proc", "root", "run", "sys", "tmp", "usr/bin", "var/tmp")
PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n"
GROUP = "root:x:0:\nusers:x:100:user\nnogroup:x:65534:\nuser:x:1000:\n"

DEBIAN_PACKAGES = (
    "gcc", "libc6-dev", "make", "python3", "sqlite3", "redis-server", "vim-tiny", "curl", "iproute2", "procps", "strace",
)


def make_busybox(root):
    """Fills ROOT with a static busybox and a link for each of its commands; returns ROOT."""
    for name in DIRECTORIES:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy2("/bin/busybox", root / "bin/busybox")
    names = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        if name != "busybox":
            (root / "bin" / name).symlink_to("busybox")
    (root / "etc/passwd").write_text(PASSWD)
    (root / "etc/group").write_text(GROUP)
    root.chmod(0o755)
    return root


def cache():
    top = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    path = pathlib.Path(top) / "nook-test"
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def locked(path):
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def apt_mirror(codename):
    """The mirror that apt uses for this release."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages"],
        capture_output=True, text=True, check=False)
    for line in targets.stdout.splitlines():
        words = line.split()
        if words[1:] == [codename, "main"]:
            return words[0]
    return "http://deb.debian.org/debian"


def host_codename():
    for line in pathlib.Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    raise RuntimeError("/etc/os-release names no VERSION_CODENAME")


def debian():
    """The cached Debian root; made by the first that asks, which takes a minute or two."""
    codename = host_codename()
    root = cache() / f"{codename}-{'-'.join(DEBIAN_PACKAGES)}"
    with locked(cache() / "lock"):
        if root.exists():
            return root
        half = cache() / "half-made"
        shutil.rmtree(half, ignore_errors=True)
        subprocess.run(
            leaks.on_machine_network("debootstrap", "--variant=minbase", f"--include={','.join(DEBIAN_PACKAGES)}", codename,
                                     half, apt_mirror(codename)),
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        shutil.rmtree(half / "var/cache/apt")
        half.rename(root)
    return root


@contextlib.contextmanager
def tmpfs(path, size):
    """A memory file system of this size at PATH."""
    path.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes=0", "tmpfs", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)
