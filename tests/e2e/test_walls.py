# SPDX-License-Identifier: LGPL-2.1-or-later
"""What speaks to registries has shut itself in: what a process that was taken over could still do, tried from inside."""

import ctypes
import errno
import pathlib
import re
import shutil
import subprocess

import pytest

import conftest
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
