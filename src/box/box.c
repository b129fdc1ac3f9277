/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/box.h"

#include <fcntl.h>
#include <limits.h>

struct nook_box *box_new(void)
{
	struct nook_box *b = xcalloc(1, sizeof(*b));
	char base[PATH_MAX];

	b->arena = arena_new();
	b->base = getcwd(base, sizeof(base)) && base[0] == '/' ? arena_strdup(b->arena, base) : NULL;
	b->limits.pids = (struct opt_u64){BOX_DEFAULT_PIDS, true};
	return b;
}

void box_free(struct nook_box *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->n_fds; i++)
		close_fd(&b->fds[i].fd);
	arena_free(b->arena);
	free(b);
}

int box_add_fd(struct nook_box *b, int fd, int as, struct nook_error *e)
{
	struct box_fd *have = NULL;
	auto_close int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (own < 0)
		return err_sys(e, STEP_FDS, "source");
	if (as < 0 || as > BOX_FD_MAX)
		return err_why(e, STEP_FDS, "target", EBADF, "there is no descriptor of this number");
	for (size_t i = 0; i < b->n_fds; i++)
		if (b->fds[i].as == as)
			have = &b->fds[i];
	if (!have && b->n_fds == BOX_FDS_MAX)
		return err_why(e, STEP_FDS, "target", E2BIG, "a box takes 64 descriptors");
	if (have)
		close_fd(&have->fd);
	else
		have = arena_push(b->arena, &b->fds, &b->n_fds);
	*have = (struct box_fd){take_fd(&own), as};
	return 0;
}
