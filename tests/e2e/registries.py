# SPDX-License-Identifier: LGPL-2.1-or-later
"""Registries on loopback: Debian's docker-registry, a proxy in front of it that cuts, lies and asks for tokens, and small
images to put there."""

import base64
import contextlib
import dataclasses
import gzip
import hashlib
import http.client
import http.server
import io
import json
import random
import re
import socket
import ssl
import subprocess
import tarfile
import threading
import typing
import urllib.parse
import warnings

import h2.config
import h2.connection
import h2.events

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Python 3.13 has it no more
    import crypt

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


# ---- images ----------------------------------------------------------------------------------------------------------

def tar(files, modes):
    """A tar of NAME to bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), modes.get(name, 0o644)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def noise(size, seed=1):
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(size)


class Image:
    """An image in memory: its blobs by digest, its manifest and what the name in a registry leads to."""

    def __init__(self, layers=None, architecture="amd64", config_type=OCI_CONFIG, manifest_type=OCI_MANIFEST, labels=None, modes=None):
        layers = layers or [{"etc/one": noise(50000, 1)}, {"etc/two": noise(70000, 2)}]
        self.blobs, self.layers = {}, []
        tars = [tar(files, modes or {}) for files in layers]
        for data in tars:
            packed = gzip.compress(data, 1, mtime=0)
            self.layers.append({"mediaType": OCI_LAYER + "+gzip", "digest": self.add(packed), "size": len(packed)})
        config = {"architecture": architecture, "os": "linux", "config": {"Cmd": ["/bin/sh"], "Labels": labels or {}},
                  "rootfs": {"type": "layers", "diff_ids": [digest(data) for data in tars]}}
        self.config = self.describe(config, config_type)
        self.manifest_type = manifest_type
        self.document = {"schemaVersion": 2, "mediaType": manifest_type, "config": self.config, "layers": self.layers}

    def add(self, data):
        self.blobs[digest(data)] = data
        return digest(data)

    def describe(self, value, media_type):
        data = json.dumps(value).encode()
        return {"mediaType": media_type, "digest": self.add(data), "size": len(data)}

    @property
    def manifest(self):
        return json.dumps(self.document).encode()

    @property
    def digest(self):
        return digest(self.manifest)

    def descriptor(self, architecture="amd64", **platform):
        return {"mediaType": self.manifest_type, "digest": self.digest, "size": len(self.manifest),
                "platform": {"os": "linux", "architecture": architecture, **platform}}


# ---- HTTP ------------------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Request:
    method: str
    path: str
    headers: dict
    body: bytes
    count: int  # how many requests of this method and path came before

    @property
    def query(self):
        return urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)


@dataclasses.dataclass
class Reply:
    status: int = 200
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes = b""
    cut: typing.Optional[int] = None  # send so many bytes of the body and hang up
    length: typing.Optional[int] = None  # Content-Length, instead of the truth
    write: typing.Optional[typing.Callable] = None  # does it all: write(handler)

    @classmethod
    def json(cls, value, status=200, **headers):
        return cls(status, {"Content-Type": "application/json", **headers}, json.dumps(value).encode())


class Server:
    """HTTP on loopback; ANSWER(request) returns a Reply.  What came is in .requests."""

    def __init__(self, answer, tls=None, host="127.0.0.1", client_ca=None, look=None):
        """CLIENT_CA: whose certificates clients may show, and whether they must; LOOK(handler) sees each request's connection."""
        self.answer, self.requests, self.counts = answer, [], {}
        self.stopped = threading.Event()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def handle_all(self):
                length = int(self.headers.get("Content-Length") or 0)
                request = Request(self.command, self.path, dict(self.headers), self.rfile.read(length), server.count(self))
                server.requests.append(request)
                if look:
                    look(self)
                server.send(self, server.answer(request))

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_all

        class Listener(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def get_request(self):
                connection, address = super().get_request()
                # A TLS greeting to a server without TLS (or the other way) is answered by hanging up, as real ones do.
                if not tls and connection.recv(1, socket.MSG_PEEK) == b"\x16":
                    connection.close()
                    raise OSError("TLS")
                return connection, address

            def finish_request(self, request, client_address):
                with contextlib.suppress(OSError):
                    super().finish_request(request, client_address)

            def handle_error(self, request, client_address):
                pass

        self.listener = Listener((host, 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            if client_ca:
                context.load_verify_locations(client_ca[0])
                context.verify_mode = client_ca[1]
            self.listener.socket = context.wrap_socket(self.listener.socket, server_side=True)
        self.port = self.listener.server_address[1]
        self.thread = threading.Thread(target=self.listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def count(self, handler):
        key = (handler.command, handler.path)
        self.counts[key] = self.counts.get(key, 0) + 1
        return self.counts[key] - 1

    @staticmethod
    def send(handler, reply):
        if reply.write:
            handler.close_connection = True
            reply.write(handler)
            return
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            for one in value if isinstance(value, list) else [value]:
                handler.send_header(name, one)
        if "Content-Length" not in reply.headers and "Transfer-Encoding" not in reply.headers:
            handler.send_header("Content-Length", str(reply.length if reply.length is not None else len(reply.body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(reply.body if reply.cut is None else reply.body[:reply.cut])
        if reply.cut is not None:
            handler.wfile.flush()
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)

    def paths(self, method=None):
        return [request.path for request in self.requests if method in (None, request.method)]

    def close(self):
        self.stopped.set()
        self.listener.shutdown()
        self.listener.server_close()
        self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()


class Http2Server:
    """The same over TLS and HTTP/2, for requests without a body; .connections counts them."""

    def __init__(self, answer, tls):
        self.answer, self.requests, self.connections = answer, [], 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*tls)
        self.context.set_alpn_protocols(["h2"])
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
                self.connections += 1
                self.threads.append(threading.Thread(target=self.serve, args=(connection,), daemon=True))
                self.threads[-1].start()
            except OSError:
                return

    def serve(self, plain):
        with contextlib.suppress(OSError), self.context.wrap_socket(plain, server_side=True) as connection:
            http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
            http2.initiate_connection()
            bodies = {}
            while True:
                connection.sendall(http2.data_to_send())
                data = connection.recv(65536)
                if not data:
                    return
                for event in http2.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        self.reply(http2, event, bodies)
                    elif isinstance(event, h2.events.StreamReset):
                        bodies.pop(event.stream_id, None)
                self.send(http2, bodies, connection)

    def reply(self, http2, event, bodies):
        headers = dict(event.headers)
        request = Request(headers[":method"], headers[":path"], headers, b"", 0)
        self.requests.append(request)
        answer = self.answer(request)
        http2.send_headers(event.stream_id, [(":status", str(answer.status)), ("content-length", str(len(answer.body))),
                                             *[(name.lower(), value) for name, value in answer.headers.items()]])
        bodies[event.stream_id] = memoryview(b"" if request.method == "HEAD" else answer.body)

    @staticmethod
    def send(http2, bodies, connection):
        """As much as the windows allow, in turns."""
        moved = True
        while moved:
            moved = False
            for stream, body in list(bodies.items()):
                size = min(http2.local_flow_control_window(stream), http2.max_outbound_frame_size, len(body))
                if size == 0 and len(body):
                    continue
                http2.send_data(stream, bytes(body[:size]), end_stream=size == len(body))
                bodies[stream], moved = body[size:], True
                if size == len(body):
                    del bodies[stream]
            connection.sendall(http2.data_to_send())

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for thread in self.threads:
            thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()


class Memory:
    """The reading half of a registry, from images in memory; FAULTS(request) may answer instead."""

    def __init__(self, faults=None):
        self.manifests, self.blobs, self.faults = {}, {}, faults or (lambda request: None)

    def add(self, repository, tag, image):
        self.blobs.update(image.blobs)
        for name in tag, image.digest:
            self.manifests[repository, name] = (image.manifest_type, image.manifest)

    def add_document(self, repository, tag, media_type, document):
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        for name in tag, digest(data):
            self.manifests[repository, name] = (media_type, data)
        return data

    def __call__(self, request):
        return self.faults(request) or self.plain(request)

    def plain(self, request):
        path = urllib.parse.urlsplit(request.path).path
        if path == "/v2/":
            return Reply.json({})
        repository, kind, name = path[len("/v2/"):].rsplit("/", 2)
        if kind == "manifests" and (repository, name) in self.manifests:
            media_type, data = self.manifests[repository, name]
            return Reply(200, {"Content-Type": media_type, "Docker-Content-Digest": digest(data)}, data)
        if kind == "blobs" and name in self.blobs:
            return ranged(request, self.blobs[name])
        code = {"manifests": "MANIFEST_UNKNOWN", "blobs": "BLOB_UNKNOWN"}.get(kind, "NAME_UNKNOWN")
        return Reply.json({"errors": [{"code": code, "message": f"{code.lower().replace('_', ' ')}"}]}, 404)


def memory(image=None, repository="team/app", tag="1", faults=None):
    """A registry with one image."""
    registry = Memory(faults)
    registry.add(repository, tag, image or Image())
    return registry


def index_of(registry, images, repository="team/app", tag="1", media_type=OCI_INDEX):
    """Adds an index of IMAGES, {image: architecture}; what it says."""
    for image in images:
        registry.add(repository, "unused", image)
    entries = [image.descriptor(architecture) for image, architecture in images.items()]
    entries.insert(0, {**entries[0], "digest": digest(b"no"), "platform": {"os": "unknown", "architecture": "unknown"}})
    return registry.add_document(repository, tag, media_type, {"schemaVersion": 2, "mediaType": media_type, "manifests": entries})


def only(path_part, reply):
    """A fault for paths that hold PATH_PART."""
    return lambda request: (reply(request) if callable(reply) else reply) if path_part in request.path else None


def ranged(request, data):
    """DATA or the part of it that the request asks for."""
    wanted = request.headers.get("Range")
    if not wanted:
        return Reply(200, {"Content-Type": "application/octet-stream"}, data)
    first = int(wanted.removeprefix("bytes=").rstrip("-"))
    if first >= len(data):
        return Reply(416, {"Content-Range": f"bytes */{len(data)}"})
    return Reply(206, {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"}, data[first:])


class Tokens:
    """A token server and the guard of a registry that wants its tokens.  USERS: name to password; a token is good for USES
    requests."""

    def __init__(self, registry, users=None, uses=1000, refresh=None):
        self.registry, self.users, self.uses, self.refresh = registry, users, uses, refresh
        self.left, self.asked = {}, []
        self.server = Server(self.token)
        self.realm = f"http://127.0.0.1:{self.server.port}/token"

    def token(self, request):
        form = urllib.parse.parse_qs(request.body.decode()) if request.method == "POST" else request.query
        self.asked.append((request.method, form, request.headers.get("Authorization")))
        if self.refresh:
            good = request.method == "POST" and form.get("refresh_token") == [self.refresh] and form["grant_type"] == ["refresh_token"]
        else:
            good = self.users is None or request.headers.get("Authorization") in [
                "Basic " + base64.b64encode(f"{user}:{word}".encode()).decode() for user, word in self.users.items()]
        if not good:
            return Reply.json({"details": "incorrect username or password"}, 401)
        token = f"token-{len(self.asked)}"
        self.left[token] = self.uses
        return Reply.json({"access_token" if self.refresh else "token": token, "expires_in": 60})

    def __call__(self, request):
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.left.get(token, 0) > 0:
            self.left[token] -= 1
            return self.registry(request)
        repository = re.split("/(?:blobs|manifests|tags|referrers)/", request.path[len("/v2/"):])[0]
        scope = f',scope="repository:{repository}:pull"' if repository else ""
        return Reply.json({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}, 401,
                          **{"WWW-Authenticate": f'Bearer realm="{self.realm}",service="here, and there"{scope}'})

    def close(self):
        self.server.close()


# ---- Debian's docker-registry ----------------------------------------------------------------------------------------

def certificate(folder, names="DNS:localhost,IP:127.0.0.1", stem="server"):
    """A certificate of its own authority: (certificate, key)."""
    cert, key = folder / f"{stem}.crt", folder / f"{stem}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
                    cert, "-days", "2", "-subj", "/CN=nook test", "-addext", f"subjectAltName={names}"],
                   check=True, capture_output=True)
    return cert, key


class Registry:
    """docker-registry on a port of its own, with its blobs below FOLDER."""

    def __init__(self, folder, tls=None, users=None):
        folder.mkdir()
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        config = {"version": "0.1", "log": {"level": "info"}, "storage": {"filesystem": {"rootdirectory": str(folder / "data")},
                  "delete": {"enabled": True}}, "http": {"addr": self.host}}
        if tls:
            config["http"]["tls"] = {"certificate": str(tls[0]), "key": str(tls[1])}
        if users:
            (folder / "htpasswd").write_text("".join(
                f"{name}:{crypt.crypt(word, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))}\n" for name, word in users.items()))
            config["auth"] = {"htpasswd": {"realm": "a registry", "path": str(folder / "htpasswd")}}
        (folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
        self.process = subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        said = []
        for line in self.process.stderr:
            said.append(line)
            if "listening on" in line:
                break
        else:
            raise AssertionError("docker-registry: " + "".join(said))
        self.drain = threading.Thread(target=self.process.stderr.read, daemon=True)
        self.drain.start()

    def proxied(self, request):
        """The reply of this registry to a request that came to a proxy."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        with contextlib.closing(connection):
            headers = {name: value for name, value in request.headers.items() if name.lower() != "connection"}
            connection.request(request.method, request.path, request.body or None, headers)
            answer = connection.getresponse()
            data = answer.read()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in ("transfer-encoding", "date", "connection")}
        if request.method != "HEAD":
            kept.pop("Content-Length", None)
        return Reply(answer.status, kept, data)

    def manifest(self, repository, tag):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        with contextlib.closing(connection):
            connection.request("GET", f"/v2/{repository}/manifests/{tag}", headers={"Accept": f"{OCI_MANIFEST}, {OCI_INDEX}, {DOCKER_MANIFEST}"})
            return json.loads(connection.getresponse().read())

    def blobs(self):
        """Digests of all blobs."""
        return {f"sha256:{path.parent.name}" for path in (self.folder / "data").rglob("blobs/sha256/*/*/data")}

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.drain.join()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()


def upload(host, repository, tag, image):
    """Puts IMAGE into a registry without authentication, by plain requests."""
    connection = http.client.HTTPConnection(host)

    def call(method, path, body=None, status=(201,), **headers):
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status in status, (method, path, answer.status, text)
        return answer

    with contextlib.closing(connection):
        for name, data in image.blobs.items():
            place = call("POST", f"/v2/{repository}/blobs/uploads/", status=(202,)).headers["Location"]
            parts = urllib.parse.urlsplit(place)
            call("PUT", f"{parts.path}?{parts.query}&digest={name}", data, **{"Content-Type": "application/octet-stream"})
        call("PUT", f"/v2/{repository}/manifests/{tag}", image.manifest, **{"Content-Type": image.manifest_type})
