# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many starts at once: names, ids and ranges are taken by one process only, and nothing is mixed up."""

import concurrent.futures
import json


def test_forty_starts_side_by_side(nook, busybox_root):
    def start(n):
        return nook("run", "--rm", "-e", f"N={n}", f"dir:{busybox_root}", "sh", "-c", "echo $N $(awk '{print $2}' /proc/self/uid_map) $(hostname)")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        outs = list(pool.map(start, range(40)))
    assert [int(out.split()[0]) for out in outs] == list(range(40))
    assert len({out.split()[2] for out in outs}) == 40


def test_one_name_is_taken_by_one(nook, busybox_root):
    def start(_):
        return nook.result("run", "--name", "one", f"dir:{busybox_root}", "true").code

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        codes = sorted(pool.map(start, range(6)))
    assert codes == [0, 125, 125, 125, 125, 125]
    assert len(json.loads(nook("ps", "-a", "--format", "json"))) == 1
    nook("rm", "one")


def test_execs_side_by_side(nook, busybox_root):
    with nook.start("run", "--rm", "--name", "web", f"dir:{busybox_root}", "sh", "-c", "echo up; read line", stdin=-1) as process:
        assert process.stdout.readline() == "up\n"
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            outs = list(pool.map(lambda n: nook("exec", "web", "echo", n), range(40)))
        assert [int(out) for out in outs] == list(range(40))
        process.communicate("\n", timeout=20)
