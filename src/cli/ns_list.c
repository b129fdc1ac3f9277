/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/ns_list.h"

#include "base/text.h"
#include "runtime/mounts.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 64 }; /* the kernel nests user namespaces 32 deep */

/* One reason for a namespace to be there: a process that is in it, or a mount. */
struct sighting {
	const struct ns_type *type;
	uint64_t inode;
	pid_t pid;       /* 0: a mount */
	const char *pin;
};

struct sightings {
	struct arena *arena;
	struct sighting *items;
	size_t n;
};

static int compare_keys(const struct ns_type *a_type, uint64_t a_inode, const struct ns_type *b_type, uint64_t b_inode)
{
	if (a_type != b_type)
		return a_type < b_type ? -1 : 1;
	return a_inode < b_inode ? -1 : a_inode > b_inode;
}

static int compare_sightings(const void *a, const void *b)
{
	const struct sighting *x = a, *y = b;
	int r = compare_keys(x->type, x->inode, y->type, y->inode);

	return r ? r : x->pid < y->pid ? -1 : x->pid > y->pid;
}

static int compare_entries(const void *a, const void *b)
{
	const struct ns_entry *x = a, *y = b;

	return compare_keys(x->type, x->inode, y->type, y->inode);
}

/* A process may end, or not let us look, at any time: then it is not there. */
static void see_process(struct sightings *s, int proc, pid_t pid)
{
	char dir_name[32], text[64];

	(void)snprintf(dir_name, sizeof(dir_name), "%d/ns", pid);
	auto_close int dir = openat(proc, dir_name, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return;
	for (size_t i = 0; i < NS_TYPES; i++) {
		struct sighting seen = {.pid = pid};
		ssize_t len = readlinkat(dir, ns_types[i].name, text, sizeof(text) - 1);

		if (len < 0)
			continue;
		text[len] = 0;
		if (ns_parse_link(text, &seen.type, &seen.inode) == 0)
			*arena_push(s->arena, &s->items, &s->n) = seen;
	}
}

static int see_processes(struct sightings *s, int proc, struct nook_error *e)
{
	int dir = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = dir < 0 ? NULL : fdopendir(dir);
	struct dirent *entry;

	if (!stream) {
		if (dir >= 0)
			(void)close(dir);
		return err_sys(e, STEP_PROC, "/proc");
	}
	while ((entry = readdir(stream))) {
		uint32_t pid = 0;

		if (text_u32(entry->d_name, &pid) == 0)
			see_process(s, proc, (pid_t)pid);
	}
	(void)closedir(stream);
	return 0;
}

static int see_mounts(struct sightings *s, int proc, struct nook_error *e)
{
	struct mount_entry *mounts = NULL;
	size_t n = 0;

	TRY(mounts_read(proc, "self/mountinfo", s->arena, &mounts, &n, e));
	for (size_t i = 0; i < n; i++) {
		struct sighting seen = {.pin = mounts[i].target};

		if (text_is(mounts[i].fstype, "nsfs") && ns_parse_link(mounts[i].root, &seen.type, &seen.inode) == 0)
			*arena_push(s->arena, &s->items, &s->n) = seen;
	}
	return 0;
}

/* Sightings of one namespace lie side by side, mounts before processes, which are in the order of their pids. */
static void count(const struct sightings *s, struct ns_list *l)
{
	struct ns_entry *entry = NULL;

	for (size_t i = 0; i < s->n; i++) {
		const struct sighting *seen = &s->items[i];

		if (!entry || compare_keys(entry->type, entry->inode, seen->type, seen->inode) != 0) {
			entry = arena_push(s->arena, &l->items, &l->n);
			entry->type = seen->type;
			entry->inode = seen->inode;
		}
		if (seen->pin) {
			*arena_push(s->arena, &entry->pins, &entry->n_pins) = seen->pin;
			continue;
		}
		if (!entry->members++)
			entry->pid = seen->pid;
	}
}

/* A descriptor of the namespace itself, or negative when its only member has just ended. */
static int entry_open(const struct ns_entry *entry, int proc)
{
	char name[48];

	if (!entry->pid)
		return entry->n_pins ? ns_open(AT_FDCWD, entry->pins[0], NULL) : -ENOENT;
	(void)snprintf(name, sizeof(name), "%d/ns/%s", entry->pid, entry->type->name);
	return ns_open(proc, name, NULL);
}

/* Asks the kernel who owns the namespace FD; returns a descriptor of that user namespace, or negative. */
static int find_owner(struct ns_entry *entry, int fd)
{
	int owner = ns_owner(fd);
	int maker = entry->type->flag == CLONE_NEWUSER ? fd : owner;
	struct stat st;

	if (maker >= 0 && ns_owner_uid(maker, &entry->owner_uid) == 0)
		entry->has_owner_uid = true;
	if (owner >= 0 && fstat(owner, &st) == 0) {
		entry->owned = true;
		entry->owner = st.st_ino;
	}
	return owner;
}

/* Owners that no process is in belong to the list too, and their owners. */
static void add_owners(struct arena *a, struct ns_list *l, int fd)
{
	for (int depth = 0; depth < DEPTH_MAX && fd >= 0; depth++) {
		auto_close int user = fd;
		struct ns_entry *entry;
		struct stat st;

		if (fstat(user, &st) < 0 || ns_list_find(l, ns_type_by_flag(CLONE_NEWUSER), st.st_ino))
			return;
		entry = arena_push(a, &l->items, &l->n);
		entry->type = ns_type_by_flag(CLONE_NEWUSER);
		entry->inode = st.st_ino;
		fd = find_owner(entry, user);
		qsort(l->items, l->n, sizeof(*l->items), compare_entries);
	}
}

struct ns_entry *ns_list_find(const struct ns_list *l, const struct ns_type *type, uint64_t inode)
{
	const struct ns_entry key = {.type = type, .inode = inode};

	return l->n ? bsearch(&key, l->items, l->n, sizeof(key), compare_entries) : NULL;
}

int ns_list_read(struct arena *a, int proc, struct ns_list *ret, struct nook_error *e)
{
	struct sightings s = {.arena = a};
	struct ns_list l = {0};
	struct ns_entry *known;
	size_t n_known;

	TRY(see_processes(&s, proc, e));
	TRY(see_mounts(&s, proc, e));
	if (s.n)
		qsort(s.items, s.n, sizeof(*s.items), compare_sightings);
	count(&s, &l);
	/* add_owners() moves the entries about, so what is iterated is a copy of what was there before. */
	n_known = l.n;
	known = arena_memdup(a, l.items, n_known * sizeof(*known));
	for (size_t i = 0; i < n_known; i++) {
		struct ns_entry *entry = ns_list_find(&l, known[i].type, known[i].inode);
		auto_close int fd = entry_open(entry, proc);

		if (fd >= 0)
			add_owners(a, &l, find_owner(entry, fd));
	}
	*ret = l;
	return 0;
}
