/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * D-Bus, as much of it as a client of systemd needs: a bus over a unix socket, method calls one at a time, signals that
 * come meanwhile.  Everything on one connection has to be done within a time that is set when it is opened.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>

enum { DBUS_MESSAGE_MAX = 1 << 20, DBUS_TIMEOUT_MS = 10000 };

enum dbus_type { DBUS_CALL = 1, DBUS_RETURN, DBUS_ERROR, DBUS_SIGNAL };

/* A message that was received; strings point into it and are never NULL. */
struct dbus_message {
	enum dbus_type type;
	uint32_t serial, reply_serial;
	const char *path, *interface, *member, *error, *destination, *signature;
	const char *body;
	size_t body_len;
};

struct dbus {
	int fd;
	uint32_t serial;
	int64_t end_ms; /* CLOCK_MONOTONIC */
	struct buf in;  /* the message that is looked at */
	/* Called for each signal. */
	void (*on_signal)(void *data, const struct dbus_message *m);
	void *data;
};
#define DBUS_INIT {.fd = -EBADF}
void dbus_close(struct dbus *d);

enum dbus_bus { DBUS_SYSTEM, DBUS_USER };
/* Connects, says who we are (SASL EXTERNAL: the kernel tells the bus) and gets a name. */
int dbus_open(struct dbus *d, enum dbus_bus bus, struct nook_error *e);
/* The same on a connected socket, which becomes D's. */
int dbus_attach(struct dbus *d, int fd, int timeout_ms, struct nook_error *e);

/* ---- messages that are made ------------------------------------------------------------------------------------------ */

/* The body of a call: values in the order of its signature. */
void dbus_put_byte(struct buf *b, uint8_t value);
void dbus_put_u32(struct buf *b, uint32_t value);
void dbus_put_u64(struct buf *b, uint64_t value);
void dbus_put_bool(struct buf *b, bool value);
void dbus_put_string(struct buf *b, const char *s); /* also an object path */
void dbus_put_signature(struct buf *b, const char *s);
/* Pads for a struct or a dictionary entry. */
void dbus_put_struct(struct buf *b);
/* An array whose elements are aligned to ALIGN: returns what dbus_array_end() wants. */
struct dbus_array {
	size_t length_at, first;
};
struct dbus_array dbus_array_begin(struct buf *b, size_t align);
void dbus_array_end(struct buf *b, struct dbus_array a);

struct dbus_call {
	const char *destination, *path, *interface, *member, *signature;
	const struct buf *body; /* NULL: no arguments */
};
/* Sends and waits for the answer: 0 and *ret, which is good until the next call.  1: an error came back, which *ret
 * tells; nothing is recorded.  -ETIMEDOUT when nobody answered in time. */
int dbus_call(struct dbus *d, const struct dbus_call *c, struct dbus_message *ret, struct nook_error *e);
/* Reads one message more; for who waits for a signal. */
int dbus_wait(struct dbus *d, struct nook_error *e);

/* ---- messages that came ---------------------------------------------------------------------------------------------- */

/* Parses one whole message; -EPROTO when it is none. */
int dbus_parse(const void *data, size_t size, struct dbus_message *ret);
struct dbus_reader {
	const char *data;
	size_t at, len;
	bool bad; /* it ended too early; values are 0 and "" then */
};
struct dbus_reader dbus_read(const struct dbus_message *m);
uint32_t dbus_get_u32(struct dbus_reader *r);
const char *dbus_get_string(struct dbus_reader *r);
/* What an error message says: its first argument, or its name. */
const char *dbus_error_text(const struct dbus_message *m);
