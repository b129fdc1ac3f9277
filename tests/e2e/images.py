# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images made by hand: OCI layouts and docker archives with any layers, right ones and wrong ones."""

import gzip
import hashlib
import io
import json
import os
import pathlib
import stat
import subprocess
import tarfile

import hostile_tars as tars

ROOT = os.geteuid() == 0
OCI = "application/vnd.oci.image."
LAYER_TYPES = {"": "layer.v1.tar", "gzip": "layer.v1.tar+gzip", "zstd": "layer.v1.tar+zstd"}


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def compress(data, how):
    if how == "gzip":
        return gzip.compress(data, 1, mtime=0)
    if how == "zstd":
        return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def to_json(value):
    return json.dumps(value).encode()


class Layout:
    """An OCI layout in a directory."""

    def __init__(self, path, algorithm="sha256"):
        self.path = pathlib.Path(path)
        self.algorithm = algorithm
        self.manifests = []
        (self.path / "blobs" / algorithm).mkdir(parents=True)
        (self.path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self.write_index()

    def write_index(self):
        (self.path / "index.json").write_bytes(to_json(
            {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": self.manifests}))

    def blob(self, data):
        digest = self.digest(data)
        (self.path / "blobs" / self.algorithm / digest.partition(":")[2]).write_bytes(data)
        return digest

    def digest(self, data):
        return f"{self.algorithm}:{hashlib.new(self.algorithm, data).hexdigest()}"

    def descriptor(self, data, kind, **more):
        return {"mediaType": kind, "digest": self.blob(data), "size": len(data), **more}

    def image(self, tag, layers, config=None, compression="gzip", **more):
        """Adds an image; LAYERS are tar archives.  CONFIG is the part about the process.  Returns its manifest's digest."""
        packed = [compress(layer, compression) for layer in layers]
        document = {"architecture": "amd64", "os": "linux", "config": config or {},
                    "rootfs": {"type": "layers", "diff_ids": [self.digest(layer) for layer in layers]}, **more}
        manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                    "config": self.descriptor(to_json(document), OCI + "config.v1+json"),
                    "layers": [self.descriptor(layer, OCI + LAYER_TYPES[compression]) for layer in packed]}
        return self.manifest(tag, manifest)

    def manifest(self, tag, manifest, **more):
        entry = self.descriptor(to_json(manifest), manifest.get("mediaType", OCI + "manifest.v1+json"), **more)
        if tag:
            entry["annotations"] = {"org.opencontainers.image.ref.name": tag}
        self.manifests.append(entry)
        self.write_index()
        return entry["digest"]

    def source(self, tag):
        return f"oci:{self.path}:{tag}"


def busybox_layer():
    """A root with a static busybox and a few of its names."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("", "bin", "etc", "proc", "sys", "dev", "tmp", "run", "root", "home"):
            info = tarfile.TarInfo("./" + name)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(info)
        tar.add("/bin/busybox", arcname="./bin/busybox")
        for name in "sh", "ls", "cat", "id", "pwd", "echo", "true", "env", "stat", "test", "touch", "rm", "sleep", "mkdir", "readlink":
            info = tarfile.TarInfo("./bin/" + name)
            info.type, info.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(info)
        for name, text in (("passwd", "root:x:0:0::/root:/bin/sh\nuser:x:1000:100::/home:/bin/sh\n"),
                           ("group", "root:x:0:\nusers:x:100:\nextra:x:200:\n")):
            info = tarfile.TarInfo("./etc/" + name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def store_of(nook):
    """What is in the store: layers, blobs, what is not finished."""
    top = nook.root / "images"
    return {name: sorted(os.listdir(top / name)) if (top / name).is_dir() else []
            for name in ("layers", "blobs/sha256", "ingest")}


def oddities():
    """A layer with all that a tree may hold."""
    long = "/".join(["long-" + "n" * 95] * 12)
    parts = long.split("/")
    entries = [
        tars.directory(".", 0o751, mtime=1000), tars.directory("d", 0o1777, mtime=2000, uid=1, gid=2), tars.file("d/f", b"1", mtime=3000.5),
        tars.hardlink("d/link", "d/f"), tars.symlink("soft", "../../d/f", mtime=4000), tars.symlink("dangling", "/nowhere"),
        tars.hardlink("soft2", "soft"), tars.fifo("pipe", mode=0o600), tars.file("suid", b"s", mode=0o6755, uid=5, gid=6),
        *[tars.directory("/".join(parts[:n]), mtime=n) for n in range(1, len(parts))], tars.file(long, b"long"), tars.file("new\nline", b""), tars.file("latin-\udce9", b""), tars.file("empty", b""),
        tars.file("closed", b"x", mode=0), tars.directory("closed-dir", 0o000, mtime=5000), tars.file("closed-dir/in", b""),
        tars.file("negative", b"", mtime=-100.25), tars.file("far", b"", mtime=13569465600), tars.file("bigid", b"", uid=100000, gid=4000000),
        tars.file("attrs", b"", pax_headers={"SCHILY.xattr.user.binary": "a\0b"}),
        tars.file("attrs-empty", b"", pax_headers={"SCHILY.xattr.user.empty": ""}), tars.file("big", b"0123456789" * 100000),
    ]
    if ROOT:
        entries += [tars.device("null", 1, 3), tars.device("blk", 7, 0, tarfile.BLKTYPE),
                    tars.file("caps", b"", pax_headers={"SCHILY.xattr.security.capability": tars.CAPABILITY.decode("latin-1")})]
    return tars.archive(*entries)


def look(top):
    """The tree: type, mode, owner, time, links, content, attributes of each name."""
    seen = {}
    inodes = {}
    for path in sorted(top.rglob("*")) + [top]:
        st = path.lstat()
        name = os.fsencode(str(path.relative_to(top)))
        text = path.read_bytes() if stat.S_ISREG(st.st_mode) and (ROOT or os.access(path, os.R_OK)) else None
        link = os.readlink(path) if path.is_symlink() else None
        attrs = {key: os.getxattr(path, key, follow_symlinks=False) for key in os.listxattr(path, follow_symlinks=False)
                 if not key.startswith(("trusted.overlay", "user.overlay", "user.rootless"))}
        first = inodes.setdefault(st.st_ino, name) if not stat.S_ISDIR(st.st_mode) else None
        seen[name] = (st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, st.st_rdev, st.st_nlink if first else 0, first, text, link, attrs)
    return seen
