/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "base/text.h"
#include "cgroup/dir.h"

#include <stdio.h>

enum { STATS_LIMIT = 4 * 1024 * 1024, US = 1000, V1 = 1, V2 = 2 };

/* How a number stands in its file. */
enum figure_form {
	WHOLE,      /* the file is the number, or "max" */
	KEY,        /* "key 12" on a line of its own */
	KEY_EQUALS, /* "key=12" anywhere, summed up */
	DEVICE_KEY, /* "8:0 Read 12", summed up over the devices */
	SOME_TOTAL, /* pressure: "some avg10=0.00 ... total=12" */
};

struct figure {
	int version;
	const char *file;
	enum figure_form form;
	const char *key;
	size_t at;
	uint64_t scale;
};

#define AT(member) offsetof(struct cgroup_stats, member)
/* Figures of one file stand together: it is read once. */
static const struct figure figures[] = {
	{V2, "cpu.stat", KEY, "usage_usec", AT(cpu_total_ns), US},
	{V2, "cpu.stat", KEY, "user_usec", AT(cpu_user_ns), US},
	{V2, "cpu.stat", KEY, "system_usec", AT(cpu_system_ns), US},
	{V2, "cpu.stat", KEY, "nr_periods", AT(cpu_periods), 1},
	{V2, "cpu.stat", KEY, "nr_throttled", AT(cpu_throttled), 1},
	{V2, "cpu.stat", KEY, "throttled_usec", AT(cpu_throttled_ns), US},
	{V2, "cpu.pressure", SOME_TOTAL, "some", AT(cpu_some_us), 1},
	{V2, "memory.current", WHOLE, NULL, AT(memory), 1},
	{V2, "memory.peak", WHOLE, NULL, AT(memory_peak), 1},
	{V2, "memory.max", WHOLE, NULL, AT(memory_limit), 1},
	{V2, "memory.swap.current", WHOLE, NULL, AT(memory_swap), 1},
	{V2, "memory.stat", KEY, "file", AT(memory_cache), 1},
	{V2, "memory.stat", KEY, "anon", AT(memory_rss), 1},
	{V2, "memory.events", KEY, "max", AT(memory_failures), 1},
	{V2, "memory.events", KEY, "oom_kill", AT(oom_kills), 1},
	{V2, "memory.pressure", SOME_TOTAL, "some", AT(memory_some_us), 1},
	{V2, "pids.current", WHOLE, NULL, AT(pids), 1},
	{V2, "pids.peak", WHOLE, NULL, AT(pids_peak), 1},
	{V2, "pids.max", WHOLE, NULL, AT(pids_limit), 1},
	{V2, "io.stat", KEY_EQUALS, "rbytes", AT(io_read_bytes), 1},
	{V2, "io.stat", KEY_EQUALS, "wbytes", AT(io_write_bytes), 1},
	{V2, "io.stat", KEY_EQUALS, "rios", AT(io_reads), 1},
	{V2, "io.stat", KEY_EQUALS, "wios", AT(io_writes), 1},
	{V2, "io.pressure", SOME_TOTAL, "some", AT(io_some_us), 1},

	{V1, "cpuacct.usage", WHOLE, NULL, AT(cpu_total_ns), 1},
	{V1, "cpuacct.usage_user", WHOLE, NULL, AT(cpu_user_ns), 1},
	{V1, "cpuacct.usage_sys", WHOLE, NULL, AT(cpu_system_ns), 1},
	{V1, "cpu.stat", KEY, "nr_periods", AT(cpu_periods), 1},
	{V1, "cpu.stat", KEY, "nr_throttled", AT(cpu_throttled), 1},
	{V1, "cpu.stat", KEY, "throttled_time", AT(cpu_throttled_ns), 1},
	{V1, "memory.usage_in_bytes", WHOLE, NULL, AT(memory), 1},
	{V1, "memory.max_usage_in_bytes", WHOLE, NULL, AT(memory_peak), 1},
	{V1, "memory.limit_in_bytes", WHOLE, NULL, AT(memory_limit), 1},
	{V1, "memory.failcnt", WHOLE, NULL, AT(memory_failures), 1},
	{V1, "memory.stat", KEY, "total_swap", AT(memory_swap), 1},
	{V1, "memory.stat", KEY, "total_cache", AT(memory_cache), 1},
	{V1, "memory.stat", KEY, "total_rss", AT(memory_rss), 1},
	{V1, "memory.oom_control", KEY, "oom_kill", AT(oom_kills), 1},
	{V1, "pids.current", WHOLE, NULL, AT(pids), 1},
	{V1, "pids.peak", WHOLE, NULL, AT(pids_peak), 1},
	{V1, "pids.max", WHOLE, NULL, AT(pids_limit), 1},
	{V1, "blkio.throttle.io_service_bytes_recursive", DEVICE_KEY, "Read", AT(io_read_bytes), 1},
	{V1, "blkio.throttle.io_service_bytes_recursive", DEVICE_KEY, "Write", AT(io_write_bytes), 1},
	{V1, "blkio.throttle.io_serviced_recursive", DEVICE_KEY, "Read", AT(io_reads), 1},
	{V1, "blkio.throttle.io_serviced_recursive", DEVICE_KEY, "Write", AT(io_writes), 1},
};

