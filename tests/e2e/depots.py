# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook with a depot, a home and a registries.conf of a test's own, and a look into the depot."""

import contextlib
import sqlite3

import pytest

from registries import Server


@pytest.fixture
def pull(nook, space):
    """Pulls with a home, a configuration and a depot of the test's own."""
    nook.environment.update(HOME=str(space), XDG_RUNTIME_DIR=str(space / "runtime"), CONTAINERS_REGISTRIES_CONF=str(space / "registries.conf"))
    (space / "registries.conf").write_text("")
    return Pull(nook, space)


class Pull:
    def __init__(self, nook, space):
        self.nook, self.space, self.images = nook, space, nook.root / "images"

    def __call__(self, name, *options, **kwargs):
        return self.nook("pull", *options, name, **kwargs)

    def fails(self, name, *options, **kwargs):
        """The message; nothing may be visible afterwards."""
        err = self.nook.fails(125, "pull", *options, name, **kwargs)
        assert self.names() == [], "a failed pull left a name"
        return err.splitlines()[-1]

    def layers(self):
        return sorted(path.name for path in (self.images / "layers").iterdir())

    def blobs(self):
        return {f"sha256:{path.name}" for path in (self.images / "blobs/sha256").iterdir()}

    def ingest(self):
        return sorted(path.name for path in (self.images / "ingest").iterdir())

    def names(self):
        if not (self.images / "depot.db").exists():
            return []
        with contextlib.closing(sqlite3.connect(self.images / "depot.db")) as db:
            return [name for name, in db.execute("select name from name order by name")]

    def configure(self, text):
        (self.space / "registries.conf").write_text(text)


def serve(registry, **options):
    server = Server(registry, **options)
    server.host = f"127.0.0.1:{server.port}"
    return server


def assert_has(pull, image):
    """The image, and nothing else."""
    assert pull.blobs() == {*image.blobs, image.digest}
    assert len(pull.layers()) == len(image.layers)
    assert pull.ingest() == []
