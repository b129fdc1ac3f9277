/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A box is bare but for what the command needs (needs.h), so that it holds that and no more. */
#include "box/learned.h"

#include "base/path.h"
#include "base/text.h"
#include "box/filter.h"
#include "box/needs.h"
#include "box/secrets.h"

#include <string.h>
#include <unistd.h>

/* Relative where it lies in the directory in which the command was started: so the profile serves in others too. */
static void put_path(const struct needs *all, const char *path, struct buf *to)
{
	const char *start = all->learned->start;
	const char *rest = start && !text_is(start, "/") && path_below(path, start) ? path + strlen(start) : NULL;
	const char *text = rest ? (*rest ? rest + 1 : ".") : path;

	for (; *text; text++) {
		if (*text == ':')
			buf_addc(to, '\\');
		buf_addc(to, *text);
	}
}

/* A rule ends where its line ends, and blanks at its end are none of it. */
static bool can_be_written(const char *path)
{
	size_t n = strlen(path);

	return !strchr(path, '\n') && path[n - 1] != ' ' && path[n - 1] != '\t' && path[n - 1] != '\r';
}

static void put_needs(const struct needs *all, struct buf *to)
{
	static const char *const words[] = {[NEED_READ] = "ro", [NEED_WRITE] = "rw"};

	for (size_t i = 0; i < all->n; i++) {
		if (!all->list[i].wanted || text_is(all->list[i].path, "/"))
			continue;
		buf_addf(to, "%s%s ", can_be_written(all->list[i].path) ? "" : "# ", words[all->list[i].kind]);
		put_path(all, all->list[i].path, to);
		buf_addc(to, '\n');
	}
}

/* Secrets that lie in what is shown, and were not asked for. */
static void put_hidden(struct needs *all, struct buf *to)
{
	const char *home = all->learned->home;

	for (size_t i = 0; i < all->n; i++) {
		if (!all->list[i].wanted)
			continue;
		for (const char *const *s = secrets_system; *s; s++)
			if (path_below(*s, all->list[i].path) && access(*s, F_OK) == 0)
				buf_addf(to, "hide %s\n", *s);
		for (const char *const *s = secrets_home; home && home[0] == '/' && *s; s++) {
			const char *place = arena_printf(all->arena, "%s/%s", home, *s);

			if (path_below(place, all->list[i].path) && access(place, F_OK) == 0 && !strpbrk(place, "*?["))
				buf_addf(to, "hide %s\n", place);
		}
	}
}

static void put_network(const struct needs *all, struct buf *to)
{
	const char *const *hosts = all->learned->hosts;

	if (all->n_addresses || (all->datagrams && !(hosts && hosts[0]))) {
		buf_adds(to, "\n# It connected by itself, not through the proxy that the environment names");
		for (size_t i = 0; i < all->n_addresses; i++)
			buf_addf(to, "%s %s", i ? "," : ":", all->addresses[i]);
		buf_adds(to, ".\nnet host\n");
		for (size_t i = 0; hosts && hosts[i]; i++)
			buf_addf(to, "# allow %s\n", hosts[i]);
	} else if (hosts && hosts[0]) {
		buf_addc(to, '\n');
		for (size_t i = 0; hosts[i]; i++)
			buf_addf(to, "allow %s\n", hosts[i]);
	}
	for (size_t i = 0; i < all->n_bound; i++)
		buf_addf(to, "# It listened at %s: \"publish PORT:PORT\" leads there.\n", all->bound[i]);
}

static void put_calls(struct needs *all, struct buf *to)
{
	char *words = arena_strdup(all->arena, box_strict_calls), *rest = NULL;
	const char *separator = "syscalls deny ";

	buf_addc(to, '\n');
	if (!all->n_calls) {
		buf_adds(to, "syscalls strict\n");
		return;
	}
	for (char *word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		bool used = false;

		for (size_t i = 0; i < all->n_calls; i++)
			used = used || text_is(all->calls[i], word);
		if (used)
			continue;
		buf_addf(to, "%s%s", separator, word);
		separator = ",";
	}
	buf_addc(to, '\n');
}

/* The start directory stays the current one where rules show it. */
static void put_cwd(const struct needs *all, struct buf *to)
{
	const char *start = all->learned->start;

	for (size_t i = 0; start && i < all->n; i++)
		if (all->list[i].wanted && path_below(start, all->list[i].path))
			return;
	/* Below the root and in the box's own directories it is made when it is missing. */
	for (size_t i = 0; start && i < all->n; i++) {
		if (all->list[i].wanted && path_below(all->list[i].path, start) && !text_is(start, "/")) {
			buf_adds(to, "cwd .\n");
			return;
		}
	}
}

void learned_profile(const struct learned *l, struct buf *to)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct needs all;

	needs_of(l, a, &all);
	buf_addf(to, "# Learned from: %s\nbare\n", l->command);
	if (all.var_tmp)
		buf_adds(to, "tmp /var/tmp\n");
	put_needs(&all, to);
	put_hidden(&all, to);
	put_cwd(&all, to);
	put_network(&all, to);
	put_calls(&all, to);
	for (size_t i = 0; i < all.n_secrets; i++)
		buf_addf(to, "%s# It looked for secrets, which were hidden. To give them to it:\n# ro %s\n", i ? "" : "\n", all.secrets[i]);
	for (size_t i = 0; i < all.n_comments; i++)
		buf_addf(to, "# %s.\n", all.comments[i]);
}
