/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scratch.h"
#include "sys/elf.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int errors[] = {0, ENOENT, ENOEXEC};
	auto_close int fd = scratch_file(data, size);
	struct elf_info i;
	char why[100];

	elf_inspect(fd, &i);
	MUST(strnlen(i.arch, sizeof(i.arch)) < sizeof(i.arch));
	MUST(strnlen(i.interpreter, sizeof(i.interpreter)) < sizeof(i.interpreter));
	MUST(i.kind != ELF_FOREIGN || strcmp(i.arch, elf_native()) != 0);
	for (size_t n = 0; n < sizeof(errors) / sizeof(errors[0]); n++) {
		elf_explain(&i, errors[n], why, sizeof(why));
		MUST(strnlen(why, sizeof(why)) < sizeof(why));
	}
	return 0;
}
