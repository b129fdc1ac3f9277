# SPDX-License-Identifier: LGPL-2.1-or-later
"""A hostile program tries every known way out: all of them must lead out of a chroot, and none out of a container."""

import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import platform
import select
import shutil
import socket
import subprocess
import threading

import pytest

import world as worlds

HOSTILE = pathlib.Path(__file__).resolve().parent.parent / "hostile"
PIDS_LIMIT = 100
HIGH_FD = 777

# What a person makes who takes a chroot for a container.
WEAK = """
    mount --bind "$1" "$1" && mount -t proc proc "$1/proc" && mount --rbind /sys "$1/sys" && mount --rbind /dev "$1/dev" &&
    mount -t tmpfs tmpfs "$1/tmp" && mkdir -p "$1/run" && mount --rbind /run "$1/run" && root="$1" && shift && chroot "$root" /escape fall "$@" $$
"""

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="system call numbers are those of x86_64")


@pytest.fixture(scope="session")
def escape(tmp_path_factory):
    program = tmp_path_factory.mktemp("hostile") / "escape"
    subprocess.run(
        ["gcc", "-static", "-O1", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-o", program, *sorted(HOSTILE.glob("*.c"))],
        check=True)
    return program


BAIT_PORT, PROXY_PORT, METADATA = 48169, 3128, "169.254.169.254"


def greet(listener):
    """A server that says that it was reached."""
    with contextlib.suppress(OSError):
        while True:
            peer, _ = listener.accept()
            with peer:
                peer.sendall(b"reached")


def pass_on(listener):
    """A proxy that trusts whoever asks: names are looked up by what they say, and again when they are connected to."""
    names = {"metadata.example.org": METADATA, "loop.example.org": "127.0.0.1", "rebind.example.com": "127.0.0.1"}

    def serve(client):
        with client, contextlib.suppress(OSError):
            request = client.recv(1024)
            host = METADATA if request[0] == 5 else request.split()[1].decode().rpartition(":")[0].strip("[]")
            client.sendall(b"\5\0\5\0\0\1\0\0\0\0\0\0" if request[0] == 5 else b"HTTP/1.1 200 OK\r\n\r\n")
            with socket.create_connection((names.get(host, host), BAIT_PORT), 5) as server:
                client.sendall(server.recv(100))

    with contextlib.suppress(OSError):
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


@pytest.fixture
def servers():
    """On the session's own loopback: a server where clouds have their metadata, and a proxy that is none of nook's."""
    if os.geteuid() != 0:
        yield
        return
    subprocess.run(["ip", "address", "add", f"{METADATA}/32", "dev", "lo"], check=True)
    with socket.create_server(("0.0.0.0", BAIT_PORT)) as bait, socket.create_server(("127.0.0.1", PROXY_PORT)) as proxy:
        threads = [threading.Thread(target=greet, args=(bait,)), threading.Thread(target=pass_on, args=(proxy,))]
        for thread in threads:
            thread.start()
        yield
        for listener, thread in zip((bait, proxy), threads):
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
    subprocess.run(["ip", "address", "delete", f"{METADATA}/32", "dev", "lo"], check=True)


@pytest.fixture
def bait(space, own_root, escape, servers):
    """A root with the hostile program, planted things in it, and things outside that it tries to reach."""
    shutil.copy(escape, own_root / "escape")
    shutil.copy(escape, own_root / "suid")
    (own_root / "suid").chmod(0o4755)
    if os.geteuid() == 0:
        os.mknod(own_root / "planted", 0o020666, os.makedev(1, 7))
    marker = space / "outside"
    marker.write_text("out\n")
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        name = f"nook-hostile-{os.getpid()}"
        listener.bind(f"\0{name}")
        listener.listen()
        if os.geteuid() == 0:
            service = stack.enter_context(socket.socket(socket.AF_UNIX))
            service.bind(f"/run/{name}.sock")
            stack.callback(os.unlink, f"/run/{name}.sock")
            os.chmod(f"/run/{name}.sock", 0o777)
            service.listen()
        libc = ctypes.CDLL(None, use_errno=True)
        key = 0x6E000000 | os.getpid()
        segment = libc.shmget(key, 4096, 0o1000 | 0o666)
        assert segment >= 0, os.strerror(ctypes.get_errno())
        stack.callback(libc.shmctl, segment, 0, None)
        yield [marker, name, str(key), str(os.getpid()), str(PIDS_LIMIT)]


@contextlib.contextmanager
def descriptors_left_open(space):
    """A directory outside, open under a low and a high number, as a careless caller has it."""
    low = os.open(space, os.O_RDONLY)
    high = fcntl.fcntl(low, fcntl.F_DUPFD, HIGH_FD)
    try:
        yield low, high
    finally:
        os.close(low)
        os.close(high)


@pytest.mark.user("root")
def test_every_way_leads_out_of_a_chroot(space, own_root, bait):
    with descriptors_left_open(space) as fds:
        result = subprocess.run(
            ["unshare", "-m", "--propagation", "slave", "sh", "-c", WEAK, "sh", own_root, *bait],
            capture_output=True, text=True, check=False, pass_fds=fds, stdin=subprocess.DEVNULL)
    assert result.stdout.endswith(" passed, 0 failed\n"), result.stdout + result.stderr


def held(nook, space, root, bait, *options):
    with descriptors_left_open(space) as fds:
        result = nook.result("run", "--init", *options, f"dir:{root}", "--", "/escape", "hold", *bait, 1, pass_fds=fds)
    assert result.out.endswith(" passed, 0 failed\n") and result.code == 0, str(result)


def held_in_box(user, space, bait, *options):
    (user.space / "work").mkdir(exist_ok=True)
    (user.space / "work").chmod(0o777)
    with descriptors_left_open(space) as fds:
        result = user.result("box", "--limit", f"pids={PIDS_LIMIT}", "-w", "work", *options, "--", "/escape", "hold", *bait, 1, pass_fds=fds)
    assert result.out.endswith(" passed, 0 failed\n") and result.code == 0, str(result)


@pytest.mark.anywhere
@pytest.mark.parametrize("options", [[], ["--fake-root"], ["--user", "1234"], ["--net", "proxy"]],
                         ids=["default", "fake-root", "user", "proxy"])
@pytest.mark.parametrize("who", ["self", "ordinary"])
def test_no_way_leads_out_of_a_box(nook, as_user, space, own_root, bait, who, options):
    user = as_user if who == "ordinary" else nook
    held_in_box(user, space, bait, "-r", f"{own_root}/escape:/escape", *options)
    held_in_box(user, space, bait, "--root", own_root, *options)


@pytest.mark.parametrize("options", [[], ["-u", "nobody"], ["--overlay"], ["--read-only", "--tmpfs", "/tmp"]],
                         ids=["root", "nobody", "overlay", "read-only"])
@pytest.mark.user("root")
def test_no_way_leads_out_of_a_container(nook, space, own_root, bait, options):
    held(nook, space, own_root, bait, "--pids-limit", PIDS_LIMIT, *options)


def test_no_way_leads_out_of_an_ordinary_users_container(as_user, space, own_root, bait):
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "--no-dereference", f"{as_user.uid}:{as_user.uid}", own_root], check=True)
    # Without a group of its own there is the limit of processes of a user.
    held(as_user, space, own_root, bait, "--ulimit", f"nproc={PIDS_LIMIT}")


