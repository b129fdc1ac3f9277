# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tar archives as an attacker makes them: tarfile for what it can write, headers by hand for what it refuses to."""

import io
import tarfile

BLOCK = 512
# CAP_NET_BIND_SERVICE, permitted and effective, in the second format of security.capability.
CAPABILITY = b"\x01\x00\x00\x02\x00\x04\x00\x00" + bytes(12)


def entry(name, data=None, **members):
    """A tarfile.TarInfo and its data; a file unless type= says otherwise."""
    info = tarfile.TarInfo(name)
    info.mode = 0o644
    for key, value in members.items():
        setattr(info, key, value)
    if data is not None:
        info.size = len(data)
    return info, data


def file(name, data=b"data", **members):
    return entry(name, data, **members)


def directory(name, mode=0o755, **members):
    return entry(name, type=tarfile.DIRTYPE, mode=mode, **members)


def symlink(name, text, **members):
    return entry(name, type=tarfile.SYMTYPE, linkname=text, **members)


def hardlink(name, target, **members):
    return entry(name, type=tarfile.LNKTYPE, linkname=target, **members)


def device(name, major, minor, kind=tarfile.CHRTYPE, **members):
    return entry(name, type=kind, devmajor=major, devminor=minor, **members)


def fifo(name, **members):
    return entry(name, type=tarfile.FIFOTYPE, **members)


def archive(*entries, form=tarfile.PAX_FORMAT, compression=""):
    """The bytes of an archive that holds these entries."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{compression}", format=form, errors="surrogateescape") as tar:
        for info, data in entries:
            tar.addfile(info, None if data is None else io.BytesIO(data))
    return out.getvalue()


def field(number, width):
    """A number as GNU tar writes it when octal digits do not suffice: base 256, negative ones as two's complement."""
    if 0 <= number < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, number)
    raw = bytearray(number.to_bytes(width, "big", signed=True))
    raw[0] |= 0x80
    return bytes(raw)


def header(name, size=0, mode=0o644, uid=0, gid=0, mtime=0, kind=b"0", link="", major=0, minor=0):
    """One ustar header, with values that tarfile would not write."""
    raw = bytearray(BLOCK)
    parts = (
        (0, name.encode("utf-8", "surrogateescape")[:100]), (100, field(mode, 8)), (108, field(uid, 8)),
        (116, field(gid, 8)), (124, field(size, 12)), (136, field(mtime, 12)), (148, b" " * 8), (156, kind),
        (157, link.encode()[:100]), (257, b"ustar\00000"), (329, field(major, 8)), (337, field(minor, 8)),
    )
    for at, value in parts:
        raw[at:at + len(value)] = value
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


def pad(data):
    return data + bytes(-len(data) % BLOCK)


END = bytes(2 * BLOCK)
