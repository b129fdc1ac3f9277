/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk/note.h"

#include "base/buf.h"
#include "base/cleanup.h"

#include <endian.h>
#include <string.h>
#include <sys/stat.h>

enum { NOTE_BLOCK = 4096, NOTE_MAX = 1 << 20 };

struct ending {
	uint64_t len; /* little endian */
	char magic[8];
};
static const char magic[8] = {'n', 'o', 'o', 'k', 'n', 'o', 't', 'e'};

static uint64_t rounded(uint64_t bytes)
{
	return (bytes + NOTE_BLOCK - 1) / NOTE_BLOCK * NOTE_BLOCK;
}

int note_append(int file, const char *text, const char *object, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct ending ending = {.len = htole64(strlen(text))};
	struct stat st;

	if (strlen(text) > NOTE_MAX)
		return err_num(e, STEP_DISK, object, E2BIG);
	if (fstat(file, &st) < 0)
		return err_sys(e, STEP_DISK, object);
	memcpy(ending.magic, magic, sizeof(magic));
	buf_adds(&out, text);
	while (out.len + sizeof(ending) < rounded(strlen(text) + sizeof(ending)))
		buf_addc(&out, 0);
	buf_add(&out, &ending, sizeof(ending));
	for (size_t done = 0; done < out.len;) {
		ssize_t n = pwrite(file, out.data + done, out.len - done, (off_t)(rounded((uint64_t)st.st_size) + done));

		if (n < 0 && errno != EINTR)
			return err_sys(e, STEP_DISK, object);
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int note_find(int file, struct arena *a, const char **ret, uint64_t *ret_bytes, const char *object, struct nook_error *e)
{
	struct ending ending;
	struct stat st;
	uint64_t len, bytes;
	char *text;

	if (fstat(file, &st) < 0)
		return err_sys(e, STEP_DISK, object);
	if (st.st_size < NOTE_BLOCK || pread(file, &ending, sizeof(ending), st.st_size - (off_t)sizeof(ending)) != sizeof(ending) ||
		memcmp(ending.magic, magic, sizeof(magic)) != 0)
		return 0;
	len = le64toh(ending.len);
	bytes = rounded(len + sizeof(ending));
	if (len > NOTE_MAX || bytes > (uint64_t)st.st_size)
		return err_why(e, STEP_DISK, object, EINVAL, "the note behind its file system is damaged");
	text = arena_alloc(a, len + 1);
	if (pread(file, text, len, st.st_size - (off_t)bytes) != (ssize_t)len)
		return err_sys(e, STEP_DISK, object);
	*ret = text;
	if (ret_bytes)
		*ret_bytes = bytes;
	return 1;
}
