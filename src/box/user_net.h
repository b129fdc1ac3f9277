/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A network without rights: pasta(1), or slirp4netns(1) where that one is not installed. */
#pragma once

#include "box/network.h"

/* The namespace and the file that names the resolver; an error where neither program is installed. */
int user_net_spec(const struct nook_box *b, struct arena *a, struct spec *s, struct nook_error *e);
/* Starts it for the namespaces of PID, a child of ours, and waits until the network is there.  *RET is the program. */
int user_net_start(pid_t pid, struct box_helper *ret, struct nook_error *e);
