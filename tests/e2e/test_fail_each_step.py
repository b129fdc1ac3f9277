# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every step of a plan fails once: the error names that step, and nothing is left (the leak check looks)."""

import json

import pytest

LINES = {
    "dir": ["--hostname", "web", "-w", "/tmp", "-v", "/usr:/data:ro", "--tmpfs", "/cache"],
    "terminal": ["-t", "--init"],
    "overlay": ["--overlay", "--read-only"],
    "joined": ["--net", "path:/proc/self/ns/net", "--ipc", "host"],
}
ROOT_ONLY = {"joined"}


def steps_of(nook, arguments):
    return json.loads(nook("run", "--explain=json", *arguments))["steps"]


@pytest.mark.parametrize(
    "line", [pytest.param(name, marks=[pytest.mark.user("root")] if name in ROOT_ONLY else []) for name in LINES])
def test_each_step_fails_alone_and_leaves_nothing(nook, busybox_root, line):
    arguments = [*LINES[line], f"dir:{busybox_root}", "true"]
    steps = steps_of(nook, arguments)
    assert len(steps) > 30
    for step in steps:
        result = nook.result("run", *arguments, env={"NOOK_FAIL_STEP": str(step["number"])})
        # The command that could not be executed has docker's exit statuses.
        expected = (126,) if step["step"] == "exec" else (125,)
        assert result.code in expected, f"step {step}: {result}"
        assert "failed on purpose" in result.err, f"step {step}: {result}"
        assert len(result.err.strip().splitlines()) <= 2, str(result)
    assert nook("ps", "-a", "-q") == ""


@pytest.mark.user("rootless")
def test_each_step_of_an_ordinary_users_plan(nook, busybox_root):
    arguments = [f"dir:{busybox_root}", "true"]
    for step in steps_of(nook, arguments):
        result = nook.result("run", *arguments, env={"NOOK_FAIL_STEP": str(step["number"])})
        assert result.code in (125, 126) and "failed on purpose" in result.err, f"step {step}: {result}"


def test_a_step_that_is_not_there_fails_nothing(nook, busybox_root):
    nook("run", f"dir:{busybox_root}", "true", env={"NOOK_FAIL_STEP": "100000"})
    assert nook("rm", "--all") is not None