def test_no_way_leads_past_the_proxy_of_a_box(nook, as_user, space, escape):
    """The same servers and names, with nook's own proxy in between, which may connect to everything public."""
    with worlds.make(space) as world:
        world.serve(greet=[[METADATA, BAIT_PORT], ["127.0.0.1", BAIT_PORT], ["::1", BAIT_PORT]], web=[[worlds.WEB, 80]], dns={"rebind.example.com": [[worlds.WEB], ["127.0.0.1"]] * 8})
        for who in (nook, as_user):
            box = world.nook(who)
            shutil.copy(escape, who.space / "escape")
            result = box.result("box", "--allow", "*", "-r", f"{who.space}/escape:/escape", "--", "/escape", "hold", "/none", "none", 0, 1, 1, 1, "network:")
            assert result.out.endswith("\n6 passed, 0 failed\n") and result.code == 0, str(result)
            assert f"refused {METADATA}:{BAIT_PORT}" in result.err


def mounts_with_peers(nook, space, *options):
    """Runs nook where everything is shared, as under systemd; the lines of a container's mountinfo that name peers."""
    line = ["unshare", "-m", "sh", "-c", 'mount --make-rshared / && exec "$@"', "sh", *nook.argv("run", *options, "host:", "--",
                                                                                              "cat", "/proc/self/mountinfo")]
    out = subprocess.run(line, env=nook.environment, cwd=space, capture_output=True, text=True, check=True).stdout
    assert out
    return [text for text in out.splitlines() if " shared:" in text or " master:" in text]


@pytest.mark.user("root")
@pytest.mark.parametrize("options", [[], ["--userns", "host"], ["-v", "/usr:/mnt"], ["--device", "/dev/zero:/dev/nought"]],
                         ids=["default", "userns=host", "volume", "device"])
def test_no_mount_has_a_peer_outside(nook, space, options):
    assert mounts_with_peers(nook, space, *options) == []


@pytest.mark.user("root")
def test_no_mount_of_an_ordinary_users_container_has_a_peer_outside(as_user, space):
    assert mounts_with_peers(as_user, space) == []


