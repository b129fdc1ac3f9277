# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook box: single sockets, a bus of a few names, ids, what /proc shows, boxes in the background, profiles that are saved."""

import contextlib
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import threading

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.anywhere


@pytest.fixture
def box(either):
    return either


# ---- sockets and buses -----------------------------------------------------------------------------------------------------

CONNECT = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(100).decode())"


@contextlib.contextmanager
def greeter(path):
    """A server at a path that greets who connects."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o777)
        listener.listen()

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    with listener.accept()[0] as client:
                        client.sendall(b"welcome")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def test_one_socket_can_be_reached_and_no_other(box):
    with greeter(box.space / "one"), greeter(box.space / "two"):
        assert box("box", "--sock", box.space / "one", "python3", "-c", CONNECT, box.space / "one") == "welcome\n"
        assert box("box", "--sock", f"{box.space}/one:/run/service", "python3", "-c", CONNECT, "/run/service") == "welcome\n"
        assert box.result("box", "--sock", box.space / "one", "python3", "-c", CONNECT, box.space / "two").code == 1
    assert "not a socket" in box.fails(125, "box", "--sock", "/etc/passwd", "true")


def align(data, to):
    return data + b"\0" * (-len(data) % to)


def bus_call(member, number, signature="", body=b""):
    """A call to the bus itself, in D-Bus's own words."""
    fields = [(1, "o", "/org/freedesktop/DBus"), (2, "s", "org.freedesktop.DBus"), (3, "s", member), (6, "s", "org.freedesktop.DBus")]
    data = b""
    for code, kind, text in fields:
        data = align(data, 8) + struct.pack("<B", code) + b"\1" + kind.encode() + b"\0" + struct.pack("<I", len(text)) + text.encode() + b"\0"
    if signature:
        data = align(data, 8) + b"\x08\1g\0" + struct.pack("<B", len(signature)) + signature.encode() + b"\0"
    return align(struct.pack("<cBBBIII", b"l", 1, 0, 1, len(body), number, len(data)) + data, 8) + body


