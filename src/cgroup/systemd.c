/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/systemd.h"

#include "base/text.h"

#include <ctype.h>
#include <stdio.h>

static const char manager[] = "org.freedesktop.systemd1";
static const char manager_path[] = "/org/freedesktop/systemd1";
static const char manager_interface[] = "org.freedesktop.systemd1.Manager";

/* ---- names ------------------------------------------------------------------------------------------------------------- */

enum { UNIT_NAME_MAX = 255 };

static bool is_unit_name(const char *name, const char *suffix)
{
	size_t len = strlen(name), end = strlen(suffix);

	if (len <= end || len > UNIT_NAME_MAX || !text_is(name + len - end, suffix))
		return false;
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(":-_.\\@", *p))
			return false;
	return true;
}

/* Bytes that no unit's name may have are written as systemd-escape(1) does. */
static const char *escaped(struct arena *a, const char *s)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	for (; *s; s++) {
		if (isalnum((unsigned char)*s) || strchr(":-_.\\@", *s))
			buf_addc(&text, *s);
		else
			buf_addf(&text, "\\x%02x", (unsigned)(unsigned char)*s);
	}
	return arena_strdup(a, buf_text(&text));
}

int systemd_unit_parse(struct arena *a, const char *path, const char *id, bool user, struct systemd_unit *ret, struct nook_error *e)
{
	const char *first = strchr(path, ':'), *second = first ? strchr(first + 1, ':') : NULL;
	const char *slice = user ? "user.slice" : "system.slice", *prefix = "nook", *name = id;

	if (*path && (!second || strchr(second + 1, ':')))
		return err_why(e, STEP_CONFIG, "linux.cgroupsPath", EINVAL, "with systemd it is SLICE:PREFIX:NAME");
	if (*path) {
		if (first > path)
			slice = arena_strndup(a, path, (size_t)(first - path));
		prefix = arena_strndup(a, first + 1, (size_t)(second - first - 1));
		name = second[1] ? second + 1 : id;
	}
	if (!is_unit_name(slice, ".slice") || strstr(slice, "--") || (slice[0] == '-' && !text_is(slice, "-.slice")))
		return err_fmt(e, STEP_CONFIG, "linux.cgroupsPath", EINVAL, "\"%.100s\" is no name of a slice", slice);
	if (is_unit_name(name, ".slice"))
		return err_why(e, STEP_CONFIG, "linux.cgroupsPath", EOPNOTSUPP, "a container is a scope, not a slice");
	name = escaped(a, *prefix ? arena_printf(a, "%s-%s.scope", prefix, name) : arena_printf(a, "%s.scope", name));
	if (strlen(name) > UNIT_NAME_MAX)
		return err_why(e, STEP_CONFIG, "linux.cgroupsPath", ENAMETOOLONG, "the name of the scope is too long");
	*ret = (struct systemd_unit){.slice = slice, .name = name, .user = user};
	return 0;
}

/* ---- calls ------------------------------------------------------------------------------------------------------------- */

/* Jobs that have ended: the signal may come before the answer that says which job is ours. */
struct jobs {
	struct {
		char path[96], result[24];
	} ended[8];
	size_t n;
};

static void note_job(void *data, const struct dbus_message *m)
{
	struct jobs *jobs = data;
	struct dbus_reader r = dbus_read(m);
	const char *path, *result;

	if (!text_is(m->member, "JobRemoved") || !text_is(m->interface, manager_interface) || !text_is(m->signature, "uoss"))
		return;
	(void)dbus_get_u32(&r);
	path = dbus_get_string(&r);
	(void)dbus_get_string(&r);
	result = dbus_get_string(&r);
	if (r.bad)
		return;
	(void)snprintf(jobs->ended[jobs->n % 8].path, sizeof(jobs->ended[0].path), "%s", path);
	(void)snprintf(jobs->ended[jobs->n % 8].result, sizeof(jobs->ended[0].result), "%s", result);
	jobs->n++;
}

