/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of nook box --learn. */
#pragma once

#include "box/box.h"
#include "box/observer.h"

/* What O has observed of COMMAND in the box B becomes a profile, written to FD.  HOSTS: reached through the proxy. */
int box_learn_write(struct observer *o, int fd, const struct nook_box *b, const char *const *command, const char *const *hosts,
	struct arena *a, struct nook_error *e);
