# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook box --learn: the profile that is learned is enough for the same command again, and for little else."""

import os
import subprocess

import pytest

import world as worlds
from world import WEB


pytestmark = pytest.mark.anywhere


@pytest.fixture
def box(either):
    either.work = either.space / "work"
    either.work.mkdir()
    if either.uid is not None:
        os.chown(either.work, either.uid, either.uid)
    return either


def own(box, path, text, mode=0o644):
    """A file of whoever runs the box."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    if box.uid is not None:
        for owned in (path, *path.parents):
            if owned == box.space:
                break
            os.chown(owned, box.uid, box.uid)


def learn(box, *command, options=(), **more):
    """Runs the command once to learn, then under its profile with nothing else; both outputs, and the rules."""
    profile = box.work / "learned.box"
    first = box("box", "--learn", profile, *options, "--", *command, cwd=box.work, **more)
    text = profile.read_text()
    # Nothing that the first run made helps the second.
    for path in box.work.iterdir():
        if path.name.startswith("made"):
            path.unlink()
    second = box("box", "-p", profile, "--", *command, cwd=box.work, **more)
    return first, second, text


def rules(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_a_compile_job(box):
    own(box, box.work / "src/hello.h", "#define TEXT \"hello\"\n")
    own(box, box.work / "src/hello.c", "#include <stdio.h>\n#include \"hello.h\"\nint main(void) { puts(TEXT); return 0; }\n")
    own(box, box.work / "Makefile", "made: src/hello.c src/hello.h\n\tcc -O1 -o made src/hello.c && ./made > made.out\n")
    _, _, text = learn(box, "make", "made")
    assert (box.work / "made.out").read_text() == "hello\n"
    assert {"bare", "rw .", "ro /usr/include", "syscalls strict"} <= set(rules(text))
    # What the job did not use is not there.
    assert box.result("box", "-p", box.work / "learned.box", "curl", "--version", cwd=box.work).code == 127


def test_a_script_with_modules(box):
    own(box, box.work / "package/__init__.py", "from .deeper import answer\n")
    own(box, box.work / "package/deeper.py", "import json, pathlib\n\n\ndef answer(path):\n    return json.loads(pathlib.Path(path).read_text())\n")
    own(box, box.work / "data/in.json", "{\"a\": [1, 2]}\n")
    own(box, box.work / "main.py", "import csv, ctypes, package, sqlite3, ssl, tempfile, zoneinfo\n"
        "with tempfile.TemporaryFile() as f:\n    f.write(b'x')\n"
        "print(package.answer('data/in.json'), sqlite3.connect(':memory:').execute('select 1').fetchone())\n"
        "print(len(ssl.create_default_context().get_ciphers()) > 0)\n")
    first, second, text = learn(box, "python3", "-B", "main.py")
    assert first == second == "{'a': [1, 2]} (1,)\nTrue\n"
    assert "allow" not in text and "net host" not in text and "rw" not in [rule.split()[0] for rule in rules(text)]


def test_a_shell_script_that_changes_files(box):
    own(box, box.work / "kept/old", "old\n")
    own(box, box.work / "input", "in\n")
    own(box, box.work / "job.sh", "#!/bin/sh\nset -e\ncat input | tr a-z A-Z > kept/new\nmv kept/new kept/old\nmkdir -p kept/sub && cp input kept/sub/copy\n"
        "mktemp > /dev/null\ncat kept/old; ls kept\n", 0o755)
    first, second, text = learn(box, "./job.sh")
    assert first == second == "IN\nold\nsub\n"
    assert "rw kept" in rules(text) and "rw ." not in rules(text) and "ro input" in rules(text)


CLIENTS = {
    "curl": ["curl", "-sSf", "-o", "made"],
    "urllib": ["python3", "-B", "-c", "import sys, urllib.request as u; open('made', 'wb').write(u.urlopen(sys.argv[1]).read())"],
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("host, allowed", [("127.0.0.1:8080", ["allow 127.0.0.1:8080"]), ("example.org", ["allow example.org:80"]),
                                           ("loop.example.org:8080", ["allow loop.example.org:8080", "allow 127.0.0.1:8080"])])
def test_a_downloader(box, space, client, host, allowed):
    """By name, through the proxy: a name whose address is not public takes the address as well."""
    with worlds.make(space) as world:
        world.serve(web=[["127.0.0.1", 8080], [WEB, 80]])
        inside = world.nook(box)
        inside.work = box.work
        _, _, text = learn(inside, *CLIENTS[client], f"http://{host}/file")
        assert (box.work / "made").read_text() == f"GET /file {host} 0\n"
        assert [rule for rule in rules(text) if rule.startswith(("allow", "net"))] == allowed
        assert len(world.visitors()) == 2


def test_a_client_that_ignores_the_proxy(box, space):
    with worlds.make(space) as world:
        world.serve(web=[[WEB, 80]])
        inside = world.nook(box)
        inside.work = box.work
        _, second, text = learn(inside, "curl", "-sS", "--noproxy", "*", f"http://{WEB}/direct")
        assert second == f"GET /direct {WEB} 0\n"
        assert "net host" in rules(text) and f"# It connected by itself, not through the proxy that the environment names: {WEB}:80." in text


def test_secrets_are_not_learned(box):
    """They are hidden already while learning, and stand in the profile as a comment alone."""
    own(box, box.space / ".ssh/id_ed25519", "private key\n")
    own(box, box.space / ".netrc", "login\n")
    own(box, box.space / ".config/app/settings", "fine\n")
    script = "cat ~/.ssh/id_ed25519 .netrc; cat .config/app/settings"
    profile = box.work / "learned.box"
    home = {"HOME": str(box.space)}
    result = box.result("box", "--learn", profile, "--cwd", box.space, "--", "sh", "-c", script.replace("~", str(box.space)), cwd=box.space, env=home)
    assert "private key" not in result.out and "login" not in result.out and "fine" in result.out
    text = profile.read_text()
    assert f"# ro {box.space}/.ssh" in text and f"# ro {box.space}/.netrc" in text
    assert not [rule for rule in rules(text) if ".ssh" in rule or ".netrc" in rule]
    assert "ro .config/app/settings" in rules(text)


def test_what_the_command_says_comes_through(box):
    """Its exit status is its own, signals and limits work, the profile is written in any case."""
    profile = box.work / "learned.box"
    assert box.result("box", "--learn", profile, "sh", "-c", "exit 7", cwd=box.work).code == 7
    assert rules(profile.read_text())
    profile.unlink()
    assert box.result("box", "--learn", profile, "--limit", "wall=300ms", "sleep", "20", cwd=box.work).code == 124
    assert "ro /usr/bin/sleep" in rules(profile.read_text())
    assert box.result("box", "--learn", profile, "/no/such", cwd=box.work).code == 127
    assert "bare or root" in box.fails(125, "box", "--learn", profile, "--bare", "true", cwd=box.work)


def test_many_processes_and_threads(box):
    script = ("import concurrent.futures as f, os, subprocess\n"
              "with f.ThreadPoolExecutor(8) as pool:\n"
              "    print(sum(pool.map(lambda i: len(subprocess.run(['cat', 'word'], capture_output=True).stdout), range(40))))\n")
    own(box, box.work / "word", "word\n")
    first, second, _ = learn(box, "python3", "-B", "-c", script)
    assert first == second == "200\n"


def test_calls_that_strict_refuses_are_kept(box):
    first, second, text = learn(box, "python3", "-B", "-c", "import socket; a, b = socket.socketpair(); s = socket.socket(); print('fine')")
    assert first == second == "fine\n"
    (line,) = [rule for rule in rules(text) if rule.startswith("syscalls")]
    assert line.startswith("syscalls deny ") and "ptrace" in line and "socket" not in line.removeprefix("syscalls deny ").split(",")


def test_nook_killed_leaves_nothing(box):
    with box.start("box", "--learn", box.work / "learned.box", "sh", "-c", "echo ready; sleep 60", cwd=box.work) as process:
        assert process.stdout.readline() == "ready\n"
        process.kill()


@pytest.mark.user("root")
def test_file_systems_of_all_kinds_are_shown(box):
    """One that cannot be idmapped, somewhere on the machine, is no hindrance to learning."""
    place = box.work / "strange"
    place.mkdir()
    subprocess.run(["mount", "-t", "proc", "proc", place], check=True)
    try:
        first, second, _ = learn(box, "sort", "/etc/hostname")
        assert first == second
    finally:
        subprocess.run(["umount", place], check=True)
