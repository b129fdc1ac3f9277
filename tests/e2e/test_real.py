# SPDX-License-Identifier: LGPL-2.1-or-later
"""What people do in containers: compile, serve, store, edit, and run another nook."""

import os
import pathlib
import shutil
import subprocess
import textwrap

import pexpect
import pytest

MIB = 1 << 20


def script(space, name, text):
    """A file for the container to run; returns the options that show it below /job."""
    folder = space / "job"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(textwrap.dedent(text))
    return ["-v", f"{folder}:/job:ro"]


HELLO_C = r"""
    #include <stdio.h>
    #include <sys/utsname.h>
    #include <unistd.h>

    int main(void)
    {
            struct utsname name;

            uname(&name);
            printf("hello from pid %d on %s\n", getpid(), name.nodename);
            return 42;
    }
"""


def test_host_compiles_and_runs_a_c_program(nook, space):
    job = script(space, "hello.c", HELLO_C)
    result = nook.result("run", "--rm", "--hostname", "builder", *job, "host:",
                         "sh", "-c", "cc -O2 -Wall -o /tmp/hello /job/hello.c && exec /tmp/hello")
    assert (result.code, result.out) == (42, "hello from pid 1 on builder\n"), str(result)


@pytest.mark.user("root")
def test_debian_compiles_and_runs_a_c_program(nook, space, debian_root):
    job = script(space, "hello.c", HELLO_C)
    result = nook.result("run", "--rm", "--hostname", "builder", *job, "--overlay", f"dir:{debian_root}",
                         "sh", "-c", "gcc -O2 -Wall -o /usr/bin/hello /job/hello.c && exec hello")
    assert (result.code, result.out) == (42, "hello from pid 1 on builder\n"), str(result)
    assert not (debian_root / "usr/bin/hello").exists()


def test_python_uses_threads_and_sockets(nook, space):
    job = script(space, "echo.py", """
        import socket, threading

        def serve(listener):
            for _ in range(8):
                with listener.accept()[0] as peer:
                    peer.sendall(peer.recv(100).upper())

        def ask(n, answers):
            with socket.create_connection(("127.0.0.1", port)) as s:
                s.sendall(b"word %d" % n)
                answers[n] = s.recv(100)

        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        answers = {}
        threads = [threading.Thread(target=serve, args=(listener,))]
        threads += [threading.Thread(target=ask, args=(n, answers)) for n in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        print(sorted(answers.values())[-1].decode(), len(answers))
    """)
    assert nook("run", "--rm", *job, "host:", "/usr/bin/python3", "/job/echo.py") == "WORD 7 8\n"


def test_python_runs_a_pool_of_processes(nook, space):
    job = script(space, "pool.py", """
        import multiprocessing

        def square(n):
            return n * n

        if __name__ == "__main__":
            with multiprocessing.Pool(4) as pool:
                print(sum(pool.map(square, range(1000))))
    """)
    assert nook("run", "--rm", *job, "host:", "/usr/bin/python3", "/job/pool.py") == "332833500\n"


@pytest.mark.user("root")
def test_web_server_and_client_share_a_network(nook, space, debian_root):
    job = script(space, "serve.py", """
        import http.server, os

        os.chdir("/etc")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 80), http.server.SimpleHTTPRequestHandler)
        print("ready", flush=True)
        server.serve_forever()
    """)
    server = nook.start("run", "--rm", "--name", "web", "--hostname", "shop", *job, "--overlay", f"dir:{debian_root}",
                        "python3", "/job/serve.py")
    with server:
        try:
            assert server.stdout.readline() == "ready\n", server.stderr.read()
            client = ["run", "--rm", "--overlay"]
            page = nook(*client, "--net", "container:web", f"dir:{debian_root}", "curl", "-sf", "http://127.0.0.1/os-release")
            assert page == (debian_root / "etc/os-release").read_text()
            # Without the shared network there is nobody on that port.
            alone = nook.result(*client, f"dir:{debian_root}", "curl", "-s", "http://127.0.0.1/os-release")
            assert alone.code == 7, str(alone)
        finally:
            nook("kill", "--signal", "KILL", "web")
    assert server.returncode == 128 + 9


@pytest.mark.user("root")
@pytest.mark.controllers("memory")
def test_sqlite_writes_more_than_its_memory_limit(nook, space, debian_root):
    data = space / "data"
    data.mkdir()
    job = script(space, "fill.sql", """
        PRAGMA journal_mode = WAL;
        CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
            INSERT INTO t SELECT i, randomblob(100000) FROM n;
        SELECT count(*), sum(length(body)) FROM t;
        PRAGMA integrity_check;
    """)
    out = nook("run", "--rm", "--memory", "48m", *job, "-v", f"{data}:/data", "--overlay", f"dir:{debian_root}",
               "sh", "-c", "sqlite3 /data/big.db < /job/fill.sql")
    assert out == "wal\n1200|120000000\nok\n"
    assert (data / "big.db").stat().st_size > 110 * MIB
    assert (data / "big.db").stat().st_uid == os.geteuid()


