/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/state.h"

#include "bundle/config.h"
#include "json/bind.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct state {
	const char *oci_version, *id, *status, *bundle, *rootfs, *created;
	int64_t pid;
	struct spec_pair *annotations;
	size_t n_annotations;
};

static const struct bind table[] = {
	{AT(struct state, oci_version), BIND_STRING, "ociVersion", .flags = BIND_ALWAYS},
	{AT(struct state, id), BIND_STRING, "id", .flags = BIND_ALWAYS},
	{AT(struct state, pid), BIND_INT, "pid", .flags = BIND_ALWAYS},
	{AT(struct state, status), BIND_STRING, "status", .flags = BIND_ALWAYS},
	{AT(struct state, bundle), BIND_STRING, "bundle", .flags = BIND_ALWAYS},
	{AT(struct state, rootfs), BIND_STRING, "rootfs"},
	{AT(struct state, created), BIND_STRING, "created"},
	{LIST(struct state, annotations, n_annotations), BIND_MAP, "annotations"},
	{0},
};

const char *oci_time(struct arena *a, int64_t ns)
{
	time_t secs = ns / 1000000000;
	struct tm tm;

	if (!gmtime_r(&secs, &tm))
		return "";
	return arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		tm.tm_min, tm.tm_sec, (long)(ns % 1000000000));
}

const char *oci_version_of(const struct container *c)
{
	return c->oci_version && *c->oci_version ? c->oci_version : CONFIG_OCI_VERSION;
}

static struct state judged(const struct container *c, enum container_status status)
{
	return (struct state){
		.oci_version = oci_version_of(c),
		.id = c->id,
		.status = container_status_names[status],
		.pid = status == CONTAINER_STOPPED ? 0 : c->pid,
		.bundle = c->bundle,
		.annotations = c->annotations,
		.n_annotations = c->n_annotations,
	};
}

void oci_state_write(struct json_out *o, struct arena *a, const struct container *c, enum container_status status)
{
	struct state s = judged(c, status);

	s.rootfs = c->rootfs && *c->rootfs ? c->rootfs : NULL;
	s.created = c->created_ns ? oci_time(a, c->created_ns) : NULL;
	json_out_object(o, NULL);
	bind_write_table(o, table, &s);
	json_out_object_end(o);
}

void oci_state_member(struct json_out *o, const char *key, const struct container *c, enum container_status status)
{
	struct state s = judged(c, status);

	json_out_object(o, key);
	bind_write_table(o, table, &s);
	json_out_object_end(o);
}

const char *oci_hook_state(struct arena *a, const struct container *c, enum container_status status, pid_t pid)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	static const char later[] = "\"pid\":-1,";
	struct state s = judged(c, status);
	const char *at;

	s.pid = pid;
	bind_text(table, &s, JSON_PLAIN, &text);
	at = pid == STATE_PID_LATER ? strstr(text.data, later) : NULL;
	if (!at)
		return arena_strdup(a, text.data);
	return arena_printf(a, "%.*s\"pid\":%%PID%%,%s", (int)(at - text.data), text.data, at + strlen(later));
}
