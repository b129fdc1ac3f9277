/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bus that follows a script, on the other end of a socket pair. */
#include "cgroup/systemd.h"
#include "base/fd.h"
#include "base/text.h"
#include "sys/dbus.h"
#include "tests.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

struct scripted;
/* What the bus does with one call; NULL ends the conversation. */
typedef void (*answer_fn)(struct scripted *b, const struct dbus_message *call);

struct scripted {
	int fd;
	const answer_fn *script;
	const char *welcome; /* the answer to AUTH */
	struct buf seen;     /* the members that were called, each with a space */
	uint32_t serial;
	pthread_t thread;
};

/* False at the end of file. */
static bool read_exactly(int fd, struct buf *b, size_t len)
{
	char c;

	for (; len; len--) {
		if (read(fd, &c, 1) != 1)
			return false;
		buf_addc(b, c);
	}
	return true;
}

/* One message as it came; empty at the end of file. */
static void read_message(int fd, struct buf *b)
{
	uint32_t body, fields;

	b->len = 0;
	if (!read_exactly(fd, b, 16))
		return;
	memcpy(&body, b->data + 4, 4);
	memcpy(&fields, b->data + 12, 4);
	(void)read_exactly(fd, b, (16 + fields + 7) / 8 * 8 + body - 16);
}

static void send_message(struct scripted *b, enum dbus_type type, uint32_t reply_to, const char *member, const char *error,
	const char *signature, const struct buf *body)
{
	struct buf m = {0};
	struct dbus_array fields;

	dbus_put_byte(&m, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 'l' : 'B');
	dbus_put_byte(&m, (uint8_t)type);
	dbus_put_byte(&m, 0);
	dbus_put_byte(&m, 1);
	dbus_put_u32(&m, (uint32_t)body->len);
	dbus_put_u32(&m, ++b->serial);
	fields = dbus_array_begin(&m, 8);
	dbus_put_struct(&m);
	dbus_put_byte(&m, 8);
	dbus_put_signature(&m, "g");
	dbus_put_signature(&m, signature);
	if (reply_to) {
		dbus_put_struct(&m);
		dbus_put_byte(&m, 5);
		dbus_put_signature(&m, "u");
		dbus_put_u32(&m, reply_to);
	}
	if (error) {
		dbus_put_struct(&m);
		dbus_put_byte(&m, 4);
		dbus_put_signature(&m, "s");
		dbus_put_string(&m, error);
	}
	if (member) {
		dbus_put_struct(&m);
		dbus_put_byte(&m, 2);
		dbus_put_signature(&m, "s");
		dbus_put_string(&m, "org.freedesktop.systemd1.Manager");
		dbus_put_struct(&m);
		dbus_put_byte(&m, 3);
		dbus_put_signature(&m, "s");
		dbus_put_string(&m, member);
	}
	dbus_array_end(&m, fields);
	dbus_put_struct(&m);
	buf_add(&m, body->data, body->len);
	(void)fd_write(b->fd, m.data, m.len);
	buf_done(&m);
}

static void answer_text(struct scripted *b, const struct dbus_message *call, const char *signature, const char *text)
{
	struct buf body = {0};

	dbus_put_string(&body, text);
	send_message(b, DBUS_RETURN, call->serial, NULL, NULL, signature, &body);
	buf_done(&body);
}

static void answer_error(struct scripted *b, const struct dbus_message *call, const char *error, const char *text)
{
	struct buf body = {0};

	dbus_put_string(&body, text);
	send_message(b, DBUS_ERROR, call->serial, NULL, error, "s", &body);
	buf_done(&body);
}

static void job_removed(struct scripted *b, const char *job, const char *result)
{
	struct buf body = {0};

	dbus_put_u32(&body, 7);
	dbus_put_string(&body, job);
	dbus_put_string(&body, "x.scope");
	dbus_put_string(&body, result);
	send_message(b, DBUS_SIGNAL, 0, "JobRemoved", NULL, "uoss", &body);
	buf_done(&body);
}