/* "done", "failed", ... or NULL while it is not known. */
static const char *job_result(const struct jobs *jobs, const char *path)
{
	for (size_t i = 0; i < jobs->n && i < 8; i++)
		if (text_is(jobs->ended[i].path, path))
			return jobs->ended[i].result;
	return NULL;
}

static int call(struct dbus *d, const char *member, const char *signature, const struct buf *body, struct dbus_message *answer,
	struct nook_error *e)
{
	const struct dbus_call c = {
		.destination = manager,
		.path = manager_path,
		.interface = manager_interface,
		.member = member,
		.signature = signature,
		.body = body,
	};

	return dbus_call(d, &c, answer, e);
}

static int refused(struct nook_error *e, const char *unit, const struct dbus_message *m)
{
	int errnum = text_is(m->error, "org.freedesktop.DBus.Error.AccessDenied") ||
	                             text_is(m->error, "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired")
	                     ? EACCES
	                     : EIO;

	return err_fmt(e, STEP_CGROUP, unit, errnum, "systemd: %.200s", dbus_error_text(m));
}

static int watch_jobs(struct dbus *d, struct jobs *jobs, struct nook_error *e)
{
	static const char rule[] = "type='signal',sender='org.freedesktop.systemd1',"
				   "interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";
	AUTO_VALUE(buf_done) struct buf body = {0};
	const struct dbus_call c = {
		.destination = "org.freedesktop.DBus",
		.path = "/org/freedesktop/DBus",
		.interface = "org.freedesktop.DBus",
		.member = "AddMatch",
		.signature = "s",
		.body = &body,
	};
	struct dbus_message answer;

	dbus_put_string(&body, rule);
	d->on_signal = note_job;
	d->data = jobs;
	return TRY(dbus_call(d, &c, &answer, e)) ? refused(e, "JobRemoved", &answer) : 0;
}

/* ANSWER names the job. */
static int await_job(struct dbus *d, struct jobs *jobs, const struct dbus_message *answer, const char *unit, struct nook_error *e)
{
	struct dbus_reader r = dbus_read(answer);
	const char *result;
	char job[96];

	(void)snprintf(job, sizeof(job), "%s", text_is(answer->signature, "o") ? dbus_get_string(&r) : "");
	if (r.bad || !job[0])
		return err_num(e, STEP_CGROUP, unit, EPROTO);
	while (!(result = job_result(jobs, job)))
		TRY(dbus_wait(d, e));
	if (text_is(result, "done"))
		return 0;
	return err_fmt(e, STEP_CGROUP, unit, EIO, "systemd's job ended with \"%s\"", result);
}

static void reset_failed(struct dbus *d, const char *unit)
{
	AUTO_VALUE(buf_done) struct buf body = {0};
	struct dbus_message answer;

	dbus_put_string(&body, unit);
	(void)call(d, "ResetFailedUnit", "s", &body, &answer, NULL);
}

/* ---- properties ---------------------------------------------------------------------------------------------------------- */

static void put_head(struct buf *b, const char *name, const char *signature)
{
	dbus_put_struct(b);
	dbus_put_string(b, name);
	dbus_put_signature(b, signature);
}

static void put_text(struct buf *b, const char *name, const char *value)
{
	put_head(b, name, "s");
	dbus_put_string(b, value);
}

static void put_truth(struct buf *b, const char *name, bool value)
{
	put_head(b, name, "b");
	dbus_put_bool(b, value);
}

static void put_scope(struct buf *b, const struct systemd_unit *u, pid_t pid, const char *description)
{
	static const char *const on[] = {"Delegate", "CPUAccounting", "IOAccounting", "MemoryAccounting", "TasksAccounting", NULL};
	struct dbus_array pids;

	put_text(b, "Description", description);
	put_text(b, "Slice", u->slice);
	put_truth(b, "DefaultDependencies", false);
	/* One that failed (its memory ran out) is forgotten, too. */
	put_text(b, "CollectMode", "inactive-or-failed");
	for (const char *const *name = on; *name; name++)
		put_truth(b, *name, true);
	put_head(b, "PIDs", "au");
	pids = dbus_array_begin(b, 4);
	dbus_put_u32(b, (uint32_t)pid);
	dbus_array_end(b, pids);
}

