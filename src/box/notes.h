/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the observer (observer.h) tells of a command, for who makes a profile of it (needs.h): lines of text.
 *
 *   p FLAGS PATH   enum note_what in hexadecimal, an absolute path
 *   c ADDRESS      connected to; d ADDRESS: a datagram went there; b ADDRESS: bound to
 *   s CALL         a system call that a strict filter refuses
 */
#pragma once

enum note_what {
	NOTE_STAT = 1,      /* its attributes, or whether it is there */
	NOTE_READ = 2,
	NOTE_WRITE = 4,
	NOTE_MAKE = 8,      /* made, removed or renamed: its directory changes */
	NOTE_EXEC = 16,
	NOTE_LIST = 32,     /* a directory: its names */
	NOTE_ENTER = 64,    /* a directory: worked in */
	NOTE_EXISTED = 128, /* before the command first touched it */
	NOTE_DIR = 256,
	NOTE_SOCKET = 512,  /* a unix socket, connected to */
};

enum { NOTES_MAX = 1 << 16 };