@contextlib.contextmanager
def bus_names(path, *names):
    """A client of the bus that owns names."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        client.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n")
        assert client.recv(1000).startswith(b"OK")
        client.sendall(b"BEGIN\r\n" + bus_call("Hello", 1))
        assert client.recv(4096)
        for number, name in enumerate(names, 2):
            body = align(struct.pack("<I", len(name)) + name.encode() + b"\0", 4) + struct.pack("<I", 4)
            client.sendall(bus_call("RequestName", number, "su", body))
            assert client.recv(4096)
        yield


@pytest.fixture
def bus(space):
    """A session bus on which two names are owned; its address."""
    (space / "bus.conf").write_text(f"""<busconfig><type>session</type><listen>unix:path={space}/session</listen><auth>EXTERNAL</auth>
        <policy context="default"><allow user="*"/><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>""")
    with subprocess.Popen(["dbus-daemon", "--nofork", "--nopidfile", "--print-address", f"--config-file={space}/bus.conf"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as daemon:
        try:
            address = daemon.stdout.readline().strip()
            with bus_names(space / "session", "org.example.Open", "org.example.Closed"):
                yield address
        finally:
            daemon.terminate()


HAS_OWNER = ["dbus-send", "--session", "--dest=org.freedesktop.DBus", "--print-reply=literal", "/org/freedesktop/DBus",
             "org.freedesktop.DBus.NameHasOwner"]


@pytest.mark.user("root")  # the bus wants to know an account
def test_a_bus_shows_the_names_that_rules_give(nook, bus):
    env = {"DBUS_SESSION_BUS_ADDRESS": bus}
    for name, seen in (("org.example.Open", "true"), ("org.example.Closed", "false")):
        out = nook("box", "--dbus", "org.example.Open", *HAS_OWNER, f"string:{name}", env=env)
        assert out.split() == ["boolean", seen]
    # Without the rule there is no bus.
    assert nook.result("box", "-e", "DBUS_SESSION_BUS_ADDRESS", *HAS_OWNER, "string:org.example.Open", env=env).code == 1
    assert not list(pathlib.Path("/tmp").glob("nook-bus-*"))


def test_a_bus_that_is_not_there(box):
    nowhere = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={box.space}/nowhere", "XDG_RUNTIME_DIR": str(box.space)}
    assert "no session bus" in box.fails(125, "box", "--dbus", "org.example.Open", "true")
    assert "a name on the session bus" in box.fails(125, "box", "--dbus", "no name", "true")
    # It reaches the bus only when somebody connects.
    assert box.result("box", "--dbus", "org.example.Open", *HAS_OWNER, "string:a.b", env=nowhere).code == 1
    assert not list(box.space.glob("nook-bus-*"))


# ---- ids, namespaces, proc --------------------------------------------------------------------------------------------------

@pytest.mark.user("root")
def test_ids_by_rule(nook):
    assert nook("box", "--map", "0:100000:10", "--map", "1000:200000:5", "--user", "1002:3", "cat", "/proc/self/uid_map").split() == [
        "0", "100000", "10", "1000", "200000", "5"]
    assert "has no place in the ids" in nook.fails(125, "box", "--map", "0:100000:10", "--user", "11", "true")
    assert "in digits" in nook.fails(125, "box", "--map", "0:1", "true")


def test_ones_own_id_under_another_number(as_user):
    uid = as_user.uid if as_user.uid is not None else os.geteuid()
    assert as_user("box", "--map", f"7:{uid}:1", "--user", "7", "id", "-u") == "7\n"


@pytest.mark.user("root")
def test_subordinate_ids(nook, as_user, space):
    """With a line for this user in /etc/subuid, as seen in a mount namespace of the test's own."""
    for name in ("subuid", "subgid"):
        (space / name).write_text(f"{as_user.uid}:100000:65536\n")
    (space / "passwd").write_text(pathlib.Path("/etc/passwd").read_text() + f"tester:x:{as_user.uid}:{as_user.uid}::/:/bin/sh\n")
    line = as_user.argv("box", "--map", "auto", "sh", "-c", "cat /proc/self/uid_map; id -u")
    script = 'for f in subuid subgid passwd; do mount --bind "$1/$f" /etc/$f || exit; done; shift; exec "$@"'
    result = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", space, *line], env=as_user.environment, cwd=as_user.space,
                            capture_output=True, text=True, check=False)
    assert result.stdout.split() == ["0", str(as_user.uid), "1", "1", "100000", "65536", "0"], result.stderr
    # Nothing is set aside: that is said.
    assert "set no ids aside" in as_user.fails(125, "box", "--map", "auto", "true") or pathlib.Path("/etc/subuid").read_text()


def test_user_namespaces_only_by_rule(box):
    assert box.result("box", "unshare", "-U", "true").code == 1
    assert box("box", "--userns", "--user", "1000", "unshare", "-Ur", "id", "-u") == "0\n"


def test_what_proc_shows(box):
    assert "sys" not in box("box", "--proc", "min", "ls", "/proc").split()
    assert box.result("box", "--proc", "none", "ls", "/proc").code != 0
    assert "meminfo" in box("box", "--proc", "full", "ls", "/proc").split()
    assert "full, min or none" in box.fails(125, "box", "--proc", "some", "true")


def test_files_are_put_from_descriptors(box):
    assert box("box", "--put", "/etc/hosts=fd:0", "cat", "/etc/hosts", input="from the pipe\n") == "from the pipe\n"
    assert "number of a descriptor" in box.fails(125, "box", "--put", "/etc/hosts=fd:x", "true")


# ---- around a run -----------------------------------------------------------------------------------------------------------

