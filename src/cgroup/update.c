/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * New limits for a container that runs.  The kernel refuses some orders (memory above memory + swap, a quota above the
 * old period's share), and which one depends on the values in force; so what is refused is tried again after the others,
 * as long as that gets further.  When an end is reached with something refused, what was written is taken back.
 */
#include "base/fd.h"
#include "base/text.h"
#include "cgroup/limits.h"

#include <inttypes.h>
#include <stdio.h>

enum { VALUE_MAX = 64 * 1024, MOVE_ROUNDS = 64 };

/* ---- groups --------------------------------------------------------------------------------------------------------- */

static bool has_dir(const struct cgroup *c, const char *path)
{
	for (size_t i = 0; i < c->n; i++)
		if (text_is(c->dirs[i], path))
			return true;
	return false;
}

int cgroup_update_groups(struct arena *a, const struct cgroup_layout *l, const struct cgroup *c, const struct spec_resources *r,
                         struct cgroup *ret, struct nook_error *e)
{
	struct cgroup_want want;
	struct cgroup all = {0};

	TRY(cgroup_want_more(a, l, r, c, &want, e));
	for (size_t i = 0; i < c->n; i++)
		*arena_push(a, &all.dirs, &all.n) = c->dirs[i];
	for (size_t i = 0; i < want.n_dirs; i++)
		if (!has_dir(c, want.dirs[i].path))
			*arena_push(a, &all.dirs, &all.n) = want.dirs[i].path;
	*ret = all;
	return 0;
}

static bool has_pid(const pid_t *pids, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* Moves the container's processes into a group that it did not have; those forked meanwhile come with the next round. */
static int move_members(struct arena *a, const struct cgroup *c, int dir, const char *path, struct nook_error *e)
{
	const struct cgroup group = {.dirs = &path, .n = 1};

	for (int round = 0; round < MOVE_ROUNDS; round++) {
		pid_t *members = NULL, *moved = NULL;
		int n = TRY(cgroup_pids(a, c, &members, e)), n_moved = TRY(cgroup_pids(a, &group, &moved, e)), r = 0;
		size_t missing = 0;

		for (int i = 0; r >= 0 && i < n; i++) {
			char text[16];

			if (has_pid(moved, (size_t)n_moved, members[i]))
				continue;
			(void)snprintf(text, sizeof(text), "%d", (int)members[i]);
			r = file_write(dir, "cgroup.procs", text, STEP_CGROUP, NULL);
			missing++;
			if (r == -ESRCH)
				r = 0;
		}
		if (r < 0)
			return err_num(e, STEP_CGROUP, path, r);
		if (!missing)
			return 0;
	}
	return err_why(e, STEP_CGROUP, path, EBUSY, "the container forks faster than its processes can be moved");
}

/* ---- writes --------------------------------------------------------------------------------------------------------- */

struct change {
	const struct cgroup_write *w;
	const char *old; /* what the file held, when it can be written back */
	bool done;
};

/* Files with one value give it back; lists by device and v1's device rules do not. */
static const char *old_value(struct arena *a, int dir, const char *file)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	if (strchr(file, '|') || file_read(dir, file, VALUE_MAX, &text, NULL) < 0 || !text.len)
		return NULL;
	text.data[text.len - 1] = 0;
	return strchr(text.data, '\n') ? NULL : arena_strdup(a, text.data);
}

static void take_back(const struct change *changes, size_t n, const int *dirs)
{
	for (size_t i = n; i > 0; i--)
		if (changes[i - 1].done && changes[i - 1].old)
			(void)cgroup_limit(dirs[changes[i - 1].w->dir], changes[i - 1].w->file, changes[i - 1].old, true, NULL);
}

static int write_all(struct arena *a, const struct cgroup_want *want, const int *dirs, struct nook_error *e)
{
	struct change *changes = arena_new_n(a, struct change, want->n_writes + 1);
	size_t left = want->n_writes, before = left + 1;
	int r = 0;

	for (size_t i = 0; i < want->n_writes; i++)
		changes[i] = (struct change){&want->writes[i], old_value(a, dirs[want->writes[i].dir], want->writes[i].file), false};
	while (left && left < before) {
		before = left;
		r = 0;
		for (size_t i = 0; i < want->n_writes; i++) {
			const struct cgroup_write *w = changes[i].w;
			int one = changes[i].done ? 0 : cgroup_limit(dirs[w->dir], w->file, w->value, w->optional, r ? NULL : e);

			left -= !changes[i].done && one >= 0;
			changes[i].done |= one >= 0;
			r = r < 0 ? r : one < 0 ? one : 0;
		}
	}
	if (left)
		take_back(changes, want->n_writes, dirs);
	return left ? r : 0;
}

static int check_usage(struct arena *a, const struct cgroup *c, const struct spec_resources *r, struct nook_error *e)
{
	struct cgroup_stats s;

	if (!r->memory_check_before_update || !r->memory_limit.set || r->memory_limit.value <= 0)
		return 0;
	TRY(cgroup_stats(a, c, &s, e));
	if (!s.memory.set || s.memory.value <= (uint64_t)r->memory_limit.value)
		return 0;
	return err_fmt(e, STEP_LIMIT, "memory.limit", EBUSY, "%" PRIu64 " bytes are in use, more than the new limit of %" PRId64,
	               s.memory.value, r->memory_limit.value);
}

static int apply(struct arena *a, const struct cgroup *c, const struct cgroup_want *want, int *dirs, struct nook_error *e)
{
	for (size_t i = 0; i < want->n_dirs; i++) {
		const struct cgroup_dir *d = &want->dirs[i];

		dirs[i] = TRY(cgroup_dir_ensure(d->path, d->mount, d->prepare, e));
		TRY(move_members(a, c, dirs[i], d->path, e));
	}
	TRY(write_all(a, want, dirs, e));
	for (size_t i = 0; i < want->n_bpf; i++) {
		const struct cgroup_bpf *b = &want->bpf[i];

		TRY(cgroup_bpf_attach(dirs[b->dir], b->prog_type, b->attach_type, b->insns, b->n_insns, CGROUP_BPF_REPLACE, e));
	}
	return 0;
}

/* No limit of memory means none of memory and swap either, which could not be the smaller one; not every kernel counts it. */
static void lift_swap(struct cgroup_want *want)
{
	for (size_t i = 0; i < want->n_writes; i++)
		if (strstr(want->writes[i].file, "memory.memsw.") || strstr(want->writes[i].file, "memory.swap."))
			want->writes[i].optional = true;
}

int cgroup_update(struct arena *a, const struct cgroup_layout *l, const struct cgroup *c, const struct spec_resources *r,
                  struct nook_error *e)
{
	bool lifts = r->memory_limit.set && r->memory_limit.value < 0 && !r->memory_swap.set;
	struct spec_resources wanted = *r;
	struct cgroup_want want;
	int *dirs, result;

	TRY(check_usage(a, c, r, e));
	if (lifts)
		wanted.memory_swap = r->memory_limit;
	TRY(cgroup_want_more(a, l, &wanted, c, &want, e));
	if (lifts)
		lift_swap(&want);
	dirs = arena_new_n(a, int, want.n_dirs + 1);
	for (size_t i = 0; i < want.n_dirs; i++)
		dirs[i] = -EBADF;
	result = apply(a, c, &want, dirs, e);
	for (size_t i = 0; i < want.n_dirs; i++)
		close_fd(&dirs[i]);
	return result;
}
