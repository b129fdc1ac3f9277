# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a registry may not do, and where it may send nook."""

import json

import pytest

import registries
from depots import assert_has, pull, serve  # noqa: F401 (pull is a fixture)
from registries import Image, OCI_INDEX, OCI_MANIFEST, Reply, Tokens, digest, memory, only

pytestmark = pytest.mark.anywhere


def test_content_that_is_not_what_was_promised(pull):
    image = Image()
    layer = image.layers[0]
    garbled = bytearray(image.blobs[layer["digest"]])
    garbled[len(garbled) // 2] ^= 1
    wrong_manifest = image.manifest.replace(b'"schemaVersion": 2', b'"schemaVersion":  2')
    type_of = {"Content-Type": OCI_MANIFEST}
    faults = {
        "its content is sha256:": only(layer["digest"], Reply(body=bytes(garbled))),
        "and not the ": only(layer["digest"], Reply(body=image.blobs[layer["digest"]] + b"more")),
        " bytes": only(layer["digest"], Reply(body=image.blobs[layer["digest"]][:100])),
        "the manifest's digest is": only("manifests", Reply(200, {**type_of, "Docker-Content-Digest": digest(b"")}, image.manifest)),
        "a digest that is none": only("manifests", Reply(200, {**type_of, "Docker-Content-Digest": "sha256:../../x"}, image.manifest)),
        "application/vnd.oci.image.manifest": only("manifests", Reply(200, {"Content-Type": OCI_INDEX}, image.manifest)),
        "manifest unknown": only("manifests", Reply.json({"errors": [{"code": "X", "message": "manifest unknown"}]}, 404)),
        "longer than 4096 KiB": only("manifests", Reply(200, type_of, b" " * (5 << 20))),
    }
    for words, fault in faults.items():
        with serve(memory(image, faults=fault)) as server:
            assert words in pull.fails(f"{server.host}/team/app:1", "--retry", "0")
    with serve(memory(image, faults=only(image.digest, Reply(200, type_of, wrong_manifest)))) as server:
        assert "the manifest's digest is" in pull.fails(f"{server.host}/team/app@{image.digest}")
    with serve(memory(image)) as server:  # and nothing of all that is in the way now
        pull(f"{server.host}/team/app:1")
    assert_has(pull, image)


def test_a_body_that_could_be_two_things(pull):
    image = Image()
    confused = json.dumps({**image.document, "manifests": [image.descriptor()]}).encode()
    for data, words in ((confused, "manifest and index at once"), (b'{"schemaVersion":1,"fsLayers":[]}', "schema"), (b"<html>", "")):
        fault = only("manifests", Reply(200, {"Content-Type": OCI_MANIFEST}, data))
        with serve(memory(image, faults=fault)) as server:
            assert words in pull.fails(f"{server.host}/team/app:1")


def test_an_endless_body(pull):
    image = Image()

    def endless(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(1 << 20):
            handler.wfile.write(b"10000\r\n" + bytes(65536) + b"\r\n")

    for part, words in ((image.layers[0]["digest"], "more of it than"), ("manifests", "longer than")):
        with serve(memory(image, faults=only(part, Reply(write=endless)))) as server:
            assert words in pull.fails(f"{server.host}/team/app:1", "--retry", "0")


def test_an_endless_header(pull):
    def endless(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for i in range(1 << 16):
            handler.wfile.write(b"X-%d: %s\r\n" % (i, b"x" * 1000))

    with serve(memory(faults=only("manifests", Reply(write=endless)))) as server:
        assert "header" in pull.fails(f"{server.host}/team/app:1", "--retry", "0")


def test_a_silent_server(pull):
    def silent(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nx" % image.layers[1]["size"])
        handler.wfile.flush()
        handler.connection.settimeout(20)
        handler.rfile.read(1)  # until the client hangs up

    image = Image()
    with serve(memory(image, faults=only(image.layers[1]["digest"], Reply(write=silent)))) as server:
        err = pull.fails(f"{server.host}/team/app:1", "--retry", "0", "--timeout", "1s")
        assert "too slow" in err or "timed out" in err.lower()


def test_redirects(pull):
    image = Image()
    seen = []

    def elsewhere(request):
        seen.append(request)
        return registries.ranged(request, image.blobs[request.path.strip("/")])

    with serve(elsewhere) as store:
        def to_store(request):
            name = request.path.rsplit("/", 1)[1]
            return Reply(307, {"Location": f"http://{store.host}/{name}"}) if "/blobs/" in request.path else None

        tokens = Tokens(memory(image, faults=to_store), users={"alice": "secret"})
        with serve(tokens) as server:
            pull.nook("login", "-u", "alice", "--password-stdin", server.host, input="secret")
            pull(f"{server.host}/team/app:1")
        tokens.close()
    assert len(seen) == 3 and not any("Authorization" in request.headers for request in seen)
    assert any("Bearer" in request.headers.get("Authorization", "") for request in server.requests if "/blobs/" in request.path)


@pytest.mark.parametrize("target, words", [
    ("{self}", "redirects more than"),
    ("file:///etc/passwd", "no http or https address"),
    ("http://192.0.2.1/x", "plain http elsewhere"),
    ("", "no http or https address"),
])
def test_redirects_that_are_not_followed(pull, target, words):
    def away(request):
        return Reply(302, {"Location": target.format(self=request.path)}) if target else Reply(302)

    with serve(memory(faults=only("manifests", away))) as server:
        assert words in pull.fails(f"{server.host}/team/app:1")
        assert len(server.requests) <= 25
