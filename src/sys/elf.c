/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/elf.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#ifndef EM_LOONGARCH
#define EM_LOONGARCH 258
#endif

enum { SEGMENTS_MAX = 64 };

static const struct {
	uint16_t machine;
	unsigned char class, data;
	const char *name;
} machines[] = {
	{EM_X86_64, ELFCLASS64, ELFDATA2LSB, "x86_64"},
	{EM_X86_64, ELFCLASS32, ELFDATA2LSB, "x32"},
	{EM_386, ELFCLASS32, ELFDATA2LSB, "i386"},
	{EM_AARCH64, ELFCLASS64, ELFDATA2LSB, "aarch64"},
	{EM_ARM, ELFCLASS32, ELFDATA2LSB, "arm"},
	{EM_RISCV, ELFCLASS64, ELFDATA2LSB, "riscv64"},
	{EM_RISCV, ELFCLASS32, ELFDATA2LSB, "riscv32"},
	{EM_PPC64, ELFCLASS64, ELFDATA2LSB, "ppc64le"},
	{EM_PPC64, ELFCLASS64, ELFDATA2MSB, "ppc64"},
	{EM_PPC, ELFCLASS32, ELFDATA2MSB, "ppc"},
	{EM_S390, ELFCLASS64, ELFDATA2MSB, "s390x"},
	{EM_LOONGARCH, ELFCLASS64, ELFDATA2LSB, "loongarch64"},
	{EM_MIPS, ELFCLASS64, ELFDATA2LSB, "mips64el"},
	{EM_MIPS, ELFCLASS64, ELFDATA2MSB, "mips64"},
	{EM_MIPS, ELFCLASS32, ELFDATA2LSB, "mipsel"},
	{EM_MIPS, ELFCLASS32, ELFDATA2MSB, "mips"},
	{EM_SPARCV9, ELFCLASS64, ELFDATA2MSB, "sparc64"},
};

const char *elf_native(void)
{
#if defined(__x86_64__) && defined(__ILP32__)
	return "x32";
#elif defined(__x86_64__)
	return "x86_64";
#elif defined(__i386__)
	return "i386";
#elif defined(__aarch64__)
	return "aarch64";
#elif defined(__arm__)
	return "arm";
#elif defined(__riscv) && __riscv_xlen == 64
	return "riscv64";
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
	return "ppc64le";
#elif defined(__s390x__)
	return "s390x";
#elif defined(__loongarch64)
	return "loongarch64";
#else
#error "name this machine here and in the table above"
#endif
}

static uint16_t swap_if(uint16_t v, bool swap)
{
	return swap ? (uint16_t)(v << 8 | v >> 8) : v;
}

static void name_machine(char arch[static ELF_ARCH_MAX], uint16_t machine, const unsigned char *ident)
{
	static const char word[] = "machine ";
	char digits[8], *p = digits + sizeof(digits) - 1;

	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		if (machines[i].machine == machine && machines[i].class == ident[EI_CLASS] &&
		    machines[i].data == ident[EI_DATA]) {
			memcpy(arch, machines[i].name, strlen(machines[i].name) + 1);
			return;
		}
	*p = 0;
	do
		*--p = (char)('0' + machine % 10);
	while (machine /= 10);
	memcpy(arch, word, sizeof(word) - 1);
	memcpy(arch + sizeof(word) - 1, p, strlen(p) + 1);
}

/* The loader that a native program asks for. */
static void read_interpreter(int fd, const Elf64_Ehdr *h, struct elf_info *ret)
{
	for (unsigned i = 0; i < h->e_phnum && i < SEGMENTS_MAX; i++) {
		Elf64_Phdr p;
		ssize_t n;

		if (pread(fd, &p, sizeof(p), (off_t)(h->e_phoff + i * sizeof(p))) != sizeof(p))
			return;
		if (p.p_type != PT_INTERP)
			continue;
		if (p.p_filesz == 0 || p.p_filesz > sizeof(ret->interpreter))
			return;
		n = pread(fd, ret->interpreter, p.p_filesz, (off_t)p.p_offset);
		ret->interpreter[n > 0 ? n - 1 : 0] = 0;
		return;
	}
}

static void read_shebang(const char *head, size_t n, struct elf_info *ret)
{
	size_t at = 2, len;

	while (at < n && (head[at] == ' ' || head[at] == '\t'))
		at++;
	for (len = 0; at + len < n && !strchr(" \t\n", head[at + len]); len++)
		;
	if (len >= sizeof(ret->interpreter))
		return;
	memcpy(ret->interpreter, head + at, len);
	ret->interpreter[len] = 0;
}

void elf_inspect(int fd, struct elf_info *ret)
{
	union {
		char bytes[256];
		Elf64_Ehdr header;
	} head = {0};
	ssize_t n = pread(fd, head.bytes, sizeof(head.bytes), 0);
	const unsigned char *ident = head.header.e_ident;
	/* e_machine lies at the same place in 32 and 64 bit files. */
	const bool swap = ident[EI_DATA] == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2MSB : ELFDATA2LSB);

	*ret = (struct elf_info){.kind = ELF_OTHER};
	if (n >= 2 && !memcmp(head.bytes, "#!", 2)) {
		ret->kind = ELF_SCRIPT;
		read_shebang(head.bytes, (size_t)n, ret);
		return;
	}
	if (n < (ssize_t)sizeof(Elf32_Ehdr) || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return;
	name_machine(ret->arch, swap_if(head.header.e_machine, swap), ident);
	ret->kind = strcmp(ret->arch, elf_native()) == 0 ? ELF_NATIVE : ELF_FOREIGN;
	if (ret->kind == ELF_NATIVE && ident[EI_CLASS] == ELFCLASS64 && n >= (ssize_t)sizeof(Elf64_Ehdr) &&
	    head.header.e_phentsize == sizeof(Elf64_Phdr))
		read_interpreter(fd, &head.header, ret);
}

/* Joins the parts (up to a NULL) as far as they fit. */
static void join(char *buf, size_t size, const char *const *parts)
{
	size_t len = 0;

	for (; *parts; parts++) {
		size_t n = strnlen(*parts, size - 1 - len);

		memcpy(buf + len, *parts, n);
		len += n;
	}
	buf[len] = 0;
}

void elf_explain(const struct elf_info *i, int errnum, char *buf, size_t size)
{
	const char *what = i->kind == ELF_SCRIPT ? "interpreter" : "loader";

	buf[0] = 0;
	if (i->kind == ELF_FOREIGN)
		join(buf, size, (const char *[]){"is for ", i->arch, ", this machine is ", elf_native(), NULL});
	else if (errnum == ENOENT && i->interpreter[0])
		join(buf, size, (const char *[]){"needs the ", what, " \"", i->interpreter, "\", which is not there", NULL});
	else if (errnum == ENOEXEC && i->kind == ELF_OTHER)
		join(buf, size, (const char *[]){"is neither a program nor a script that starts with #!", NULL});
}