/* v1 writes "no limit" as the largest page-aligned number. */
static const uint64_t v1_no_limit = (uint64_t)INT64_MAX & ~(uint64_t)0xffff;

static bool number_at(const char *p, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(p, &end, 10);
	return end != p && !errno && *p != '-';
}

static const char *next_line(const char *p)
{
	p += strcspn(p, "\n");
	return *p ? p + 1 : p;
}

/* The number behind KEY and a space at the start of a line. */
static bool find_key(const char *text, const char *key, uint64_t *ret)
{
	for (const char *p = text; *p; p = next_line(p)) {
		const char *rest = text_after(p, key);

		if (rest && *rest == ' ')
			return number_at(rest + 1, ret);
	}
	return false;
}

static uint64_t sum_equals(const char *text, const char *key)
{
	uint64_t sum = 0, n;

	for (const char *p = text; *p;) {
		const char *rest = text_after(p, key);

		if (rest && *rest == '=' && number_at(rest + 1, &n))
			sum += n;
		p += strcspn(p, " \n");
		p += strspn(p, " \n");
	}
	return sum;
}

static uint64_t sum_devices(const char *text, const char *key)
{
	uint64_t sum = 0, n;

	for (const char *p = text; *p; p = next_line(p)) {
		const char *word = p + strcspn(p, " \n"), *rest = *word == ' ' ? text_after(word + 1, key) : NULL;

		if (rest && *rest == ' ' && number_at(rest + 1, &n))
			sum += n;
	}
	return sum;
}

static bool read_figure(const struct figure *f, const char *text, uint64_t *ret)
{
	const char *total;

	switch (f->form) {
	case WHOLE:
		return number_at(text, ret) && (f->version == V2 || *ret < v1_no_limit);
	case KEY:
		return find_key(text, f->key, ret);
	case KEY_EQUALS:
		*ret = sum_equals(text, f->key);
		return true;
	case DEVICE_KEY:
		*ret = sum_devices(text, f->key);
		return true;
	case SOME_TOTAL:
		total = text_after(text, f->key) ? strstr(text, "total=") : NULL;
		return total && number_at(total + strlen("total="), ret);
	}
	return false;
}

static void read_per_cpu(struct arena *a, int dir, struct cgroup_stats *s)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	uint64_t n;

	if (s->n_cpus || file_read(dir, "cpuacct.usage_percpu", STATS_LIMIT, &text, NULL) < 0)
		return;
	for (const char *p = buf_text(&text); number_at(p, &n);) {
		*arena_push(a, &s->per_cpu_ns, &s->n_cpus) = n;
		p += strcspn(p, " \n");
		p += strspn(p, " \n");
	}
}

static void read_group(struct arena *a, int dir, struct cgroup_stats *s)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	int version = cgroup_dir_is_v2(dir) ? V2 : V1;
	const char *file = "";
	bool readable = false;

	for (size_t i = 0; i < sizeof(figures) / sizeof(*figures); i++) {
		const struct figure *f = &figures[i];
		struct opt_u64 *to = (void *)((char *)s + f->at);
		uint64_t n;

		if (f->version != version)
			continue;
		if (!text_is(f->file, file)) {
			buf_done(&text);
			file = f->file;
			readable = file_read(dir, file, STATS_LIMIT, &text, NULL) == 0;
		}
		if (readable && !to->set && read_figure(f, buf_text(&text), &n))
			*to = (struct opt_u64){n * f->scale, true};
	}
	if (version == V1)
		read_per_cpu(a, dir, s);
}

int cgroup_stats(struct arena *a, const struct cgroup *c, struct cgroup_stats *ret, struct nook_error *e)
{
	struct cgroup_stats s = {0};
	size_t seen = 0;

	for (size_t i = 0; i < c->n; i++) {
		auto_close int dir = cgroup_dir_open(c->dirs[i], NULL);

		if (dir < 0)
			continue;
		seen++;
		read_group(a, dir, &s);
	}
	if (!seen && c->n)
		return err_num(e, STEP_CGROUP, c->dirs[0], ENOENT);
	*ret = s;
	return 0;
}

const char *cgroup_text(struct arena *a, const struct cgroup *c, const char *file)
{
	for (size_t i = 0; i < c->n; i++) {
		auto_close int dir = cgroup_dir_open(c->dirs[i], NULL);
		AUTO_VALUE(buf_done) struct buf text = {0};

		if (dir >= 0 && file_read(dir, file, STATS_LIMIT, &text, NULL) == 0)
			return arena_strdup(a, buf_text(&text));
	}
	return "";
}
