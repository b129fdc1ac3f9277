/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/dbus.h"

#include "base/clock.h"
#include "base/text.h"

#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static const char bus_name[] = "org.freedesktop.DBus";

enum { FIXED_HEADER = 16, ENDIAN = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 'l' : 'B', VERSION = 1 };
enum field { FIELD_PATH = 1, FIELD_INTERFACE, FIELD_MEMBER, FIELD_ERROR, FIELD_REPLY, FIELD_DESTINATION, FIELD_SENDER, FIELD_SIGNATURE };

/* ---- making ------------------------------------------------------------------------------------------------------------ */

static void pad(struct buf *b, size_t align)
{
	while (b->len % align)
		buf_addc(b, 0);
}

void dbus_put_byte(struct buf *b, uint8_t value)
{
	buf_add(b, &value, 1);
}

void dbus_put_u32(struct buf *b, uint32_t value)
{
	pad(b, 4);
	buf_add(b, &value, sizeof(value));
}

void dbus_put_u64(struct buf *b, uint64_t value)
{
	pad(b, 8);
	buf_add(b, &value, sizeof(value));
}

void dbus_put_bool(struct buf *b, bool value)
{
	dbus_put_u32(b, value);
}

void dbus_put_string(struct buf *b, const char *s)
{
	dbus_put_u32(b, (uint32_t)strlen(s));
	buf_add(b, s, strlen(s) + 1);
}

void dbus_put_signature(struct buf *b, const char *s)
{
	dbus_put_byte(b, (uint8_t)strlen(s));
	buf_add(b, s, strlen(s) + 1);
}

void dbus_put_struct(struct buf *b)
{
	pad(b, 8);
}

struct dbus_array dbus_array_begin(struct buf *b, size_t align)
{
	struct dbus_array a;

	dbus_put_u32(b, 0);
	a.length_at = b->len - sizeof(uint32_t);
	/* The padding before the first element does not count. */
	pad(b, align);
	a.first = b->len;
	return a;
}

void dbus_array_end(struct buf *b, struct dbus_array a)
{
	uint32_t len = (uint32_t)(b->len - a.first);

	memcpy(b->data + a.length_at, &len, sizeof(len));
}

static void put_field(struct buf *b, enum field field, const char *signature, const char *value)
{
	if (!value)
		return;
	dbus_put_struct(b);
	dbus_put_byte(b, (uint8_t)field);
	dbus_put_signature(b, signature);
	if (text_is(signature, "g"))
		dbus_put_signature(b, value);
	else
		dbus_put_string(b, value);
}

static void put_call(struct buf *b, const struct dbus_call *c, uint32_t serial)
{
	struct dbus_array fields;

	dbus_put_byte(b, ENDIAN);
	dbus_put_byte(b, DBUS_CALL);
	dbus_put_byte(b, 0);
	dbus_put_byte(b, VERSION);
	dbus_put_u32(b, c->body ? (uint32_t)c->body->len : 0);
	dbus_put_u32(b, serial);
	fields = dbus_array_begin(b, 8);
	put_field(b, FIELD_PATH, "o", c->path);
	put_field(b, FIELD_DESTINATION, "s", c->destination);
	put_field(b, FIELD_INTERFACE, "s", c->interface);
	put_field(b, FIELD_MEMBER, "s", c->member);
	put_field(b, FIELD_SIGNATURE, "g", c->body ? c->signature : NULL);
	dbus_array_end(b, fields);
	pad(b, 8);
	if (c->body)
		buf_add(b, c->body->data, c->body->len);
}

/* ---- reading ----------------------------------------------------------------------------------------------------------- */

struct dbus_reader dbus_read(const struct dbus_message *m)
{
	return (struct dbus_reader){.data = m->body, .len = m->body_len};
}

/* The next SIZE bytes behind the padding, or NULL. */
static const char *take(struct dbus_reader *r, size_t size, size_t align)
{
	size_t at = (r->at + align - 1) / align * align;

	if (r->bad || at > r->len || r->len - at < size) {
		r->bad = true;
		return NULL;
	}
	r->at = at + size;
	return r->data + at;
}

uint32_t dbus_get_u32(struct dbus_reader *r)
{
	const char *p = take(r, sizeof(uint32_t), 4);
	uint32_t value = 0;

	if (p)
		memcpy(&value, p, sizeof(value));
	return value;
}

static uint8_t get_byte(struct dbus_reader *r)
{
	const char *p = take(r, 1, 1);

	return p ? (uint8_t)*p : 0;
}

static const char *get_text(struct dbus_reader *r, size_t len)
{
	const char *p = take(r, len + 1, 1);

	if (p && (p[len] || strlen(p) != len))
		r->bad = true;
	return p && !r->bad ? p : "";
}

const char *dbus_get_string(struct dbus_reader *r)
{
	uint32_t len = dbus_get_u32(r);

	return get_text(r, len);
}

