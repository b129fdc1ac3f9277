/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/run_config.h"

#include "base/environment.h"
#include "base/text.h"
#include "cli/env.h"
#include "runtime/container.h"

int run_config_parse(struct cli *c, const char *text, const char *name, struct image_config *ret, struct nook_error *e)
{
	return image_config_parse(text, strlen(text), 0, name, c->arena, ret, e);
}

static const char *const *joined(struct arena *a, const char *const *first, const char *const *second)
{
	const char **list = NULL;
	size_t n = 0;

	for (; first && *first; first++)
		*arena_push(a, &list, &n) = *first;
	for (; second && *second; second++)
		if (strchr(*second, '=') && **second != '=')
			*arena_push(a, &list, &n) = *second;
	return list;
}

int run_config_apply(struct cli *c, const struct image_config *config, struct spec *s, struct nook_error *e)
{
	const struct image_run *run = &config->run;

	if (config->platform.os && !text_is(config->platform.os, "linux"))
		return err_fmt(e, STEP_IMAGE, config->platform.os, ENOEXEC, "it is made for another system than Linux");
	s->process.env = joined(c->arena, s->process.env, run->env);
	s->process.user.name = run->user && *run->user ? run->user : NULL;
	if (run->workdir && *run->workdir)
		s->process.cwd = *run->workdir == '/' ? run->workdir : arena_printf(c->arena, "/%s", run->workdir);
	for (size_t i = 0; i < run->n_labels; i++) {
		/* Those are nook's own notes, and labels are anybody's. */
		if (text_after(run->labels[i].key, "nook."))
			continue;
		spec_pair_set(s->arena, &s->annotations, &s->n_annotations, run->labels[i].key, run->labels[i].value);
	}
	if (run->stop_signal && *run->stop_signal)
		spec_pair_set(s->arena, &s->annotations, &s->n_annotations, ANNOTATION_STOP_SIGNAL, run->stop_signal);
	return 0;
}

static const char *const *words(struct arena *a, const char *const *list, size_t n)
{
	const char **copy = arena_new_n(a, const char *, n + 1);

	for (size_t i = 0; i < n; i++)
		copy[i] = list[i];
	return copy;
}

int run_config_text(struct cli *c, const struct run_options *o, const struct image_config *config, char **argv, int argc,
	const char **ret, struct nook_error *e)
{
	struct image_config own = config ? *config : (struct image_config){0};
	struct image_run *run = &own.run;
	const char *const *asked = NULL;

	own.created = own.author = NULL;
	own.history = NULL;
	own.diff_ids = NULL;
	own.n_history = own.n_diff_ids = 0;
	TRY(env_build(c->arena, &(struct env_sources){.files = o->env_files, .variables = o->env}, &asked, e));
	if (run->env || *asked)
		run->env = environment_unique(c->arena, joined(c->arena, run->env, asked), NULL);
	if (o->entrypoint) {
		run->entrypoint = *o->entrypoint ? words(c->arena, &o->entrypoint, 1) : NULL;
		run->cmd = NULL;
	}
	if (argc)
		run->cmd = words(c->arena, (const char *const *)argv, (size_t)argc);
	if (o->user)
		run->user = o->user;
	if (o->workdir)
		run->workdir = o->workdir;
	if (o->stop_signal)
		run->stop_signal = o->stop_signal;
	if (o->labels.n && run->n_labels)
		run->labels = arena_memdup(c->arena, run->labels, run->n_labels * sizeof(*run->labels));
	for (size_t i = 0; i < o->labels.n; i++)
		spec_pair_text(c->arena, &run->labels, &run->n_labels, o->labels.items[i]);
	*ret = image_config_text(&own, c->arena);
	return 0;
}
