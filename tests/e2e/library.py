# SPDX-License-Identifier: LGPL-2.1-or-later
"""Linking programs with the libnook.so under test, and loading it into others."""

import subprocess

import runner
from conftest import BUILD, SOURCE

SANITIZED = runner.is_sanitized(BUILD / "libnook.so")


def compile_and_link(source, program, *flags):
    """A sanitized library wants programs that are sanitized too."""
    sanitize = ["-fsanitize=address,undefined"] if SANITIZED else []
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", *flags, *sanitize, f"-I{SOURCE}/include", source, "-o", program,
                    f"-L{BUILD}", "-lnook", f"-Wl,-rpath,{BUILD}"], check=True)


def compile_program(name, folder):
    """A program of tests/programs, made in FOLDER."""
    compile_and_link(SOURCE / "tests/programs" / f"{name}.c", folder / name, "-O1", "-std=gnu11", "-pthread")
    return folder / name


def loading_env():
    """What a program that was built without sanitizers needs in its environment to load the library later."""
    if not SANITIZED:
        return {}
    library = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True).stdout.strip()
    return {"LD_PRELOAD": library}
