/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/elf.h"
#include "temp.h"

#include <elf.h>

static void write_header(int dir, const char *name, uint16_t machine, unsigned char class, unsigned char data)
{
	Elf64_Ehdr h = {.e_type = ET_EXEC, .e_machine = data == ELFDATA2MSB ? __builtin_bswap16(machine) : machine};
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	memcpy(h.e_ident, ELFMAG, SELFMAG);
	h.e_ident[EI_CLASS] = class;
	h.e_ident[EI_DATA] = data;
	assert_int_equal(fd_write(fd, &h, sizeof(h)), 0);
	(void)close(fd);
}

static void explain(int dir, const char *name, int errnum, struct elf_info *i, char *why, size_t size)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	elf_inspect(fd, i);
	elf_explain(i, errnum, why, size);
}

static void test_names_the_other_architecture(void **state)
{
	struct temp *t = *state;
	char want[128], why[128];
	struct elf_info i;

	write_header(t->dir, "arm", EM_AARCH64 == 183 && strcmp(elf_native(), "aarch64") != 0 ? EM_AARCH64 : EM_X86_64, ELFCLASS64,
		ELFDATA2LSB);
	explain(t->dir, "arm", ENOEXEC, &i, why, sizeof(why));
	assert_int_equal(i.kind, ELF_FOREIGN);
	(void)snprintf(want, sizeof(want), "is for %s, this machine is %s", i.arch, elf_native());
	assert_string_equal(why, want);
	write_header(t->dir, "s390", EM_S390, ELFCLASS64, ELFDATA2MSB);
	explain(t->dir, "s390", ENOEXEC, &i, why, sizeof(why));
	assert_string_equal(i.arch, "s390x");
	write_header(t->dir, "odd", 4711, ELFCLASS64, ELFDATA2LSB);
	explain(t->dir, "odd", ENOEXEC, &i, why, 12);
	assert_string_equal(i.arch, "machine 4711");
	assert_string_equal(why, "is for mach");
}

static void test_finds_the_loader_of_a_native_program(void **state)
{
	struct elf_info i;
	char why[400];

	(void)state;
	explain(AT_FDCWD, "/bin/sh", 0, &i, why, sizeof(why));
	assert_int_equal(i.kind, ELF_NATIVE);
	assert_int_equal(i.interpreter[0], '/');
	assert_string_equal(why, "");
	elf_explain(&i, ENOENT, why, sizeof(why));
	assert_non_null(strstr(why, i.interpreter));
}

static void test_scripts_and_rubbish(void **state)
{
	struct temp *t = *state;
	struct elf_info i;
	char why[400];

	temp_write(t->dir, "script", "#! \t/opt/python3 -u\nprint()\n");
	explain(t->dir, "script", ENOENT, &i, why, sizeof(why));
	assert_int_equal(i.kind, ELF_SCRIPT);
	assert_string_equal(i.interpreter, "/opt/python3");
	assert_string_equal(why, "needs the interpreter \"/opt/python3\", which is not there");
	temp_write(t->dir, "text", "echo hello\n");
	explain(t->dir, "text", ENOEXEC, &i, why, sizeof(why));
	assert_string_equal(why, "is neither a program nor a script that starts with #!");
	temp_write(t->dir, "short", "\177ELF");
	explain(t->dir, "short", ENOEXEC, &i, why, sizeof(why));
	assert_int_equal(i.kind, ELF_OTHER);
	temp_write(t->dir, "empty", "");
	explain(t->dir, "empty", ENOENT, &i, why, sizeof(why));
	assert_int_equal(i.kind, ELF_OTHER);
	assert_string_equal(why, "");
	elf_inspect(-1, &i);
	assert_int_equal(i.kind, ELF_OTHER);
}

static void test_hostile_headers_stay_in_bounds(void **state)
{
	struct temp *t = *state;
	Elf64_Ehdr h = {.e_type = ET_EXEC, .e_phnum = 65535, .e_phentsize = sizeof(Elf64_Phdr), .e_phoff = sizeof(h)};
	Elf64_Phdr p = {.p_type = PT_INTERP, .p_offset = UINT64_MAX, .p_filesz = 256};
	auto_close int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	auto_close int fd = openat(t->dir, "bad", O_RDWR | O_CREAT | O_CLOEXEC, 0755);
	struct elf_info i;

	assert_int_equal(pread(self, h.e_ident, EI_NIDENT, 0), EI_NIDENT);
	assert_int_equal(pread(self, &h.e_machine, 2, offsetof(Elf64_Ehdr, e_machine)), 2);
	for (int round = 0; round < 4; round++) {
		h.e_phoff = round == 0 ? UINT64_MAX : sizeof(h);
		p.p_filesz = round == 2 ? UINT64_MAX : 256;
		p.p_offset = round == 3 ? 0 : UINT64_MAX;
		assert_int_equal(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
		assert_int_equal(pwrite(fd, &p, sizeof(p), sizeof(h)), sizeof(p));
		elf_inspect(fd, &i);
		assert_int_equal(i.kind, ELF_NATIVE);
		assert_true(strlen(i.interpreter) < sizeof(i.interpreter));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		temp_test(test_names_the_other_architecture),
		cmocka_unit_test(test_finds_the_loader_of_a_native_program),
		temp_test(test_scripts_and_rubbish),
		temp_test(test_hostile_headers_stay_in_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
