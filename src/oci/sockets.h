/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors handed to a caller over its unix socket, and the number it wants in a file. */
#pragma once

#include "base/error.h"

#include <sys/types.h>

/* Connects to the socket PATH and sends FD with NAME as payload. */
int oci_send_fd(const char *path, int fd, const char *name, struct nook_error *e);
/* Hands a seccomp listener to the agent at PATH, with TEXT beside it. */
int oci_send_listener(const char *path, int listener, const char *text, struct nook_error *e);
/* Is there a socket at PATH?  Nothing is said there. */
int oci_check_socket(const char *path, const char *member, struct nook_error *e);
/* The pid as decimal digits; a file appears whole or not at all, what is no file is written. */
int oci_write_pid(const char *path, pid_t pid, struct nook_error *e);
