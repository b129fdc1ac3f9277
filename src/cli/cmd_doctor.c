/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "base/plain.h"
#include "base/text.h"
#include "cli/doctor.h"
#include "command/log.h"
#include "command/table.h"

#include <sys/utsname.h>

struct options {
	bool json;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{0, "json", NULL, OPT_FLAG, AT(json), "print one JSON object"},
	{0},
};

static const struct column columns[] = {
	{NULL, "group", COLUMN_TEXT},  {NULL, "name", COLUMN_TEXT}, {NULL, "state", COLUMN_TEXT},
	{NULL, "detail", COLUMN_TEXT}, {NULL, "fix", COLUMN_TEXT},  {0},
};

static const struct {
	const char *word, *color;
} states[] = {
	[FINDING_OK] = {"ok", "\033[32m"},
	[FINDING_LIMITED] = {"limited", "\033[33m"},
	[FINDING_MISSING] = {"missing", "\033[31m"},
};

static bool can_run(const struct doctor *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->items[i].state == FINDING_MISSING)
			return false;
	return true;
}

static void print_json(const struct doctor *d, const struct utsname *u, struct buf *out)
{
	struct table table = {.columns = columns, .arena = d->arena};

	for (size_t i = 0; i < d->n; i++) {
		const struct finding *f = &d->items[i];

		table_add(&table, (const char *const[]){f->group, f->name, states[f->state].word, f->detail, f->fix});
	}
	buf_adds(out, "{\"version\":\"" NOOK_VERSION "\",\"kernel\":");
	log_json_string(u->release, out);
	buf_adds(out, ",\"machine\":");
	log_json_string(u->machine, out);
	buf_addf(out, ",\"uid\":%u,\"can_run\":%s,\"checks\":", geteuid(), can_run(d) ? "true" : "false");
	table_json(&table, out);
	buf_adds(out, "}\n");
}

/* One cause has often many effects: its remedy is printed with the first. */
static bool is_fix_new(const struct doctor *d, const struct finding *f)
{
	for (const struct finding *before = d->items; before < f; before++)
		if (before->fix && text_is(before->fix, f->fix))
			return false;
	return true;
}

static void print_finding(const struct doctor *d, const struct finding *f, bool in_color, struct buf *out)
{
	const char *color = in_color ? states[f->state].color : "", *plain = in_color ? "\033[0m" : "";

	buf_addf(out, "  %s%-8s%s %-20s ", color, states[f->state].word, plain, f->name);
	plain_add(f->detail, out);
	buf_addc(out, '\n');
	if (f->fix && is_fix_new(d, f)) {
		buf_adds(out, "           fix: ");
		plain_add(f->fix, out);
		buf_addc(out, '\n');
	}
}

static void print_text(const struct doctor *d, const struct utsname *u, struct buf *out)
{
	bool in_color = cli_has_color();
	const char *group = "";

	buf_addf(out, "nook " NOOK_VERSION " on Linux %s %s, as %s\n", u->release, u->machine, d->is_root ? "root" : "an ordinary user");
	for (size_t i = 0; i < d->n; i++) {
		if (!text_is(group, d->items[i].group))
			buf_addf(out, "\n%s\n", d->items[i].group);
		group = d->items[i].group;
		print_finding(d, &d->items[i], in_color, out);
	}
	buf_adds(out, can_run(d) ? "\nContainers can run here.\n" : "\nContainers cannot run here until what is missing is there.\n");
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	static void (*const parts[])(struct doctor *d) = {
		doctor_kernel, doctor_namespaces, doctor_ids, doctor_cgroups, doctor_security, doctor_files, doctor_network,
	};
	struct doctor d = {.cli = c, .arena = c->arena, .is_root = geteuid() == 0};
	const struct options *o = options;
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct utsname u = {0};
	int r;

	(void)uname(&u);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		parts[i](&d);
	if (o->json)
		print_json(&d, &u, &out);
	else
		print_text(&d, &u, &out);
	r = fd_write(STDOUT_FILENO, out.data, out.len);
	if (r < 0)
		return err_num(e, STEP_STDIO, "stdout", r);
	return can_run(&d) ? 0 : 1;
}

const struct command cmd_doctor = {
	.name = "doctor",
	.usage = "[--json]",
	.summary = "tell what works on this machine for this user, and how to fix what does not",
	.options = options_table,
	.options_size = sizeof(struct options),
	.run = run,
	.details = "Each line was tried just now, in namespaces that are gone again. \"limited\" means that containers run, but\n"
	           "lack something they may want; \"missing\" that they cannot run. The exit status is 0 when they can and 1\n"
	           "when they cannot.\n",
	.examples = "nook doctor\nnook doctor --json\n",
};
