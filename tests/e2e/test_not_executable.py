# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands that cannot be executed: the message says what is wrong with the file, not only what execve(2) answers."""

import platform

import pytest

AARCH64, X86_64 = 183, 62


@pytest.fixture
def programs(own_root):
    """A root with programs that cannot run: name to bytes."""
    busybox = bytearray((own_root / "bin/busybox").read_bytes())
    busybox[18:20] = (X86_64 if platform.machine() == "aarch64" else AARCH64).to_bytes(2, "little")
    loaderless = open("/usr/bin/env", "rb").read()
    files = {"foreign": busybox, "script": b"#!/opt/none -x\n", "text": b"hello\n", "loaderless": loaderless, "empty": b""}
    for name, data in files.items():
        (own_root / "bin" / name).write_bytes(data)
        (own_root / "bin" / name).chmod(0o755)
    return own_root


@pytest.mark.parametrize("prefix", ["", "/bin/"])
@pytest.mark.parametrize("name, code, words", [
    ("foreign", 126, f"this machine is {platform.machine()}: Exec format error"),
    ("script", 127, 'needs the interpreter "/opt/none", which is not there'),
    ("text", 126, "is neither a program nor a script that starts with #!"),
    ("empty", 126, "is neither a program nor a script that starts with #!"),
    ("loaderless", 127, 'needs the loader "'),
    ("missing", 127, "No such file or directory"),
])
def test_the_reason_is_read_from_the_file(nook, programs, prefix, name, code, words):
    err = nook.fails(code, "run", "--rm", f"dir:{programs}", prefix + name)
    assert err.startswith(f'nook: exec "{prefix}{name}": ') and words in err
