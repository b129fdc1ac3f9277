# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cuts and waits: a pull goes on where the last one ended, and only what was verified counts."""

import select
import signal
import time

import pytest

import leaks
import registries
from depots import assert_has, pull, serve  # noqa: F401 (pull is a fixture)
from registries import Image, Reply, memory, noise, only

pytestmark = pytest.mark.anywhere


def test_a_cut_blob_goes_on_where_it_ended(pull):
    image = Image([{"big": noise(700000)}])
    name = image.layers[0]["digest"]

    def cut(request):
        if name not in request.path or request.count >= 4:
            return None
        reply = registries.ranged(request, image.blobs[name])
        reply.cut = 150000
        return reply

    with serve(memory(image, faults=cut)) as server:
        pull(f"{server.host}/team/app:1")
        ranges = [request.headers.get("Range") for request in server.requests if name in request.path]
    assert ranges[0] is None and len(ranges) == 5
    starts = [int(text[len("bytes="):-1]) for text in ranges[1:]]
    assert starts == sorted(set(starts)) and starts[0] > 0
    assert_has(pull, image)


@pytest.mark.parametrize("how", ["no ranges", "other place", "other size", "416"])
def test_a_server_that_does_not_go_on_there(pull, how):
    image = Image([{"big": noise(300000)}])
    name = image.layers[0]["digest"]
    data = image.blobs[name]

    def faulty(request):
        if name not in request.path:
            return None
        if request.count == 0:
            return Reply(body=data, cut=100000)
        if how == "no ranges":
            return Reply(body=data)
        if "Range" in request.headers and how == "416":
            return Reply(416)
        if how == "other place":
            return Reply(206, {"Content-Range": f"bytes 5-{len(data) - 1}/{len(data)}"}, data[5:])
        if how == "other size":
            first = int(request.headers["Range"][6:-1])
            return Reply(206, {"Content-Range": f"bytes {first}-{len(data)}/{len(data) + 1}"}, data[first:] + b"x")
        return None

    with serve(memory(image, faults=faulty)) as server:
        if how.startswith("other"):
            assert "continues at another place" in pull.fails(f"{server.host}/team/app:1")
        else:
            pull(f"{server.host}/team/app:1")
            assert_has(pull, image)


def test_a_pull_that_was_ended_is_resumed(pull):
    """Ctrl-C and kill -9 in the middle: nothing has a name, and the next pull fetches only what is missing."""
    image = Image([{"small": b"x"}, {"big": noise(900000)}])
    name = image.layers[1]["digest"]
    data = image.blobs[name]

    for number, sent in ((signal.SIGINT, 300000), (signal.SIGKILL, 500000)):
        def stall(request, sent=sent):
            if name not in request.path:
                return None

            def write(handler):
                reply = registries.ranged(request, data)
                head = f"HTTP/1.1 {reply.status} OK\r\nContent-Length: {len(reply.body)}\r\n"
                head += "".join(f"{key}: {value}\r\n" for key, value in reply.headers.items())
                handler.wfile.write(head.encode() + b"\r\n" + reply.body[:sent - (len(data) - len(reply.body))])
                handler.wfile.flush()
                handler.rfile.read(1)  # until the client is gone
            return Reply(write=write)

        with serve(memory(image, faults=stall)) as server:
            pull.configure(f'[[registry]]\nprefix = "app.example"\nlocation = "{server.host}"\n')
            process = pull.nook.start("pull", "app.example/team/app:1")
            partial = pull.images / "ingest" / name.replace(":", "-")
            wait_until(lambda: partial.exists() and partial.stat().st_size > sent - 70000, process)
            process.send_signal(number)
            process.communicate()
            assert process.returncode == -number
        assert pull.names() == []
        wait_for_orphans()

    with serve(memory(image)) as server:
        pull.configure(f'[[registry]]\nprefix = "app.example"\nlocation = "{server.host}"\n')
        pull("app.example/team/app:1")
        start = [request.headers.get("Range") for request in server.requests if name in request.path]
    assert len(start) == 1 and int(start[0][6:-1]) >= 400000
    assert_has(pull, image)


def wait_for_orphans():
    """An unpacker whose nook was killed holds its directory until it has noticed."""
    deadline = time.monotonic() + 30
    while left := leaks.processes():
        assert time.monotonic() < deadline, left
        select.select([], [], [], 0.01)


def wait_until(ready, process):
    """For what a file system shows: inotify has no event for a size."""
    deadline = time.monotonic() + 30
    while not ready():
        assert process.poll() is None and time.monotonic() < deadline
        select.select([], [], [], 0.01)


def test_bytes_of_an_earlier_pull_may_be_wrong(pull):
    image = Image([{"big": noise(300000)}])
    name = image.layers[0]["digest"]
    bad = bytes(100000)

    with serve(memory(image, faults=only(name, Reply(body=bad + image.blobs[name][len(bad):], cut=200000)))) as server:
        pull.fails(f"{server.host}/team/app:1", "--retry", "0")
    assert pull.ingest()
    with serve(memory(image)) as server:
        pull(f"{server.host}/team/app:1")
    assert_has(pull, image)


def test_put_off_with_429_and_503(pull):
    image = Image()

    def busy(request):
        if request.count == 0:
            return Reply.json({"errors": [{"code": "TOOMANYREQUESTS", "message": "slow down"}]}, 429, **{"Retry-After": "0"})
        return Reply(503) if request.count == 1 else None

    with serve(memory(image, faults=busy)) as server:
        pull(f"{server.host}/team/app:1")
    assert_has(pull, image)
    with serve(lambda request: Reply.json({"errors": [{"message": "come back tomorrow"}]}, 429, **{"Retry-After": "86400"})) as server:
        assert "come back tomorrow (HTTP 429)" in pull.nook.fails(125, "pull", f"{server.host}/x:1")
        assert len(server.requests) == 1


@pytest.mark.parametrize("count", [2, 16])
def test_pulls_at_once_fetch_each_blob_once(pull, count):
    image = Image([{f"f{i}": noise(200000, i)} for i in range(4)])
    with serve(memory(image)) as server:
        for process in [pull.nook.start("pull", f"{server.host}/team/app:1") for _ in range(count)]:
            _, err = process.communicate()
            assert process.returncode == 0, err
        fetched = [path for path in server.paths() if "/blobs/" in path]
    assert sorted(fetched) == sorted({f"/v2/team/app/blobs/{name}" for name in image.blobs})
    assert_has(pull, image)
