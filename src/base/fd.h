/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors and whole files.  EINTR is retried here and nowhere else. */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#include <fcntl.h>
#include <stdbool.h>

/* Reads up to size bytes, stopping only at end of file: the count, or -errno. */
ssize_t fd_read(int fd, void *buf, size_t size);
/* One read(2), enough for the small files of /proc that come in one piece. */
ssize_t fd_read_once(int fd, void *buf, size_t size);
/* Writes everything: 0 or -errno. */
int fd_write(int fd, const void *buf, size_t size);

/* The path that the kernel has for what FD is, terminated: 0 or -errno. */
int fd_real_path(int fd, char *path, size_t size);

/* Appends the whole of a file to B; -EFBIG when it is larger than LIMIT. DIR may be AT_FDCWD. */
int file_read(int dir, const char *name, size_t limit, struct buf *b, struct nook_error *e);
/* The same for a file that the kernel hands out in one piece, as cgroupfs and most of /proc/PID do: where a read(2) comes
 * back short is its end, and no second one is needed to learn that. */
int file_read_piece(int dir, const char *name, size_t limit, struct buf *b, struct nook_error *e);
/* One write(2) to an existing file, as /proc, /sys and cgroup files want it.  The error's object is NAME. */
int file_write(int dir, const char *name, const char *text, enum step_id step, struct nook_error *e);
/* Replaces a file atomically: write a temporary beside it, rename. */
enum file_sync {
	FILE_NO_SYNC,
	FILE_SYNC,   /* fsync(2) of file and directory as well (a state directory on tmpfs needs none) */
	FILE_LOCKED, /* no other writer is possible, so that the temporary's name need not tell them apart */
	FILE_NEW,    /* it is not there, and a reader who finds a part of it takes it for none: made in place */
};
int file_replace(int dir, const char *name, const void *data, size_t size, mode_t mode, enum file_sync sync,
                 struct nook_error *e);
/* Takes an exclusive lock on DIR/NAME (made if absent) and returns the descriptor that holds it; closing it unlocks. */
int file_lock(int dir, const char *name, struct nook_error *e);
/* The same, but returns -EWOULDBLOCK at once (and records nothing) when somebody holds it. */
int file_trylock(int dir, const char *name, struct nook_error *e);
/* A directory with a lock on it, of flock(2)'s OPERATION: the descriptor that holds it, or -errno; nothing is recorded. */
int dir_lock(const char *path, int operation);
/* mkdir -p: each missing component with MODE; returns an O_PATH descriptor of the last. For names that only we control. */
int dir_make(const char *path, mode_t mode, struct nook_error *e);
/* Removes what is below DIR/NAME and NAME itself, however deep, never through a link and never into another mount (also
 * not one that shows the same file system): -EXDEV or -EBUSY when there is one.  Directories without rights for their
 * owner are given them first.  Absent is fine. (tree.c) */
int tree_remove(int dir, const char *name, struct nook_error *e);
/* Marks every descriptor from FIRST on close-on-exec (close_range(2)). */
int fds_cloexec_from(unsigned first, struct nook_error *e);
/* Did the caller of this program leave the N descriptors from 3 on open for it?  What the program opened itself is
 * close-on-exec, so it is never taken for one of those. */
int fds_check_given(unsigned n, struct nook_error *e);
