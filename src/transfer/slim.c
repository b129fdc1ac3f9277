/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/slim.h"

#include <fnmatch.h>

const char *const slim_group_names[SLIM_GROUPS] = {"docs", "locales", "caches"};

enum action {
	KEEP,
	KEEP_LINK,       /* symbolic links of this very name, not what is below it */
	DROP,            /* files; update-alternatives, apt and others miss the directories */
	DROP_FOLDERS,    /* these, too */
	DROP_UNCOMPILED, /* likewise, if there is no localedef */
	EMPTY,           /* the file stays: daemons that may not make it write to it */
};

/* A "*" is within one component; what is below a match is matched, too.  The first rule that matches decides. */
static const struct rule {
	enum slim_group group;
	enum action action;
	const char *pattern;
} rules[] = {
	/* Licences have to come with the programs; the directory of one package may be a link to that of another. */
	{SLIM_DOCS, KEEP, "usr/share/doc/*/copyright"},
	{SLIM_DOCS, KEEP_LINK, "usr/share/doc/*"},
	{SLIM_DOCS, DROP_FOLDERS, "usr/share/doc/*/*"},
	{SLIM_DOCS, DROP, "usr/share/doc/*"},
	{SLIM_DOCS, DROP, "usr/share/man/*"},
	{SLIM_DOCS, DROP, "usr/share/info/*"},
	{SLIM_DOCS, DROP_FOLDERS, "usr/share/gtk-doc/*"},
	{SLIM_DOCS, DROP_FOLDERS, "usr/share/lintian/*"},

	{SLIM_LOCALES, KEEP, "usr/share/locale/locale.alias"},
	{SLIM_LOCALES, KEEP, "usr/share/locale/C*"},
	{SLIM_LOCALES, KEEP, "usr/share/locale/POSIX"},
	{SLIM_LOCALES, KEEP, "usr/share/locale/en"},
	{SLIM_LOCALES, KEEP, "usr/share/locale/en[_.@]*"},
	{SLIM_LOCALES, DROP_FOLDERS, "usr/share/locale/*"},
	{SLIM_LOCALES, DROP_UNCOMPILED, "usr/share/i18n/locales/*"},
	{SLIM_LOCALES, DROP_UNCOMPILED, "usr/share/i18n/charmaps/*"},

	/* Answers that somebody gave, which nothing can make again. */
	{SLIM_CACHES, KEEP, "var/cache/debconf/*.dat"},
	{SLIM_CACHES, DROP, "var/cache/*"},
	{SLIM_CACHES, DROP, "var/lib/apt/lists/*"},
	{SLIM_CACHES, DROP_FOLDERS, "tmp/*"},
	{SLIM_CACHES, DROP_FOLDERS, "var/tmp/*"},
	{SLIM_CACHES, DROP_FOLDERS, "root/.cache/*"},
	{SLIM_CACHES, EMPTY, "var/log/*.log"},
	{SLIM_CACHES, EMPTY, "var/log/*/*.log"},
};

struct slim_linked {
	dev_t dev;
	ino_t ino;
	uint64_t size;
	enum slim_group group;
};

static bool rule_matches(const struct rule *r, const char *name, const struct stat *st)
{
	if (r->action == KEEP_LINK)
		return S_ISLNK(st->st_mode) && fnmatch(r->pattern, name, FNM_PATHNAME | FNM_NOESCAPE) == 0;
	return fnmatch(r->pattern, name, FNM_PATHNAME | FNM_NOESCAPE | FNM_LEADING_DIR) == 0;
}

static const struct rule *find_rule(const struct slim *s, const char *name, const struct stat *st)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if ((s->groups & 1u << rules[i].group) && rule_matches(&rules[i], name, st))
			return &rules[i];
	return NULL;
}

static enum tree_verdict decide(const struct slim *s, const struct rule *r, const struct stat *st)
{
	switch (r ? r->action : KEEP) {
	case KEEP:
	case KEEP_LINK:
		return TREE_TAKE;
	case DROP:
		return S_ISDIR(st->st_mode) ? TREE_TAKE : TREE_LEAVE_OUT;
	case DROP_FOLDERS:
		return TREE_LEAVE_OUT;
	case DROP_UNCOMPILED:
		return s->compiles_locales ? TREE_TAKE : TREE_LEAVE_OUT;
	case EMPTY:
		return S_ISREG(st->st_mode) && st->st_size && st->st_nlink == 1 ? TREE_EMPTY : TREE_TAKE;
	}
	return TREE_TAKE;
}

static void count_kept(struct slim *s, const struct stat *st)
{
	if (S_ISREG(st->st_mode) && (st->st_nlink == 1 || !links_find(&s->kept, st, "")))
		s->totals.kept_bytes += (uint64_t)st->st_size;
}

static void count_gone(struct slim *s, enum slim_group group, const struct stat *st)
{
	s->totals.gone[group].files++;
	if (!S_ISREG(st->st_mode))
		return;
	if (st->st_nlink == 1) {
		s->totals.gone[group].bytes += (uint64_t)st->st_size;
		return;
	}
	if (!s->arena)
		s->arena = arena_new();
	*arena_push(s->arena, &s->linked, &s->n_linked) = (struct slim_linked){
		.dev = st->st_dev, .ino = st->st_ino, .size = (uint64_t)st->st_size, .group = group};
}

enum tree_verdict slim_judge(void *data, const char *name, const struct stat *st)
{
	struct slim *s = data;
	const struct rule *r = find_rule(s, name, st);
	enum tree_verdict verdict = decide(s, r, st);

	if (S_ISDIR(st->st_mode))
		return verdict;
	if (verdict == TREE_TAKE)
		count_kept(s, st);
	else
		count_gone(s, r->group, st);
	return verdict == TREE_TAKE && s->counts_only && S_ISREG(st->st_mode) ? TREE_EMPTY : verdict;
}

void slim_end(struct slim *s, struct slim_totals *ret)
{
	for (size_t i = 0; i < s->n_linked; i++) {
		const struct slim_linked *l = &s->linked[i];

		/* Found: it is still there, or was counted by another of its names. */
		if (!links_find(&s->kept, &(struct stat){.st_dev = l->dev, .st_ino = l->ino}, ""))
			s->totals.gone[l->group].bytes += l->size;
	}
	*ret = s->totals;
}

void slim_done(struct slim *s)
{
	links_done(&s->kept);
	if (s->arena)
		arena_free(s->arena);
	*s = (struct slim){0};
}
