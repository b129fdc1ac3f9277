/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors handed to a caller over its unix socket, and the files that it names. */
#pragma once

#include "base/error.h"

#include <sys/types.h>

/* Connects to the socket PATH and sends FD with NAME as payload. */
int oci_send_fd(const char *path, int fd, const char *name, struct nook_error *e);
/* Hands a seccomp listener to the agent at PATH, with TEXT beside it. */
int oci_send_listener(const char *path, int listener, const char *text, struct nook_error *e);
/* Is there a socket at PATH?  Nothing is said there. */
int oci_check_socket(const char *path, const char *member, struct nook_error *e);
/* open(2) with close-on-exec of a path that a caller names: a descriptor, or -errno unrecorded.  -ELOOP: a link that somebody
 * else has made, or can exchange. */
int oci_open_file(const char *path, int flags, mode_t mode);
/* The pid as decimal digits; a file appears whole or not at all, what is no file is written. */
int oci_write_pid(const char *path, pid_t pid, struct nook_error *e);
