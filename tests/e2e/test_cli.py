# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line as such: help, misuse, messages, global options, completion, manual pages."""

import json
import os
import re
import subprocess

import pytest

import runner
from conftest import BUILD, SOURCE


def commands(nook):
    """The names that nook help lists."""
    listed = nook("help").partition("\nCommands:\n")[2].partition("\n\n")[0]
    return [line.split()[0] for line in listed.splitlines()]


def sub_commands(nook, name):
    listed = nook("help", name).partition("\nCommands:\n")[2].partition("\n\n")[0]
    return [line.split()[0] for line in listed.splitlines()]


# ---- help ------------------------------------------------------------------------------------------------------------

@pytest.mark.vm
def test_each_command_has_help_with_usage_and_example(nook):
    names = commands(nook)
    assert {"ns", "doctor", "help", "completion"} <= set(names)
    for name in names:
        for path in [[name], *([name, sub] for sub in sub_commands(nook, name))]:
            text = nook("help", *path)
            assert nook(*path, "--help") == text
            assert text.startswith(f"nook {' '.join(path)}: ")
            assert f"\nUsage: nook {' '.join(path)} " in text
            assert "\nExamples:\n  " in text
            assert max(map(len, text.splitlines())) <= 130


PAGES = [SOURCE / "README.md", *(SOURCE / "docs").rglob("*.md"), *(SOURCE / "man").glob("nook*.scd")]


def test_what_is_written_names_only_options_that_there_are(nook):
    """In the examples of the help texts and in the pages: an option that was renamed is still asked for nowhere."""
    helps = {}
    for name in commands(nook):
        for path in [(name,), *((name, sub) for sub in sub_commands(nook, name))]:
            helps[path] = nook("help", *path)
    text = "\n".join([*(text.partition("\nExamples:\n")[2] for text in helps.values()), *(page.read_text() for page in PAGES)])
    used = 0
    for match in re.finditer(r"\bnook ([a-z]+)(?: ([a-z]+))?([^\n|;&`]*)", text):
        path = match.group(1, 2) if match.group(1, 2) in helps else (match[1],)
        for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", match[3].partition(" -- ")[0]) if path in helps else ():
            used += 1
            assert f" {option}" in helps[path] or option in ("--help", "--memroy"), match[0]
    assert used > 50


def test_help_of_the_program(nook):
    assert nook("--help") == nook("-h") == nook("help")
    assert "NOOK_ROOT" in nook("help")


def test_bare_nook_and_bare_groups_show_help_but_fail(nook):
    assert nook.result().code == 125
    assert nook.fails(125) == nook("help")
    assert nook.fails(125, "ns") == nook("help", "ns")


# ---- misuse ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("args, message, hint", [
    (["hlp"], 'command "hlp": there is no such command; did you mean "help"?', "nook --help"),
    (["xyzzy"], 'command "xyzzy": there is no such command', "nook --help"),
    ([""], 'command: there is no such command', "nook --help"),
    (["ns", "lss"], 'command "lss": there is no such command; did you mean "ls"?', "nook ns --help"),
    (["help", "doctro"], 'command "doctro": there is no such command; did you mean "doctor"?', "nook help --help"),
    (["--verison"], 'option "--verison": there is no such option; did you mean "--version"?', "nook --help"),
    (["ns", "ls", "--jsn"], 'option "--jsn": there is no such option; did you mean "--json"?', "nook ns ls --help"),
    (["ns", "ls", "-x"], 'option "-x": there is no such option', "nook ns ls --help"),
    (["ns", "ls", "1", "2"], 'command "ns ls": "2" is one argument too many: nook ns ls [--json] [PID]', "nook ns ls --help"),
    (["ns", "rm"], 'command "ns rm": an argument is missing: nook ns rm NAME...', "nook ns rm --help"),
    (["--root"], 'option "--root": needs a value: --root DIR', "nook --help"),
    (["doctor", "--json=maybe"], 'option "--json": "maybe" is not true or false', "nook doctor --help"),
    (["--log-format", "xml", "doctor"], 'option "--log-format": "xml" is neither text nor json', "nook --help"),
    (["completion", "csh"], 'command "csh": there are scripts for bash, zsh and fish', "nook completion --help"),
])
def test_misuse_is_one_line_and_where_to_read_more(nook, args, message, hint):
    assert nook.fails(125, *args) == f"nook: {message}\n  hint: see {hint}\n"


def test_hostile_words_cannot_drive_the_terminal(nook):
    assert nook.fails(125, "\x1b[2J\x07").splitlines()[0] == \
        'nook: command "\\x1b[2J\\x07": there is no such command'
    assert len(nook.fails(125, "x" * 100000)) < 1000
    assert len(nook.fails(125, "--" + "x" * 100000)) < 1000


# ---- messages --------------------------------------------------------------------------------------------------------

