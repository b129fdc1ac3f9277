# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook search and nook manifest inspect: registries looked at."""

import json

import pytest

from depots import pull, serve  # noqa: F401 (pull is a fixture)
from registries import Image, Memory, OCI_INDEX, OCI_MANIFEST, Reply, digest, index_of

pytestmark = pytest.mark.anywhere


def test_manifest_inspect(pull, space):
    images = {Image([{"f": name.encode()}], name): name for name in ("s390x", "amd64")}
    registry = Memory()
    data = index_of(registry, images)
    signature = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{"mediaType": OCI_MANIFEST, "digest": digest(b"s"), "size": 1}]}
    registry.add_document("team/app", digest(data).replace(":", "-"), OCI_INDEX, signature)
    with serve(registry) as server:
        assert pull.nook("manifest", "inspect", "--raw", f"{server.host}/team/app:1").encode() == data
        assert json.loads(pull.nook("manifest", "inspect", f"{server.host}/team/app:1")) == json.loads(data)
        one = pull.nook("manifest", "inspect", "--platform", "s390x", f"{server.host}/team/app:1")
        assert json.loads(one) == next(image for image in images if images[image] == "s390x").document
        assert json.loads(pull.nook("manifest", "inspect", "--referrers", f"{server.host}/team/app:1")) == signature
        assert "manifest unknown" in pull.nook.fails(125, "manifest", "inspect", f"{server.host}/team/app:9")
    assert not (pull.images / "depot.db").exists()


def test_search_with_filters(pull):
    found = [{"name": "team/a", "star_count": 3, "is_official": True}, {"name": "team/b", "star_count": 30}, {"name": "team/c"}]

    def names(*options):
        out = pull.nook("search", "--format", "json", *options, f"{server.host}/team")
        return [row["name"].rpartition("/")[2] for row in json.loads(out)]

    with serve(lambda request: Reply.json({"results": found}) if "v1/search" in request.path else Reply(404)) as server:
        assert names() == ["a", "b", "c"]
        assert names("--filter", "stars=3") == ["a", "b"] and names("-f", "stars=4") == ["b"]
        assert names("-f", "is-official=true") == ["a"] and names("-f", "is-official=false", "-f", "stars=1") == ["b"]
        assert "neither stars=N" in pull.nook.fails(125, "search", "-f", "colour=red", f"{server.host}/team")


def test_search_and_tags_in_pages(pull):
    names = [f"team/app{i}" for i in range(5)] + ["other"]

    def pages(request):
        key = "tags" if "tags" in request.path else "repositories"
        if "v1/search" in request.path:
            return Reply(404)
        last = int(request.query.get("last", ["0"])[0])
        headers = {"Link": f'<{request.path.split("?")[0]}?last={last + 2}&n=2>; rel="next"'} if last + 2 < len(names) else {}
        return Reply.json({key: names[last:last + 2]}, **headers)

    with serve(pages) as server:
        out = pull.nook("search", f"{server.host}/app")
        assert [line.split()[0] for line in out.splitlines()[1:]] == [f"{server.host}/{name}" for name in names[:5]]
        assert pull.nook("search", "--list-tags", f"{server.host}/team/app").split() == names
        assert len(json.loads(pull.nook("search", "--format", "json", "--limit", "2", f"{server.host}/app"))) == 2
    with serve(lambda request: Reply(200, {"Link": f'<{request.path}x>; rel="next"'}, b'{"repositories": []}') if "v2" in request.path
               else Reply(404)) as server:
        pull.nook("search", f"{server.host}/app")  # pages without end