static void *serve(void *data)
{
	struct scripted *b = data;
	struct buf line = {0}, message = {0};
	struct dbus_message call;

	while (!strstr(buf_text(&line) + (line.len > 0), "DATA\r\n") && read_exactly(b->fd, &line, 1))
		;
	(void)fd_write(b->fd, b->welcome, strlen(b->welcome));
	line.len = 0;
	while (!text_is(buf_text(&line), "BEGIN\r\n") && read_exactly(b->fd, &line, 1))
		;
	for (const answer_fn *next = b->script; *next; next++) {
		read_message(b->fd, &message);
		if (dbus_parse(message.data, message.len, &call) < 0)
			break;
		buf_addf(&b->seen, "%s ", call.member);
		(*next)(b, &call);
	}
	buf_done(&line);
	buf_done(&message);
	(void)shutdown(b->fd, SHUT_WR);
	return NULL;
}

static int open_bus(struct scripted *b, struct dbus *d, const answer_fn *script, int timeout_ms, struct nook_error *e)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	b->fd = pair[0];
	b->script = script;
	if (!b->welcome)
		b->welcome = "DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n";
	assert_int_equal(pthread_create(&b->thread, NULL, serve, b), 0);
	*d = (struct dbus)DBUS_INIT;
	return dbus_attach(d, pair[1], timeout_ms, e);
}

static void close_bus(struct scripted *b, struct dbus *d)
{
	dbus_close(d);
	(void)pthread_join(b->thread, NULL);
	(void)close(b->fd);
	buf_done(&b->seen);
}

/* ---- answers ----------------------------------------------------------------------------------------------------------- */

static void hello(struct scripted *b, const struct dbus_message *call)
{
	answer_text(b, call, "s", ":1.42");
}

static void nothing(struct scripted *b, const struct dbus_message *call)
{
	struct buf none = {0};

	send_message(b, DBUS_RETURN, call->serial, NULL, NULL, "", &none);
}

static void silence(struct scripted *b, const struct dbus_message *call)
{
	(void)b;
	(void)call;
}

static void job_then_end(struct scripted *b, const struct dbus_message *call)
{
	answer_text(b, call, "o", "/job/1");
	job_removed(b, "/job/0", "failed");
	job_removed(b, "/job/1", "done");
}

static void end_then_job(struct scripted *b, const struct dbus_message *call)
{
	job_removed(b, "/job/1", "done");
	answer_text(b, call, "o", "/job/1");
}

static void job_that_fails(struct scripted *b, const struct dbus_message *call)
{
	answer_text(b, call, "o", "/job/1");
	job_removed(b, "/job/1", "failed");
}

static void exists(struct scripted *b, const struct dbus_message *call)
{
	answer_error(b, call, "org.freedesktop.systemd1.UnitExists", "Unit x.scope already exists.");
}

static void no_such_unit(struct scripted *b, const struct dbus_message *call)
{
	answer_error(b, call, "org.freedesktop.systemd1.NoSuchUnit", "Unit x.scope not loaded.");
}

static void denied(struct scripted *b, const struct dbus_message *call)
{
	answer_error(b, call, "org.freedesktop.DBus.Error.AccessDenied", "not you");
}

static void garbage(struct scripted *b, const struct dbus_message *call)
{
	(void)call;
	(void)fd_write(b->fd, "this is no message at all, whatever it may be", 45);
}

/* ---- tests -------------------------------------------------------------------------------------------------------------- */

static const struct systemd_unit unit = {.slice = "a.slice", .name = "x.scope"};
static const struct buf no_properties;

static void test_a_scope_is_started_when_its_job_is_done(void **state)
{
	static const answer_fn scripts[][4] = {{hello, nothing, job_then_end}, {hello, nothing, end_then_job}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct scripted b = {0};
		struct dbus d;

		assert_int_equal(open_bus(&b, &d, scripts[i], 5000, NULL), 0);
		assert_int_equal(systemd_start(&d, &unit, 1, "text", &no_properties, NULL), 0);
		assert_string_equal(buf_text(&b.seen), "Hello AddMatch StartTransientUnit ");
		close_bus(&b, &d);
	}
}

static void test_a_job_that_fails_is_an_error(void **state)
{
	static const answer_fn script[] = {hello, nothing, job_that_fails, NULL};
	struct nook_error e = NOOK_ERROR_INIT;
	struct scripted b = {0};
	struct dbus d;

	(void)state;
	assert_int_equal(open_bus(&b, &d, script, 5000, NULL), 0);
	assert_int_equal(systemd_start(&d, &unit, 1, "text", &no_properties, &e), -EIO);
	assert_string_equal(e.object, "x.scope");
	assert_non_null(strstr(e.detail, "failed"));
	close_bus(&b, &d);
}

