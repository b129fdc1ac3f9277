# SPDX-License-Identifier: LGPL-2.1-or-later
"""Layers as an attacker makes them: each with what has to come of it.

REFUSED: nothing of the image becomes visible, and the message holds the words.
HARMLESS: the image is taken; the last member says what its layer must then look like.
"""

import gzip
import hashlib
import io
import os
import struct
import subprocess
import tarfile

import hostile_tars as tars


class Case:
    def __init__(self, name, layer, refused=None, check=None, root_only=False):
        self.name, self.layer, self.refused, self.check, self.root_only = name, layer, refused, check, root_only

    def __repr__(self):
        return self.name


def files(*entries):
    return lambda outside: tars.archive(*[entry(outside) if callable(entry) else entry for entry in entries])


def raw(*parts):
    return lambda outside: b"".join(parts) + tars.END


def to(kind, name, text="{outside}"):
    return lambda outside: kind(name, text.format(outside=outside))


def has(name, text=None):
    def check(layer):
        path = os.path.join(layer, name)
        return os.path.lexists(path) and (text is None or open(path, "rb").read() == text)
    return check


def hasnt(name):
    return lambda layer: not os.path.lexists(os.path.join(layer, name))


def is_kind(name, test):
    return lambda layer: test(os.lstat(os.path.join(layer, name)))


def no_attributes(name):
    return lambda layer: not [key for key in os.listxattr(os.path.join(layer, name)) if "overlay" in key]


def opaque(name):
    return lambda layer: any("overlay.opaque" in key for key in os.listxattr(os.path.join(layer, name)))


def xattr(name, key, value="y"):
    return tars.file(name, b"", pax_headers={f"SCHILY.xattr.{key}": value})


def dir_xattr(name, key, value="y"):
    return tars.directory(name, pax_headers={f"SCHILY.xattr.{key}": value})


def whiteout(name):
    return tars.file(name, b"")


def gnu_long(kind, text):
    data = text.encode() + b"\0"
    return tars.header("././@LongLink", len(data), kind=kind) + tars.pad(data)


def pax(records):
    return tars.header("PaxHeader", len(records), kind=b"x") + tars.pad(records)


