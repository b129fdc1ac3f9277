# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a container may not do when nobody asked for anything, and what the options of security change."""

import ctypes
import errno
import json
import os
import pathlib
import platform

import pytest

DEFAULT_CAPS = {
    "CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "FSETID": 4, "KILL": 5, "SETGID": 6, "SETUID": 7, "SETPCAP": 8,
    "NET_BIND_SERVICE": 10, "SYS_CHROOT": 18, "SETFCAP": 31,
}
CAP_NET_RAW, CAP_SYS_ADMIN = 13, 21
DEFAULT_MASK = sum(1 << bit for bit in DEFAULT_CAPS.values())

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="system call numbers are those of x86_64")

# Runs inside: prints the result or the errno of each call of argv[1], a list of [number, arguments...].
PROBE = """
import ctypes, json, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
results = []
for number, *arguments in json.loads(sys.argv[1]):
    ctypes.set_errno(0)
    r = libc.syscall(ctypes.c_long(number), *map(ctypes.c_ulong, arguments))
    results.append(ctypes.get_errno() if r < 0 else "ok")
print(json.dumps(results))
"""

HIGH = 1 << 32
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWTIME, CLONE_FILES = 0x20000, 0x10000000, 0x80, 0x400
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
AF_UNIX, AF_NETLINK, AF_ALG, AF_VSOCK, AF_XDP = 1, 16, 38, 40, 44
IOCTL, SOCKET, CLONE, MOUNT, PERSONALITY, UNSHARE, SETNS, CLONE3 = 16, 41, 56, 165, 135, 272, 308, 435

# What stands behind a name: the call, and what it must say inside.
REFUSED = {
    "unshare a user namespace": ([UNSHARE, CLONE_NEWUSER], errno.EPERM),
    "unshare with high bits": ([UNSHARE, CLONE_NEWUSER | HIGH], errno.EPERM),
    "unshare time": ([UNSHARE, CLONE_NEWTIME], errno.EPERM),
    "clone a mount namespace": ([CLONE, CLONE_NEWNS | 17, 0], errno.EPERM),
    "clone3": ([CLONE3, 0, 0], errno.ENOSYS),
    "setns": ([SETNS, 0, 0], errno.EPERM),
    "mount": ([MOUNT, 0, 0, 0, 0, 0], errno.EPERM),
    "open_tree": ([428, 0, 0, 0], errno.EPERM),
    "pivot_root": ([155, 0, 0], errno.EPERM),
    "keyctl": ([250, 0, 0], errno.EPERM),
    "add_key": ([248, 0, 0, 0, 0, 0], errno.EPERM),
    "request_key": ([249, 0, 0, 0, 0], errno.EPERM),
    "bpf": ([321, 0, 0, 0], errno.EPERM),
    "perf_event_open": ([298, 0, 0, 0, 0, 0], errno.EPERM),
    "userfaultfd": ([323, 0], errno.EPERM),
    "io_uring_setup": ([425, 1, 0], errno.EPERM),
    "kexec_load": ([246, 0, 0, 0, 0], errno.EPERM),
    "init_module": ([175, 0, 0, 0], errno.EPERM),
    "open_by_handle_at": ([304, 0, 0, 0], errno.EPERM),
    "personality without ASLR": ([PERSONALITY, 0x0040000], errno.EPERM),
    "TIOCSTI": ([IOCTL, 0, TIOCSTI, 0], errno.EPERM),
    "TIOCSTI with high bits": ([IOCTL, 0, TIOCSTI | HIGH, 0], errno.EPERM),
    "TIOCLINUX with high bits": ([IOCTL, 0, TIOCLINUX | HIGH << 31, 0], errno.EPERM),
    "AF_ALG": ([SOCKET, AF_ALG, 5, 0], errno.EAFNOSUPPORT),
    "AF_ALG with high bits": ([SOCKET, AF_ALG | HIGH, 5, 0], errno.EAFNOSUPPORT),
    "AF_VSOCK": ([SOCKET, AF_VSOCK, 1, 0], errno.EAFNOSUPPORT),
    "AF_XDP": ([SOCKET, AF_XDP, 3, 0], errno.EAFNOSUPPORT),
    "NETLINK_AUDIT": ([SOCKET, AF_NETLINK, 3, 9], errno.EPROTONOSUPPORT),
    "a number of the future": ([999], errno.ENOSYS),
    "getpid of x32": ([0x40000000 | 39], errno.ENOSYS),
}
ALLOWED = {
    "unshare files": [UNSHARE, CLONE_FILES],
    "personality query": [PERSONALITY, 0xFFFFFFFF],
    "AF_UNIX": [SOCKET, AF_UNIX, 1, 0],
    "NETLINK_ROUTE": [SOCKET, AF_NETLINK, 3, 0],
    "getrandom": [318, 0, 0, 0],
}


