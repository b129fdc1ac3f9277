/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why the kernel would not execute a file: ENOEXEC and ENOENT do not say that a program is for another machine, or that
 * its loader or the interpreter of a script is missing.  The file is hostile; little of it is read and nothing allocates.
 */
#pragma once

#include <stddef.h>

enum elf_kind {
	ELF_OTHER,   /* neither ELF nor a script, or unreadable */
	ELF_SCRIPT,  /* starts with "#!" */
	ELF_NATIVE,  /* for this machine */
	ELF_FOREIGN, /* for another one */
};

enum { ELF_ARCH_MAX = 24 };

struct elf_info {
	enum elf_kind kind;
	char arch[ELF_ARCH_MAX]; /* of an ELF file: "aarch64", "machine 4711" when unknown */
	char interpreter[256];   /* PT_INTERP or what follows "#!"; "" when there is none */
};

/* Looks at an open regular file (readable; the file offset does not move). */
void elf_inspect(int fd, struct elf_info *ret);
/* A clause for an error: "is for aarch64, this machine is x86_64", "needs the interpreter "/bin/x", which ...", "is
 * neither a program nor a script with #!"; "" when nothing is known.  ERRNUM is what execve(2) said. */
void elf_explain(const struct elf_info *i, int errnum, char *buf, size_t size);
/* This machine's name as elf_info has it. */
const char *elf_native(void);
