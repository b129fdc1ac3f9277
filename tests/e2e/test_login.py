# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook login: who asks a registry, and by what token."""

import json
import shutil
import signal
import stat

import pytest

import registries
from depots import assert_has, pull, serve  # noqa: F401 (pull is a fixture)
from registries import Image, Reply, Tokens, memory, noise

pytestmark = pytest.mark.anywhere


def test_anonymous_tokens(pull):
    tokens = Tokens(memory())
    with serve(tokens) as server:
        pull(f"{server.host}/team/app:1")
    tokens.close()
    method, form, authorization = tokens.asked[0]
    assert (method, authorization) == ("GET", None)
    assert form == {"service": ["here, and there"], "scope": ["repository:team/app:pull"]}


def test_a_token_that_expires_in_the_middle(pull):
    image = Image([{f"f{i}": noise(3000, i)} for i in range(8)])
    tokens = Tokens(memory(image), uses=2)
    with serve(tokens) as server:
        pull(f"{server.host}/team/app:1")
    tokens.close()
    assert len(tokens.asked) >= 4
    assert_has(pull, image)


def test_a_token_that_is_never_good_enough(pull):
    tokens = Tokens(memory(), uses=0)
    with serve(tokens) as server:
        assert "authentication required (HTTP 401)" in pull.fails(f"{server.host}/team/app:1")
        assert len(server.requests) < 8
    tokens.close()


def test_an_identity_token(pull, space):
    tokens = Tokens(memory(), refresh="refresh-me")
    with serve(tokens) as server:
        (space / ".docker").mkdir()
        (space / ".docker/config.json").write_text(json.dumps({"auths": {server.host: {"identitytoken": "refresh-me"}}}))
        pull(f"{server.host}/team/app:1")
    tokens.close()
    assert tokens.asked[0][0] == "POST" and tokens.asked[0][1]["scope"] == ["repository:team/app:pull"]


def test_wrong_credentials(pull):
    tokens = Tokens(memory(), users={"alice": "secret"})
    with serve(tokens) as server:
        assert "incorrect username or password" in pull.nook.fails(125, "login", "-u", "alice", "--password-stdin", server.host, input="no")
        assert "incorrect username or password" in pull.fails(f"{server.host}/team/app:1")
    tokens.close()


def test_tokens_are_not_fetched_from_http_elsewhere(pull):
    challenge = {"WWW-Authenticate": 'Bearer realm="http://192.0.2.1/token",service="x"'}
    with serve(lambda request: Reply(401, challenge)) as server:
        assert "plain http is not allowed there" in pull.fails(f"{server.host}/team/app:1")


def test_login_with_tls_and_basic(pull, space):
    tls = registries.certificate(space)
    with registries.Registry(space / "registry", tls=tls, users={"alice": "sec:ret"}) as registry:
        assert "certificate" in pull.nook.fails(125, "login", "-u", "alice", "--password-stdin", registry.host, input="sec:ret")
        certs = space / ".config/containers/certs.d" / registry.host
        certs.mkdir(parents=True)
        shutil.copy(tls[0], certs / "ca.crt")
        assert "HTTP 401" in pull.nook.fails(125, "login", "-u", "alice", "--password-stdin", registry.host, input="wrong")
        assert pull.nook("login", "-u", "alice", "--password-stdin", registry.host, input="sec:ret\n") == "Login Succeeded\n"
        kept = space / "runtime/containers/auth.json"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert pull.nook("login", "--get-login", registry.host) == "alice\n"
        assert "manifest unknown" in pull.fails(f"{registry.host}/team/app:1")
        pull.nook("logout", registry.host)
        assert registry.host not in json.loads(kept.read_text())["auths"]
        assert "wants a user name and password" in pull.fails(f"{registry.host}/team/app:1")
        assert "nobody is logged in" in pull.nook.fails(125, "logout", registry.host)


def test_login_asks_at_the_terminal(pull):
    pexpect = pytest.importorskip("pexpect")
    tokens = Tokens(memory(), users={"alice": "secret"})
    with serve(tokens) as server:
        for answers, status, sign in ((("alice", "secret"), 0, None), (("alice", None), None, signal.SIGINT)):
            child = pexpect.spawn(str(pull.nook.program), ["login", server.host], env=pull.nook.environment, encoding="utf-8", timeout=20)
            child.expect("Username: ")
            child.sendline(answers[0])
            child.expect("Password: ")
            if answers[1]:
                child.sendline(answers[1])
            else:
                child.sendintr()
            child.expect(pexpect.EOF)
            assert "secret" not in child.before
            child.close()
            assert (child.exitstatus, child.signalstatus) == (status, sign)
        assert pull.nook("login", "--get-login", server.host) == "alice\n"
    tokens.close()


def test_a_credential_helper(pull, space):
    (space / "docker-credential-file").write_text(
        "#!/bin/sh\nread -r line\ncase $1 in\nstore) echo \"$line\" >$HOME/kept;;\n"
        "get) [ -e $HOME/kept ] && cat $HOME/kept || { echo credentials not found; exit 1; };;\nerase) rm $HOME/kept;;\nesac\n")
    (space / "docker-credential-file").chmod(0o755)
    auth = space / "auth.json"
    auth.write_text('{"credsStore": "file"}')
    pull.nook.environment["PATH"] += f":{space}"
    tokens = Tokens(memory(), users={"alice": "secret"})
    with serve(tokens) as server:
        pull.nook("login", "--authfile", auth, "-u", "alice", "--password-stdin", server.host, input="secret")
        assert json.loads((space / "kept").read_text()) == {"ServerURL": server.host, "Username": "alice", "Secret": "secret"}
        assert "secret" not in auth.read_text()
        pull(f"{server.host}/team/app:1", "--authfile", auth)
        pull.nook("logout", "--authfile", auth, server.host)
    tokens.close()
    assert not (space / "kept").exists()


def test_a_certificate_for_another_name(pull, space):
    tls = registries.certificate(space, names="DNS:elsewhere.example")
    with serve(memory(), tls=tls) as server:
        certs = space / ".config/containers/certs.d" / server.host
        certs.mkdir(parents=True)
        shutil.copy(tls[0], certs / "ca.crt")
        assert "127.0.0.1" in pull.fails(f"{server.host}/team/app:1")
        pull(f"{server.host}/team/app:1", "--tls-verify=false")
