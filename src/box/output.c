/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/watch.h"

#include <fcntl.h>

enum { FIRST = STDOUT_FILENO, ENDS = 2 };

int box_output_begin(struct box_output *o, struct nook_error *e)
{
	for (int i = 0; i < ENDS; i++) {
		int pair[2];

		o->kept[i] = fcntl(FIRST + i, F_DUPFD_CLOEXEC, 3);
		if (o->kept[i] < 0 && errno != EBADF)
			return err_sys(e, STEP_STDIO, "output");
		if (pipe2(pair, O_CLOEXEC) < 0)
			return err_sys(e, STEP_STDIO, "output");
		o->pipes[i] = pair[0];
		if (dup2(pair[1], FIRST + i) < 0 || close(pair[1]) < 0)
			return err_sys(e, STEP_STDIO, "output");
	}
	return 0;
}

static int put_back(struct box_output *o, struct nook_error *e)
{
	for (int i = 0; i < ENDS; i++) {
		if (o->kept[i] < 0)
			(void)close(FIRST + i);
		else if (dup2(o->kept[i], FIRST + i) < 0)
			return err_sys(e, STEP_STDIO, "output");
	}
	return 0;
}

int box_output_ready(struct box_output *o, struct box_watch *w, struct nook_error *e)
{
	o->relays = xcalloc(ENDS, sizeof(*o->relays));
	for (int i = 0; i < ENDS; i++) {
		o->relays[i].from = o->pipes[i];
		o->relays[i].to = o->kept[i];
	}
	w->relays = o->relays;
	w->n_relays = w->n_output = ENDS;
	return put_back(o, e);
}

void box_output_done(struct box_output *o)
{
	for (int i = 0; i < ENDS; i++) {
		close_fd(&o->kept[i]);
		close_fd(&o->pipes[i]);
	}
	free(o->relays);
	o->relays = NULL;
}
