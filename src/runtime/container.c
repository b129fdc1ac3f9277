/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/container.h"

#include "base/fd.h"
#include "base/names.h"
#include "base/text.h"
#include "cgroup/cgroup.h"
#include "runtime/store.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>

const char *container_annotation(const struct container *c, const char *key)
{
	for (size_t i = 0; i < c->n_annotations; i++)
		if (text_is(c->annotations[i].key, key))
			return c->annotations[i].value;
	return NULL;
}

/* ---- ids --------------------------------------------------------------------------------------------------------- */

static bool is_id_char(char c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+')
		return true;
	return !first && (c == '.' || c == '-');
}

int container_id_check(const char *id, struct nook_error *e)
{
	size_t len = strnlen(id, CONTAINER_ID_MAX + 1);

	if (len == 0)
		return err_why(e, STEP_CONTAINER, id, EINVAL, "an id or name cannot be empty");
	if (len > CONTAINER_ID_MAX)
		return err_fmt(e, STEP_CONTAINER, id, EINVAL, "an id or name has at most %d bytes", CONTAINER_ID_MAX);
	for (size_t i = 0; i < len; i++)
		if (!is_id_char(id[i], i == 0))
			return err_why(e, STEP_CONTAINER, id, EINVAL,
			               "an id or name begins with a letter, a digit, _ or + and goes on with these, . or -");
	return 0;
}

int container_id_new(struct arena *a, const char **ret, struct nook_error *e)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[6];
	char id[2 * sizeof(bytes)];

	/* Up to 256 bytes come whole once the pool is ready; before that (early boot) the call waits. */
	while (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		if (errno != EINTR)
			return err_sys(e, STEP_CONTAINER, "random id");
	for (size_t i = 0; i < sizeof(bytes); i++) {
		id[2 * i] = digits[bytes[i] >> 4];
		id[2 * i + 1] = digits[bytes[i] & 15];
	}
	*ret = arena_strndup(a, id, sizeof(id));
	return 0;
}

const char *container_cgroup_path(const struct store_run *r, const char *id, struct arena *a)
{
	return arena_printf(a, "nook-%s", store_tagged_id(r, id, a));
}

/* ---- making and saving --------------------------------------------------------------------------------------------- */

int container_save(int dir, const struct container *c, struct nook_error *e)
{
	return state_save(dir, c, FILE_LOCKED, e);
}

/* Makes the locked directory with the intent in it. */
static int intent_write(struct store_run *r, const struct container *c, struct nook_error *e)
{
	for (;;) {
		auto_close int dir = store_entry_make(r, c->id, e);
		int n;

		if (dir < 0)
			return dir;
		n = state_save(dir, c, FILE_NEW, e);
		if (n == 0)
			return take_fd(&dir);
		/* ENOENT: a repair removed the empty directory before it was locked. */
		if (n != -ENOENT) {
			(void)store_entry_remove(r, c->id, dir, NULL);
			return n;
		}
	}
}

