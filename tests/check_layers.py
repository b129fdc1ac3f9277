#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Layers: an #include in src/ points down, every source is built, and long files are named.

check_layers.py [SOURCE-TREE]   prints file:line for each fault; exit status 1 when there is one
"""

import pathlib
import re
import sys

# From the ground up.  A folder may include itself and folders of the rows below its own.
LAYERS = [
    ["musl"],
    ["base"],
    ["json", "sys", "opt", "http"],
    ["spec"],
    ["cgroup", "security", "image", "registry", "disk", "stream"],
    ["bundle", "plan", "archive"],
    ["launch"],
    ["runtime"],
    ["box", "storage"],
    ["lib"],
    ["command"],
    ["cli", "oci", "shim", "unpack", "transfer", "proxy"],
]
RANK = {folder: rank for rank, row in enumerate(LAYERS) for folder in row}
LONG_FILE = 500

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')


def check_includes(source, path):
    """Yields the faults of one file."""
    folder = path.relative_to(source).parts[0]
    if folder not in RANK:
        yield f"{path}:1: the folder src/{folder} has no place in the layers; add it to {sys.argv[0]}"
        return
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match[1]
        above = target.split("/")[0]
        if "/" not in target:
            if not (path.parent / target).exists() and target != "nook.h":
                yield f"{path}:{number}: \"{target}\" is neither beside the file nor nook.h; name its folder"
        elif above not in RANK or not ((source / target).exists() or is_generated(source / target)):
            yield f"{path}:{number}: \"{target}\" is not in src/"
        elif above != folder and RANK[above] >= RANK[folder]:
            yield f"{path}:{number}: src/{folder} includes \"{target}\", which is not below it"


def is_generated(path):
    """A header that the folder's meson.build makes: its name stands there, whole or as 'left_' + variable + 'right'."""
    recipe = path.parent / "meson.build"
    outputs = re.findall(r"output: (?:'([^']*)' \+ \w+ \+ )?'([^']*)'", recipe.read_text()) if recipe.exists() else []
    return any(path.name.startswith(left) and path.name.endswith(right) for left, right in outputs)


def check_built(path):
    """Yields a fault when no meson.build of the file's folder names it."""
    names = (path.parent / "meson.build").read_text() if (path.parent / "meson.build").exists() else ""
    if f"'{path.name}'" not in names:
        yield f"{path}:1: no line of {path.parent}/meson.build names it"


def main():
    tree = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    source = tree / "src"
    faults = []
    files = sorted(p for p in source.rglob("*") if p.suffix in (".c", ".h"))
    for path in files:
        faults += check_includes(source, path)
        if path.suffix == ".c":
            faults += check_built(path)
        length = len(path.read_text().splitlines())
        if length > LONG_FILE:
            print(f"{path}: {length} lines; is there a noun in it that wants its own module?")
    for fault in faults:
        print(fault)
    print(f"{len(files)} files, {len(faults)} faults")
    return 1 if faults or not files else 0


if __name__ == "__main__":
    sys.exit(main())
