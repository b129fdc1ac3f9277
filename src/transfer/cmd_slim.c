/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/transfer.h"

#include "base/fd.h"
#include "base/text.h"
#include "command/bytes.h"
#include "command/image_options.h"
#include "command/table.h"
#include "image/reference.h"
#include "storage/image.h"
#include "storage/merge.h"
#include "sys/inroot.h"
#include "transfer/layertar.h"
#include "transfer/options.h"
#include "transfer/slim.h"

#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>

struct slimming {
	const struct slim_options *options;
	struct depot *depot;
	struct arena *arena;
	unsigned groups;
	struct image image;
	const char *name;            /* of the new one */
	const struct idrange *range; /* NULL: root */
	struct slim_totals *totals;  /* shared with the process that reads the files */
};

static const struct column columns[] = {
	{"GROUP", "group", COLUMN_TEXT},
	{"FILES", "files", COLUMN_NUMBER},
	{"BYTES", "bytes", COLUMN_NUMBER},
	{0},
};

static int find_group(const char *name, struct nook_error *e)
{
	for (int i = 0; i < SLIM_GROUPS; i++)
		if (text_is(name, slim_group_names[i]))
			return i;
	return err_fmt(e, STEP_OPTION, "--keep", EINVAL, "\"%.40s\" is none of docs, locales and caches", name);
}

static int choose_groups(struct slimming *s, struct nook_error *e)
{
	s->groups = (1u << SLIM_GROUPS) - 1;
	for (size_t i = 0; i < s->options->keep.n; i++)
		s->groups &= ~(1u << TRY(find_group(s->options->keep.items[i], e)));
	return 0;
}

/* OLD: canonical, or NULL when the image was found by its id. */
static int choose_name(struct slimming *s, const char *old, struct nook_error *e)
{
	struct reference r;

	if (s->options->name)
		return option_name(s->options->name, s->arena, &s->name, e);
	if (!old && s->image.n_names)
		old = s->image.names[0];
	if (!old && s->options->dry_run)
		return 0;
	if (!old)
		return err_why(e, STEP_IMAGE, s->image.id, EINVAL, "has no name to make a new one of; use --name");
	TRY(reference_parse(old, s->arena, &r, e));
	r.tag = r.tag ? arena_printf(s->arena, "%s-slim", r.tag) : "slim";
	r.digest = NULL;
	return option_name(reference_text(&r, s->arena), s->arena, &s->name, e);
}

static bool has_localedef(int root)
{
	auto_close int fd = inroot_open(root, "usr/bin/localedef", O_PATH | O_CLOEXEC, STEP_IMAGE, NULL);

	return fd >= 0;
}

/* In a process of its own. */
static int write_slim(const void *data, int out, struct nook_error *e)
{
	const struct slimming *s = data;
	AUTO_VALUE(slim_done) struct slim slim = {.groups = s->groups, .counts_only = s->options->dry_run};
	const struct tree_filter filter = {.judge = slim_judge, .data = &slim};
	auto_close int null = -EBADF;

	if (s->range && unshare(CLONE_NEWNS) < 0)
		return err_sys(e, STEP_NAMESPACE, "mount");
	auto_close int root = TRY(image_merge(&s->image, e));

	if (s->options->dry_run) {
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (null < 0)
			return err_sys(e, STEP_FILE, "/dev/null");
		out = null;
	}
	slim.compiles_locales = has_localedef(root);
	TRY(tree_write_some(root, ".", "", TREE_LAYER | TREE_LOWEST | TREE_SPARSE, &filter, out, e));
	slim_end(&slim, s->totals);
	return 0;
}

static int make(struct slimming *s, const struct layertar_work *work, const char **ret_id, struct nook_error *e)
{
	AUTO(newlayer_free) struct newlayer *l = NULL;
	enum compression compression;
	struct image_config config;
	struct descriptor layer;
	const char *diff_id = NULL;
	struct newimage n = {.config = &config, .layer = &layer, .created_by = "nook image slim", .name = s->name};

	TRY(option_compression(s->options->compression, &compression, e));
	TRY(image_config(s->depot, &s->image, s->arena, &config, e));
	config.history = NULL;
	config.n_history = 0;
	TRY(newlayer_open(s->depot, compression, &l, e));
	TRY(layertar_run(l, work, e));
	TRY(newlayer_finish(l, s->arena, &layer, &diff_id, e));
	n.diff_id = diff_id;
	return newimage_commit(s->depot, &n, s->arena, ret_id, e);
}

static int print(const struct slimming *s, const char *id, struct nook_error *e)
{
	const uint64_t before = s->image.bytes, after = s->totals->kept_bytes;
	struct table t = {.columns = columns, .arena = s->arena};
	AUTO_VALUE(buf_done) struct buf out = {0};

	for (int i = 0; i < SLIM_GROUPS; i++)
		if (s->groups & 1u << i)
			table_add(&t,
				(const char *const[]){
					slim_group_names[i],
					arena_printf(s->arena, "%llu", (unsigned long long)s->totals->gone[i].files),
					arena_printf(s->arena, "%llu", (unsigned long long)s->totals->gone[i].bytes),
				});
	table_text(&t, &out);
	buf_addf(&out, "Size: %s (%llu bytes) before, ", bytes_text(before, s->arena), (unsigned long long)before);
	buf_addf(&out, "%s (%llu bytes) after\n", bytes_text(after, s->arena), (unsigned long long)after);
	if (id)
		buf_addf(&out, "%s: %s\n", reference_familiar(s->name), id);
	return fwrite(buf_text(&out), 1, out.len, stdout) == out.len ? 0 : err_sys(e, STEP_STDIO, "stdout");
}

static int slim(struct slimming *s, struct nook_error *e)
{
	struct idrange *range = NULL;
	struct layertar_work work = {.write = write_slim, .data = s};
	const char *id = NULL;

	if (geteuid() != 0) {
		range = arena_new_of(s->arena, struct idrange);
		TRY(idrange_choose(-EBADF, s->image.id, true, s->arena, range, e));
		work.range = s->range = range;
	}
	if (s->options->dry_run)
		TRY(layertar_run(NULL, &work, e));
	else
		TRY(make(s, &work, &id, e));
	return print(s, id, e);
}

int image_slim_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(depot_close) struct depot *d = NULL;
	struct slimming s = {.options = options, .arena = c->arena};
	const char *old = NULL;
	int *locks, r;

	(void)argc;
	TRY(choose_groups(&s, e));
	if (TRY(depot_open(c->root, s.options->dry_run ? DEPOT_READ : DEPOT_WRITE, c->arena, &d, e)))
		return err_why(e, STEP_IMAGE, argv[0], ENOENT, "there is no such image");
	s.depot = d;
	TRY(image_find(d, argv[0], c->arena, &s.image, &old, e));
	TRY(choose_name(&s, old, e));
	TRY(image_hold(d, &s.image, c->arena, &locks, e));
	s.totals = mmap(NULL, sizeof(*s.totals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s.totals == MAP_FAILED)
		r = err_sys(e, STEP_IMAGE, argv[0]);
	else
		r = slim(&s, e);
	image_release(locks, s.image.n_layers);
	return r;
}
