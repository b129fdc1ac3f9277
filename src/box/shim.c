/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/shim.h"

#include "sys/record.h"

/* The plan and the hosts come before the others. */
_Static_assert(SHIM_FDS_MAX + 2 <= RECORD_FDS_MAX, "a request is one record");

size_t shim_reply_size(enum shim_kind kind)
{
	switch (kind) {
	case SHIM_FAILED:
		return offsetof(struct shim_reply, error) + sizeof(struct nook_error);
	case SHIM_ENDED:
	case SHIM_STATS:
		return offsetof(struct shim_reply, result) + sizeof(struct nook_result);
	case SHIM_STARTED:
	case SHIM_JOIN:
		break;
	}
	return offsetof(struct shim_reply, error);
}
