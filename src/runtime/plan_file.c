/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/plan_file.h"

#include "base/fd.h"
#include "runtime/store.h"

#include <fcntl.h>
#include <stdio.h>

enum { PLAN_MAX = 16 << 20 };

int plan_save(int dir, const struct plan *p, struct nook_error *e)
{
	/* Written before anything is started and never again, so that it need not be replaced. */
	auto_close int fd = openat(dir, PLAN_FILE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : fd_write(fd, p, p->size);

	return r < 0 ? err_num(e, STEP_STATE, PLAN_FILE, r) : 0;
}

enum { PATH_ROOM = sizeof(STORE_CONTAINERS "/" "/" PLAN_FILE) + CONTAINER_ID_MAX };

static int path_of(const char *id, char path[static PATH_ROOM], struct nook_error *e)
{
	TRY(container_id_check(id, e));
	(void)snprintf(path, PATH_ROOM, STORE_CONTAINERS "/%s/" PLAN_FILE, id);
	return 0;
}

bool plan_file_has_own_ids(const char *run, const char *id)
{
	char path[PATH_ROOM];
	auto_free char *whole = path_of(id, path, NULL) < 0 ? NULL : xasprintf("%s/%s", run, path);
	auto_close int fd = whole ? open(whole, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -EBADF;
	struct plan head;

	return fd >= 0 && fd_read_once(fd, &head, sizeof(head)) == sizeof(head) && head.format == PLAN_FORMAT &&
	       head.own_ids;
}

int plan_load(struct store_run *r, const char *id, struct arena *a, const struct plan **ret, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	char path[PATH_ROOM];

	TRY(path_of(id, path, e));
	TRY(file_read_piece(r->fd, path, PLAN_MAX, &text, e));
	if (plan_validate(buf_text(&text), text.len) < 0)
		return err_why(e, STEP_STATE, PLAN_FILE, EINVAL, "it was written by another version of nook, or is damaged");
	*ret = arena_memdup(a, buf_text(&text), text.len);
	return 0;
}
