/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control groups of a box, which has no state directory: its plan names them. */
#include "box/watch.h"

#include "base/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { TRIES = 3, OLD_SECONDS = 60 };

static void groups_of(const struct plan *p, struct arena *a, struct cgroup *ret)
{
	for (uint32_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].kind == DO_CGROUP_DIR)
			*arena_push(a, &ret->dirs, &ret->n) = plan_str(p, p->steps[i].cgroup.dir);
}

/* Groups that a nook left which was killed: nobody has been in them since.  One that a box has just made and not yet entered
 * is younger than that; one that is in use cannot be removed. */
static void sweep_beside(const char *dir)
{
	AUTO(arena_free) struct arena *a = arena_new();
	const char *slash = strrchr(dir, '/');
	int fd = slash && slash > dir ? open(arena_strndup(a, dir, (size_t)(slash - dir)), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat st;

	if (!stream) {
		close_fd(&fd);
		return;
	}
	while ((entry = readdir(stream)))
		if (text_after(entry->d_name, BOX_GROUP_PREFIX) && fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			st.st_uid == geteuid() && time(NULL) - st.st_ctime > OLD_SECONDS)
			(void)unlinkat(fd, entry->d_name, AT_REMOVEDIR);
	(void)closedir(stream);
}

void box_remove_groups(const struct plan *p)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct cgroup groups = {0};

	groups_of(p, a, &groups);
	if (!groups.n)
		return;
	for (int i = 0; i < TRIES && cgroup_remove(&groups, NULL) < 0; i++)
		;
	for (size_t i = 0; i < groups.n; i++)
		sweep_beside(groups.dirs[i]);
}

void box_groups_stats(const struct plan *p, struct nook_result *r)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct cgroup groups = {0};
	struct cgroup_stats s = {0};

	groups_of(p, a, &groups);
	if (!groups.n || cgroup_stats(a, &groups, &s, NULL) < 0)
		return;
	if (s.memory_peak.set) {
		r->have |= NOOK_HAS_PEAK_MEMORY;
		r->peak_memory = s.memory_peak.value;
	}
	if (s.io_read_bytes.set && s.io_write_bytes.set) {
		r->have |= NOOK_HAS_IO;
		r->read_bytes = s.io_read_bytes.value;
		r->written_bytes = s.io_write_bytes.value;
	}
	if (s.pids_peak.set && s.pids_peak.value && !(r->have & NOOK_HAS_PIDS)) {
		r->have |= NOOK_HAS_PIDS;
		r->pids = s.pids_peak.value - 1; /* pid 1 is nook's */
	}
	if (s.oom_kills.set && s.oom_kills.value && !r->limit)
		r->limit = NOOK_LIMIT_MEMORY;
}
