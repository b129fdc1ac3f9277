# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every example of the README and the guides is run, and says what the page says.

In a ```console block, a line "$ command" is run by sh as whoever runs the tests, "# command" only by root where
limits can be had; what follows
up to the next one is the expected output (both streams), in which "..." stands for anything.
"""

import os
import pathlib
import re
import subprocess

import pytest

import runner

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = ["README.md", "docs/getting-started.md", "docs/images.md", "docs/disks.md", "docs/understand.md", "docs/box.md",
         "docs/box-network.md"]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
TIMEOUT = 60


def examples(page):
    """Command and expected output, in order: all of a page share one shell."""
    found = []
    for block in BLOCK.findall((SOURCE / page).read_text()):
        for line in block.splitlines(keepends=True):
            if line.startswith(("$ ", "# ")):
                found.append([line[0], line[2:].rstrip("\n"), ""])
            else:
                found[-1][2] += line
    return found


def matches(expected, output):
    """A line "..." stands for any number of lines, "..." within a line for the rest of a word or more."""
    pattern = ""
    for line in expected.splitlines():
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.escape(part) for part in line.split("...")) + r"\n"
    return re.fullmatch(pattern, output) is not None


def run_page(lines, nook, space):
    """Runs the lines in one shell; returns what each printed."""
    mark = "=== next ==="
    text = "exec 2>&1 </dev/null\n" + "".join(f"{line}\necho '{mark}'\n" for line in lines)
    path = f"{nook.build}:{nook.environment['PATH']}"
    shell = subprocess.run(["sh", "-c", text], stdout=subprocess.PIPE, cwd=space, text=True, timeout=TIMEOUT, check=False,
                           env={**nook.environment, "PATH": path})
    return shell.stdout.split(f"{mark}\n")[:-1]


@pytest.mark.parametrize("page", PAGES)
def test_examples_do_what_the_page_says(page, nook, space):
    can_limit = os.geteuid() == 0 and {"memory", "pids", "cpu", "cpuset"} <= runner.cgroup_controllers()
    wanted = [(line, output) for who, line, output in examples(page) if who == "$" or can_limit]
    assert wanted
    outputs = run_page([line for line, _ in wanted], nook, space)
    wrong = [f"$ {line}\n--- expected\n{expected}--- got\n{got}"
             for (line, expected), got in zip(wanted, outputs) if not matches(expected, got)]
    assert len(outputs) == len(wanted)
    assert not wrong, "\n".join(wrong)


def test_matching_takes_dots_for_anything_and_nothing_else():
    assert matches("a\n...\nz...!\n", "a\nb\nc\nzoo!\n")
    assert matches("...\n", "")
    assert not matches("a\n", "a\nb\n")
    assert not matches("a.c\n", "abc\n")
