/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/state.h"

#include "bundle/config.h"
#include "json/bind.h"

#include <string.h>

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

/* The date of a day since 1970-01-01.  Not gmtime_r(3), which reads the local time zone first: seven system calls. */
static void date_of(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
	/* Years begin in March here, so that the odd day is the last of a year; an era is 400 of them. */
	enum { ERA_DAYS = 146097, TO_MARCH_0000 = 719468 };
	int64_t shifted = days + TO_MARCH_0000, era = (shifted >= 0 ? shifted : shifted - (ERA_DAYS - 1)) / ERA_DAYS;
	int64_t day_of_era = shifted - era * ERA_DAYS;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (ERA_DAYS - 1)) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153;

	*ret_day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
	*ret_month = (int)(month < 10 ? month + 3 : month - 9);
	*ret_year = year_of_era + era * 400 + (month >= 10);
}

const char *oci_time(struct arena *a, int64_t ns)
{
	enum { DAY_SECS = 86400 };
	int64_t secs = ns / 1000000000, days = secs / DAY_SECS, year;
	int of_day = (int)(secs % DAY_SECS), month, day;

	if (ns < 0)
		return "";
	date_of(days, &year, &month, &day);
	return arena_printf(a, "%04lld-%02d-%02dT%02d:%02d:%02d.%09lldZ", (long long)year, month, day, of_day / 3600,
		of_day / 60 % 60, of_day % 60, (long long)(ns % 1000000000));
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
