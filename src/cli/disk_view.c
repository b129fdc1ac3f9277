/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/disk_view.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/names.h"
#include "base/text.h"

#include <sys/stat.h>

enum { BACKING_MAX = 8192 };

/* The loop device over the file that is really at PATH. */
static const char *find_user(const char *path, struct arena *a)
{
	auto_free char *real = realpath(path, NULL);
	const char **names;
	size_t n;

	if (!real || names_read(AT_FDCWD, "/sys/block", a, &names, &n, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		AUTO_VALUE(buf_done) struct buf text = {0};

		if (!text_after(names[i], "loop") ||
			file_read(AT_FDCWD, arena_printf(a, "/sys/block/%s/loop/backing_file", names[i]), BACKING_MAX, &text, NULL) < 0)
			continue;
		if (text.len && text.data[text.len - 1] == '\n')
			text.data[--text.len] = 0;
		if (text_is(buf_text(&text), real))
			return arena_printf(a, "/dev/%s", names[i]);
	}
	return NULL;
}

int disk_view_load(const char *path, struct arena *a, struct disk_view *ret, struct nook_error *e)
{
	auto_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct disk_view v = {.path = path};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, STEP_DISK, path);
	if (!S_ISREG(st.st_mode))
		return err_why(e, STEP_DISK, path, EINVAL, "is no regular file");
	TRY(fsimage_probe(fd, path, &v.image, e));
	v.bytes = (uint64_t)st.st_size;
	v.allocated = (uint64_t)st.st_blocks * 512;
	v.user = find_user(path, a);
	*ret = v;
	return 0;
}

const char *disk_view_uuid(const struct disk_view *v, struct arena *a)
{
	const uint8_t *u = v->image.uuid;
	static const uint8_t none[16];

	if (memcmp(u, none, sizeof(none)) == 0)
		return "";
	return arena_printf(a, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1], u[2], u[3], u[4], u[5],
		u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}
