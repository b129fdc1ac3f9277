/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names to addresses, as this machine finds them (getaddrinfo(3) with all that nsswitch.conf names), in a process of its
 * own: it needs the file system and sockets that the proxy has given up, and a server that answers slowly makes nobody wait
 * but who asked.
 */
#pragma once

#include "box/address.h"
#include "base/error.h"
#include "box/allow.h"

#include <stdint.h>

enum { RESOLVER_ADDRESSES = 16 };

struct resolver_question {
	uint64_t id;
	char name[HOST_NAME_MAX_LEN + 3];
};

struct resolver_answer {
	uint64_t id;
	uint32_t n; /* 0: there is no such name, or nobody knows */
	struct address addresses[RESOLVER_ADDRESSES];
};

/* Forks the resolver; *RET is the socket for questions and answers, one a record, answers in any order.  The resolver ends
 * when that is closed. */
int resolver_start(int *ret, struct nook_error *e);
/* Waits for its end. */
void resolver_wait(void);
