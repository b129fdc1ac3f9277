/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/needs.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/text.h"
#include "box/notes.h"
#include "box/secrets.h"
#include "box/view.h"
#include "sys/elf.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Trees that are one need as a whole. */
static const char *const whole_trees[] = {"/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/local/lib", "/lib", "/lib32", "/lib64",
	"/libx32", "/usr/include", "/usr/local/include", "/etc/alternatives"};
/* Trees whose directories are one need each. */
static const char *const each_below[] = {"/usr/share", "/usr/local/share", "/opt", "/nix/store", "/gnu/store"};
/* What every box has of its own, and the wide one too. */
static const char *const own[] = {"/proc", "/dev", "/sys", "/run"};

enum { LINKS_MAX = 40, RULES_MOST = 100, MANY_FIRST = 8, PROGRAMS_MORE = 4, INTERPRETERS_MAX = 4 };

static bool is_in_any(const char *path, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n && list[i]; i++)
		if (path_below(path, list[i]))
			return true;
	return false;
}

static void add_text(struct needs *all, const char ***list, size_t *n, const char *text)
{
	for (size_t i = 0; i < *n; i++)
		if (text_is((*list)[i], text))
			return;
	*arena_push(all->arena, list, n) = text;
}

static const char *parent_of(struct needs *all, const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == path ? "/" : arena_strndup(all->arena, path, (size_t)(slash - path));
}

/* ---- notes ----------------------------------------------------------------------------------------------------------- */

static void read_notes(struct needs *all)
{
	const char *proxy = arena_printf(all->arena, "127.0.0.1:%u", all->learned->proxy_port);
	char *text = arena_strdup(all->arena, all->learned->notes), *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *end = line;
		const char *value = strlen(line) > 2 ? line + 2 : "";

		if (line[0] == 'p') {
			unsigned long what = strtoul(value, &end, 16);

			if (*end == ' ' && end[1] == '/')
				*arena_push(all->arena, &all->touched, &all->n_touched) = (struct touched){.path = end + 1, .what = (unsigned)what};
		} else if (line[0] == 'c') {
			if (!text_is(value, proxy))
				add_text(all, &all->addresses, &all->n_addresses, value);
		} else if (line[0] == 'b') {
			add_text(all, &all->bound, &all->n_bound, value);
		} else if (line[0] == 's') {
			add_text(all, &all->calls, &all->n_calls, value);
		}
		all->datagrams = all->datagrams || line[0] == 'd';
	}
}