static void test_a_unit_that_failed_earlier_is_forgotten_once(void **state)
{
	static const answer_fn again[] = {hello, nothing, exists, nothing, job_then_end, NULL};
	static const answer_fn taken[] = {hello, nothing, exists, nothing, exists, NULL};
	struct scripted first = {0}, second = {0};
	struct dbus d;

	(void)state;
	assert_int_equal(open_bus(&first, &d, again, 5000, NULL), 0);
	assert_int_equal(systemd_start(&d, &unit, 1, "text", &no_properties, NULL), 0);
	assert_string_equal(buf_text(&first.seen), "Hello AddMatch StartTransientUnit ResetFailedUnit StartTransientUnit ");
	close_bus(&first, &d);
	assert_int_equal(open_bus(&second, &d, taken, 5000, NULL), 0);
	assert_int_equal(systemd_start(&d, &unit, 1, "text", &no_properties, NULL), -EEXIST);
	close_bus(&second, &d);
}

static void test_a_unit_that_is_gone_is_stopped(void **state)
{
	static const answer_fn gone[] = {hello, nothing, no_such_unit, NULL};
	static const answer_fn refused[] = {hello, nothing, denied, NULL};
	struct nook_error e = NOOK_ERROR_INIT;
	struct scripted first = {0}, second = {0};
	struct dbus d;

	(void)state;
	assert_int_equal(open_bus(&first, &d, gone, 5000, NULL), 0);
	assert_int_equal(systemd_stop(&d, "x.scope", NULL), 0);
	close_bus(&first, &d);
	assert_int_equal(open_bus(&second, &d, refused, 5000, NULL), 0);
	assert_int_equal(systemd_stop(&d, "x.scope", &e), -EACCES);
	assert_string_equal(e.detail, "systemd: not you");
	close_bus(&second, &d);
}

static void test_a_bus_that_is_silent_is_not_waited_for(void **state)
{
	static const answer_fn script[] = {hello, silence, silence, NULL};
	struct nook_error e = NOOK_ERROR_INIT;
	struct scripted b = {0};
	struct dbus d;

	(void)state;
	assert_int_equal(open_bus(&b, &d, script, 50, NULL), 0);
	assert_int_equal(systemd_stop(&d, "x.scope", &e), -ETIMEDOUT);
	close_bus(&b, &d);
}

static void test_a_bus_that_hangs_up_or_talks_nonsense(void **state)
{
	static const answer_fn hangs_up[] = {hello, NULL}, nonsense[] = {hello, garbage, silence, NULL};
	struct scripted first = {0}, second = {0}, third = {.welcome = "REJECTED EXTERNAL\r\n"};
	struct dbus d;

	(void)state;
	assert_int_equal(open_bus(&first, &d, hangs_up, 5000, NULL), 0);
	assert_int_equal(systemd_stop(&d, "x.scope", NULL), -ECONNRESET);
	close_bus(&first, &d);
	assert_int_equal(open_bus(&second, &d, nonsense, 5000, NULL), 0);
	assert_int_equal(systemd_stop(&d, "x.scope", NULL), -EPROTO);
	close_bus(&second, &d);
	assert_int_equal(open_bus(&third, &d, hangs_up, 5000, NULL), -EACCES);
	close_bus(&third, &d);
}

static void test_units_are_named_as_engines_say(void **state)
{
	static const struct {
		const char *path, *slice, *name;
		bool user;
	} good[] = {
		{"", "system.slice", "nook-id.scope", false},
		{"", "user.slice", "nook-id.scope", true},
		{"a-b.slice:libpod:name", "a-b.slice", "libpod-name.scope", false},
		{"::name", "system.slice", "name.scope", false},
		{"::", "system.slice", "id.scope", false},
		{"-.slice:p:a/b", "-.slice", "p-a\\x2fb.scope", false},
	};
	static const char *const bad[] = {"/path", "a:b", "a.slice:b:c:d", "x:y:z", "-a.slice:b:c", "a--b.slice:b:c", "a/b.slice:c:d", ".slice:a:b", ":p:x.slice"};
	struct arena *a = arena_new();
	struct systemd_unit u;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(systemd_unit_parse(a, good[i].path, "id", good[i].user, &u, NULL), 0);
		assert_string_equal(u.slice, good[i].slice);
		assert_string_equal(u.name, good[i].name);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_true(systemd_unit_parse(a, bad[i], "id", false, &u, NULL) < 0);
	arena_free(a);
}

