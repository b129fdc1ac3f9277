/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits and annotations as properties of a unit. */
#include "cgroup/limits.h"
#include "cgroup/systemd.h"

#include "base/text.h"

#include <ctype.h>
#include <stdio.h>

static void put_head(struct buf *b, const char *name, const char *signature)
{
	dbus_put_struct(b);
	dbus_put_string(b, name);
	dbus_put_signature(b, signature);
}

static void put_number(struct buf *b, const char *name, uint64_t value)
{
	put_head(b, name, "t");
	dbus_put_u64(b, value);
}

/* ---- limits -------------------------------------------------------------------------------------------------------------- */

/* -1, and 0 of what is 0 by mistake, is no limit; systemd says that with the highest number. */
static void put_limit(struct buf *b, const char *name, const struct opt_i64 *limit)
{
	if (limit->set && limit->value)
		put_number(b, name, limit->value < 0 ? UINT64_MAX : (uint64_t)limit->value);
}

/* systemd has swap alone. */
static void put_swap(struct buf *b, const struct spec_resources *r)
{
	const struct opt_i64 *swap = &r->memory_swap, *memory = &r->memory_limit;

	if (!swap->set || !swap->value)
		return;
	if (swap->value < 0)
		put_number(b, "MemorySwapMax", UINT64_MAX);
	else if (memory->set && memory->value > 0 && swap->value >= memory->value)
		put_number(b, "MemorySwapMax", (uint64_t)(swap->value - memory->value));
}

/* Microseconds in each second, in steps of a hundredth, upwards: what is exact is in the file itself. */
static void put_quota(struct buf *b, const struct spec_resources *r)
{
	const uint64_t second = 1000000, step = 10000, usual_period = 100000;
	uint64_t period = r->cpu_period.set && r->cpu_period.value ? r->cpu_period.value : usual_period, quota;

	if (r->cpu_period.set && r->cpu_period.value)
		put_number(b, "CPUQuotaPeriodUSec", r->cpu_period.value);
	if (!r->cpu_quota.set || !r->cpu_quota.value)
		return;
	quota = UINT64_MAX;
	if (r->cpu_quota.value > 0) {
		quota = (uint64_t)r->cpu_quota.value * second / period;
		quota = (quota + step - 1) / step * step;
	}
	put_number(b, "CPUQuotaPerSecUSec", quota);
}

/* A list of numbers as bits, the lowest in the first byte. */
static int put_bits(struct buf *b, const char *name, const char *list, const char *member, struct nook_error *e)
{
	uint64_t bits[NUMBERS_MAX / 64];
	struct dbus_array array;

	if (!list || !*list)
		return 0;
	if (text_bits(list, bits, NUMBERS_MAX / 64) < 0)
		return err_why(e, STEP_CONFIG, member, EINVAL, "no list of numbers such as 0-3,7");
	put_head(b, name, "ay");
	array = dbus_array_begin(b, 1);
	for (unsigned i = 0; i < NUMBERS_MAX / 8; i++)
		dbus_put_byte(b, (uint8_t)(bits[i / 8] >> i % 8 * 8));
	dbus_array_end(b, array);
	return 0;
}

int systemd_put_resources(struct buf *b, const struct spec_resources *r, struct nook_error *e)
{
	put_limit(b, "MemoryMax", &r->memory_limit);
	put_limit(b, "MemoryLow", &r->memory_reservation);
	put_swap(b, r);
	if (r->cpu_shares.set && r->cpu_shares.value)
		put_number(b, "CPUWeight", limits_weight_of_shares(r->cpu_shares.value));
	put_quota(b, r);
	if (r->blkio_weight.set && r->blkio_weight.value)
		put_number(b, "IOWeight", r->blkio_weight.value);
	if (r->pids_limit.set)
		put_number(b, "TasksMax", r->pids_limit.value > 0 ? (uint64_t)r->pids_limit.value : UINT64_MAX);
	TRY(put_bits(b, "AllowedCPUs", r->cpuset_cpus, "linux.resources.cpu.cpus", e));
	return put_bits(b, "AllowedMemoryNodes", r->cpuset_mems, "linux.resources.cpu.mems", e);
}

/* ---- GVariant's text form ------------------------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	char type;
} number_types[] = {{"int32 ", 'i'}, {"uint32 ", 'u'}, {"int64 ", 'x'}, {"uint64 ", 't'}, {"byte ", 'y'}};

struct text {
	const char *p;
};

static void skip_blanks(struct text *t)
{
	t->p += strspn(t->p, " \t");
}

/* 'text' or "text", with backslashes before what is meant as it is. */
static int take_quoted(struct text *t, struct buf *ret)
{
	char quote = *t->p++;

	ret->len = 0;
	for (; *t->p && *t->p != quote; t->p++) {
		if (*t->p == '\\' && t->p[1])
			t->p++;
		buf_addc(ret, *t->p);
	}
	if (*t->p != quote)
		return -EINVAL;
	t->p++;
	return 0;
}