def test_json_log_has_the_parts_of_the_error(nook):
    entry = json.loads(nook.fails(127, "--log-format", "json", "ns", "exec", os.getpid(), "no-such-command"))
    time = entry.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)
    hint = entry.pop("hint")
    assert "PATH" in hint
    assert entry == {"level": "error", "msg": 'exec "no-such-command": No such file or directory', "step": "exec",
                     "object": "no-such-command", "errno": "ENOENT"}


@pytest.mark.parametrize("word", ["a\"b\\", "\x1b[0m\n", "größe", b"\xff\xfe\xc0\xaf", b"\xed\xa0\x80"])
def test_json_log_is_json_whatever_the_words(nook, word):
    words = nook.argv("--log-format=json")
    done = subprocess.run([*words, word], env=nook.environment, capture_output=True, check=False)
    assert done.returncode == 125
    entry = json.loads(done.stderr.decode())
    if isinstance(word, str):
        assert entry["object"] == word


def test_misuse_as_json(nook):
    entry = json.loads(nook.fails(125, "doctor", "--log-format", "json", "--jsn"))
    assert entry["step"] == "option" and entry["object"] == "--jsn" and entry["hint"] == "see nook doctor --help"


@pytest.mark.parametrize("args", [["help"], ["--version"], ["ns", "ls"], ["doctor", "--json"], ["completion", "bash"]])
def test_output_that_cannot_be_written_is_an_error(nook, args):
    with open("/dev/full", "w") as full:
        result = nook.result(*args, stdout=full)
    assert result.code == 125
    assert result.err.splitlines()[0] == 'nook: stdio "stdout": No space left on device'


# ---- global options --------------------------------------------------------------------------------------------------

def places(nook, *args, env=None, before=()):
    """Where images and state are kept, as doctor says."""
    checks = {check["name"]: check["detail"] for check in json.loads(nook.result(*before, "doctor", "--json", *args, env=env).out)["checks"]}
    return [checks[name].partition(":")[0] for name in ("image directory", "state directory")]


def test_global_options_stand_before_or_after_the_command(nook):
    assert places(nook, "--root", "/a", "--run=/b") == ["/a", "/b"]
    assert places(nook, before=["--root", "/a", "--run=/b"]) == ["/a", "/b"]
    assert places(nook, "--run", "/c", before=["--root", "/a", "--run=/b"]) == ["/a", "/c"]
    text = nook("ns", "--run", "/c", "ls")
    assert text.startswith("TYPE")


def test_places_come_from_option_then_environment(nook):
    assert places(nook) == [str(nook.root), str(nook.run_dir)]
    assert places(nook, "--root", "/a") == ["/a", str(nook.run_dir)]


@pytest.mark.user("root")
def test_default_places_of_root(nook):
    assert places(nook, env={"NOOK_ROOT": "", "NOOK_RUN": ""}) == ["/var/lib/nook", "/run/nook"]


def test_default_places_of_an_ordinary_user(as_user, space):
    unset = {"NOOK_ROOT": "", "NOOK_RUN": "", "XDG_DATA_HOME": "", "XDG_RUNTIME_DIR": ""}
    home, own = as_user.space, as_user.space / "runtime"
    own.mkdir()
    if as_user.uid:
        os.chown(own, as_user.uid, as_user.uid)
    data = f"{home}/.local/share/nook"
    uid = as_user.uid or os.geteuid()
    fallback = f"/run/user/{uid}/nook" if os.path.isdir(f"/run/user/{uid}") else f"{data}/run"
    assert places(as_user, env=unset) == [data, fallback]
    assert places(as_user, env={**unset, "XDG_DATA_HOME": "/data"}) == ["/data/nook", fallback.replace(data, "/data/nook")]
    assert places(as_user, env={**unset, "XDG_RUNTIME_DIR": str(own)}) == [data, f"{own}/nook"]
    # Relative paths do not count, nor does a directory that somebody else owns.
    assert places(as_user, env={**unset, "XDG_DATA_HOME": "data", "XDG_RUNTIME_DIR": "run"}) == [data, fallback]
    assert places(as_user, env={**unset, "XDG_RUNTIME_DIR": "/usr"}) == [data, fallback]


def test_a_user_without_any_home_is_told_so(as_user):
    if os.geteuid() == 0:
        error = as_user.fails(125, "ns", "ls", env={"NOOK_ROOT": "", "NOOK_RUN": "", "HOME": ""})
        assert "has no home directory; set HOME or NOOK_ROOT" in error


def test_version(nook):
    assert re.fullmatch(r"nook \d+\.\d+\.\d+\n", nook("--version"))
    assert nook("ns", "ls", "--version") == nook("--version")


