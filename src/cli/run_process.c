/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook run: the process. */
#include "cli/env.h"
#include "cli/run_options.h"

#include "base/fd.h"
#include "base/text.h"
#include "image/config.h"
#include "runtime/container.h"
#include "runtime/signals.h"
#include "sys/rlimits.h"

#include <sys/ioctl.h>
#include <sys/resource.h>

static int rlimit_value(const char *text, uint64_t *ret)
{
	if (text_is(text, "-1") || text_is(text, "unlimited")) {
		*ret = RLIM64_INFINITY;
		return 0;
	}
	return text_bytes(text, ret);
}

/* "nofile=1024" or "nofile=1024:4096". */
static int ulimit_option(struct cli *c, struct spec_process *p, const char *text, struct nook_error *e)
{
	char *copy = arena_strdup(c->arena, text);
	char *soft = strchr(copy, '='), *hard;
	struct spec_rlimit limit = {0};
	struct spec_rlimit *list = NULL;
	size_t n = 0;

	if (!soft)
		return err_fmt(e, STEP_OPTION, "--ulimit", EINVAL, "\"%s\" is not NAME=SOFT[:HARD]", text);
	*soft++ = 0;
	hard = strchr(soft, ':');
	if (hard)
		*hard++ = 0;
	limit.resource = rlimit_find(copy);
	if (limit.resource < 0)
		return err_fmt(e, STEP_OPTION, "--ulimit", EINVAL, "there is no limit \"%s\"", copy);
	if (rlimit_value(soft, &limit.soft) < 0 || rlimit_value(hard ? hard : soft, &limit.hard) < 0)
		return err_fmt(e, STEP_OPTION, "--ulimit", EINVAL, "\"%s\" is not a number", text);
	if (limit.soft > limit.hard)
		return err_fmt(e, STEP_OPTION, "--ulimit", EINVAL, "\"%s\": the soft limit is above the hard one", text);
	for (size_t i = 0; i < p->n_rlimits; i++)
		if (p->rlimits[i].resource != limit.resource)
			*arena_push(c->arena, &list, &n) = p->rlimits[i];
	*arena_push(c->arena, &list, &n) = limit;
	p->rlimits = list;
	p->n_rlimits = n;
	return 0;
}

/* Adds the words of LIST; NULL has none. */
static void add_words(struct arena *a, const char ***list, size_t *n, const char *const *words)
{
	for (; words && *words; words++)
		*arena_push(a, list, n) = *words;
}

/* As docker has it: arguments stand instead of the image's command, --entrypoint instead of both. */
static void arguments(struct cli *c, const struct run_options *o, const struct image_run *image, char **argv, int argc,
	struct spec_process *p)
{
	const char **list = NULL;
	size_t n = 0;

	if (o->entrypoint && *o->entrypoint)
		*arena_push(c->arena, &list, &n) = o->entrypoint;
	else if (image && !o->entrypoint)
		add_words(c->arena, &list, &n, image->entrypoint);
	for (int i = 0; i < argc; i++)
		*arena_push(c->arena, &list, &n) = argv[i];
	if (image && !argc && !o->entrypoint)
		add_words(c->arena, &list, &n, image->cmd);
	if (!n)
		*arena_push(c->arena, &list, &n) = "/bin/sh";
	(void)arena_push(c->arena, &list, &n);
	p->argv = list;
}

static int terminal(const struct run_options *o, struct spec_process *p, struct nook_error *e)
{
	struct winsize size;

	if (o->tty && o->no_tty)
		return err_why(e, STEP_OPTION, "--no-tty", EINVAL, "it contradicts --tty");
	p->terminal = o->tty || (!o->no_tty && isatty(STDIN_FILENO));
	if (p->terminal && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
		p->rows = size.ws_row;
		p->columns = size.ws_col;
	}
	return 0;
}

static int check_range(const char *option, const struct opt_i64 *v, int64_t min, int64_t max, struct nook_error *e)
{
	if (v->set && (v->value < min || v->value > max))
		return err_fmt(e, STEP_OPTION, option, ERANGE, "%lld is not between %lld and %lld", (long long)v->value,
			(long long)min, (long long)max);
	return 0;
}

int run_process(struct cli *c, const struct run_options *o, const struct image_run *image, char **argv, int argc, struct spec *s,
	struct nook_error *e)
{
	struct spec_process *p = &s->process;

	arguments(c, o, image, argv, argc, p);
	TRY(terminal(o, p, e));
	TRY(env_build(c->arena, &(struct env_sources){p->env, o->env_files, o->env, p->terminal}, &p->env, e));
	if (o->workdir && *o->workdir != '/')
		return err_fmt(e, STEP_OPTION, "--workdir", EINVAL, "\"%s\" is not absolute", o->workdir);
	if (o->workdir)
		p->cwd = o->workdir;
	if (o->user)
		p->user.name = o->user;
	p->user.group_names = (const char *const *)o->groups.items;
	for (size_t i = 0; i < o->ulimits.n; i++)
		TRY(ulimit_option(c, p, o->ulimits.items[i], e));
	TRY(check_range("--oom-score-adj", &o->oom_score_adj, -1000, 1000, e));
	TRY(check_range("--nice", &o->nice, -20, 19, e));
	if (o->oom_score_adj.set) {
		p->oom_score_adj = o->oom_score_adj;
		p->oom_score_adj_clamp = false;
	}
	p->nice = o->nice;
	if (o->umask && text_mode(o->umask, &p->user.umask) < 0)
		return err_fmt(e, STEP_OPTION, "--umask", EINVAL, "\"%s\" is not an octal mode", o->umask);
	if (o->preserve_fds.set && o->preserve_fds.value > 4096)
		return err_why(e, STEP_OPTION, "--preserve-fds", ERANGE, "at most 4096");
	p->preserve_fds = (unsigned)o->preserve_fds.value;
	TRY(fds_check_given(p->preserve_fds, e));
	p->init = o->init;
	p->die_with_parent = true;
	if (o->stop_signal) {
		(void)TRY(signal_parse(o->stop_signal, e));
		spec_pair_set(s->arena, &s->annotations, &s->n_annotations, ANNOTATION_STOP_SIGNAL, o->stop_signal);
	}
	for (size_t i = 0; i < o->labels.n; i++)
		spec_pair_text(s->arena, &s->annotations, &s->n_annotations, o->labels.items[i]);
	for (size_t i = 0; i < o->annotations.n; i++)
		spec_pair_text(s->arena, &s->annotations, &s->n_annotations, o->annotations.items[i]);
	return 0;
}
