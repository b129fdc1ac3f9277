# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples do what they say, and the Python bindings pass their own tests, as root and as an ordinary user."""

import os
import subprocess
import sys

import pytest

import library
from conftest import BUILD, ORDINARY_UID, SOURCE


@pytest.fixture(params=["self", "ordinary"])
def run(space, request):
    """Runs a command line in the test's directory, as one user."""
    prefix = ["setpriv", f"--reuid={ORDINARY_UID}", f"--regid={ORDINARY_UID}", "--clear-groups"] if request.param == "ordinary" else []

    def call(*argv, code=0, **options):
        done = subprocess.run([*prefix, *map(str, argv)], capture_output=True, text=True, cwd=space, check=False, **options)
        assert done.returncode == code, f"{done.args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    call.privileged = os.geteuid() == 0 and not prefix
    return call


def build(name, space):
    library.compile_and_link(SOURCE / "examples" / f"{name}.c", space / name, "-std=c11")


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("body, verdict", [
    ("print(int(input()) * 2)", "accepted"),
    ("print(int(input()) + 2)", "wrong answer"),
    ("while True: pass", "time limit exceeded"),
    ("raise SystemExit(3)", "run-time error"),
    ("import socket; socket.socket()", "run-time error"),
    ("open('/etc/passwd', 'a')", "run-time error"),
])
def test_judge(space, run, body, verdict):
    build("judge", space)
    script(space / "solution", f"#!/usr/bin/python3\n{body}\n")
    (space / "input").write_text("21\n")
    (space / "answer").write_text("42\n")
    assert run("./judge", "solution", "input", "answer").startswith(verdict + ":")


@pytest.mark.user("root")
def test_judge_limits_memory(space, run):
    build("judge", space)
    script(space / "solution", "#!/usr/bin/python3\nx = bytearray(100 << 20)\nprint(42)\n")
    (space / "input").write_text("")
    (space / "answer").write_text("42\n")
    said = run("./judge", "solution", "input", "answer")
    # An ordinary user has no groups here that would count.
    assert said.startswith("memory limit exceeded:" if run.privileged else "accepted:")


def test_plugin_host(space, run):
    build("plugin_host", space)
    # What it may not see: its own place on the host, and anything in a home.
    script(space / "plugin", f"""#!/usr/bin/python3
import os, socket, sys, time
hidden, home = "{space}", os.environ["HOME"]
host = socket.socket(fileno=3)
while line := host.recv(4096).decode():
    if line == "crash":
        os.kill(os.getpid(), 11)
    if line == "hang":
        time.sleep(60)
    if line == "look":
        line = str(os.path.exists(sys.argv[0]) and not os.path.exists(hidden) and not os.listdir(home))
    host.send(line.upper().encode())
""")
    said = run("./plugin_host", "plugin", input="one\ncrash\ntwo\nhang\nthree\nlook\n")
    assert said.splitlines() == ["one: ONE", "crash: crashed", "two: TWO", "hang: timed out", "three: THREE", "look: TRUE"]


def test_parallel_tests(space, run):
    build("parallel_tests", space)
    # All of them want the same file and the same port.
    for number in range(6):
        script(space / f"test{number}", "#!/usr/bin/python3\nimport socket\nopen('/tmp/lock', 'x')\n"
                                        "socket.create_server(('127.0.0.1', 8080))\n")
    script(space / "bad", "#!/bin/sh\necho why it failed\nexit 1\n")
    names = [f"./test{number}" for number in range(6)]
    said = run("./parallel_tests", "4", *names)
    assert said.splitlines()[-1] == "6 passed, 0 failed"
    said = run("./parallel_tests", "2", *names, "./bad", code=1)
    assert "why it failed" in said and said.splitlines()[-1] == "6 passed, 1 failed"


def test_python_bindings(space, run):
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={space}/pytest" if os.geteuid() else "-q",
        SOURCE / "bindings" / "python",
        env={**os.environ, **library.loading_env(), "NOOK_LIBRARY": str(BUILD / "libnook.so"), "PYTHONDONTWRITEBYTECODE": "1"})
