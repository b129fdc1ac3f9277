# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the end-to-end tests share.

A session runs as one user in one cgroup layout; tests/run starts it again for each pair (root or not; the machine's
own layout, the pure-v1 and the v2 view; a virtual machine).  A test says with marks where it makes sense:

    @pytest.mark.user("root")          only as root ("rootless": only as an ordinary user)
    @pytest.mark.view("v1", "hybrid")  only where cgroups look like that
    @pytest.mark.controllers("memory") only where these cgroup controllers can be used
    @pytest.mark.lsm("selinux")        only where this security module is active
    @pytest.mark.systemd               only where systemd is pid 1
    @pytest.mark.anywhere              control groups make no difference: not again in the views of them
    @pytest.mark.vm                    also in the virtual machine
    @pytest.mark.plain                 not with sanitized programs: others show as much in less time

The programs under test are those of $NOOK_BUILD (build/).
"""

import os
import pathlib
import secrets
import signal
import tempfile
import types

import pytest

import bundles
import images
import leaks
import roots
import runner
import world as worlds

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("NOOK_BUILD", SOURCE / "build")).resolve()

# An ordinary user needs no account: any uid that owns nothing will do.
ORDINARY_UID = 54321

# Software emulation in the virtual machine is some ten times slower.
TEST_SECONDS = 120


NO_PARAMETERS = types.SimpleNamespace(params={})


def session_user():
    return "root" if os.geteuid() == 0 else "rootless"


def pytest_configure(config):
    config.addinivalue_line("markers", "user(who): only as root or only rootless")
    config.addinivalue_line("markers", "view(layout, ...): only where cgroups are laid out like that")
    config.addinivalue_line("markers", "controllers(name, ...): only where these cgroup controllers can be used")
    config.addinivalue_line("markers", "lsm(name): only where this security module is active")
    config.addinivalue_line("markers", "systemd: only where systemd is pid 1")
    config.addinivalue_line("markers", "plain: not with sanitized programs")
    config.addinivalue_line("markers", "anywhere: control groups make no difference, so the views of them are left out")
    config.addinivalue_line("markers", "vm: also in the virtual machine")
    signal.signal(signal.SIGTERM, lambda signum, frame: pytest.exit("ended by SIGTERM"))  # what tests share is ended first
    leaks.become_subreaper()
    # A session that was started in the background ignores it, and all that it starts would.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.geteuid() == 0:
        leaks.own_namespaces()


def pytest_report_header(config):
    return f"nook: {BUILD}, {session_user()}, cgroups {runner.cgroup_layout()}"


def pytest_collection_modifyitems(config, items):
    """Tests that are meant for another session are left out, not skipped: a skip always wants an explanation."""
    modules = runner.security_modules()
    here = {"user": session_user(), "view": runner.cgroup_layout()}
    controllers = runner.cgroup_controllers() if os.geteuid() == 0 else set()
    has_systemd = pathlib.Path("/run/systemd/system").exists()
    sanitized = runner.is_sanitized(BUILD / "nook-oci")
    keep = [
        item for item in items
        # What a session of root tries as an ordinary user too, that one's own session tries as itself.
        if not (os.geteuid() and "ordinary" in getattr(item, "callspec", NO_PARAMETERS).params.values())
        and all(here[name] in mark.args for name in here for mark in item.iter_markers(name))
        and all(modules.issuperset(mark.args) for mark in item.iter_markers("lsm"))
        and all(controllers.issuperset(mark.args) for mark in item.iter_markers("controllers"))
        and (has_systemd or not item.get_closest_marker("systemd"))
        and not (sanitized and item.get_closest_marker("plain"))
    ]
    config.hook.pytest_deselected(items=[item for item in items if item not in keep])
    items[:] = keep


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    def too_long(signum, frame):
        """Ends what the test waits for, and the test."""
        leaks.kill_new(item.funcargs["leakcheck"], item.funcargs["space"])
        raise TimeoutError(f"the test took longer than {TEST_SECONDS} s")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def cgroup_view():
    """The session's cgroup layout: "hybrid", "v1", "v2" or "none"."""
    return runner.cgroup_layout()


def make_space():
    """A new directory.  Its name also names groups, containers and namespaces of engines: letters and digits behind the dot."""
    path = pathlib.Path(tempfile.gettempdir(), f"nook-test.{secrets.token_hex(4)}")
    path.mkdir()
    path.chmod(0o755)
    return path


@pytest.fixture
def space():
    """A directory of the test's own, which another uid may enter; gone after it."""
    path = make_space()
    yield path
    leaks.remove_tree(path)


def check_leaks(space):
    before = leaks.Snapshot()
    yield before
    left = leaks.left_behind(before, space)
    if left:
        pytest.fail("left behind:\n  " + "\n  ".join(left), pytrace=False)


@pytest.fixture(autouse=True)
def leakcheck(space):
    """Fails the test that leaves anything behind on the machine."""
    yield from check_leaks(space)


@pytest.fixture(scope="module")
def module_space():
    """A directory that a module's tests share, for a daemon; what it leaves when all tests have ended fails the last one."""
    path = make_space()
    try:
        for _ in check_leaks(path):
            yield path
    finally:
        leaks.remove_tree(path)


@pytest.fixture
def nook(space):
    """Runs nook with a state of its own: nook("run", "host:", "true")."""
    return runner.Nook(BUILD, space)


@pytest.fixture
def as_user(space):
    """Runs nook as an ordinary user; in a session of an ordinary user, as that one."""
    if os.geteuid() != 0:
        return runner.Nook(BUILD, space)
    home = space / "user"
    home.mkdir()
    os.chown(home, ORDINARY_UID, ORDINARY_UID)
    return runner.Nook(BUILD, home, uid=ORDINARY_UID)


@pytest.fixture(params=["self", "ordinary"])
def either(request, nook, as_user):
    """Runs nook as whoever runs the tests, and once more as an ordinary user."""
    if request.param == "ordinary" and os.geteuid() != 0:
        pytest.skip("this session is that of an ordinary user already")
    return nook if request.param == "self" else as_user


@pytest.fixture
def world(space):
    """A network that plays the internet."""
    with worlds.make(space) as made:
        yield made


@pytest.fixture(scope="session")
def busybox_root():
    """A root directory with nothing but a static busybox: shared by all tests, so none may write to it."""
    with tempfile.TemporaryDirectory(prefix="nook-busybox.") as path:
        yield roots.make_busybox(pathlib.Path(path))


@pytest.fixture
def layout(space):
    """A directory for images that the test makes by hand."""
    return images.Layout(space / "oci")


@pytest.fixture
def own_root(space):
    """A busybox root that the test may change."""
    return roots.make_busybox(space / "root")


@pytest.fixture(scope="session")
def debian_root():
    """A Debian with compiler, python, databases and editors, made once and kept in the cache; use --overlay."""
    return roots.debian()


@pytest.fixture
def oci(space):
    """nook-oci with states of its own; what a test leaves is deleted by force, and then has to be gone."""
    runtime = bundles.Oci(BUILD, space)
    yield runtime
    bundles.delete_all(runtime)


@pytest.fixture
def bundle(oci, space):
    """An OCI bundle whose root the test may change."""
    return bundles.Bundle(oci, space / "bundle")


@pytest.fixture
def ro_bundle(oci, space, busybox_root):
    """An OCI bundle with the shared root, read-only: quick to make."""
    return bundles.Bundle(oci, space / "bundle", busybox_root)


@pytest.fixture
def running(ro_bundle):
    """That bundle as the container "c", which does nothing."""
    ro_bundle.args("sleep", "1000").run("--detach")
    return ro_bundle
