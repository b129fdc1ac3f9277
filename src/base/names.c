/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/names.h"

#include "base/text.h"

#include <dirent.h>
#include <fcntl.h>

int names_read(int dir, const char *name, struct arena *a, const char ***ret, size_t *ret_n, struct nook_error *e)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const char **list = NULL;
	struct dirent *entry;
	size_t n = 0;
	DIR *stream;
	int r;

	if (fd < 0 && errno == ENOENT) {
		*ret = NULL;
		*ret_n = 0;
		return 0;
	}
	stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream)
		return err_sys(e, STEP_FILE, name);
	(void)take_fd(&fd);
	for (errno = 0; (entry = readdir(stream)); errno = 0)
		if (!text_is(entry->d_name, ".") && !text_is(entry->d_name, ".."))
			*arena_push(a, &list, &n) = arena_strdup(a, entry->d_name);
	r = errno ? err_sys(e, STEP_FILE, name) : 0;
	(void)closedir(stream);
	if (!r) {
		*ret = list;
		*ret_n = n;
	}
	return r;
}