def bomb(size):
    """Zeros as gzip: a thousand times smaller."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9, mtime=0) as packed:
        packed.write(tars.header("bomb", size))
        block = bytes(1 << 20)
        for _ in range(size >> 20):
            packed.write(block)
        packed.write(tars.END)
    return out.getvalue()


def wide_window():
    """Asks for a window of 2 GiB."""
    frame = bytearray(b"\x28\xb5\x2f\xfd")
    frame += bytes([0x00, 0xa8])  # no content size, windowLog 31
    block = b"x" * 8
    frame += struct.pack("<I", len(block) << 3 | 1)[:3] + block
    return bytes(frame)


def with_dictionary():
    return b"\x28\xb5\x2f\xfd" + bytes([0x21, 0x77, 0x04]) + struct.pack("<I", 4 << 3 | 1)[:3] + b"abcd"


def empty_files(count):
    """Empty files by the million, a few at a time."""
    head = bytearray(tars.header("f/0000000"))
    rest = sum(head) - sum(head[:9]) - sum(head[148:156]) + 8 * ord(" ")
    for first in range(0, count, 1000):
        block = bytearray()
        for i in range(first, min(first + 1000, count)):
            name = b"f/%07d" % i
            head[:9], head[148:156] = name, b"%06o\0 " % (rest + sum(name))
            block += head
        yield bytes(block)
    yield tars.END


def million(count):
    """They fit in one small gzip: (blob, DiffID)."""
    out, plain = io.BytesIO(), hashlib.sha256()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1, mtime=0) as packed:
        for block in empty_files(count):
            plain.update(block)
            packed.write(block)
    return out.getvalue(), "sha256:" + plain.hexdigest()


def plain(function):
    return lambda outside: function()


GOOD = tars.archive(tars.file("ok", b"fine"))

CASES = [
    # ---- names that lead out
    Case("dotdot", files(tars.file("../evil")), '..'),
    Case("dotdot-inside", files(tars.file("a/../../evil")), '..'),
    Case("dotdot-directory", files(tars.directory("a/..")), '..'),
    Case("dotdot-alone", files(tars.directory("..")), '..'),
    Case("dotdot-behind-dots", files(tars.file("./a/./../x")), '..'),
    Case("dotdot-in-gnu-name", raw(gnu_long(b"L", "a/../../../evil"), tars.header("x", 1), tars.pad(b"x")), '..'),
    Case("dotdot-in-pax-name", raw(pax(b"17 path=../evil\n"[:16].replace(b"17", b"16")), tars.header("x", 1), tars.pad(b"x")), '..'),
    Case("dotdot-in-ustar-prefix", raw(tars.header("../evil", 1), tars.pad(b"x")), '..'),
    Case("absolute", files(tars.file("/absolute", b"x")), check=has("absolute", b"x")),
    Case("double-slash", files(tars.file("//double", b"x")), check=has("double", b"x")),
    Case("absolute-to-the-outside", lambda outside: tars.archive(tars.file(f"{outside}/evil", b"x"))),
    Case("newline-in-name", files(tars.file("a\nb", b"x")), check=has("a\nb", b"x")),
    Case("escape-in-name", files(tars.file("a\x1b[2Jb"), tars.file("../x")), '..'),
    Case("long-component", files(tars.file("n" * 256)), "255 bytes"),
    Case("long-name", files(tars.file("/".join(["n" * 250] * 17))), "4095 bytes"),
    Case("deep", files(tars.file("/".join(["d"] * 2000))), "too deep"),
    Case("very-deep", files(tars.directory("/".join(["d"] * 100000))), "d"),
    # ---- symbolic links
    Case("write-through-link", files(to(tars.symlink, "l"), tars.file("l/evil")), "l/evil"),
    Case("write-through-relative-link", files(tars.symlink("l", "../../../../../../tmp"), tars.file("l/evil")), "l/evil"),
    Case("write-through-two-links", files(to(tars.symlink, "a"), tars.symlink("b", "a"), tars.file("b/evil")), "b/evil"),
    Case("replace-directory-by-link", files(tars.directory("d"), to(tars.symlink, "d"), tars.file("d/evil")), "d/evil"),
    Case("link-over-file", files(tars.file("f"), to(tars.symlink, "f"), tars.file("f", b"own")), check=has("f", b"own")),
    Case("link-over-root", files(to(tars.symlink, ".")), "root"),
    Case("link-without-text", raw(tars.header("l", kind=b"2")), "l"),
    Case("link-to-itself", files(tars.symlink("l", "l"), tars.file("l/x")), "l/x"),
    Case("mkdir-through-link", files(to(tars.symlink, "l"), tars.directory("l/evil")), "l/evil"),
    Case("mode-through-link", files(to(tars.symlink, "l", "{outside}/secret"), tars.directory("l", 0o777)),
         check=is_kind("l", lambda st: (st.st_mode & 0o170000) == 0o040000)),
    Case("link-swapped-through-itself", files(tars.symlink("a", "."), tars.file("a/one"), to(tars.symlink, "a/a"), tars.file("a/evil")), "a/evil"),
    # ---- hard links
    Case("hardlink-dotdot", files(tars.hardlink("h", "../../etc/passwd")), '..'),
    Case("hardlink-absolute", files(tars.hardlink("h", "/etc/passwd")), '"h"'),
    Case("hardlink-outside", files(to(tars.hardlink, "h", "{outside}/secret")), '"h"'),
    Case("hardlink-through-link", files(to(tars.symlink, "l"), tars.hardlink("h", "l/secret")), '"h"'),
    Case("hardlink-to-link", files(to(tars.symlink, "l", "{outside}/secret"), tars.hardlink("h", "l"), tars.file("h", b"own")), check=has("h", b"own")),
    Case("hardlink-to-directory", files(tars.directory("d"), tars.hardlink("h", "d")), "directory"),
    Case("hardlink-to-root", files(tars.hardlink("h", ".")), "root"),
    Case("hardlink-to-later", files(tars.hardlink("h", "later"), tars.file("later")), '"h"'),
    Case("hardlink-to-itself", files(tars.file("f", b"x"), tars.hardlink("f", "f")), check=has("f", b"x")),
    Case("hardlink-to-whiteout", files(whiteout(".wh.gone"), tars.hardlink("h", "gone")), check=None),
    # ---- whiteouts
    Case("whiteout-of-dot", files(whiteout("a/.wh..")), "whiteout of no name"),
    Case("whiteout-of-dotdot", files(whiteout("a/.wh...")), "whiteout of no name"),
    Case("whiteout-of-nothing", files(whiteout("a/.wh.")), "whiteout of no name"),
    Case("whiteout-with-dotdot", files(whiteout("../.wh.x")), '..'),
    Case("whiteout-through-link", files(to(tars.symlink, "l"), whiteout("l/.wh.secret")), "l/.wh.secret"),
    Case("whiteout-of-own-file", files(tars.file("f", b"stays"), whiteout(".wh.f")), check=has("f", b"stays")),
    Case("whiteout-before-own-file", files(whiteout(".wh.f"), tars.file("f", b"stays")), check=has("f", b"stays")),
    Case("whiteout-as-directory", files(tars.directory(".wh.x")), check=hasnt(".wh.x")),
    Case("whiteout-as-link", files(to(tars.symlink, ".wh.x")), check=hasnt(".wh.x")),
    Case("whiteout-with-long-name", files(whiteout(".wh." + "x" * 251)), check=None),
    Case("aufs-books", files(tars.directory(".wh..wh.plnk"), whiteout(".wh..wh.aufs")), check=hasnt(".wh..wh.plnk")),
    Case("opaque-first", files(tars.directory("d"), whiteout("d/.wh..wh..opq"), tars.file("d/f", b"own")), check=opaque("d")),
    Case("opaque-last", files(tars.directory("d"), tars.file("d/f", b"own"), whiteout("d/.wh..wh..opq")), check=has("d/f", b"own")),
    Case("opaque-nowhere", files(whiteout("new/.wh..wh..opq")), check=opaque("new")),
    Case("opaque-through-link", files(to(tars.symlink, "l"), whiteout("l/.wh..wh..opq")), "l/.wh..wh..opq"),
    # ---- what overlayfs would believe
    Case("trusted-opaque", files(dir_xattr("d", "trusted.overlay.opaque")), check=no_attributes("d")),
    Case("user-opaque", files(dir_xattr("d", "user.overlay.opaque")), check=no_attributes("d")),
    Case("redirect", files(dir_xattr("d", "trusted.overlay.redirect", "/etc")), check=no_attributes("d")),
    Case("metacopy", files(xattr("f", "trusted.overlay.metacopy", "")), check=no_attributes("f")),
    Case("user-redirect", files(dir_xattr("d", "user.overlay.redirect", "/etc")), check=no_attributes("d")),
    Case("device-zero", files(tars.device("zero", 0, 0)), check=hasnt("zero")),
    # ---- other attributes, devices, ids
    Case("acl-for-the-host", files(xattr("f", "system.posix_acl_access", "nonsense")), check=has("f")),
    Case("security-label", files(xattr("f", "security.selinux", "evil")), check=lambda layer: "security.selinux" not in os.listxattr(f"{layer}/f")),
    Case("trusted-attribute", files(xattr("f", "trusted.evil", "x")), check=lambda layer: os.listxattr(f"{layer}/f") == []),
    Case("disk-device", files(tars.device("sda", 8, 0, tarfile.BLKTYPE)), check=None),
    Case("device-out-of-range", raw(tars.header("dev", kind=b"3", major=2 ** 40, minor=1)), "device number", root_only=True),
    Case("owner-out-of-range", raw(tars.header("f", uid=2 ** 40)), "owner", root_only=True),
    Case("negative-owner", raw(tars.header("f", uid=-1)), "owner", root_only=True),
    Case("setuid", files(tars.file("su", b"x", mode=0o4755)), check=is_kind("su", lambda st: st.st_mode & 0o7777 == 0o4755)),
    # ---- the same name twice
    Case("directory-then-file", files(tars.directory("n"), tars.file("n/in"), tars.file("n", b"last")), check=has("n", b"last")),
    Case("file-then-children", files(tars.file("n"), tars.file("n/in")), "n/in"),
    Case("root-as-file", raw(tars.header(".", kind=b"0")), "root"),
    # ---- archives that lie
    Case("not-a-tar", plain(lambda: b"this is no archive" * 100), "archive"),
    Case("cut-in-header", plain(lambda: GOOD[:300]), ""),
    Case("cut-in-data", plain(lambda: tars.header("f", 10000) + b"x" * 100), ""),
    Case("wrong-checksum", plain(lambda: b"X" + GOOD[1:]), ""),
    Case("huge-size", raw(tars.header("f", 2 ** 62)), ""),
    Case("negative-size", raw(tars.header("f", -1)), ""),
    Case("empty", plain(lambda: b""), check=lambda layer: os.listdir(layer) == []),
    Case("only-zeros", plain(lambda: tars.END), check=lambda layer: os.listdir(layer) == []),
    Case("cut-gzip", plain(lambda: gzip.compress(GOOD, mtime=0)[:-12]), "gzip data"),
    Case("damaged-gzip", plain(lambda: gzip.compress(GOOD, mtime=0)[:-8] + b"\0" * 8), "gzip data"),
    Case("garbage-behind-gzip", plain(lambda: gzip.compress(GOOD, mtime=0) + b"garbage"), "behind the end"),
    Case("zeros-behind-gzip", plain(lambda: gzip.compress(GOOD, mtime=0) + bytes(512)), check=has("ok", b"fine")),
    Case("two-gzip-members", plain(lambda: gzip.compress(GOOD[:700], mtime=0) + gzip.compress(GOOD[700:], mtime=0)), check=has("ok", b"fine")),
    Case("gzip-with-name", plain(lambda: b"\x1f\x8b\x08\x08" + bytes(6) + b"name\0" + gzip.compress(GOOD, mtime=0)[10:]), check=has("ok", b"fine")),
    Case("cut-zstd", plain(lambda: zstd(GOOD)[:-4]), "zstd data"),
    Case("zstd-frames", plain(lambda: zstd(GOOD[:700]) + b"\x50\x2a\x4d\x18\x04\0\0\0skip" + zstd(GOOD[700:])), check=has("ok", b"fine")),
    Case("wide-zstd-window", plain(wide_window), "zstd data"),
    Case("zstd-dictionary", plain(with_dictionary), "zstd data"),
]


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