static int start_once(struct dbus *d, const struct systemd_unit *u, pid_t pid, const char *description, const struct buf *properties,
	struct dbus_message *answer, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf body = {0};
	struct dbus_array array;

	dbus_put_string(&body, u->name);
	dbus_put_string(&body, "replace");
	array = dbus_array_begin(&body, 8);
	put_scope(&body, u, pid, description);
	if (properties->len) {
		/* They were laid out from an offset of 0, as a struct's are. */
		dbus_put_struct(&body);
		buf_add(&body, properties->data, properties->len);
	}
	dbus_array_end(&body, array);
	array = dbus_array_begin(&body, 8);
	dbus_array_end(&body, array);
	return call(d, "StartTransientUnit", "ssa(sv)a(sa(sv))", &body, answer, e);
}

int systemd_start(struct dbus *d, const struct systemd_unit *u, pid_t pid, const char *description, const struct buf *properties,
	struct nook_error *e)
{
	static const char exists[] = "org.freedesktop.systemd1.UnitExists";
	struct jobs jobs = {.n = 0};
	struct dbus_message answer;
	int r;

	TRY(watch_jobs(d, &jobs, e));
	r = TRY(start_once(d, u, pid, description, properties, &answer, e));
	if (r && text_is(answer.error, exists)) {
		reset_failed(d, u->name);
		r = TRY(start_once(d, u, pid, description, properties, &answer, e));
	}
	if (r && text_is(answer.error, exists))
		return err_why(e, STEP_CGROUP, u->name, EEXIST, "systemd has a unit of this name");
	return r ? refused(e, u->name, &answer) : await_job(d, &jobs, &answer, u->name, e);
}

int systemd_attach(struct dbus *d, const char *unit, const char *below, pid_t pid, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf body = {0};
	struct dbus_array array;
	struct dbus_message answer;

	dbus_put_string(&body, unit);
	dbus_put_string(&body, below);
	array = dbus_array_begin(&body, 4);
	dbus_put_u32(&body, (uint32_t)pid);
	dbus_array_end(&body, array);
	return TRY(call(d, "AttachProcessesToUnit", "ssau", &body, &answer, e)) ? refused(e, unit, &answer) : 0;
}

int systemd_set(struct dbus *d, const char *unit, const struct spec_resources *r, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf body = {0}, properties = {0};
	struct dbus_array array;
	struct dbus_message answer;

	TRY(systemd_put_resources(&properties, r, e));
	if (!properties.len)
		return 0;
	dbus_put_string(&body, unit);
	dbus_put_bool(&body, true);
	array = dbus_array_begin(&body, 8);
	buf_add(&body, properties.data, properties.len);
	dbus_array_end(&body, array);
	return TRY(call(d, "SetUnitProperties", "sba(sv)", &body, &answer, e)) ? refused(e, unit, &answer) : 0;
}

int systemd_stop(struct dbus *d, const char *unit, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf body = {0};
	struct jobs jobs = {.n = 0};
	struct dbus_message answer;
	int r;

	TRY(watch_jobs(d, &jobs, e));
	dbus_put_string(&body, unit);
	dbus_put_string(&body, "replace");
	r = TRY(call(d, "StopUnit", "ss", &body, &answer, e));
	if (r && text_is(answer.error, "org.freedesktop.systemd1.NoSuchUnit"))
		return 0;
	r = r ? refused(e, unit, &answer) : await_job(d, &jobs, &answer, unit, e);
	if (r == 0)
		reset_failed(d, unit);
	return r;
}