/* Name, signature and what follows of one property. */
static struct dbus_reader property(struct buf *b, const char *name, const char *value, const char *signature, const char *shown)
{
	struct dbus_reader r;
	uint8_t len;

	b->len = 0;
	assert_int_equal(systemd_put_property(b, name, value, NULL), 0);
	r = (struct dbus_reader){.data = b->data, .len = b->len};
	assert_string_equal(dbus_get_string(&r), shown);
	len = (uint8_t)r.data[r.at];
	assert_int_equal(len, strlen(signature));
	assert_string_equal(r.data + r.at + 1, signature);
	r.at += len + 2U;
	return r;
}

static void test_properties_in_the_text_form_of_gvariant(void **state)
{
	static const char *const bad[] = {"", "yes", "5x", "uint32 4294967296", "int32 2147483648", "byte 256", "uint64 -1", "'a", "['a' 'b']", "['a',",
		"[1]", "'a' 'b'", "true false"};
	struct buf b = {0};
	struct dbus_reader r;

	(void)state;
	r = property(&b, "Name", "true", "b", "Name");
	assert_int_equal(dbus_get_u32(&r), 1);
	r = property(&b, "Name", "-5", "i", "Name");
	assert_int_equal((int32_t)dbus_get_u32(&r), -5);
	r = property(&b, "Name", "uint32 7", "u", "Name");
	assert_int_equal(dbus_get_u32(&r), 7);
	r = property(&b, "Name", "'it\\'s'", "s", "Name");
	assert_string_equal(dbus_get_string(&r), "it's");
	r = property(&b, "Name", "['a', \"b\"]", "as", "Name");
	(void)dbus_get_u32(&r);
	assert_string_equal(dbus_get_string(&r), "a");
	assert_string_equal(dbus_get_string(&r), "b");
	(void)property(&b, "Name", "[]", "as", "Name");
	r = property(&b, "TimeoutStopSec", "uint64 2", "t", "TimeoutStopUSec");
	r.at = (r.at + 7) / 8 * 8;
	assert_int_equal(dbus_get_u32(&r), 2000000);
	(void)property(&b, "TimeoutStopUSec", "uint64 2", "t", "TimeoutStopUSec");
	b.len = 0;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_true(systemd_put_property(&b, "Name", bad[i], NULL) < 0);
		assert_int_equal(b.len, 0);
	}
	assert_true(systemd_put_property(&b, "No Name", "true", NULL) < 0);
	assert_true(systemd_put_property(&b, "", "true", NULL) < 0);
	buf_done(&b);
}

static void test_messages_that_are_cut_short(void **state)
{
	struct buf m = {0};
	struct dbus_message got;
	struct dbus_array fields;

	(void)state;
	dbus_put_byte(&m, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 'l' : 'B');
	dbus_put_byte(&m, DBUS_SIGNAL);
	dbus_put_byte(&m, 0);
	dbus_put_byte(&m, 1);
	dbus_put_u32(&m, 0);
	dbus_put_u32(&m, 1);
	fields = dbus_array_begin(&m, 8);
	dbus_put_struct(&m);
	dbus_put_byte(&m, 3);
	dbus_put_signature(&m, "s");
	dbus_put_string(&m, "Member");
	dbus_array_end(&m, fields);
	dbus_put_struct(&m);
	assert_int_equal(dbus_parse(m.data, m.len, &got), 0);
	assert_string_equal(got.member, "Member");
	for (size_t i = 0; i < m.len; i++)
		assert_int_equal(dbus_parse(m.data, i, &got), -EPROTO);
	/* A length that leads out of the fields. */
	m.data[20] = 100;
	assert_int_equal(dbus_parse(m.data, m.len, &got), -EPROTO);
	buf_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_scope_is_started_when_its_job_is_done),
		cmocka_unit_test(test_a_job_that_fails_is_an_error),
		cmocka_unit_test(test_a_unit_that_failed_earlier_is_forgotten_once),
		cmocka_unit_test(test_a_unit_that_is_gone_is_stopped),
		cmocka_unit_test(test_a_bus_that_is_silent_is_not_waited_for),
		cmocka_unit_test(test_a_bus_that_hangs_up_or_talks_nonsense),
		cmocka_unit_test(test_units_are_named_as_engines_say),
		cmocka_unit_test(test_properties_in_the_text_form_of_gvariant),
		cmocka_unit_test(test_messages_that_are_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