def probe(nook, calls, *options):
    """What each of the calls says in a container made with these options."""
    out = nook("run", *options, "host:", "--", "/usr/bin/python3", "-c", PROBE, json.dumps(list(calls)))
    return json.loads(out)


def status(nook, *options):
    """/proc/self/status of a process in a container."""
    out = nook("run", *options, "host:", "--", "/bin/cat", "/proc/self/status")
    return dict(line.split(":\t", 1) for line in out.splitlines() if ":\t" in line)


def caps(nook, *options):
    return int(status(nook, *options)["CapBnd"], 16)


@pytest.mark.vm
def test_defaults(nook):
    s = status(nook)
    assert [int(s[name], 16) for name in ("CapBnd", "CapPrm", "CapEff")] == [DEFAULT_MASK] * 3
    assert [int(s[name], 16) for name in ("CapInh", "CapAmb")] == [0, 0]
    assert s["NoNewPrivs"] == "1"
    assert s["Seccomp"] == "2"


@pytest.mark.user("root")
def test_a_user_who_is_not_root_has_no_capabilities(nook):
    s = status(nook, "-u", "1000:1000")
    assert [int(s[name], 16) for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")] == [0] * 4
    assert s["Seccomp"] == "2"


def test_ways_out_are_refused(nook):
    said = probe(nook, [call for call, _ in REFUSED.values()])
    wanted = [number for _, number in REFUSED.values()]
    wrong = {name: (is_, should) for name, is_, should in zip(REFUSED, said, wanted) if is_ != should}
    assert not wrong, "call: (errno, wanted)"


def test_ordinary_calls_work(nook):
    said = dict(zip(ALLOWED, probe(nook, ALLOWED.values())))
    assert set(said.values()) == {"ok"}, said


# mov eax, 20 (getpid); int 0x80; ret
I386_GETPID = "b814000000cd80c3"
I386_PROBE = f"""
import ctypes, mmap
code = bytes.fromhex("{I386_GETPID}")
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(code)
print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))())
"""


def test_i386_is_refused_unless_asked_for(nook):
    run = ["host:", "--", "/usr/bin/python3", "-c", I386_PROBE]
    unfiltered = nook.result("run", "--security-opt", "seccomp=unconfined", *run)
    if unfiltered.code != 0 or int(unfiltered.out) <= 0:
        pytest.skip("this kernel runs no i386 calls")
    assert int(nook("run", *run)) == -errno.ENOSYS
    assert int(nook("run", "--security-opt", "i386", *run)) > 0


def test_capabilities_are_added_and_dropped(nook):
    assert caps(nook, "--cap-add", "net_raw") == DEFAULT_MASK | 1 << CAP_NET_RAW
    assert caps(nook, "--cap-drop", "CAP_CHOWN") == DEFAULT_MASK & ~1
    assert caps(nook, "--cap-drop", "ALL", "--cap-add", "CHOWN") == 1
    assert caps(nook, "--cap-drop", "all") == 0


def test_an_unknown_capability_is_named(nook):
    err = nook.fails(125, "run", "--cap-add", "FLY", "host:", "true")
    assert "FLY" in err and "no such capability" in err


def test_a_capability_opens_its_calls(nook):
    calls = [[MOUNT, 0, 0, 0, 0, 0], [IOCTL, 0, TIOCSTI, 0], [250, 0, 0]]
    # The kernel gets to see the mount, and finds its arguments bad.
    assert probe(nook, calls, "--cap-add", "SYS_ADMIN") == [errno.EFAULT, errno.EPERM, errno.EPERM]


def test_nesting_allows_containers_but_not_the_terminal(nook):
    run = ["host:", "--", "/usr/bin/unshare", "-Urm", "/bin/true"]
    assert "Operation not permitted" in nook.fails(1, "run", *run)
    nook("run", "--security-opt", "nesting", *run)
    calls = [[IOCTL, 0, TIOCSTI, 0], [SOCKET, AF_ALG, 5, 0], [425, 1, 0]]
    assert probe(nook, calls, "--security-opt", "nesting") == [errno.EPERM, errno.EAFNOSUPPORT, errno.EPERM]


def test_a_profile_of_ones_own(nook, space):
    profile = space / "profile.json"
    profile.write_text(json.dumps({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            {"names": ["sched_yield", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EXDEV},
            {"names": ["umask"], "action": "SCMP_ACT_ERRNO",
             "args": [{"index": 0, "value": 0o77, "op": "SCMP_CMP_EQ"}]},
        ],
    }))
    calls = [[24], [95, 0o77], [95, 0o22]]
    assert probe(nook, calls, "--security-opt", f"seccomp={profile}") == [errno.EXDEV, errno.EPERM, "ok"]


def test_no_profile_at_all(nook):
    assert status(nook, "--security-opt", "seccomp=unconfined")["Seccomp"] == "0"


@pytest.mark.parametrize("text, message", [
    ("{", "profile.json:1:"),
    ('{"defaultAction": "ALLOW"}', "defaultAction: \"ALLOW\" is unknown here"),
    ('{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": 7}]}', "syscalls[0].action"),
])
def test_a_bad_profile_is_an_error_that_names_the_place(nook, space, text, message):
    profile = space / "profile.json"
    profile.write_text(text)
    assert message in nook.fails(125, "run", "--security-opt", f"seccomp={profile}", "host:", "true")


def has_lsm(name):
    try:
        return name in pathlib.Path("/sys/kernel/security/lsm").read_text().split(",")
    except OSError:
        return os.path.exists(f"/sys/module/{name}") or (name == "selinux" and os.path.exists("/sys/fs/selinux"))


@pytest.mark.vm
def test_a_label_that_cannot_be_had_is_an_error(nook):
    err = nook.fails(125, "run", "--security-opt", "apparmor=no-such-profile", "host:", "true")
    assert "no-such-profile" in err
    if has_lsm("apparmor"):
        assert "no such AppArmor profile is loaded" in err
    else:
        assert "AppArmor is not active on this kernel" in err
    if not has_lsm("selinux"):
        err = nook.fails(125, "run", "--security-opt", "label=a:b:c:d", "host:", "true")
        assert "SELinux is not active on this kernel" in err
    nook("run", "--security-opt", "apparmor=unconfined", "host:", "true")


def landlock_abi():
    libc = ctypes.CDLL(None)
    return libc.syscall(444, None, 0, 1)


needs_landlock = pytest.mark.skipif(landlock_abi() < 1, reason="this kernel has no Landlock")


@needs_landlock
@pytest.mark.vm
def test_landlock_fences_the_file_system(nook):
    script = """
        ls /etc 2>/dev/null && echo "read /etc"
        echo x 2>/dev/null >/usr/x && echo "wrote /usr"
        echo hello >/tmp/x && cat /tmp/x
    """
    assert nook("run", "--landlock", "ro:/usr,rw:/tmp", "host:", "--", "/bin/sh", "-c", script) == "hello\n"


@needs_landlock
def test_landlock_rules_are_checked(nook):
    assert "ro:/PATH or rw:/PATH" in nook.fails(125, "run", "--landlock", "/usr", "host:", "true")
    assert "/no/such" in nook.fails(125, "run", "--landlock", "ro:/usr,ro:/no/such", "host:", "true")


# A program of the container's that belongs to its root and has the setuid bit, run by somebody else.
SETUID = """
    cp /usr/bin/id /usr/bin/become && chmod 4755 /usr/bin/become
    exec setpriv --reuid=1000 --regid=1000 --clear-groups /usr/bin/become
"""


@pytest.mark.user("root")
def test_setuid_programs_gain_nothing_unless_asked_for(nook):
    run = ["host:", "--", "/bin/sh", "-c", SETUID]
    assert "euid" not in nook("run", *run)
    assert "euid=0" in nook("run", "--security-opt", "no-new-privileges=false", *run)


def test_as_an_ordinary_user(as_user):
    s = status(as_user)
    assert int(s["CapBnd"], 16) == DEFAULT_MASK
    assert s["Seccomp"] == "2" and s["NoNewPrivs"] == "1"
    assert probe(as_user, [[UNSHARE, CLONE_NEWUSER], [IOCTL, 0, TIOCSTI | HIGH, 0]]) == [errno.EPERM, errno.EPERM]
