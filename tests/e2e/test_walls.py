# SPDX-License-Identifier: LGPL-2.1-or-later
"""What speaks to registries, or reads an archive, has shut itself in: what a process that was taken over could still do, tried from inside."""

import ctypes
import errno
import json
import lzma
import pathlib
import re
import shutil
import subprocess

import pytest

import conftest
import hostile_tars as tars
import images
import registries
from depots import pull, serve  # noqa: F401 (pull is a fixture)
from registries import Tokens, memory

pytestmark = [pytest.mark.anywhere, pytest.mark.plain]

SYS_LANDLOCK_CREATE_RULESET = 444
LANDLOCK = ctypes.CDLL(None, use_errno=True).syscall(SYS_LANDLOCK_CREATE_RULESET, None, 0, 1) >= 2
CAP_DAC_OVERRIDE, CAP_FOWNER = 1, 3
# Where hosts are asked of a daemon, sockets to daemons are left.
DAEMONS = any(word not in ("files", "dns", "myhostname") for line in pathlib.Path("/etc/nsswitch.conf").read_text().splitlines()
              if line.startswith("hosts:") for word in line.split()[1:])


@pytest.fixture
def probed(pull, space):
    """Runs a command with the probe in it: what it tried, its status lines, and how the command ended."""
    library = space / "probe.so"
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", conftest.SOURCE / "tests/programs/walls_probe.c", "-o", library],
                   check=True)
    (space / "secret").write_text("secret")
    pull.nook.environment.update(LD_PRELOAD=str(library), NOOK_PROBE=str(space), NOOK_PROBE_ROOT=str(pull.nook.root))

    def run(*args, **kwargs):
        result = pull.nook.result(*args, **kwargs)
        tried = {name: int(number) for name, number in re.findall(r"^probe (\S+) (\d+)$", result.err, re.M)}
        status = dict(re.findall(r"^status (\w+):\t(\w+)$", result.err, re.M))
        assert tried and status, str(result)
        return tried, status, result
    return run


def assert_shut_in(tried, status, in_store):
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert int(status["CapPrm"], 16) & ~(1 << CAP_DAC_OVERRIDE | 1 << CAP_FOWNER) == 0
    for name in ("fork", "exec", "mount", "tree", "unshare", "ptrace", "kill", "sigqueue", "owner-of-a-file", "owner-of-a-file-wide",
                 "signal-of-a-file", "limit-of-others", "nice-of-others", "type-ahead", "type-ahead-wide", "mode-elsewhere",
                 "mode-elsewhere-at", "mode-set-id", "mode-writable", "list-elsewhere", "length-elsewhere", "chown"):
        assert tried[name] == errno.EPERM, name
    assert tried["limit-of-its-own"] == 0
    assert tried["socket-alg"] == errno.EAFNOSUPPORT and tried["socket-inet"] == 0
    assert tried["socket-unix"] == (0 if DAEMONS else errno.EAFNOSUPPORT)
    assert tried["read-hosts"] == 0
    if LANDLOCK:
        for name in ("read-elsewhere", "write-elsewhere", "make-elsewhere", "read-shadow", "write-hosts", "environment-of-others"):
            assert tried[name] == errno.EACCES, name
    if in_store:
        assert [tried[name] for name in ("make-in-store", "mode-to-remove", "mode-of-a-database")] == [0, 0, 0]


def test_a_pull(probed, pull):
    with serve(memory()) as server:
        tried, status, result = probed("pull", f"{server.host}/team/app:1")
    assert result.code == 0 and pull.names() == [f"{server.host}/team/app:1"], str(result)
    assert_shut_in(tried, status, in_store=True)


def test_what_only_asks(probed, space):
    registry = memory()

    def answer(request):
        if "_catalog" in request.path:
            return registries.Reply.json({"repositories": ["team/app"]})
        return registries.Reply(404) if "v1" in request.path else registry(request)

    with serve(answer) as server:
        for line in (["manifest", "inspect", f"{server.host}/team/app:1"], ["search", f"{server.host}/app"]):
            tried, status, result = probed(*line)
            assert result.code == 0, str(result)
            assert_shut_in(tried, status, in_store=False)


