/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Terminals.  The slave side is always asked of the master (TIOCGPTPEER), never opened by a name that a container could
 * have replaced.  Nothing allocates.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

#include <stdint.h>
#include <termios.h>

/* The master of a new pty of this devpts instance (a directory descriptor, checked), unlocked. */
int pty_open_master(int devpts, struct nook_error *e);
/* Its slave, as no controlling terminal yet. */
int pty_open_slave(int master, struct nook_error *e);
/* Makes SLAVE the controlling terminal of the calling session leader. */
int pty_make_controlling(int slave, struct nook_error *e);

int pty_set_size(int fd, uint16_t rows, uint16_t columns, struct nook_error *e);
/* Gives TO the size of FROM, as after SIGWINCH. */
int pty_copy_size(int from, int to, struct nook_error *e);

/* Raw mode for a terminal whose other end is relayed; SAVED is what pty_restore() puts back. */
int pty_raw(int fd, struct termios *saved, struct nook_error *e);
void pty_restore(int fd, const struct termios *saved);
