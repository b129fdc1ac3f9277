/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records over a SOCK_SEQPACKET socket: bytes and the descriptors that belong to them, in one piece. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

enum { RECORD_FDS_MAX = 128 };

/* 0 or -errno. */
int record_send(int fd, const void *data, size_t size, const int *fds, size_t n_fds);
/* The number of bytes (0: end of file), or -errno; -EPROTO when there were more.  FDS has room for *N_FDS descriptors, of which
 * *N_FDS have come; those beyond are closed.  FLAGS: of recvmsg(2). */
ssize_t record_receive(int fd, void *data, size_t size, int *fds, size_t *n_fds, int flags);