def test_in_the_background(box):
    (box.space / "out").write_text("")
    (box.space / "out").chmod(0o666)
    with open(box.space / "out", "w") as out:
        process = box.start("box", "-d", "--json", box.space / "how", "sh", "-c", "trap 'echo ended; exit 3' TERM; echo ready; while :; do sleep 0.05; done",
                            stderr=out)
    with process:
        # nook's line and the command's, whichever is first.
        lines = [process.stdout.readline() for _ in range(2)]
        lines.remove("ready\n")
        pid = int(lines[0])
        assert process.wait(20) == 0
        pidfd = os.pidfd_open(pid)
        os.kill(pid, signal.SIGTERM)
        assert select.select([pidfd], [], [], 20)[0]
        os.close(pidfd)
        assert process.stdout.read() == "ended\n"
    assert box.result("box", "-d", "/no/such").code == 127
    assert "nobody sees the terminal" in box.fails(125, "box", "-d", "-t", "true")


def test_somebody_is_told_and_says_when(box):
    ready, go = os.pipe(), os.pipe()
    with box.start("box", "--ready-fd", ready[1], "--go-fd", go[0], "echo", "runs", pass_fds=(ready[1], go[0])) as process:
        pid = int(os.read(ready[0], 20))
        assert pathlib.Path(f"/proc/{pid}/ns/net").exists()
        assert not select.select([process.stdout], [], [], 0.05)[0]
        os.write(go[1], b"x")
        assert process.communicate(timeout=20)[0] == "runs\n" and process.returncode == 0
    for fd in (*ready, *go):
        os.close(fd)
    assert "not open" in box.fails(125, "box", "--go-fd", "555", "true")


def test_rules_are_saved_as_a_profile(box):
    config = {"XDG_CONFIG_HOME": str(box.space / "config")}
    assert box("box", "-w", ".", "--limit", "wall=5s", "-e", "MINE=a b", "--clearenv", "--save", "mine", "true", env=config) == ""
    saved = (box.space / "config/nook/box/mine.box").read_text()
    assert set(saved.splitlines()) == {"rw .", "limit wall=5s", "env MINE=a b", "clearenv"}
    assert box("box", "-p", "mine", "sh", "-c", "echo $MINE; touch made", env=config) == "a b\n"
    assert (box.space / "made").exists()
    assert "no slash" in box.fails(125, "box", "--save", "../mine", "true", env=config)


def test_what_this_machine_gives(box):
    out = box("box", "--check")
    assert "this box" in out and "was started" in out and "user namespaces" in out
    result = box.result("box", "--check", "-r", "/no/such")
    assert result.code == 1 and "/no/such" in result.out and "missing" in result.out


@pytest.mark.user("root")
@pytest.mark.parametrize("sysctl, number, fix", [("user/max_user_namespaces", "0", "user.max_user_namespaces=15000")])
def test_what_stands_in_the_way_has_a_fix(as_user, space, sysctl, number, fix):
    """The sysctl is of a user namespace that the test makes for this."""
    script = f'echo {number} > /proc/sys/{sysctl} && exec "$@"'
    line = ["unshare", "-Urm", "sh", "-c", script, "sh", str(as_user.program), "box", "--check"]
    result = subprocess.run([*as_user.argv(program="x")[:-1], *line], env=as_user.environment, cwd=as_user.space, capture_output=True, text=True,
                            check=False)
    assert result.returncode == 1 and fix in result.stdout, result.stdout + result.stderr


# ---- the profile for AppArmor -----------------------------------------------------------------------------------------------

@pytest.mark.user("root")
@pytest.mark.lsm("apparmor")
@pytest.mark.vm
def test_the_apparmor_profile_can_be_loaded(nook, space):
    """As this parser knows it: the rule "userns" came with AppArmor 4."""
    text = (SOURCE / "share/apparmor/nook").read_text()
    assert "\n  userns,\n" in text and "flags=(unconfined)" in text
    text = text.replace("abi <abi/4.0>,\n", "").replace("\n  userns,\n", "\n")
    where = text[text.index("profile nook ") + len("profile nook "):text.index(" flags=")]
    profile = space / "nook"
    profile.write_text(text.replace(where, str(nook.program)))
    subprocess.run(["apparmor_parser", "-K", "-r", profile], check=True)
    try:
        assert nook("box", "cat", "/proc/self/attr/current").startswith("nook")
    finally:
        subprocess.run(["apparmor_parser", "-R", profile], check=True)