static const char *get_signature(struct dbus_reader *r)
{
	uint8_t len = get_byte(r);

	return get_text(r, len);
}

static void read_field(struct dbus_reader *r, struct dbus_message *m)
{
	const char **const texts[] = {
		[FIELD_PATH] = &m->path,     [FIELD_INTERFACE] = &m->interface,     [FIELD_MEMBER] = &m->member,
		[FIELD_ERROR] = &m->error,   [FIELD_DESTINATION] = &m->destination, [FIELD_SIGNATURE] = &m->signature,
	};
	uint8_t field;
	const char *signature, *text = "";

	(void)take(r, 0, 8);
	field = get_byte(r);
	signature = get_signature(r);
	if (text_is(signature, "u")) {
		uint32_t number = dbus_get_u32(r);

		if (field == FIELD_REPLY)
			m->reply_serial = number;
		return;
	}
	if (text_is(signature, "s") || text_is(signature, "o"))
		text = dbus_get_string(r);
	else if (text_is(signature, "g"))
		text = get_signature(r);
	else
		r->bad = true;
	if (field < sizeof(texts) / sizeof(*texts) && texts[field])
		*texts[field] = text;
}

/* How long the message will be whose first FIXED_HEADER bytes these are; -EPROTO when it is none. */
static ssize_t whole_size(const char *data)
{
	uint32_t body, fields;

	memcpy(&body, data + 4, sizeof(body));
	memcpy(&fields, data + 12, sizeof(fields));
	if (data[0] != ENDIAN || data[3] != VERSION || body > DBUS_MESSAGE_MAX || fields > DBUS_MESSAGE_MAX)
		return -EPROTO;
	return ((ssize_t)FIXED_HEADER + fields + 7) / 8 * 8 + body;
}

int dbus_parse(const void *data, size_t size, struct dbus_message *ret)
{
	struct dbus_message m = {.path = "", .interface = "", .member = "", .error = "", .destination = "", .signature = ""};
	struct dbus_reader r = {.data = data, .len = size};
	uint32_t body, fields;

	if (size < FIXED_HEADER || whole_size(data) != (ssize_t)size)
		return -EPROTO;
	m.type = (enum dbus_type)((const uint8_t *)data)[1];
	r.at = 4;
	body = dbus_get_u32(&r);
	m.serial = dbus_get_u32(&r);
	fields = dbus_get_u32(&r);
	r.len = FIXED_HEADER + fields;
	while (!r.bad && r.at < r.len)
		read_field(&r, &m);
	if (r.bad || m.type < DBUS_CALL || m.type > DBUS_SIGNAL)
		return -EPROTO;
	m.body = (const char *)data + size - body;
	m.body_len = body;
	*ret = m;
	return 0;
}

const char *dbus_error_text(const struct dbus_message *m)
{
	struct dbus_reader r = dbus_read(m);
	const char *text = m->signature[0] == 's' ? dbus_get_string(&r) : "";

	return *text && !r.bad ? text : m->error;
}

/* ---- the connection ------------------------------------------------------------------------------------------------------ */

static int lost(struct nook_error *e, int errnum)
{
	if (errnum == -ETIMEDOUT)
		return err_why(e, STEP_BUS, "D-Bus", ETIMEDOUT, "it did not answer in time");
	return err_num(e, STEP_BUS, "D-Bus", errnum);
}