static int put_strings(struct buf *b, const char *name, struct text *t)
{
	AUTO_VALUE(buf_done) struct buf item = {0};
	struct dbus_array array;

	put_head(b, name, "as");
	array = dbus_array_begin(b, 4);
	for (t->p++, skip_blanks(t); *t->p != ']'; skip_blanks(t)) {
		if ((*t->p != '\'' && *t->p != '"') || take_quoted(t, &item) < 0)
			return -EINVAL;
		dbus_put_string(b, buf_text(&item));
		skip_blanks(t);
		if (*t->p == ',')
			t->p++;
		else if (*t->p != ']')
			return -EINVAL;
	}
	t->p++;
	dbus_array_end(b, array);
	return 0;
}

static int put_typed(struct buf *b, const char *name, char type, const char *digits)
{
	const char signature[] = {type, 0};
	bool is_signed = type == 'i' || type == 'x';
	int64_t i = 0;
	uint64_t u = 0;

	if ((is_signed ? text_i64(digits, &i) : text_u64(digits, &u)) < 0)
		return -EINVAL;
	if ((type == 'i' && i != (int32_t)i) || (type == 'u' && u > UINT32_MAX) || (type == 'y' && u > UINT8_MAX))
		return -ERANGE;
	put_head(b, name, signature);
	if (type == 'y')
		dbus_put_byte(b, (uint8_t)u);
	else if (type == 'i' || type == 'u')
		dbus_put_u32(b, type == 'i' ? (uint32_t)i : (uint32_t)u);
	else
		dbus_put_u64(b, type == 'x' ? (uint64_t)i : u);
	return 0;
}

static int put_variant(struct buf *b, const char *name, const char *value)
{
	AUTO_VALUE(buf_done) struct buf item = {0};
	struct text t = {value};
	int r;

	skip_blanks(&t);
	if (text_is(t.p, "true") || text_is(t.p, "false")) {
		put_head(b, name, "b");
		dbus_put_bool(b, text_is(t.p, "true"));
		return 0;
	}
	if (*t.p == '[' || *t.p == '\'' || *t.p == '"') {
		if (*t.p == '[') {
			r = put_strings(b, name, &t);
		} else {
			r = take_quoted(&t, &item);
			put_head(b, name, "s");
			dbus_put_string(b, buf_text(&item));
		}
		skip_blanks(&t);
		return *t.p ? -EINVAL : r;
	}
	for (size_t i = 0; i < sizeof(number_types) / sizeof(*number_types); i++) {
		const char *digits = text_after(t.p, number_types[i].word);

		if (digits)
			return put_typed(b, name, number_types[i].type, digits + strspn(digits, " "));
	}
	return put_typed(b, name, 'i', t.p);
}

/* "2.5" seconds, with or without a type in front, as microseconds. */
static int put_seconds(struct buf *b, const char *name, const char *value)
{
	char usec[128];
	uint64_t micros;

	for (size_t i = 0; i < sizeof(number_types) / sizeof(*number_types); i++) {
		const char *digits = text_after(value, number_types[i].word);

		value = digits ? digits : value;
	}
	if (text_micros(value, &micros) < 0)
		return -EINVAL;
	(void)snprintf(usec, sizeof(usec), "%.*sUSec", (int)(strlen(name) - strlen("Sec")), name);
	put_number(b, usec, micros);
	return 0;
}

int systemd_put_property(struct buf *b, const char *name, const char *value, struct nook_error *e)
{
	size_t len = strlen(name), before = b->len;
	int r;

	for (const char *p = name; *p; p++)
		if (!isalpha((unsigned char)*p))
			len = 0;
	if (len < 3 || len > 64)
		return err_why(e, STEP_CONFIG, "annotations", EINVAL, "org.systemd.property. is followed by the name of a property");
	if (len > 4 && text_is(name + len - 3, "Sec") && name[len - 4] != 'U')
		r = put_seconds(b, name, value);
	else
		r = put_variant(b, name, value);
	if (r < 0) {
		b->len = before;
		return err_fmt(e, STEP_CONFIG, "annotations", -r, "org.systemd.property.%s: \"%.100s\" is no value such as uint64 5, true or 'text'",
			name, value);
	}
	return 0;
}