@pytest.mark.user("root")
def test_orphans_of_another_user_end_with_the_command(nook):
    """Who becomes another user is still pid 1's to signal: what it leaves behind must not keep the container alive."""
    script = "sleep 600 >/dev/null 2>&1 & exit 3"
    assert nook.result("run", "--init", "-u", "nobody", "host:", "--", "sh", "-c", script, timeout=20).code == 3


@pytest.mark.user("root")
def test_signals_reach_a_command_of_another_user(nook):
    script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done"
    with nook.start("run", "--init", "-u", "nobody", "host:", "--", "sh", "-c", script) as process:
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(20) == 5


def test_who_joins_is_as_likely_to_be_killed_as_the_container(as_user, busybox_root):
    """Who joins cannot be looked into, so its owner may not write its oom_score_adj from outside either."""
    with as_user.start("run", "--name", "one", "--oom-score-adj", "500", f"dir:{busybox_root}", "sh", "-c",
                       "echo ready; read line", stdin=subprocess.PIPE) as process:
        assert process.stdout.readline() == "ready\n"
        assert as_user("exec", "one", "cat", "/proc/self/oom_score_adj") == "500\n"
        process.stdin.close()
        assert process.wait(20) is not None
    as_user("rm", "one")


@pytest.mark.user("root")
def test_a_script_cannot_write_the_runtime_that_runs_it(nook, space, own_root, escape):
    """CVE-2019-5736: "#!/proc/self/exe" makes the runtime a process of the container, here one with the host's ids."""
    shutil.copy(escape, own_root / "escape")
    (own_root / "trick").write_text("#!/proc/self/exe\n")
    (own_root / "trick").chmod(0o755)
    # A copy: when the attack works nothing but that is lost.
    program = space / "nook-oci"
    shutil.copy(nook.build / "nook-oci", program)
    (space / "config.json").write_text(json.dumps({
        "ociVersion": "1.0.2",
        "root": {"path": str(own_root)},
        "process": {"args": ["/escape", "grab"], "cwd": "/", "user": {"uid": 0, "gid": 0}},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]},
    }))
    oci = [program, "--root", space / "state"]
    # Detached, for a runtime that waits outside keeps its file busy: the attack's hour comes when that one is gone.
    with subprocess.Popen([*oci, "run", "--detach", "--bundle", space, "grab"], stdout=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            said = []
            while not said:
                subprocess.run([*oci, "exec", "grab", "/trick"], check=False, capture_output=True)
                if select.select([process.stdout], [], [], 0.1)[0]:
                    said.append(process.stdout.readline())
            assert said == ["held\n"]
        finally:
            subprocess.run([*oci, "delete", "--force", "grab"], check=False, capture_output=True)


@pytest.mark.user("root")
@pytest.mark.skipif("ASAN_OPTIONS" in os.environ, reason="with shared libraries the program does not run in there")
@pytest.mark.parametrize("who", ["root", "user"])
def test_a_script_cannot_write_the_nook_that_runs_it(request, space, own_root, escape, who):
    """The same for nook exec: into a container with the host's ids, and for a user who owns the program and is root inside."""
    nook = request.getfixturevalue("nook" if who == "root" else "as_user")
    shutil.copy(escape, own_root / "escape")
    (own_root / "trick").write_text("#!/proc/self/exe\n")
    (own_root / "trick").chmod(0o755)
    program = space / "nook-copy"
    shutil.copy(nook.build / "nook", program)
    if who == "user":
        os.chown(program, nook.uid, nook.uid)
    ids = ["--userns", "host"] if who == "root" else []
    with nook.start("run", "--rm", *ids, "--name", "grab", f"dir:{own_root}", "/escape", "grab") as process:
        said = process.stdout.readline()
        assert said == "ready\n", process.stderr.read()
        line = [program if word == str(nook.program) else word for word in nook.argv("exec", "grab", "/trick")]
        while said == "ready\n":
            subprocess.run(line, env=nook.environment, check=False, capture_output=True, cwd=space)
            if select.select([process.stdout], [], [], 0.1)[0]:
                said = process.stdout.readline()
        assert said == "held\n"


# ---- boxes: from one run to the next, and around a run ---------------------------------------------------------------------

@pytest.fixture
def box(either):
    (either.space / "work").mkdir()
    (either.space / "outside").mkdir()
    (either.space / "outside/secret").write_text("secret\n")
    if either.uid is not None:
        subprocess.run(["chown", "-R", f"{either.uid}:{either.uid}", either.space], check=True)
    return either


@pytest.mark.anywhere
def test_a_link_planted_in_one_run_leads_nowhere_in_the_next(box):
    outside, work = box.space / "outside", box.space / "work"
    box("box", "-w", "work", "sh", "-c", f"cd {work}; ln -s {outside} dir; ln -s {outside}/secret file; mkdir sub; ln -s {outside}/new dangling")
    # As the source of a rule it would show what it leads to.
    for rule in (["-r", "work/dir"], ["-r", "work/dir/secret"], ["-r", "work/file:/shown"], ["-w", "work/dir/."], ["--overlay", "work/dir"]):
        assert "a link stands on the way" in box.fails(125, "box", "-w", "work", *rule, "cat", work / "dir/secret")
    # As a target it is followed inside the box alone, where there is no such place.
    for rule in (["--put", f"{work}/dir/new=x"], ["--put", f"{work}/dangling=x"], ["--tmp", f"{work}/dir/new"], ["-r", f"/etc/hosts:{work}/dangling"],
                 ["-r", f"/usr:{work}/dir/usr"]):
        box.result("box", "-w", "work", *rule, "true")
        assert sorted(os.listdir(outside)) == ["secret"], rule
        assert (outside / "secret").read_text() == "secret\n"
    # Hidden is the link's own place, or nothing; never something outside.
    box.result("box", "-w", "work", "--hide", f"{work}/file", "true")
    assert box("box", "-w", "work", "--hide", "**/secret", "cat", "/etc/hostname") is not None
    assert (outside / "secret").read_text() == "secret\n"


@pytest.mark.anywhere
def test_paths_of_ones_own_process_are_no_sources(box):
    with open("/etc/hostname") as file:
        for path in (f"/proc/self/fd/{file.fileno()}", f"/dev/fd/{file.fileno()}", "/proc/thread-self/cwd", "/proc/self/../self/root", "/dev/stdin"):
            for option in ("-w", "-r", "--dev", "--overlay"):
                assert "leads elsewhere" in box.fails(125, "box", option, f"{path}:/x", "ls", "/x", pass_fds=(file.fileno(),))


@pytest.mark.anywhere
def test_an_exit_status_cannot_be_forged(box):
    script = "(sleep 0.05; exit 42) & (exit 43) & kill -KILL 1; kill -TERM 1 2>/dev/null; exit 3"
    # The signal to pid 1 that it may send, it does not get.
    assert box.result("box", "sh", "-c", script).code == 3
    result = box.result("box", "--json", box.space / "how", "sh", "-c", "echo forged > /proc/1/fd/1; exec 9>/proc/1/mem; exit 4")
    assert result.code in (2, 4) and "forged" not in result.out
    assert json.loads((box.space / "how").read_text())["exitCode"] == result.code


@pytest.mark.anywhere
def test_orphans_end_with_the_box(box):
    """A double fork in a session of its own, which holds standard output."""
    with box.start("box", "python3", "-c", "import os, time\nif not os.fork():\n os.setsid()\n if not os.fork():\n  time.sleep(600)\nos._exit(6)") as process:
        assert process.stdout.read() == ""  # the end of all who held it
        assert process.wait(20) == 6


@pytest.mark.anywhere
def test_bombs_end_at_their_limits(box):
    script = "import os\nn = 0\ntry:\n while True: n = os.dup(0)\nexcept OSError as e: print(e.strerror, n < 64)"
    assert box("box", "--limit", "files=64", "python3", "-c", script) == "Too many open files True\n"
    # A tmpfs of the box has as many inodes as pages, and the size it was given.
    script = "import os\nn = 0\ntry:\n while n < 100000: open(f'/t/{n}', 'w').close(); n += 1\nexcept OSError as e: print(e.strerror, n < 1000)"
    assert box("box", "--tmp", "/t,size=1m", "python3", "-c", script) == "No space left on device True\n"
    script = "head -c 2000000 /dev/zero > /t/x; stat -c %s /t/x"
    assert int(box.result("box", "--tmp", "/t,size=1m", "sh", "-c", script).out) <= 1 << 20
    result = box.result("box", "--limit", "output=1k", "sh", "-c", "while :; do echo more; done")
    assert result.code == 124 and len(result.out) == 1024


@pytest.mark.anywhere
@pytest.mark.parametrize("kind", ["fifo", "directory", "link out", "huge"])
def test_a_hostile_passwd_of_a_root(nook, own_root, kind):
    """Where the name of a user is looked up in the container's own files."""
    passwd = own_root / "etc/passwd"
    passwd.unlink()
    if kind == "fifo":
        os.mkfifo(passwd)
    elif kind == "directory":
        passwd.mkdir()
    elif kind == "huge":
        with open(passwd, "w") as file:
            file.truncate(1 << 33)
    else:
        passwd.symlink_to("../../../../../../proc/self/environ")
    result = nook.result("run", "--rm", "-u", "daemon", f"dir:{own_root}", "true", timeout=20)
    assert result.code == 125 and result.err.startswith("nook: "), str(result)
    assert nook.result("box", "--root", own_root, "/bin/busybox", "true", timeout=20).code == 0
