# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run any command, or any part of a program, in a sandbox: libnook from Python, by ctypes alone.

    import nook

    result = nook.run(["make", "-j2"], rw=".", limit={"mem": "2g", "wall": "10m"})
    print(result.exit_code, result.user_us)

    box = nook.Box("net none", ro="/srv/data")
    with box.spawn(["python3", "plugin.py"], fds={1: pipe}) as process:
        result = process.wait(timeout=5)

A box that no rule changes sees this machine's programs and libraries, read-only, and nothing else: no network, no rights,
no descriptors but 0, 1 and 2.  Rules are the words of ``nook box``; each is a keyword argument too (dashes are written as
underscores), with a string, a list of strings, True for rules without a value, or for ``limit`` and ``env`` a dict.

The library is found as libnook.so.0, or where the environment variable NOOK_LIBRARY says.
"""

import ctypes
import enum
import errno
import os

__all__ = ["Box", "Error", "Host", "Limit", "MustExit", "Process", "Result", "host", "run", "version"]


class _Error(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("step", ctypes.c_int32), ("sys_errno", ctypes.c_int32), ("rule", ctypes.c_int32),
                ("object", ctypes.c_char * 256), ("detail", ctypes.c_char * 256)]


class _Result(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("have", ctypes.c_uint32), ("exit_code", ctypes.c_int32),
                ("term_signal", ctypes.c_int32), ("limit", ctypes.c_int32), ("refused", ctypes.c_uint32)] + [
                    (name, ctypes.c_uint64) for name in ("wall_us", "user_us", "system_us", "max_rss", "peak_memory", "pids",
                                                         "read_bytes", "written_bytes")]


class _Host(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32)] + [
        (name, ctypes.c_uint32) for name in ("userns", "privileged", "landlock_abi", "seccomp", "cgroup", "kernel")] + [
            ("why_not", ctypes.c_char * 256)]


_library = ctypes.CDLL(os.environ.get("NOOK_LIBRARY", "libnook.so.0"))

_string, _int, _pointer = ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p
_argv = ctypes.POINTER(ctypes.c_char_p)
_error = ctypes.POINTER(_Error)
_SIGNATURES = {
    "nook_version": (ctypes.c_uint32, []),
    "nook_step_name": (_string, [_int]),
    "nook_error_hint": (_string, [_error]),
    "nook_error_text": (_int, [_error, ctypes.c_char_p, ctypes.c_size_t]),
    "nook_host_probe": (_int, [ctypes.POINTER(_Host), _error]),
    "nook_box_new": (_pointer, []),
    "nook_box_clone": (_pointer, [_pointer]),
    "nook_box_free": (None, [_pointer]),
    "nook_box_rules": (_int, [_pointer, _string, _error]),
    "nook_box_rule": (_int, [_pointer, _string, _string, _error]),
    "nook_box_fd": (_int, [_pointer, _int, _int, _error]),
    "nook_box_put": (_int, [_pointer, _string, _string, ctypes.c_size_t, _error]),
    "nook_box_explain": (_int, [_pointer, _argv, _int, ctypes.POINTER(_pointer), _error]),
    "nook_box_enter": (_int, [_pointer, _error]),
    "nook_proc_exec": (_int, [_pointer, _argv, ctypes.POINTER(_pointer), _error]),
    "nook_box_spawn": (_int, [_pointer, _argv, ctypes.POINTER(_pointer), _error]),
    "nook_proc_wait": (_int, [_pointer, _int, ctypes.POINTER(_Result), _error]),
    "nook_proc_kill": (_int, [_pointer, _int, _error]),
    "nook_proc_pidfd": (_int, [_pointer]),
    "nook_proc_pid": (_int, [_pointer]),
    "nook_proc_stats": (_int, [_pointer, ctypes.POINTER(_Result), _error]),
    "nook_proc_free": (None, [_pointer]),
}
for _name, (_returns, _takes) in _SIGNATURES.items():
    _function = getattr(_library, _name)
    _function.restype, _function.argtypes = _returns, _takes

_free = ctypes.CDLL(None).free
_free.restype, _free.argtypes = None, [_pointer]


class Error(OSError):
    """A box could not be made or started.

    step, object and detail say what was being done, to what, and why it failed; rule is the number of the rule, or 0;
    hint is advice for this machine, or None.
    """

    def __init__(self, code, record):
        buffer = ctypes.create_string_buffer(1024)
        _library.nook_error_text(record, buffer, len(buffer))
        super().__init__(-code, buffer.value.decode(errors="replace"))
        self.step = _library.nook_step_name(record.step).decode()
        self.object = os.fsdecode(record.object)
        self.detail = record.detail.decode(errors="replace")
        self.rule = record.rule
        hint = _library.nook_error_hint(record)
        self.hint = hint.decode() if hint else None

    def __str__(self):
        return self.strerror


class MustExit(Error):
    """The program was to be shut in and is neither in nor out: the only safe thing to do is to end."""


def _call(name, *args):
    """Calls a function that takes an error record last; raises what it says."""
    record = _Error(size=ctypes.sizeof(_Error))
    code = getattr(_library, name)(*args, ctypes.byref(record))
    if code == -errno.ETIMEDOUT and name == "nook_proc_wait":
        raise TimeoutError(errno.ETIMEDOUT, "the box still runs")
    if code < 0:
        raise Error(code, record)
    if code > 0 and name == "nook_box_enter":
        raise MustExit(-record.sys_errno, record)
    return code


def _vector(argv):
    if isinstance(argv, (str, bytes, os.PathLike)):
        raise TypeError("the command is a list of arguments")
    words = [os.fsencode(word) for word in argv]
    return (ctypes.c_char_p * (len(words) + 1))(*words, None)


class Limit(enum.IntEnum):
    """The limit that ended a box."""
    NONE = 0
    MEMORY = 1
    TIME = 2
    WALL = 3
    OUTPUT = 4


class Result:
    """How a command ended and what all processes of its box used together; None where it could not be measured.

    exit_code or term_signal is None: the command ended in the other way, or still runs.
    """

    def __init__(self, raw):
        def measured(bit, value):
            return value if raw.have & bit else None

        self.exit_code = raw.exit_code if raw.exit_code >= 0 else None
        self.term_signal = raw.term_signal if raw.term_signal >= 0 else None
        self.limit = Limit(raw.limit)
        self.wall_us = raw.wall_us
        self.user_us, self.system_us = measured(1, raw.user_us), measured(1, raw.system_us)
        self.max_rss, self.peak_memory = measured(2, raw.max_rss), measured(4, raw.peak_memory)
        self.pids = measured(8, raw.pids)
        self.read_bytes, self.written_bytes = measured(16, raw.read_bytes), measured(16, raw.written_bytes)

    @property
    def ok(self):
        """Did the command end with status 0?"""
        return self.exit_code == 0

    def __repr__(self):
        return f"Result({', '.join(f'{name}={value!r}' for name, value in vars(self).items() if value is not None)})"


class Host:
    """What this machine can enforce for the caller: userns, privileged, landlock_abi, seccomp, cgroup, kernel, why_not."""

    def __init__(self, raw):
        self.userns, self.privileged = bool(raw.userns), bool(raw.privileged)
        self.landlock_abi, self.seccomp, self.cgroup = raw.landlock_abi, bool(raw.seccomp), bool(raw.cgroup)
        self.kernel = (raw.kernel >> 16, raw.kernel >> 8 & 255)
        self.why_not = raw.why_not.decode()


class Process:
    """A running box.  As a context manager it ends with the block."""

    def __init__(self, handle):
        self._handle = handle

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        self.close()

    def _open(self):
        if not self._handle:
            raise ValueError("the process is closed")
        return self._handle

    @property
    def pid(self):
        """The number of the box's first process."""
        return _library.nook_proc_pid(self._open())

    def fileno(self):
        """A pidfd, readable when the box has ended: for select and asyncio.  It belongs to this object."""
        return _library.nook_proc_pidfd(self._open())

    def wait(self, timeout=None):
        """Waits for the command (timeout in seconds; TimeoutError) and returns a Result."""
        raw = _Result(size=ctypes.sizeof(_Result))
        _call("nook_proc_wait", self._open(), -1 if timeout is None else int(timeout * 1000), ctypes.byref(raw))
        return Result(raw)

    def exec(self, argv):
        """Starts a command more in the box, with the same view, limits and filters.  Returns a Process, which ends with it."""
        handle = _pointer()
        _call("nook_proc_exec", self._open(), _vector(argv), ctypes.byref(handle))
        return Process(handle.value)

    def kill(self, signal=9):
        """Sends a signal to the command; 9 ends the whole box at once."""
        _call("nook_proc_kill", self._open(), signal)

    def stats(self):
        """What the box has used so far, as a Result."""
        raw = _Result(size=ctypes.sizeof(_Result))
        _call("nook_proc_stats", self._open(), ctypes.byref(raw))
        return Result(raw)

    def close(self):
        """Ends the box if it still runs."""
        handle, self._handle = getattr(self, "_handle", None), None
        if handle:
            _library.nook_proc_free(handle)