int container_create(struct store_run *r, const struct container *c, struct nook_error *e)
{
	bool has_name = c->name && c->name[0];

	TRY(container_id_check(c->id, e));
	if (has_name)
		TRY(container_id_check(c->name, e));
	auto_close int dir = TRY(intent_write(r, c, e));

	if (has_name) {
		int n = store_name_take(r, c->name, c->id, e);

		if (n < 0) {
			(void)store_entry_remove(r, c->id, dir, NULL);
			return n;
		}
	}
	return take_fd(&dir);
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

/* Is RUN/containers/ID there, although it has no state? */
static bool is_entry(const struct store_run *r, const char *id)
{
	char path[STORE_PATH_MAX];
	struct stat st;

	(void)snprintf(path, sizeof(path), STORE_CONTAINERS "/%s", id);
	return fstatat(r->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* state_load() or state_load_own(). */
typedef int load_fn(int dir, const char *name, const char *id, struct arena *a, struct container *ret);

/* -ENOENT: no such directory, or it vanished.  One without a state is being made or removed, or was left half-way. */
static int entry_load_by(load_fn *load, const struct store_run *r, const char *id, struct arena *a, struct container *ret)
{
	char path[STORE_PATH_MAX];

	(void)snprintf(path, sizeof(path), STORE_CONTAINERS "/%s/" STORE_STATE, id);
	bool has_state = load(r->fd, path, id, a, ret) == 0;

	if (has_state && !ret->damage[0])
		return 0;
	if (!is_entry(r, id))
		return -ENOENT;
	if (has_state)
		return 0;
	*ret = (struct container){
		.id = arena_strdup(a, id), .name = "", .source = "", .bundle = "", .command = "", .oci_version = "", .rootfs = "",
		.creating = true, .exit_status = -1, .damage = "it has no state yet, or none any more",
	};
	return 0;
}

static int entry_load(const struct store_run *r, const char *id, struct arena *a, struct container *ret)
{
	return entry_load_by(state_load, r, id, a, ret);
}

/* The one id that begins with PREFIX. */
static int prefix_find(struct store_run *r, const char *prefix, struct arena *a, const char **ret, struct nook_error *e)
{
	const char **names, *found = NULL;
	size_t n;

	TRY(names_read(r->fd, STORE_CONTAINERS, a, &names, &n, e));
	for (size_t i = 0; i < n; i++) {
		if (!text_after(names[i], prefix) || container_id_check(names[i], NULL) < 0 || !is_entry(r, names[i]))
			continue;
		if (found)
			return err_fmt(e, STEP_CONTAINER, prefix, EINVAL, "more than one id begins like this: %s, %s", found, names[i]);
		found = names[i];
	}
	if (!found)
		return err_why(e, STEP_CONTAINER, prefix, ENOENT, "no such container");
	*ret = found;
	return 0;
}

int container_load(struct store_run *r, const char *id_or_name, struct arena *a, struct container *ret, struct nook_error *e)
{
	char owner[CONTAINER_ID_MAX + 1];
	const char *id = NULL;

	if (container_id_check(id_or_name, NULL) < 0)
		return err_why(e, STEP_CONTAINER, id_or_name, ENOENT, "no such container");
	if (entry_load(r, id_or_name, a, ret) == 0)
		return 0;
	if (store_name_find(r, id_or_name, owner) == 0 && entry_load(r, owner, a, ret) == 0)
		return 0;
	TRY(prefix_find(r, id_or_name, a, &id, e));
	if (entry_load(r, id, a, ret) < 0)
		return err_why(e, STEP_CONTAINER, id_or_name, ENOENT, "no such container");
	return 0;
}

static int by_age(const void *a, const void *b)
{
	const struct container *x = a, *y = b;

	if (x->created_ns != y->created_ns)
		return x->created_ns < y->created_ns ? -1 : 1;
	return strcmp(x->id, y->id);
}

/* A tmpfs does not outlive the machine's start. */
static bool is_of_this_boot(const struct store_run *r)
{
	struct statfs fs;

	return fstatfs(r->fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static int list_by(load_fn *load, struct store_run *r, struct arena *a, struct container **ret, size_t *ret_n, struct nook_error *e)
{
	struct container *list;
	size_t n = 0, n_names;
	const char **names;

	TRY(names_read(r->fd, STORE_CONTAINERS, a, &names, &n_names, e));
	list = arena_new_n(a, struct container, n_names);
	for (size_t i = 0; i < n_names; i++)
		if (container_id_check(names[i], NULL) == 0 && entry_load_by(load, r, names[i], a, &list[n]) == 0)
			n++;
	if (n)
		qsort(list, n, sizeof(*list), by_age);
	*ret = list;
	*ret_n = n;
	return 0;
}

void container_note_boot(const struct store_run *r, struct container *c)
{
	c->this_boot = c->pid_inode && is_of_this_boot(r);
}

int container_list(struct store_run *r, struct arena *a, struct container **ret, size_t *ret_n, struct nook_error *e)
{
	return list_by(state_load, r, a, ret, ret_n, e);
}

int container_survey(struct store_run *r, struct arena *a, struct container **ret, size_t *ret_n, struct nook_error *e)
{
	bool this_boot = is_of_this_boot(r);

	TRY(list_by(state_load_own, r, a, ret, ret_n, e));
	for (size_t i = 0; i < *ret_n; i++)
		(*ret)[i].this_boot = this_boot;
	return 0;
}

/* ---- groups that come later ------------------------------------------------------------------------------------------ */

static bool has_group(const struct container *c, const char *group)
{
	for (size_t i = 0; i < c->n_cgroups; i++)
		if (strcmp(c->cgroups[i], group) == 0)
			return true;
	return false;
}

int container_add_cgroups(struct store_run *r, struct container *c, const struct cgroup *all, struct arena *a, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	auto_close int dir = -EBADF;
	size_t added = 0;

	for (size_t i = 0; i < all->n; i++)
		added += !has_group(c, all->dirs[i]);
	if (!added)
		return 0;
	dir = TRY(container_lock(r, c->id, e));
	/* Another command may have added some since C was loaded. */
	struct container noted = {0};

	state_add_groups(dir, STORE_GROUPS, a, &noted);
	for (size_t i = 0; i < noted.n_cgroups; i++)
		buf_addf(&text, "%s\n", noted.cgroups[i]);
	for (size_t i = 0; i < all->n; i++)
		if (!has_group(c, all->dirs[i]) && !has_group(&noted, all->dirs[i]))
			buf_addf(&text, "%s\n", all->dirs[i]);
	return file_replace(dir, STORE_GROUPS, buf_text(&text), text.len, 0600, FILE_NO_SYNC, e);
}