def test_a_login(probed, pull, space):
    tokens = Tokens(memory(), users={"alice": "secret"})
    with serve(tokens) as server:
        auth = space / "auth" / "auth.json"
        tried, status, result = probed("login", "--authfile", auth, "-u", "alice", "--password-stdin", server.host, input="secret")
        assert (result.code, result.out) == (0, "Login Succeeded\n"), str(result)
        assert_shut_in(tried, status, in_store=False)
        tried, _, result = probed("pull", "--authfile", auth, f"{server.host}/team/app:1")
        assert result.code == 0, str(result)
    tokens.close()


def test_certificates_may_be_links(pull, space):
    """As a package manager or a vault keeps them: certs.d only points to them."""
    tls = registries.certificate(space)
    (space / "vault").mkdir()
    shutil.move(tls[0], space / "vault/ca.pem")
    with serve(memory(), tls=(space / "vault/ca.pem", tls[1])) as server:
        certs = space / ".config/containers/certs.d" / server.host
        certs.mkdir(parents=True)
        (certs / "ca.crt").symlink_to(space / "vault/ca.pem")
        pull(f"{server.host}/team/app:1")


def status_of(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())


def test_a_load(nook, space):
    """What reads an archive of a stranger's: looked at while it waits for the rest of it."""
    layout = images.Layout(space / "oci")
    layout.image("t", [tars.archive(tars.file("x", b"x" * 300000))], {"Cmd": ["true"]})
    archive = space / "archive.tar"
    subprocess.run(["tar", "-C", layout.path, "-cf", archive, "."], check=True)
    data = archive.read_bytes() + bytes(1 << 20)
    with nook.start("load", "--name", "t:1", stdin=subprocess.PIPE, text=False) as process:
        # More than a pipe holds: it has begun to read.
        process.stdin.write(data[:400000])
        process.stdin.flush()
        status = status_of(process.pid)
        out, err = process.communicate(data[400000:], timeout=60)
    assert process.returncode == 0, err
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2") and status["Name"] == "nook-transfer"
    assert int(status["CapPrm"], 16) & ~(1 << CAP_DAC_OVERRIDE | 1 << CAP_FOWNER) == 0
    assert b"t:1" in out


@pytest.mark.skipif(not LANDLOCK, reason="the kernel keeps nobody from files")
def test_a_layout_whose_files_lead_out_of_it(nook, space):
    """A link in a directory that is loaded reaches nothing beside it."""
    layout = images.Layout(space / "oci")
    layout.image("t", [tars.archive(tars.file("x", b"x"))], {"Cmd": ["true"]})
    manifest = layout.path / "blobs/sha256" / layout.manifests[0]["digest"][7:]
    inside, outside = layout.path / "kept", space / "outside"
    shutil.move(manifest, outside)
    manifest.symlink_to(outside)
    assert "Permission denied" in nook.fails(125, "load", layout.source("t"))
    manifest.unlink()
    shutil.move(outside, inside)
    manifest.symlink_to("../../kept")
    nook("load", "--name", "t:1", layout.source("t"))
    nook("load", "--name", "t:2", f"oci:{layout.path}")


@pytest.mark.skipif(not shutil.which("strace"), reason="strace sees what it gives up")
@pytest.mark.parametrize("packed", ["", "gzip", "zstd", "xz"])
def test_an_import(nook, space, packed):
    """The process itself, not those that it starts."""
    data = tars.archive(tars.file("x", b"x" * 5000))
    (space / "root.tar").write_bytes(lzma.compress(data) if packed == "xz" else images.compress(data, packed))
    log = space / "calls"
    subprocess.run(["strace", "-qq", "-o", log, "-e", "trace=prctl,seccomp,landlock_restrict_self", *nook.argv("import", space / "root.tar", "t:1")],
                   env=nook.environment, stdout=subprocess.DEVNULL, check=True, timeout=60)
    calls = log.read_text()
    assert re.search(r"seccomp\(SECCOMP_SET_MODE_FILTER.* = 0", calls) and re.search(r"prctl\(PR_SET_NO_NEW_PRIVS, 1.* = 0", calls)
    assert not LANDLOCK or re.search(r"landlock_restrict_self\(.* = 0", calls)
    assert [image["repository"] for image in json.loads(nook("images", "--format", "json"))] == ["t"]
