/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a blob comes into the depot, wherever its bytes come from.  They are hashed and written to ingest/ as they come; a
 * layer is unpacked at the same time by a jailed nook-unpack that follows the growing file, so that a slow unpacker never
 * holds up the transfer.  Nothing has its final name before digest, size and (of a layer) DiffID were found right.
 *
 *     r = sink_open(depot, &want, &sink)
 *     SINK_PRESENT: the depot has it (and the layer is unpacked): nothing is to be done
 *     SINK_BUSY:    another process is fetching it: go on with other blobs, then sink_wait() and open it again
 *     SINK_OPEN:    fetch from sink_offset(sink) on: what an earlier attempt got is kept and was hashed again
 *     sink_write() ... sink_finish()
 *     sink_close()  at any time; an unfinished one keeps its bytes for the next attempt
 *
 * What was found present or was finished stays locked until depot_close(), so that nobody removes it before
 * image_commit().
 */
#pragma once

#include "image/config.h"
#include "storage/depot.h"

struct sink_want {
	const char *digest;  /* checked */
	uint64_t size;       /* SIZE_UNKNOWN: not known; the limit is then SINK_BYTES_MAX */
	const char *diff_id; /* of a layer that is to be unpacked; NULL: only keep the blob */
};
#define SINK_SIZE_UNKNOWN UINT64_MAX
#define SINK_BYTES_MAX (UINT64_C(64) << 30)

struct sink;
enum sink_state { SINK_OPEN, SINK_PRESENT, SINK_BUSY };

/* An enum sink_state, or -errno.  A layer whose blob is complete but not unpacked is unpacked here: SINK_PRESENT. */
int sink_open(struct depot *d, const struct sink_want *want, struct sink **ret, struct nook_error *e);
/* Waits until nobody else is fetching DIGEST. */
int sink_wait(struct depot *d, const char *digest, struct nook_error *e);
uint64_t sink_offset(const struct sink *s);
/* -EFBIG when there are more bytes than were promised. */
int sink_write(struct sink *s, const void *data, size_t size, struct nook_error *e);
/* Throws away what is there: the server did not continue where it was asked to. */
int sink_restart(struct sink *s, struct nook_error *e);
/* Size and digest are judged (-EBADMSG: wrong content, which is thrown away; -EAGAIN: too short, which is kept), the layer
 * is waited for and its DiffID judged, and both get their final names. */
int sink_finish(struct sink *s, struct nook_error *e);
void sink_close(struct sink *s);
CLEANUP_DEFINE(struct sink *, sink_close)

/* A small blob from memory, such as a manifest.  DIGEST: what it must have; NULL: sha256 is computed.  RET_DIGEST (A's) may
 * be NULL. */
int blob_add(struct depot *d, const void *data, size_t size, const char *digest, struct arena *a, const char **ret_digest,
	struct nook_error *e);
