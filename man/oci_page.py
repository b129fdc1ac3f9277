#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The manual page of nook-oci as scdoc: its commands and options from what --help prints, the rest from a file.

oci_page.py NOOK-OCI FILE.scd
"""

import pathlib
import re
import subprocess
import sys

OPTION = re.compile(r"^ {2}(?:(-\w), |    )(--[\w-]+)(?: (\S+))? {2,}(.*)")
COMMAND = re.compile(r"^ {2}(\w+) {2,}(.*)")


def help_of(program, *command):
    return subprocess.run([program, *command, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()


def plain(text):
    """Text in which nothing means anything to scdoc."""
    return re.sub(r"([\\*_|\[\]~#])", r"\\\1", text)


def options(lines):
    """The options of a help text, each with all of its lines of help."""
    found = []
    for line in lines:
        if match := OPTION.match(line):
            found.append([*match.groups()])
        elif found and line.startswith(" " * 20):
            found[-1][3] += " " + line.strip()
        elif COMMAND.match(line):
            break
    for short, name, value, text in found:
        yield f"{f'*{short}*, ' if short else ''}*{name}*{f' _{plain(value)}_' if value else ''}\n\t{plain(text)}\n"


def page(program, rest):
    top = help_of(program)
    version = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()[2]
    yield f'nook-oci(1) "" "nook {version}"\n'
    yield "# NAME\n\nnook-oci - run OCI bundles, for engines and by hand\n"
    yield f"# SYNOPSIS\n\n*nook-oci* {plain(top[0].split(' ', 2)[2])}\n"
    description, more = rest.split("\n# ", 1)
    yield description
    yield "# OPTIONS\n"
    yield from options(top)
    yield "# COMMANDS\n"
    for name in [match[1] for line in top if (match := COMMAND.match(line))]:
        lines = help_of(program, name)
        yield f"## nook-oci {name}\n\n*nook-oci {name}* {plain(lines[0].split(name, 1)[1].strip())}\n\n{plain(lines[1])}\n"
        yield from options(lines)
    yield "# " + more


def main():
    print("\n".join(page(sys.argv[1], pathlib.Path(sys.argv[2]).read_text())), end="")


if __name__ == "__main__":
    main()