@pytest.mark.user("root")
@pytest.mark.controllers("memory")
def test_redis_serves_exec_and_ends_at_its_memory_limit(nook, debian_root):
    server = nook.start("run", "--rm", "--name", "store", "--memory", "64m", "--overlay", f"dir:{debian_root}",
                        "redis-server", "--save", "")
    with server:
        try:
            for line in server.stdout:
                if "Ready to accept connections" in line:
                    break
            assert nook("exec", "store", "redis-cli", "SET", "colour", "blue") == "OK\n"
            assert nook("exec", "store", "redis-cli", "GET", "colour") == "blue\n"
            # At once: on the way up by small steps the kernel throws away and reads again the program's own pages, for minutes.
            nook.result("exec", "store", "redis-cli", "EVAL", "redis.call('SET', 'k', string.rep('x', 100000000))", "0")
            server.communicate(timeout=30)
        finally:
            nook.result("rm", "-f", "store")
    assert server.returncode == 128 + 9


@pytest.mark.user("root")
def test_vi_edits_through_a_terminal(nook, space, debian_root):
    work = space / "work"
    work.mkdir()
    (work / "note").write_text("first line\n")
    words = nook.argv("run", "--rm", "-it", "-v", f"{work}:/work", "-w", "/work", "--overlay", f"dir:{debian_root}",
                      "vi", "note")
    editor = pexpect.spawn(words[0], words[1:], env=nook.environment, dimensions=(30, 90), timeout=20)
    try:
        editor.expect("first line")
        editor.send("osecond line\x1b:r !stty size </dev/tty\r")
        editor.expect("30 90")
        editor.send(":wq\r")
        editor.expect(pexpect.EOF)
    finally:
        editor.close()
    assert editor.exitstatus == 0
    assert (work / "note").read_text() == "first line\nsecond line\n30 90\n"


def test_shell_on_a_terminal_knows_its_job_control(nook, space):
    words = nook.argv("run", "--rm", "-it", "host:", "sh")
    shell = pexpect.spawn(words[0], words[1:], env={**nook.environment, "PS1": "% "}, timeout=20, echo=False)
    try:
        shell.sendline("PS1='inside: '")
        shell.expect_exact("inside: ")
        # The words are told apart from their echo; once they come, the command is in the foreground.
        shell.sendline("sh -c 'echo run\"\"ning; exec sleep 1000'")
        shell.expect_exact("running")
        shell.sendintr()
        shell.expect_exact("inside: ")
        shell.sendline("echo status $?")
        shell.expect_exact("status 130")
        shell.sendline("tty; exit 3")
        shell.expect("/dev/(pts/0|console)")
        shell.expect(pexpect.EOF)
    finally:
        shell.close()
    assert shell.exitstatus == 3


@pytest.mark.user("root")
def test_another_nook_runs_inside_when_allowed(nook, space):
    inner = space / "bin"
    inner.mkdir()
    shutil.copy2(nook.program, inner / "nook")
    line = ["-v", f"{inner}:/nook:ro", "host:", "/nook/nook", "--quiet", "--run", "/tmp/run", "--root", "/tmp/lib",
            "run", "--rm", "--hostname", "second", "host:", "sh", "-c", "echo $$ on $(uname -n)"]
    assert nook("run", "--rm", "--security-opt", "nesting", *line) == "1 on second\n"
    refused = nook.result("run", "--rm", *line)
    assert refused.code != 0 and "second" not in refused.out, str(refused)


def test_tar_becomes_a_throw_away_root(nook, space, busybox_root):
    archive = space / "root.tar.gz"
    subprocess.run(["tar", "-C", busybox_root, "-czf", archive, "."], check=True)
    before = archive.read_bytes()
    line = ["run", "--rm", f"tar:{archive}", "sh", "-c", "ls /added 2>/dev/null; echo new >/added && cat /added"]
    assert nook(*line) == "new\n"
    assert nook(*line) == "new\n"
    assert archive.read_bytes() == before


def test_what_a_pipe_brings_goes_through(nook):
    payload = "".join(f"line {n}\n" for n in range(50000))
    assert nook("run", "--rm", "host:", "sort", "-k2", "-n", input=payload) == payload


@pytest.mark.user("root")
def test_apt_installs_nothing_on_the_host(nook, debian_root):
    """dpkg needs chown, chroot, setuid helpers and file capabilities: what a distribution's own tools need works."""
    before = sorted(path.name for path in (debian_root / "var/lib/dpkg/info").iterdir())
    out = nook("run", "--rm", "--overlay", f"dir:{debian_root}", "sh", "-c",
               "dpkg --purge --force-depends curl >/dev/null && dpkg-query -W -f '${db:Status-Status}' curl || echo gone")
    assert out.endswith("gone\n")
    assert before == sorted(path.name for path in (debian_root / "var/lib/dpkg/info").iterdir())


@pytest.mark.user("root")
def test_files_keep_their_owners_in_a_shared_directory(nook, space, busybox_root):
    shared = space / "shared"
    shared.mkdir()
    (shared / "theirs").write_text("x")
    os.chown(shared / "theirs", 1000, 1000)
    out = nook("run", "--rm", "-v", f"{shared}:/shared", "--overlay", f"dir:{busybox_root}",
               "sh", "-c", "stat -c %u:%g /shared/theirs; touch /shared/mine; chown 1000 /shared/mine")
    assert out == "1000:1000\n"
    assert [pathlib.Path(shared / name).stat().st_uid for name in ("theirs", "mine")] == [1000, 1000]