static int wait_for(struct dbus *d, short events)
{
	for (;;) {
		struct pollfd p = {d->fd, events, 0};
		int64_t left = d->end_ms - clock_ms();
		int n = left <= 0 ? 0 : poll(&p, 1, (int)left);

		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int send_all(struct dbus *d, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(d->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			TRY(wait_for(d, POLLOUT));
		else if (n < 0 && errno != EINTR)
			return -errno;
		else if (n > 0)
			data += n, len -= (size_t)n;
	}
	return 0;
}

/* LEN more bytes at the end of d->in. */
static int receive(struct dbus *d, size_t len)
{
	char chunk[4096];

	while (len) {
		size_t want = len < sizeof(chunk) ? len : sizeof(chunk);
		ssize_t n = recv(d->fd, chunk, want, MSG_DONTWAIT);

		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno == EAGAIN)
			TRY(wait_for(d, POLLIN));
		else if (n < 0 && errno != EINTR)
			return -errno;
		else if (n > 0)
			buf_add(&d->in, chunk, (size_t)n), len -= (size_t)n;
	}
	return 0;
}

static int receive_message(struct dbus *d, struct dbus_message *ret)
{
	ssize_t size;

	d->in.len = 0;
	TRY(receive(d, FIXED_HEADER));
	size = whole_size(d->in.data);
	if (size < 0)
		return (int)size;
	TRY(receive(d, (size_t)size - FIXED_HEADER));
	return dbus_parse(d->in.data, d->in.len, ret);
}

/* A line of the authentication, without its end. */
static int receive_line(struct dbus *d)
{
	enum { LINE_MAX_ = 512 };

	d->in.len = 0;
	while (d->in.len < LINE_MAX_) {
		TRY(receive(d, 1));
		if (d->in.len >= 2 && !memcmp(d->in.data + d->in.len - 2, "\r\n", 2)) {
			d->in.len -= 2;
			d->in.data[d->in.len] = 0;
			return 0;
		}
	}
	return -EPROTO;
}

static int authenticate(struct dbus *d, struct nook_error *e)
{
	/* Without an identity in words: the bus takes the one that the kernel tells, whatever user namespace we are in. */
	static const char hello[] = "\0AUTH EXTERNAL\r\nDATA\r\n", begin[] = "BEGIN\r\n";
	int r = send_all(d, hello, sizeof(hello) - 1);

	if (r == 0)
		r = receive_line(d);
	if (r == 0 && text_is(buf_text(&d->in), "DATA"))
		r = receive_line(d);
	if (r < 0)
		return lost(e, r);
	if (!text_after(buf_text(&d->in), "OK"))
		return err_fmt(e, STEP_BUS, "D-Bus", EACCES, "it refused us: %.100s", buf_text(&d->in));
	r = send_all(d, begin, sizeof(begin) - 1);
	return r < 0 ? lost(e, r) : 0;
}

int dbus_attach(struct dbus *d, int fd, int timeout_ms, struct nook_error *e)
{
	const struct dbus_call hello = {
		.destination = bus_name, .path = "/org/freedesktop/DBus", .interface = bus_name, .member = "Hello"};
	struct dbus_message answer;
	int r;

	d->fd = fd;
	d->end_ms = clock_ms() + timeout_ms;
	TRY(authenticate(d, e));
	r = TRY(dbus_call(d, &hello, &answer, e));
	return r ? err_fmt(e, STEP_BUS, "D-Bus", EACCES, "%.200s", dbus_error_text(&answer)) : 0;
}

/* "unix:path=/run/user/1000/bus,guid=...;..." */
static int address_parse(const char *address, struct sockaddr_un *ret, socklen_t *ret_len)
{
	const char *path = text_after(address, "unix:path="), *abstract = text_after(address, "unix:abstract=");
	const char *name = path ? path : abstract;
	size_t len = name ? strcspn(name, ",;") : 0, at = abstract ? 1 : 0;

	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!len || at + len >= sizeof(ret->sun_path))
		return -EINVAL;
	memcpy(ret->sun_path + at, name, len);
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + at + len);
	return 0;
}

int dbus_open(struct dbus *d, enum dbus_bus bus, struct nook_error *e)
{
	const char *given = secure_getenv(bus == DBUS_SYSTEM ? "DBUS_SYSTEM_BUS_ADDRESS" : "DBUS_SESSION_BUS_ADDRESS");
	const char *runtime_dir = secure_getenv("XDG_RUNTIME_DIR");
	auto_free char *usual = bus == DBUS_SYSTEM ? xstrdup("unix:path=/run/dbus/system_bus_socket")
	                        : runtime_dir      ? xasprintf("unix:path=%s/bus", runtime_dir)
	                                           : NULL;
	const char *address = given && *given ? given : usual;
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a;
	socklen_t len;

	if (!address)
		return err_why(e, STEP_BUS, "D-Bus", ENOENT, "neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR tells where the user's bus is");
	if (fd < 0)
		return err_sys(e, STEP_BUS, "D-Bus");
	if (address_parse(address, &a, &len) < 0)
		return err_why(e, STEP_BUS, address, EINVAL, "no address of a bus on this machine");
	if (connect(fd, (const struct sockaddr *)&a, len) < 0)
		return err_sys(e, STEP_BUS, address);
	return dbus_attach(d, take_fd(&fd), DBUS_TIMEOUT_MS, e);
}

void dbus_close(struct dbus *d)
{
	close_fd(&d->fd);
	buf_done(&d->in);
}

int dbus_call(struct dbus *d, const struct dbus_call *c, struct dbus_message *ret, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf out = {0};
	uint32_t serial = ++d->serial;
	int r;

	put_call(&out, c, serial);
	r = send_all(d, out.data, out.len);
	while (r == 0) {
		r = receive_message(d, ret);
		if (r < 0)
			break;
		if (ret->type == DBUS_SIGNAL && d->on_signal)
			d->on_signal(d->data, ret);
		if (ret->reply_serial == serial && (ret->type == DBUS_RETURN || ret->type == DBUS_ERROR))
			return ret->type == DBUS_ERROR;
	}
	return lost(e, r);
}

int dbus_wait(struct dbus *d, struct nook_error *e)
{
	struct dbus_message m;
	int r = receive_message(d, &m);

	if (r < 0)
		return lost(e, r);
	if (m.type == DBUS_SIGNAL && d->on_signal)
		d->on_signal(d->data, &m);
	return 0;
}
