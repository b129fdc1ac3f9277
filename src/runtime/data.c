/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/data.h"

#include "base/fd.h"
#include "base/text.h"
#include "runtime/store.h"

#include <sys/file.h>

const char *const data_names[DATA_KINDS] = {[DATA_UNPACKED] = "unpacked", [DATA_LAYER] = "layers"};

const char *data_path(const struct store_run *r, const char *root, enum data_kind kind, const char *id, struct arena *a)
{
	return arena_printf(a, "%s/%s/%s", root, data_names[kind], store_tagged_id(r, id, a));
}

bool data_is(enum data_kind kind, const char *path)
{
	const char *name = strrchr(path, '/');
	const size_t len = strlen(data_names[kind]);

	return name && name - path > (ptrdiff_t)len && name[-(ptrdiff_t)len - 1] == '/' && memcmp(name - len, data_names[kind], len) == 0;
}

int data_make(const char *path, struct nook_error *e)
{
	int made = TRY(dir_make(path, 0700, e)), fd;

	close_fd(&made);
	fd = dir_lock(path, LOCK_SH | LOCK_NB);
	return fd < 0 ? err_num(e, STEP_LOCK, path, fd) : fd;
}

int data_lock(const char *path, struct nook_error *e)
{
	int fd = dir_lock(path, LOCK_EX | LOCK_NB);

	if (fd == -EWOULDBLOCK)
		return err_why(e, STEP_LOCK, path, EBUSY, "is in use");
	return fd < 0 ? err_num(e, STEP_LOCK, path, fd) : fd;
}

int data_orphan_lock(const struct store_run *r, const char *root, enum data_kind kind, const char *name, struct arena *a)
{
	const char *id = arena_strndup(a, name, strcspn(name, "@"));
	int fd;

	if (container_id_check(id, NULL) < 0 || !text_is(name, store_tagged_id(r, id, a)))
		return -EBUSY;
	fd = dir_lock(arena_printf(a, "%s/%s/%s", root, data_names[kind], name), LOCK_EX | LOCK_NB);
	/* A start makes the container's directory first, a removal removes it last: without one this is nobody's. */
	if (fd >= 0 && store_entry_exists(r, id))
		close_fd(&fd);
	return fd < 0 ? -EBUSY : fd;
}