/* Of texts, and of what begins with one. */
static int by_path(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const struct touched *touched_find(const struct needs *all, const char *path)
{
	return all->n_touched ? bsearch(&path, all->touched, all->n_touched, sizeof(*all->touched), by_path) : NULL;
}

/* ---- needs ----------------------------------------------------------------------------------------------------------- */

/* The place of a secret that PATH is or is in, or NULL. */
static const char *secret_of(struct needs *all, const char *path)
{
	const char *home = all->learned->home;

	for (const char *const *s = secrets_system; *s; s++)
		if (path_below(path, *s))
			return *s;
	for (const char *const *s = secrets_home; home && home[0] == '/' && *s; s++) {
		const char *place = arena_printf(all->arena, "%s/%s", home, *s);

		if (path_below(path, place))
			return place;
	}
	return NULL;
}

static bool is_home(const struct needs *all, const char *path)
{
	return (all->learned->home && text_is(path, all->learned->home)) || text_is(path, all->learned->box_home);
}

/* What nobody gets as a whole without a word of the user. */
static bool is_too_wide(const struct needs *all, const char *path)
{
	/* To start it there was such a word. */
	if (all->learned->start && text_is(path, all->learned->start) && !is_home(all, path) && !text_is(path, "/"))
		return false;
	return is_home(all, path) || !strchr(path + 1, '/') || path_below(all->learned->home ? all->learned->home : "/", path) ||
	       text_is(path, "/var/lib") || text_is(path, "/usr/local");
}

/* "/usr/lib/x/y" is "/usr/lib"; "/usr/share/zoneinfo/UTC" is "/usr/share/zoneinfo". */
static const char *tree_of(struct needs *all, const char *path)
{
	for (size_t i = 0; i < sizeof(whole_trees) / sizeof(whole_trees[0]); i++)
		if (path_below(path, whole_trees[i]))
			return whole_trees[i];
	for (size_t i = 0; i < sizeof(each_below) / sizeof(each_below[0]); i++) {
		size_t n = strlen(each_below[i]);

		if (path_below(path, each_below[i]) && path[n] == '/')
			return arena_strndup(all->arena, path, n + 1 + strcspn(path + n + 1, "/"));
	}
	return path;
}

static void need_add(struct needs *all, const char *path, enum need_kind kind)
{
	if (kind == NEED_READ)
		path = tree_of(all, path);
	*arena_push(all->arena, &all->list, &all->n) = (struct need){.path = path, .kind = kind, .wanted = true};
}

/* Where the link at the first LEN bytes of PATH leads, with what follows it; NULL: it is none. */
static const char *follow(struct needs *all, const char *path, size_t len)
{
	const char *link = arena_strndup(all->arena, path, len), *slash = strrchr(link, '/');
	char target[PATH_MAX];
	ssize_t n = readlink(link, target, sizeof(target) - 1);
	char *whole;

	if (n <= 0)
		return NULL;
	target[n] = 0;
	whole = target[0] == '/' ? arena_printf(all->arena, "%s%s", target, path + len)
	                         : arena_printf(all->arena, "%.*s/%s%s", (int)(slash - link), link, target, path + len);
	path_clean(whole);
	return text_is(whole, "/") ? NULL : whole;
}

/* Every place that is passed on the way: where a directory is shown, the links in it have to lead somewhere. */
static void need_with_links(struct needs *all, const char *path, enum need_kind kind)
{
	need_add(all, path, kind);
	for (int links = 0; links < LINKS_MAX; links++) {
		const char *next = NULL;

		for (size_t i = 1; path[i - 1] && !next; i++)
			if (path[i] == '/' || !path[i])
				next = follow(all, path, i);
		if (!next || is_in_any(next, own, sizeof(own) / sizeof(own[0])))
			return;
		path = next;
		need_add(all, path, kind);
	}
}

/* The kernel opens the loader or interpreter of a program by itself. */
static void need_program(struct needs *all, const char *path, int depth)
{
	auto_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct elf_info info;
	char *interpreter;

	need_with_links(all, path, NEED_READ);
	if (fd < 0 || depth == INTERPRETERS_MAX)
		return;
	elf_inspect(fd, &info);
	interpreter = arena_strdup(all->arena, info.interpreter);
	interpreter[strcspn(interpreter, " \t")] = 0;
	if (interpreter[0] == '/' && access(interpreter, F_OK) == 0)
		need_program(all, interpreter, depth + 1);
}

/* The nearest directory above that was not of the command's own making. */
static const char *standing_parent(struct needs *all, const char *path)
{
	const char *dir = parent_of(all, path);

	for (;;) {
		const struct touched *i = touched_find(all, dir);

		if (text_is(dir, "/") || (access(dir, F_OK) == 0 && !(i && i->what & NOTE_MAKE && !(i->what & NOTE_EXISTED))))
			return dir;
		dir = parent_of(all, dir);
	}
}

static bool is_system(const char *path)
{
	return is_in_any(path, box_view_dirs, SIZE_MAX);
}

static void add_comment(struct needs *all, const char *path, const char *why)
{
	add_text(all, &all->comments, &all->n_comments, arena_printf(all->arena, "%s %s", path, why));
}

/* Something is made, removed or renamed in a directory. */
static void need_change(struct needs *all, const struct touched *i)
{
	const char *dir = standing_parent(all, i->path);
	bool stays = access(i->path, F_OK) == 0;

	if (is_system(dir) || access(dir, W_OK) < 0)
		return; /* it failed, and will again */
	if (text_is(dir, "/tmp") || text_is(dir, "/var/tmp") || is_home(all, dir)) {
		if (stays)
			add_comment(all, i->path, "was left behind; the box has such a directory of its own, which ends with it");
		return;
	}
	if (is_too_wide(all, dir)) {
		add_comment(all, i->path, "was written; its directory is too wide to be opened without a word of yours");
		return;
	}
	need_add(all, dir, NEED_WRITE);
}

static void need_directory(struct needs *all, const struct touched *i)
{
	if (is_too_wide(all, i->path)) {
		if (i->what & NOTE_LIST && !is_system(i->path))
			add_comment(all, i->path, "was listed; the box shows only what other rules bring there");
		return;
	}
	need_with_links(all, i->path, NEED_READ);
}

static void judge(struct needs *all, const struct touched *i)
{
	const char *secret = secret_of(all, i->path);
	bool existed = i->what & NOTE_EXISTED;

	all->var_tmp = all->var_tmp || path_below(i->path, "/var/tmp");
	if (is_in_any(i->path, own, sizeof(own) / sizeof(own[0])) && !path_below(i->path, "/run/systemd/resolve")) {
		if (i->what & NOTE_SOCKET && existed)
			add_comment(all, i->path, "is a socket of a service, which was called");
		return;
	}
	if (secret) {
		if (i->what & ~(unsigned)(NOTE_EXISTED | NOTE_DIR | NOTE_STAT) && access(secret, F_OK) == 0)
			add_text(all, &all->secrets, &all->n_secrets, secret);
		return;
	}
	if (i->what & NOTE_SOCKET) {
		if (existed)
			add_comment(all, i->path, "is a socket of a service, which was called");
		return;
	}
	if (i->what & NOTE_MAKE || (i->what & NOTE_WRITE && !existed))
		need_change(all, i);
	if (!existed || access(i->path, F_OK) < 0)
		return;
	if (i->what & NOTE_WRITE && !is_system(i->path) && access(i->path, W_OK) == 0 && !is_too_wide(all, i->path))
		need_add(all, i->path, NEED_WRITE);
	else if (i->what & NOTE_DIR && i->what & (NOTE_LIST | NOTE_ENTER))
		need_directory(all, i);
	else if (i->what & NOTE_EXEC)
		need_program(all, i->path, 0);
	else if (!(i->what & NOTE_DIR))
		need_with_links(all, i->path, NEED_READ);
}

/* ---- bringing together ------------------------------------------------------------------------------------------------ */

/* Writable beats readable. */
static int by_place(const void *a, const void *b)
{
	const struct need *x = a, *y = b;
	int r = strcmp(x->path, y->path);

	return r ? r : (int)y->kind - (int)x->kind;
}

/* Is a directory above PATH shown with at least the rights of KIND? */
static bool is_covered(struct needs *all, const char *path, enum need_kind kind)
{
	while (!text_is(path, "/")) {
		const struct need *over;

		path = parent_of(all, path);
		over = bsearch(&path, all->list, all->n, sizeof(*over), by_path);
		if (over && over->wanted && over->kind >= kind)
			return true;
	}
	return false;
}

static void drop_covered(struct needs *all)
{
	size_t n = 0;

	if (!all->n)
		return;
	qsort(all->list, all->n, sizeof(*all->list), by_place);
	for (size_t i = 0; i < all->n; i++)
		if (all->list[i].wanted && (!n || !text_is(all->list[n - 1].path, all->list[i].path)))
			all->list[n++] = all->list[i];
	all->n = n;
	/* From the deepest up, so that what covers is still there when it is asked. */
	for (size_t i = n; i > 0; i--)
		all->list[i - 1].wanted = !is_covered(all, all->list[i - 1].path, all->list[i - 1].kind);
}

static size_t wanted(const struct needs *all)
{
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		n += all->list[i].wanted;
	return n;
}

/* A directory that holds a secret of the system is never shown as a whole. */
static bool holds_system_secret(const char *dir)
{
	for (const char *const *s = secrets_system; *s; s++)
		if (path_below(*s, dir))
			return true;
	return false;
}

static bool is_programs(const char *dir)
{
	static const char *const dirs[] = {"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (text_is(dir, dirs[i]))
			return true;
	return false;
}

/* MANY things of one directory that are read become that directory. */
static void gather(struct needs *all, size_t many)
{
	const char **dirs = NULL;
	size_t n = 0, run = 0;

	for (size_t i = 0; i < all->n; i++)
		if (all->list[i].wanted && all->list[i].kind == NEED_READ)
			*arena_push(all->arena, &dirs, &n) = parent_of(all, all->list[i].path);
	if (n)
		qsort(dirs, n, sizeof(*dirs), by_path);
	for (size_t i = 0; i < n; i++) {
		run = i && text_is(dirs[i], dirs[i - 1]) ? run + 1 : 1;
		if (run != (is_programs(dirs[i]) ? many * PROGRAMS_MORE : many))
			continue;
		if ((!is_too_wide(all, dirs[i]) || is_programs(dirs[i])) && !holds_system_secret(dirs[i]))
			need_add(all, dirs[i], NEED_READ);
	}
	drop_covered(all);
}

static void bring_together(struct needs *all)
{
	drop_covered(all);
	gather(all, MANY_FIRST);
	for (size_t many = MANY_FIRST / 2; many > 0 && wanted(all) > RULES_MOST; many /= 2)
		gather(all, many);
}

void needs_of(const struct learned *l, struct arena *a, struct needs *ret)
{
	struct needs all = {.learned = l, .arena = a};

	read_notes(&all);
	if (all.n_touched)
		qsort(all.touched, all.n_touched, sizeof(*all.touched), by_path);
	for (size_t i = 0; i < all.n_touched; i++)
		judge(&all, &all.touched[i]);
	if (l->program)
		need_program(&all, l->program, 0);
	bring_together(&all);
	*ret = all;
}
