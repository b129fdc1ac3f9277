/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spec/spec.h"

#include "base/text.h"
#include "spec/mount_words.h"

#include <linux/sched.h>

const char *const ns_names[NS_COUNT] = {
	[NS_USER] = "user",
	[NS_MNT] = "mnt",
	[NS_PID] = "pid",
	[NS_NET] = "net",
	[NS_UTS] = "uts",
	[NS_IPC] = "ipc",
	[NS_CGROUP] = "cgroup",
	[NS_TIME] = "time",
};

const uint64_t ns_flags[NS_COUNT] = {
	[NS_USER] = CLONE_NEWUSER,
	[NS_MNT] = CLONE_NEWNS,
	[NS_PID] = CLONE_NEWPID,
	[NS_NET] = CLONE_NEWNET,
	[NS_UTS] = CLONE_NEWUTS,
	[NS_IPC] = CLONE_NEWIPC,
	[NS_CGROUP] = CLONE_NEWCGROUP,
	[NS_TIME] = CLONE_NEWTIME,
};

int ns_kind_find(const char *name)
{
	if (text_is(name, "mount"))
		return NS_MNT;
	if (text_is(name, "network"))
		return NS_NET;
	for (int i = 0; i < NS_COUNT; i++)
		if (text_is(name, ns_names[i]))
			return i;
	return -1;
}

struct spec *spec_new(void)
{
	struct arena *a = arena_new();
	struct spec *s = arena_new_of(a, struct spec);

	s->arena = a;
	return s;
}

void spec_free(struct spec *s)
{
	if (s)
		arena_free(s->arena);
}

const char *spec_annotation(const struct spec *s, const char *key)
{
	for (size_t i = 0; i < s->n_annotations; i++)
		if (text_is(s->annotations[i].key, key))
			return s->annotations[i].value;
	return NULL;
}

void spec_pair_set(struct arena *a, struct spec_pair **pairs, size_t *n, const char *key, const char *value)
{
	size_t at = 0;

	while (at < *n && strcmp((*pairs)[at].key, key) < 0)
		at++;
	if (at == *n || !text_is((*pairs)[at].key, key)) {
		(void)arena_push(a, pairs, n);
		memmove(&(*pairs)[at + 1], &(*pairs)[at], (*n - 1 - at) * sizeof(**pairs));
	}
	(*pairs)[at] = (struct spec_pair){key, value};
}

void spec_pair_text(struct arena *a, struct spec_pair **pairs, size_t *n, const char *text)
{
	const char *equals = strchr(text, '=');

	spec_pair_set(a, pairs, n, equals ? arena_strndup(a, text, (size_t)(equals - text)) : text, equals ? equals + 1 : "");
}

/* The options of a comma list, NULL-terminated.  A backslash keeps the next comma inside an option (overlay). */
static const char *const *split_options(struct arena *a, const char *options)
{
	const char **list = NULL, *start = options;
	size_t n = 0;

	if (!options || !*options)
		return NULL;
	for (const char *p = options;; p++) {
		if (*p == '\\' && p[1]) {
			p++;
			continue;
		}
		if (*p && *p != ',')
			continue;
		if (p > start)
			*arena_push(a, &list, &n) = arena_strndup(a, start, (size_t)(p - start));
		start = p + 1;
		if (!*p)
			break;
	}
	(void)arena_push(a, &list, &n);
	return list;
}

int spec_mount_add(struct spec *s, const char *target, const char *type, const char *source, const char *options,
	struct spec_mount **ret, struct nook_error *e)
{
	struct spec_mount m = {
		.target = target,
		.type = type,
		.source = source,
		.options = split_options(s->arena, options),
	};
	struct spec_mount *added;

	TRY(mount_words_parse(s->arena, &m, e));
	added = arena_push(s->arena, &s->mounts, &s->n_mounts);
	*added = m;
	if (ret)
		*ret = added;
	return 0;
}

bool spec_mount_find(const struct spec *s, const char *target)
{
	for (size_t i = 0; i < s->n_mounts; i++)
		if (text_is(s->mounts[i].target, target))
			return true;
	return false;
}

bool spec_has_own_ids(const struct spec *s, uint32_t uid)
{
	if (s->ns[NS_USER].mode != NS_PRIVATE)
		return false;
	/* Chosen later: a range of its own from root, from anybody else with that one's own id in it. */
	if (!s->n_uid_maps)
		return uid == 0;
	for (size_t i = 0; i < s->n_uid_maps; i++)
		if (uid >= s->uid_maps[i].outside && uid - s->uid_maps[i].outside < s->uid_maps[i].count)
			return false;
	return true;
}
