# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs nook the way a person does, and says what it printed when it did not do what was expected."""

import os
import pathlib
import subprocess

TIMEOUT = 60


def cgroup_layout(mountinfo="/proc/self/mountinfo"):
    """How cgroups are mounted where this process looks: "hybrid", "v1", "v2" or "none"."""
    kinds = set()
    for line in pathlib.Path(mountinfo).read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split()[:3]
        # A named hierarchy such as systemd's has no controllers.
        if kind == "cgroup2" or (kind == "cgroup" and "name=" not in options):
            kinds.add(kind)
    return {(): "none", ("cgroup",): "v1", ("cgroup2",): "v2"}.get(tuple(sorted(kinds)), "hybrid")


def cgroup_controllers(proc="/proc/self"):
    """The controllers that this process can reach, v1 names for both versions."""
    found = set()
    for line in pathlib.Path(proc, "mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split()[:3]
        if kind == "cgroup":
            found.update(options.split(","))
        elif kind == "cgroup2":
            found.update((pathlib.Path(fields.split()[4]) / "cgroup.controllers").read_text().split())
    return found | ({"blkio"} if "io" in found else set())


def security_modules():
    """The active ones, as the kernel spells them; none where securityfs is not mounted."""
    path = pathlib.Path("/sys/kernel/security/lsm")
    return set(path.read_text().strip().split(",")) if path.exists() else set()


def is_sanitized(program):
    """Whether it was built with the sanitizers, which make system calls and take memory of their own."""
    return b"__asan_init" in pathlib.Path(program).read_bytes()


class Result:
    """How a command ended: code, out and err (text)."""

    def __init__(self, argv, code, out, err):
        self.argv, self.code, self.out, self.err = argv, code, out, err

    def __str__(self):
        line = " ".join(word if len(word) <= 300 else word[:300] + "[...]" for word in self.argv)
        return f"$ {line}\nexit status {self.code}\nstdout: {self.out}\nstderr: {self.err}"


class Command:
    """Something that has result(), for those who know how it should end."""

    def __call__(self, *args, **options):
        """Runs to the end and returns what it printed; anything but exit status 0 fails the test."""
        result = self.result(*args, **options)
        assert result.code == 0, str(result)
        return result.out

    def fails(self, code, *args, **options):
        """Runs to the end, asks for this exit status and returns what stands on stderr."""
        result = self.result(*args, **options)
        assert result.code == code, str(result)
        return result.err


class Nook(Command):
    """nook with its state below one directory, as one user."""

    def __init__(self, build, space, uid=None):
        self.build, self.space, self.uid = build, space, uid
        self.root, self.run_dir = space / "lib", space / "run"
        self.program = build / "nook"
        self.environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(space),
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            "NOOK_ROOT": str(self.root),
            "NOOK_RUN": str(self.run_dir),
            **{name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ},
        }

    def argv(self, *args, program="nook"):
        """The command line, for tests that start it themselves."""
        line = [str(self.build / program), *map(str, args)]
        if self.uid is not None:
            line = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", *line]
        return line

    def start(self, *args, program="nook", env=None, **options):
        """A running nook (subprocess.Popen); the test waits for it."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        options.setdefault("text", True)
        options.setdefault("cwd", self.space)
        return subprocess.Popen(self.argv(*args, program=program), env={**self.environment, **(env or {})}, **options)

    def result(self, *args, input=None, timeout=TIMEOUT, **options):
        """Runs to the end, whatever the end is."""
        if input is not None:
            options["stdin"] = subprocess.PIPE
        with self.start(*args, **options) as process:
            try:
                out, err = process.communicate(input, timeout)
            except BaseException:
                process.kill()
                raise
        return Result(process.args, process.returncode, out, err)
