# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook-oci's command line: what runc 1.5 and crun 1.29 take is taken, wherever it stands, and what nobody takes is named."""

import json
import re

import pytest

pytestmark = [pytest.mark.user("root"), pytest.mark.anywhere]

GLOBAL = "--root --log --log-format --log-level --debug --systemd-cgroup --cgroup-manager --rootless --version -v --help -h"
CREATE = """-b --bundle -f --config --console-socket --pidfd-socket --pid-file --no-pivot --no-new-keyring --no-subreaper
    --preserve-fds"""
IMAGE = """--image-path --work-path --tcp-established --ext-unix-sk --shell-job --file-locks --link-remap --auto-dedup --lazy-pages
    --empty-ns --network-lock --manage-cgroups-mode"""
OPTIONS = {
    "create": CREATE,
    "run": CREATE + " -d --detach --keep",
    "start": "", "state": "", "pause": "", "resume": "", "features": "", "mounts": "",
    "kill": "-a --all -r --regex",
    "delete": "-f --force -r --regex",
    "exec": """--console-socket --pidfd-socket --pid-file -p --process --cwd -e --env -t --tty -u --user -g --additional-gids -c --cap
        -d --detach --process-label --apparmor --no-new-privs --preserve-fds --cgroup --ignore-paused --no-subreaper""",
    "list": "-f --format -q --quiet",
    "ps": "-f --format",
    "update": """-r --resources --blkio-weight --cpu-period --cpu-quota --cpu-burst --cpu-share --cpu-rt-period --cpu-rt-runtime
        --cpu-idle --cpuset-cpus --cpuset-mems --memory --memory-reservation --memory-swap --kernel-memory --kernel-memory-tcp
        --pids-limit --l3-cache-schema --mem-bw-schema""",
    "events": "--stats --interval",
    "spec": "-b --bundle -f --config --rootless",
    "checkpoint": IMAGE + " --parent-path --leave-running --pre-dump --tcp-skip-in-flight --page-server --status-fd",
    "restore": CREATE + " " + IMAGE + " -d --detach --tcp-close --lsm-profile --lsm-mount-context",
}


def help_of(oci, *command):
    return set(re.findall(r"(?<=[ ,])(--?[a-z0-9][a-z0-9-]*)(?=[ ,=]|$)", oci(*command, "--help"), re.M))


def test_global_options_and_commands(oci):
    assert set(GLOBAL.split()) <= help_of(oci)
    assert set(OPTIONS) <= set(re.findall(r"^  ([a-z]+) ", oci("--help"), re.M))
    for line in (["--version"], ["-v"]):
        assert oci(*line).startswith("nook-oci version ")


@pytest.mark.parametrize("command", OPTIONS)
def test_options_of_a_command(oci, command):
    assert set(OPTIONS[command].split()) <= help_of(oci, command)
    assert oci(command, "-h") == oci(command, "--help")
    # What stands behind the container belongs to the command that exec or ps runs.
    line = ["--no-such-option", "c"] if command in ("exec", "ps") else ["c", "--no-such-option"]
    err = oci.fails(1, command, *line)
    assert '"--no-such-option"' in err and "no such option" in err


def test_what_is_missing_or_too_much(oci):
    assert '"frobnicate"' in oci.fails(1, "frobnicate")
    for command in ("create", "run", "start", "state", "kill", "delete", "exec", "ps", "pause", "resume", "update", "events", "checkpoint",
                    "restore", "mounts"):
        assert "an argument is missing" in oci.fails(1, command)
    for command in ("create", "run", "start", "state", "delete", "pause", "resume", "update", "events", "checkpoint", "restore"):
        assert '"more" is one argument too many' in oci.fails(1, command, "c", "more")
    for line in (["--log-format", "xml", "list"], ["--cgroup-manager", "other", "list"], ["--rootless", "maybe", "list"],
                 ["--log-level", "loud", "list"], ["list", "--format", "xml"], ["create", "--preserve-fds", "many", "c"], ["run", "--bundle"]):
        assert next(word for word in line if word.startswith("--")) in oci.fails(1, *line)


def test_options_stand_anywhere(oci, ro_bundle):
    oci("create", "c", "-b", ro_bundle.args("sleep", "1000").save(), "--cgroup-manager=cgroupfs")
    oci("start", "c", "--log-level", "error")
    assert oci("exec", "-e", "A=1", "c", "sh", "-c", 'echo "$A$1"', "sh", "-e") == "1-e\n"
    assert oci("exec", "c", "echo", "--help", "-e", "x") == "--help -e x\n"
    assert json.loads(oci("ps", "-f", "json", "c")) == [oci.state("c")["pid"]]
    assert oci("ps", "c", "-o", "pid,comm").split() == ["PID", "COMMAND", str(oci.state("c")["pid"]), "sleep"]
    assert oci("list", "-q").split() == ["c"] and json.loads(oci("list", "--format=json"))[0]["id"] == "c"
    assert '"NOSUCH"' in oci.fails(1, "kill", "c", "NOSUCH")
    oci("kill", "c", "SIGKILL", "--all")
    oci.wait("c", "stopped")
    oci("delete", "c", "--force")


def test_the_state_lies_where_the_caller_says(oci, ro_bundle, space):
    (space / "elsewhere").mkdir()
    ro_bundle.args("true").save()
    oci("create", "--root", space / "elsewhere", "-b", ro_bundle.path, "c")
    assert oci("list", "-q") == "" and oci("list", "-q", "--root", space / "elsewhere") == "c\n"
    oci("delete", "c", "--root", space / "elsewhere")
