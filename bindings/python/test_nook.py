# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Python bindings: NOOK_LIBRARY=build/libnook.so python3 -m pytest bindings/python"""

import concurrent.futures
import errno
import json
import os
import pathlib
import re
import select
import signal

import pytest

import nook

HEADER = pathlib.Path(__file__).resolve().parents[2] / "include" / "nook.h"


def output(argv, *args, **words):
    read, write = os.pipe()
    box = nook.Box(*args, **words).fd(write, 1)
    os.close(write)
    with box.spawn(argv) as process:
        del box  # it holds a copy of the pipe's end
        with os.fdopen(read) as stream:
            text = stream.read()
        process.wait()
    return text


def test_run_returns_how_it_ended():
    assert nook.run(["true"]).ok
    assert nook.run(["sh", "-c", "exit 3"]).exit_code == 3
    result = nook.run(["sh", "-c", "kill -TERM $$"])
    assert result.exit_code is None and result.term_signal == signal.SIGTERM
    assert result.user_us is not None and result.max_rss > 0


def test_rules_are_words(tmp_path):
    os.chmod(tmp_path, 0o777)
    assert nook.run(["sh", "-c", "echo made > made"], rw=str(tmp_path), cwd=str(tmp_path)).ok
    assert (tmp_path / "made").read_text() == "made\n"
    assert output(["sh", "-c", "echo $A $B; id -u"], "env A=1", env={"B": "2 3"}, fake_root=True) == "1 2 3\n0\n"


def test_limits():
    assert nook.run(["sleep", "60"], limit={"wall": "100ms"}).limit is nook.Limit.WALL
    assert nook.run(["sh", "-c", "while :; do :; done"], limit="time=100ms").limit is nook.Limit.TIME


def test_errors_say_what_and_where():
    with pytest.raises(nook.Error) as caught:
        nook.Box("net none\nnet wifi")
    assert caught.value.rule == 2 and caught.value.object == "wifi"
    with pytest.raises(nook.Error) as caught:
        nook.run(["/no/such/program"])
    assert caught.value.step == "exec" and caught.value.errno == 2
    with pytest.raises(TypeError):
        nook.run("echo one string")


def test_process_is_waited_for_and_killed():
    with nook.Box().spawn(["sleep", "60"]) as process:
        with pytest.raises(TimeoutError):
            process.wait(timeout=0)
        assert process.stats().exit_code is None
        process.kill(signal.SIGKILL)
        assert select.select([process], [], [], 10)[0]
        assert process.wait().term_signal == signal.SIGKILL
    with pytest.raises(ValueError):
        process.wait()


def test_a_box_is_shared_by_threads():
    box = nook.Box(limit="pids=10")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: box.run(["sh", "-c", f"exit {n}"]).exit_code, range(40)))
    assert results == list(range(40))


def test_clones_go_their_own_ways():
    first = nook.Box("env A=1")
    second = first.clone().rule("env", "A=2")
    assert first.run(["sh", "-c", "exit $A"]).exit_code == 1
    assert second.run(["sh", "-c", "exit $A"]).exit_code == 2


def test_files_are_put():
    read, write = os.pipe()
    box = nook.Box().put("/data", b"a\0b").put("/etc/hosts", "one\n").fd(write, 1).clone()
    os.close(write)
    assert box.run(["cat", "/data", "/etc/hosts"]).ok
    assert os.read(read, 100) == b"a\0bone\n"
    os.close(read)


def test_explain_and_host():
    assert json.loads(nook.Box().explain(["true"], "json"))
    assert "seccomp" in nook.Box().explain(["true"])
    assert nook.host().userns and nook.host().kernel >= (5, 10)
    assert nook.version() >= (0, 1, 0)


def test_layouts_are_the_header_s():
    """Members of the structs, in order, as nook.h declares them."""
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
    for name, structure in {"nook_error": nook._Error, "nook_result": nook._Result, "nook_host": nook._Host}.items():
        body = re.search(r"struct %s \{(.*?)\};" % name, text, re.S)[1]
        members = [word.strip().split("[")[0] for line in body.split(";") if line.strip()
                   for word in line.strip().split(None, 1)[1].split(",")]
        assert members == [field[0] for field in structure._fields_]
    order = re.search(r"enum nook_limit \{(.*?)\};", text, re.S)[1]
    assert [limit.name for limit in nook.Limit] == re.findall(r"NOOK_LIMIT_(\w+)", order)


def test_a_second_command_runs_in_the_same_box():
    with nook.Box(hostname="one").spawn(["sleep", "600"]) as process:
        with process.exec(["sh", "-c", "test $(hostname) = one && exit 9"]) as more:
            assert more.wait().exit_code == 9
        process.kill()
        process.wait()
        with pytest.raises(nook.Error) as error:
            process.exec(["true"])
        assert error.value.errno == errno.ESRCH


def test_a_program_shuts_itself_in(tmp_path):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            with pytest.raises(nook.Error) as error:
                nook.Box(overlay="/usr").enter()
            assert error.value.errno == errno.EOPNOTSUPP and (tmp_path / "before").write_text("x")
            nook.Box(net="host").enter()
            try:
                (tmp_path / "after").write_text("x")
            except PermissionError:
                os.write(write, b"in")
                code = 0
        finally:
            os._exit(code)
    os.close(write)
    assert os.waitpid(pid, 0)[1] == 0 and os.read(read, 10) == b"in"
    os.close(read)
    assert (tmp_path / "before").exists() and not (tmp_path / "after").exists()