def test_start_is_cheap(nook, space):
    """What stands before every command: few system calls, no file but what the command needs."""
    if runner.is_sanitized(nook.program):
        pytest.skip("sanitizers have start-up work of their own")
    trace = space / "trace"
    subprocess.run(["strace", "-o", trace, *nook.argv("help")], env=nook.environment, check=True, capture_output=True)
    calls = trace.read_text().splitlines()
    assert len(calls) < 40
    assert not [line for line in calls if line.startswith(("open", "stat", "newfstatat"))]


# ---- completion ------------------------------------------------------------------------------------------------------

def complete(nook, *words):
    return dict(line.split("\t") for line in nook("__complete", "--", *words).splitlines())


def test_completion_offers_what_fits(nook):
    assert set(complete(nook, "")) == set(commands(nook))
    assert set(complete(nook, "ns", "")) == set(sub_commands(nook, "ns"))
    assert list(complete(nook, "do")) == ["doctor"]
    assert "--root=" in complete(nook, "--")
    assert list(complete(nook, "ns", "ls", "--js")) == ["--json"]
    assert "--json" not in complete(nook, "ns", "ls", "--", "-")
    assert complete(nook, "--log-format", "") == complete(nook, "ns", "--log-format", "")
    assert set(complete(nook, "--log-format", "")) == {"text", "json"}
    assert set(complete(nook, "--log-format=j")) == {"--log-format=json"}
    assert list(complete(nook, "--root", "x", "do")) == ["doctor"]
    assert complete(nook, "no-such-command", "") == {}
    assert complete(nook, "ns", "exec", "lab", "--ne") == {}


def test_completion_offers_arguments(nook, own_root):
    assert complete(nook, "kill", "") == {}
    assert not nook.run_dir.exists()
    assert set(complete(nook, "completion", "")) == {"bash", "zsh", "fish"}
    assert set(complete(nook, "run", "--rm", "")) == {"host:", "dir:", "tar:"}
    nook("run", "--name", "web", f"dir:{own_root}", "true")
    try:
        assert "web" in complete(nook, "rm", "")
        assert list(complete(nook, "rm", "w")) == list(complete(nook, "rm", "other", "w")) == ["web"]
        assert list(complete(nook, "exec", "w")) == ["web"]
        assert complete(nook, "exec", "web", "w") == {}
    finally:
        nook("rm", "web")


@pytest.mark.user("root")
def test_completion_offers_kept_namespaces(nook):
    nook("ns", "keep", "lab", "--uts")
    try:
        assert list(complete(nook, "ns", "rm", "")) == list(complete(nook, "ns", "exec", "l")) == ["lab"]
    finally:
        nook("ns", "rm", "lab")


def test_bash_completes(nook):
    script = """
        eval "$(nook completion bash)"
        try() { COMP_WORDS=(nook "$@"); COMP_CWORD=$#; COMPREPLY=(); _nook 2>/dev/null; echo "${COMPREPLY[@]}"; }
        try do; try ns k; try ns ls --j; try --log-format ""
    """
    environment = {**nook.environment, "PATH": f"{BUILD}:{nook.environment['PATH']}"}
    out = subprocess.run(["bash", "--norc", "-c", script], env=environment, check=True, capture_output=True, text=True).stdout
    assert out.splitlines() == ["doctor", "keep", "--json", "text json"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_their_function(nook, shell):
    script = nook("completion", shell)
    assert "__complete" in script and "nook" in script.splitlines()[-1] + script.splitlines()[0]


# ---- manual ----------------------------------------------------------------------------------------------------------

def test_each_command_has_a_manual_page(nook):
    for name in commands(nook):
        source = nook("__man", name)
        page = subprocess.run(["scdoc"], input=source, capture_output=True, text=True, check=True).stdout
        assert f'.TH "nook-{name}" "1"' in page
        assert (BUILD / "man" / f"nook-{name}.1").exists(), f"man/meson.build did not find {name}"
    main = nook("__man", "nook")
    assert all(f"nook-{name}" in main for name in commands(nook))


def test_the_manual_of_the_runtime_has_each_command_and_option(nook):
    page = (BUILD / "man/nook-oci.1.scd").read_text()
    assert (BUILD / "man/nook-oci.1").exists()
    names = re.findall(r"^  ([a-z]+)  ", nook("--help", program="nook-oci"), re.M)
    assert {"create", "start", "kill", "delete", "state"} <= set(names)
    for name in names:
        section = page.partition(f"\n## nook-oci {name}\n")[2].partition("\n## ")[0].partition("\n# ")[0]
        options = re.findall(r"(--[a-z0-9-]+)(?= |$)", "\n".join(nook(name, "--help", program="nook-oci").splitlines()[2:]), re.M)
        assert section and all(f"*{option}*" in section for option in options), name


def test_the_manual_has_each_option(nook):
    page = nook("__man", "ns")
    for option in ("--json", "--net", "--uidmap", "--boottime"):
        assert f"*{option}*" in page
