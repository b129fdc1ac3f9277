/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/stats.h"

#include "base/fd.h"
#include "base/names.h"
#include "base/text.h"

#include <stdio.h>

static void put(struct json_out *o, const char *key, const struct opt_u64 *number)
{
	if (number->set)
		json_out_u64(o, key, number->value);
}

static void write_cpu(struct json_out *o, const struct cgroup_stats *s)
{
	json_out_object(o, "cpu");
	json_out_object(o, "usage");
	put(o, "total", &s->cpu_total_ns);
	if (s->n_cpus) {
		json_out_array(o, "percpu");
		for (size_t i = 0; i < s->n_cpus; i++)
			json_out_u64(o, NULL, s->per_cpu_ns[i]);
		json_out_array_end(o);
	}
	json_out_u64(o, "kernel", s->cpu_system_ns.value);
	json_out_u64(o, "user", s->cpu_user_ns.value);
	json_out_object_end(o);
	json_out_object(o, "throttling");
	put(o, "periods", &s->cpu_periods);
	put(o, "throttledPeriods", &s->cpu_throttled);
	put(o, "throttledTime", &s->cpu_throttled_ns);
	json_out_object_end(o);
	json_out_object_end(o);
}

/* "cache 4096": each line of memory.stat. */
static void write_raw(struct json_out *o, const char *text)
{
	json_out_object(o, "raw");
	for (const char *p = text; *p;) {
		char key[64];
		uint64_t number;
		size_t len = strcspn(p, " \n");

		(void)snprintf(key, sizeof(key), "%.*s", (int)len, p);
		if (p[len] == ' ' && sscanf(p + len + 1, "%lu", &number) == 1)
			json_out_u64(o, key, number);
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	json_out_object_end(o);
}

static void write_memory(struct json_out *o, struct arena *a, const struct cgroup *g, const struct cgroup_stats *s)
{
	json_out_object(o, "memory");
	put(o, "cache", &s->memory_cache);
	json_out_object(o, "usage");
	/* No limit is what the kernel shows for none. */
	json_out_u64(o, "limit", s->memory_limit.set ? s->memory_limit.value : UINT64_MAX);
	put(o, "usage", &s->memory);
	put(o, "max", &s->memory_peak);
	json_out_u64(o, "failcnt", s->memory_failures.value);
	json_out_object_end(o);
	json_out_object(o, "swap");
	json_out_u64(o, "limit", UINT64_MAX);
	put(o, "usage", &s->memory_swap);
	json_out_u64(o, "failcnt", 0);
	json_out_object_end(o);
	write_raw(o, cgroup_text(a, g, "memory.stat"));
	json_out_object_end(o);
}

/* ---- block devices ------------------------------------------------------------------------------------------------------- */

static void write_entry(struct json_out *o, unsigned major, unsigned minor, const char *op, uint64_t value)
{
	json_out_object(o, NULL);
	json_out_u64(o, "major", major);
	json_out_u64(o, "minor", minor);
	json_out_string(o, "op", op);
	json_out_u64(o, "value", value);
	json_out_object_end(o);
}

/* v1: "8:0 Read 4096"; the last line has a sum without a device. */
static void write_v1_entries(struct json_out *o, const char *text)
{
	for (const char *p = text; *p;) {
		unsigned major, minor;
		uint64_t value;
		char op[16];

		if (sscanf(p, "%u:%u %15s %lu", &major, &minor, op, &value) == 4)
			write_entry(o, major, minor, op, value);
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
}

/* v2: "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 ...". */
static void write_v2_entries(struct json_out *o, const char *text, const char *read, const char *write)
{
	for (const char *p = text; *p;) {
		unsigned major, minor;
		const char *end = p + strcspn(p, "\n");

		if (sscanf(p, "%u:%u ", &major, &minor) == 2)
			for (const char *word = p; word < end;) {
				const char *r = text_after(word, read), *w = text_after(word, write);
				uint64_t value;

				if ((r || w) && sscanf(r ? r : w, "=%lu", &value) == 1)
					write_entry(o, major, minor, r ? "Read" : "Write", value);
				word += strcspn(word, " \n");
				word += *word == ' ';
				if (*word == '\n')
					break;
			}
		p = end + (*end == '\n');
	}
}

static void write_blkio(struct json_out *o, struct arena *a, const struct cgroup *g)
{
	const char *v2 = cgroup_text(a, g, "io.stat");

	json_out_object(o, "blkio");
	json_out_array(o, "ioServiceBytesRecursive");
	write_v2_entries(o, v2, "rbytes", "wbytes");
	write_v1_entries(o, cgroup_text(a, g, "blkio.throttle.io_service_bytes_recursive"));
	json_out_array_end(o);
	json_out_array(o, "ioServicedRecursive");
	write_v2_entries(o, v2, "rios", "wios");
	write_v1_entries(o, cgroup_text(a, g, "blkio.throttle.io_serviced_recursive"));
	json_out_array_end(o);
	json_out_object_end(o);
}

/* ---- huge pages ----------------------------------------------------------------------------------------------------------- */

static uint64_t number_in(struct arena *a, const struct cgroup *g, const char *size, const char *v2, const char *v1)
{
	const char *text = cgroup_text(a, g, arena_printf(a, "hugetlb.%s.%s", size, v2));
	uint64_t value = 0;

	if (!*text)
		text = cgroup_text(a, g, arena_printf(a, "hugetlb.%s.%s", size, v1));
	if (sscanf(text, "max %lu", &value) != 1)
		(void)sscanf(text, "%lu", &value);
	return value;
}

/* The sizes are in the names of files: "hugetlb.2MB.current". */
static int write_hugepages(struct json_out *o, struct arena *a, const struct cgroup *g, struct nook_error *e)
{
	json_out_object(o, "hugetlb");
	for (size_t i = 0; i < g->n; i++) {
		const char **names = NULL;
		size_t n = 0;

		if (g->dirs[i][0] != '/' || access(g->dirs[i], F_OK) < 0)
			continue;
		TRY(names_read(AT_FDCWD, g->dirs[i], a, &names, &n, e));
		for (size_t k = 0; k < n; k++) {
			const char *size = text_after(names[k], "hugetlb."), *dot = size ? strchr(size, '.') : NULL;

			if (!dot || (!text_is(dot, ".current") && !text_is(dot, ".usage_in_bytes")))
				continue;
			size = arena_strndup(a, size, (size_t)(dot - size));
			json_out_object(o, size);
			json_out_u64(o, "usage", number_in(a, g, size, "current", "usage_in_bytes"));
			json_out_u64(o, "max", number_in(a, g, size, "none", "max_usage_in_bytes"));
			json_out_u64(o, "failcnt", number_in(a, g, size, "events", "failcnt"));
			json_out_object_end(o);
		}
	}
	json_out_object_end(o);
	return 0;
}

int oci_stats_write(struct json_out *o, struct arena *a, const struct cgroup *g, struct nook_error *e)
{
	struct cgroup_stats s;

	TRY(cgroup_stats(a, g, &s, e));
	write_cpu(o, &s);
	write_memory(o, a, g, &s);
	json_out_object(o, "pids");
	put(o, "current", &s.pids);
	put(o, "limit", &s.pids_limit);
	json_out_object_end(o);
	write_blkio(o, a, g);
	TRY(write_hugepages(o, a, g, e));
	json_out_object(o, "intel_rdt");
	json_out_object_end(o);
	json_out_tree(o, "network_interfaces", NULL);
	return 0;
}