class Box:
    """The description of a sandbox: text of rules, one a line, and rules as keyword arguments."""

    def __init__(self, rules="", **words):
        self._handle = _library.nook_box_new()
        if rules:
            self.rules(rules)
        for word, value in words.items():
            self.rule(word, value)

    def __del__(self):
        handle, self._handle = getattr(self, "_handle", None), None
        if handle:
            _library.nook_box_free(handle)

    def rules(self, text):
        """Adds rules, one a line: "rw /src\\nlimit mem=512m"."""
        _call("nook_box_rules", self._handle, os.fsencode(text))
        return self

    def rule(self, word, value=True):
        """Adds one rule, or one for each item of a list; a dict is NAME=VALUE; True is for rules without a value."""
        word = word.replace("_", "-")
        if value is False or value is None:
            return self
        if isinstance(value, dict):
            value = [f"{name}={item}" for name, item in value.items()]
        for item in value if isinstance(value, (list, tuple)) else [value]:
            text = None if item is True else os.fsencode(item)
            if text is not None and b"\0" in text:
                raise ValueError("a rule holds no zero byte")
            _call("nook_box_rule", self._handle, word.encode(), text)
        return self

    def fd(self, fd, number=None):
        """Gives the box a descriptor (or a file object) under this number; it is duplicated now."""
        fd = fd if isinstance(fd, int) else fd.fileno()
        _call("nook_box_fd", self._handle, fd, fd if number is None else number)
        return self

    def put(self, target, data):
        """Puts a file with these bytes (or this text) at a path of the box, for reading."""
        data = data.encode() if isinstance(data, str) else bytes(data)
        _call("nook_box_put", self._handle, os.fsencode(target), data, len(data))
        return self

    def clone(self):
        """A box of the same rules, which may go other ways from here."""
        copy = Box.__new__(Box)
        copy._handle = _library.nook_box_clone(self._handle)
        return copy

    def spawn(self, argv, fds=None):
        """Starts a command; fds maps numbers in the box to descriptors or files.  Returns a Process."""
        box = self
        if fds:
            box = self.clone()
            for number, fd in fds.items():
                box.fd(fd, number)
        handle = _pointer()
        _call("nook_box_spawn", box._handle, _vector(argv), ctypes.byref(handle))
        return Process(handle.value)

    def run(self, argv, fds=None, timeout=None):
        """Starts a command, waits for it and returns a Result.  With a timeout (seconds) the box ends with it."""
        with self.spawn(argv, fds) as process:
            return process.wait(timeout)

    def enter(self):
        """Shuts this program in, for good, as far as that can be done to a program that runs: files, system calls, network.

        Error: nothing has changed (errno.EOPNOTSUPP: a rule wants what only spawn() can give; errno.EBUSY: there are other
        threads).  MustExit: it is neither in nor out.
        """
        _call("nook_box_enter", self._handle)

    def explain(self, argv, form="why"):
        """What starting the command would do, step by step: "text", "why" or "json"."""
        text = _pointer()
        _call("nook_box_explain", self._handle, _vector(argv), ["text", "why", "json"].index(form), ctypes.byref(text))
        try:
            return ctypes.string_at(text.value).decode(errors="replace")
        finally:
            _free(text)


def run(argv, rules="", *, fds=None, timeout=None, **words):
    """All of it in one call: a box with these rules, started, waited for and gone."""
    return Box(rules, **words).run(argv, fds, timeout)


def host():
    """What this machine gives to boxes of this caller."""
    raw = _Host(size=ctypes.sizeof(_Host))
    _call("nook_host_probe", ctypes.byref(raw))
    return Host(raw)


def version():
    """The library's version as a tuple."""
    number = _library.nook_version()
    return number >> 16, number >> 8 & 255, number & 255
