/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "base/text.h"
#include "command/command.h"
#include "cli/ns_list.h"
#include "command/table.h"
#include "sys/procfd.h"

#include <stdio.h>

enum { COMMAND_MAX = 16 * 1024, COMMAND_SHOWN = 60 };

struct options {
	bool json;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{0, "json", NULL, OPT_FLAG, AT(json), "print a JSON array"},
	{0},
};

static const struct column columns[] = {
	{"TYPE", "type", COLUMN_TEXT},          {"INODE", "inode", COLUMN_NUMBER},   {"MEMBERS", "members", COLUMN_NUMBER},
	{"PID", "pid", COLUMN_NUMBER},          {"OWNER", "owner_uid", COLUMN_NUMBER},
	{"USERNS", "owner_userns", COLUMN_NUMBER}, {"PINNED AT", "pins", COLUMN_LIST}, {NULL, "command", COLUMN_TEXT},
	{"COMMAND", NULL, COLUMN_TEXT},         {0},
};

/* The words of PID's command line with blanks between; kernel threads have only a name. */
static const char *read_command(struct arena *a, int proc, pid_t pid)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	char name[32];

	(void)snprintf(name, sizeof(name), "%d/cmdline", pid);
	(void)file_read(proc, name, COMMAND_MAX, &text, NULL);
	if (!text.len) {
		(void)snprintf(name, sizeof(name), "%d/comm", pid);
		(void)file_read(proc, name, COMMAND_MAX, &text, NULL);
	}
	while (text.len && (!text.data[text.len - 1] || text.data[text.len - 1] == '\n'))
		text.len--;
	for (size_t i = 0; i < text.len; i++)
		if (!text.data[i])
			text.data[i] = ' ';
	return arena_strndup(a, buf_text(&text), text.len);
}

static const char *shortened(struct arena *a, const char *text)
{
	size_t len = COMMAND_SHOWN;

	if (!text || strlen(text) <= COMMAND_SHOWN)
		return text;
	while (len && (text[len] & 0xc0) == 0x80)
		len--; /* not in the middle of a character */
	return arena_printf(a, "%.*s...", (int)len, text);
}

/* PID's own namespaces among all: 0, or the error of a process that is not there or not ours to look at. */
static int pick(struct arena *a, int proc, const char *pid_text, struct ns_list *l, struct nook_error *e)
{
	struct ns_list own = {0};
	uint32_t pid = 0;

	if (text_u32(pid_text, &pid) < 0 || !pid)
		return err_why(e, STEP_COMMAND, pid_text, EINVAL, "this is not a process id");
	for (size_t i = 0; i < NS_TYPES; i++) {
		const char *name = arena_printf(a, "%u/ns/%s", pid, ns_types[i].name);
		const struct ns_type *type = NULL;
		struct ns_entry *entry;
		uint64_t inode = 0;
		char text[64];
		ssize_t len = readlinkat(proc, name, text, sizeof(text) - 1);

		if (len < 0 && i)
			continue; /* this kernel has no time namespaces, or the process has just ended */
		if (len < 0)
			return err_sys(e, STEP_PROC, arena_printf(a, "/proc/%s", name));
		text[len] = 0;
		entry = ns_parse_link(text, &type, &inode) < 0 ? NULL : ns_list_find(l, type, inode);
		if (entry)
			*arena_push(a, &own.items, &own.n) = *entry;
	}
	*l = own;
	return 0;
}

static void add_row(struct table *t, int proc, const struct ns_entry *entry)
{
	struct arena *a = t->arena;
	const char *command = entry->pid ? read_command(a, proc, entry->pid) : NULL;
	AUTO_VALUE(buf_done) struct buf pins = {0};

	for (size_t i = 0; i < entry->n_pins; i++)
		buf_addf(&pins, "%s%s", i ? "\n" : "", entry->pins[i]);
	table_add(t, (const char *const[]){
		entry->type->name,
		arena_printf(a, "%llu", (unsigned long long)entry->inode),
		arena_printf(a, "%zu", entry->members),
		entry->pid ? arena_printf(a, "%d", entry->pid) : NULL,
		entry->has_owner_uid ? arena_printf(a, "%u", entry->owner_uid) : NULL,
		entry->owned ? arena_printf(a, "%llu", (unsigned long long)entry->owner) : NULL,
		arena_strdup(a, buf_text(&pins)),
		command,
		shortened(a, command),
	});
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct table table = {.columns = columns, .arena = c->arena};
	auto_close int proc = TRY(procfd_open(e));
	struct ns_list list = {0};
	int r;

	TRY(ns_list_read(c->arena, proc, &list, e));
	if (argc)
		TRY(pick(c->arena, proc, argv[0], &list, e));
	for (size_t i = 0; i < list.n; i++)
		add_row(&table, proc, &list.items[i]);
	if (o->json)
		table_json(&table, &out);
	else
		table_text(&table, &out);
	r = fd_write(STDOUT_FILENO, out.data, out.len);
	return r < 0 ? err_num(e, STEP_STDIO, "stdout", r) : 0;
}

const struct command cmd_ns_ls = {
	.name = "ls",
	.usage = "[--json] [PID]",
	.summary = "list the namespaces of the system, or those of one process",
	.options = options_table,
	.options_size = sizeof(struct options),
	.max_args = 1,
	.run = run,
	.details = "MEMBERS counts processes, PID is the lowest of them. OWNER is the uid that made the user namespace\n"
	           "USERNS, which owns the namespace (of a user namespace: who made it, and its parent). An ordinary user\n"
	           "sees the namespaces of own processes.\n",
	.examples = "nook ns ls\nnook ns ls 1\nnook ns ls --json\n",
};
