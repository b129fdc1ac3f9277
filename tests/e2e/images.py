# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images made by hand: OCI layouts and docker archives with any layers, right ones and wrong ones."""

import gzip
import hashlib
import io
import json
import os
import pathlib
import subprocess
import tarfile

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
