/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was touched becomes needs: a path, and whether it is read or written.  Needs are brought together (the libraries of a
 * machine are one need, many files of a directory become the directory), needs inside of others are left out, and what is
 * left are rules.  A box is bare but for them, so that it holds what the command uses and no more.
 */
#include "box/learned.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/text.h"
#include "box/box.h"
#include "box/filter.h"
#include "box/view.h"
#include "sys/elf.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *const learned_secrets[] = {
	".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".netrc", ".git-credentials", ".npmrc", ".pypirc", ".vault-token",
	".password-store", ".mozilla", ".thunderbird", ".pki", ".bash_history", ".zsh_history", ".python_history", ".config/gcloud",
	".config/gh", ".config/op", ".config/rclone", ".config/google-chrome", ".config/chromium", ".config/BraveSoftware",
	".local/share/keyrings", ".cargo/credentials", ".cargo/credentials.toml", ".terraform.d", ".config/containers/auth.json", NULL,
};

/* Trees that are one need as a whole. */
static const char *const whole_trees[] = {"/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/local/lib", "/lib", "/lib32", "/lib64",
	"/libx32", "/usr/include", "/usr/local/include", "/etc/alternatives"};
/* Trees whose directories are one need each. */
static const char *const each_below[] = {"/usr/share", "/usr/local/share", "/opt", "/nix/store", "/gnu/store"};
/* What every box has of its own, and the wide one too. */
static const char *const own[] = {"/proc", "/dev", "/sys", "/run"};

enum { LINKS_MAX = 40, RULES_MOST = 100, MANY_FIRST = 8, PROGRAMS_MORE = 4, INTERPRETERS_MAX = 4 };

enum need { NEED_READ, NEED_WRITE };

struct item {
	const char *path;
	unsigned what;
	enum need need;
	bool wanted;
};

struct making {
	const struct learned *learned;
	struct arena *arena;
	struct item *seen;
	size_t n_seen;
	struct item *needs;
	size_t n_needs;
	const char **secrets, **comments, **addresses, **bound, **calls;
	size_t n_secrets, n_comments, n_addresses, n_bound, n_calls;
	bool datagrams, var_tmp;
};

static bool is_in(const char *path, const char *tree)
{
	return path_below(path, tree);
}

static bool is_in_any(const char *path, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n && list[i]; i++)
		if (is_in(path, list[i]))
			return true;
	return false;
}

static void add_text(struct making *m, const char ***list, size_t *n, const char *text)
{
	for (size_t i = 0; i < *n; i++)
		if (text_is((*list)[i], text))
			return;
	*arena_push(m->arena, list, n) = text;
}

static const char *parent_of(struct making *m, const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == path ? "/" : arena_strndup(m->arena, path, (size_t)(slash - path));
}

/* ---- notes ----------------------------------------------------------------------------------------------------------- */

static void read_notes(struct making *m)
{
	const char *proxy = arena_printf(m->arena, "127.0.0.1:%u", m->learned->proxy_port);
	char *text = arena_strdup(m->arena, m->learned->notes), *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *end = line;
		const char *value = strlen(line) > 2 ? line + 2 : "";

		if (line[0] == 'p') {
			unsigned long what = strtoul(value, &end, 16);

			if (*end == ' ' && end[1] == '/')
				*arena_push(m->arena, &m->seen, &m->n_seen) = (struct item){.path = end + 1, .what = (unsigned)what};
		} else if (line[0] == 'c') {
			if (!text_is(value, proxy))
				add_text(m, &m->addresses, &m->n_addresses, value);
		} else if (line[0] == 'b') {
			add_text(m, &m->bound, &m->n_bound, value);
		} else if (line[0] == 's') {
			add_text(m, &m->calls, &m->n_calls, value);
		}
		m->datagrams = m->datagrams || line[0] == 'd';
	}
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->path, ((const struct item *)b)->path);
}

static const struct item *seen_find(const struct making *m, const char *path)
{
	const struct item key = {.path = path};

	return m->n_seen ? bsearch(&key, m->seen, m->n_seen, sizeof(key), by_path) : NULL;
}

/* ---- needs ----------------------------------------------------------------------------------------------------------- */

/* The place of a secret that PATH is or is in, or NULL. */
static const char *secret_of(struct making *m, const char *path)
{
	const char *home = m->learned->home;

	for (const char *const *s = box_secrets; *s; s++)
		if (is_in(path, *s))
			return *s;
	for (const char *const *s = learned_secrets; home && home[0] == '/' && *s; s++) {
		const char *place = arena_printf(m->arena, "%s/%s", home, *s);

		if (is_in(path, place))
			return place;
	}
	return NULL;
}

static bool is_home(const struct making *m, const char *path)
{
	return (m->learned->home && text_is(path, m->learned->home)) || text_is(path, m->learned->box_home);
}

/* What nobody gets as a whole without a word of the user. */
static bool is_too_wide(const struct making *m, const char *path)
{
	/* To start it there was such a word. */
	if (m->learned->start && text_is(path, m->learned->start) && !is_home(m, path) && !text_is(path, "/"))
		return false;
	return is_home(m, path) || !strchr(path + 1, '/') || is_in(m->learned->home ? m->learned->home : "/", path) ||
	       text_is(path, "/var/lib") || text_is(path, "/usr/local");
}

/* "/usr/lib/x/y" is "/usr/lib"; "/usr/share/zoneinfo/UTC" is "/usr/share/zoneinfo". */
static const char *tree_of(struct making *m, const char *path)
{
	for (size_t i = 0; i < sizeof(whole_trees) / sizeof(whole_trees[0]); i++)
		if (is_in(path, whole_trees[i]))
			return whole_trees[i];
	for (size_t i = 0; i < sizeof(each_below) / sizeof(each_below[0]); i++) {
		size_t n = strlen(each_below[i]);

		if (is_in(path, each_below[i]) && path[n] == '/')
			return arena_strndup(m->arena, path, n + 1 + strcspn(path + n + 1, "/"));
	}
	return path;
}

static void need(struct making *m, const char *path, enum need kind)
{
	if (kind == NEED_READ)
		path = tree_of(m, path);
	*arena_push(m->arena, &m->needs, &m->n_needs) = (struct item){.path = path, .need = kind, .wanted = true};
}

/* Where the link at the first LEN bytes of PATH leads, with what follows it; NULL: it is none. */
static const char *follow(struct making *m, const char *path, size_t len)
{
	const char *link = arena_strndup(m->arena, path, len), *slash = strrchr(link, '/');
	char target[PATH_MAX];
	ssize_t n = readlink(link, target, sizeof(target) - 1);
	char *whole;

	if (n <= 0)
		return NULL;
	target[n] = 0;
	whole = target[0] == '/' ? arena_printf(m->arena, "%s%s", target, path + len)
	                         : arena_printf(m->arena, "%.*s/%s%s", (int)(slash - link), link, target, path + len);
	path_clean(whole);
	return text_is(whole, "/") ? NULL : whole;
}

/* Every place that is passed on the way: where a directory is shown, the links in it have to lead somewhere. */
static void need_with_links(struct making *m, const char *path, enum need kind)
{
	need(m, path, kind);
	for (int links = 0; links < LINKS_MAX; links++) {
		const char *next = NULL;

		for (size_t i = 1; path[i - 1] && !next; i++)
			if (path[i] == '/' || !path[i])
				next = follow(m, path, i);
		if (!next || is_in_any(next, own, sizeof(own) / sizeof(own[0])))
			return;
		path = next;
		need(m, path, kind);
	}
}

/* The kernel opens the loader or interpreter of a program by itself. */
static void need_program(struct making *m, const char *path, int depth)
{
	auto_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct elf_info info;
	char *interpreter;

	need_with_links(m, path, NEED_READ);
	if (fd < 0 || depth == INTERPRETERS_MAX)
		return;
	elf_inspect(fd, &info);
	interpreter = arena_strdup(m->arena, info.interpreter);
	interpreter[strcspn(interpreter, " \t")] = 0;
	if (interpreter[0] == '/' && access(interpreter, F_OK) == 0)
		need_program(m, interpreter, depth + 1);
}

/* The nearest directory above that was not of the command's own making. */
static const char *standing_parent(struct making *m, const char *path)
{
	const char *dir = parent_of(m, path);

	for (;;) {
		const struct item *i = seen_find(m, dir);

		if (text_is(dir, "/") || (access(dir, F_OK) == 0 && !(i && i->what & LEARNED_MAKE && !(i->what & LEARNED_EXISTED))))
			return dir;
		dir = parent_of(m, dir);
	}
}

static bool is_system(const char *path)
{
	return is_in_any(path, box_view_dirs, SIZE_MAX);
}

static void add_comment(struct making *m, const char *path, const char *why)
{
	add_text(m, &m->comments, &m->n_comments, arena_printf(m->arena, "%s %s", path, why));
}

/* Something is made, removed or renamed in a directory. */
static void need_change(struct making *m, const struct item *i)
{
	const char *dir = standing_parent(m, i->path);
	bool stays = access(i->path, F_OK) == 0;

	if (is_system(dir) || access(dir, W_OK) < 0)
		return; /* it failed, and will again */
	if (text_is(dir, "/tmp") || text_is(dir, "/var/tmp") || is_home(m, dir)) {
		if (stays)
			add_comment(m, i->path, "was left behind; the box has such a directory of its own, which ends with it");
		return;
	}
	if (is_too_wide(m, dir)) {
		add_comment(m, i->path, "was written; its directory is too wide to be opened without a word of yours");
		return;
	}
	need(m, dir, NEED_WRITE);
}

static void need_directory(struct making *m, const struct item *i)
{
	if (is_too_wide(m, i->path)) {
		if (i->what & LEARNED_LIST && !is_system(i->path))
			add_comment(m, i->path, "was listed; the box shows only what other rules bring there");
		return;
	}
	need_with_links(m, i->path, NEED_READ);
}

static void judge(struct making *m, const struct item *i)
{
	const char *secret = secret_of(m, i->path);
	bool existed = i->what & LEARNED_EXISTED;

	m->var_tmp = m->var_tmp || is_in(i->path, "/var/tmp");
	if (is_in_any(i->path, own, sizeof(own) / sizeof(own[0])) && !is_in(i->path, "/run/systemd/resolve")) {
		if (i->what & LEARNED_SOCKET && existed)
			add_comment(m, i->path, "is a socket of a service, which was called");
		return;
	}
	if (secret) {
		if (i->what & ~(unsigned)(LEARNED_EXISTED | LEARNED_DIR | LEARNED_STAT) && access(secret, F_OK) == 0)
			add_text(m, &m->secrets, &m->n_secrets, secret);
		return;
	}
	if (i->what & LEARNED_SOCKET) {
		if (existed)
			add_comment(m, i->path, "is a socket of a service, which was called");
		return;
	}
	if (i->what & LEARNED_MAKE || (i->what & LEARNED_WRITE && !existed))
		need_change(m, i);
	if (!existed || access(i->path, F_OK) < 0)
		return;
	if (i->what & LEARNED_WRITE && !is_system(i->path) && access(i->path, W_OK) == 0 && !is_too_wide(m, i->path))
		need(m, i->path, NEED_WRITE);
	else if (i->what & LEARNED_DIR && i->what & (LEARNED_LIST | LEARNED_ENTER))
		need_directory(m, i);
	else if (i->what & LEARNED_EXEC)
		need_program(m, i->path, 0);
	else if (!(i->what & LEARNED_DIR))
		need_with_links(m, i->path, NEED_READ);
}

/* ---- bringing together ------------------------------------------------------------------------------------------------ */

/* Writable beats readable. */
static int by_place(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int r = strcmp(x->path, y->path);

	return r ? r : (int)y->need - (int)x->need;
}

/* Is a directory above PATH shown with at least the rights of KIND? */
static bool is_covered(struct making *m, const char *path, enum need kind)
{
	while (!text_is(path, "/")) {
		struct item key, *over;

		path = parent_of(m, path);
		key = (struct item){.path = path};
		over = bsearch(&key, m->needs, m->n_needs, sizeof(key), by_path);
		if (over && over->wanted && over->need >= kind)
			return true;
	}
	return false;
}

static void drop_covered(struct making *m)
{
	size_t n = 0;

	if (!m->n_needs)
		return;
	qsort(m->needs, m->n_needs, sizeof(*m->needs), by_place);
	for (size_t i = 0; i < m->n_needs; i++)
		if (m->needs[i].wanted && (!n || !text_is(m->needs[n - 1].path, m->needs[i].path)))
			m->needs[n++] = m->needs[i];
	m->n_needs = n;
	/* From the deepest up, so that what covers is still there when it is asked. */
	for (size_t i = n; i > 0; i--)
		m->needs[i - 1].wanted = !is_covered(m, m->needs[i - 1].path, m->needs[i - 1].need);
}

static size_t wanted(const struct making *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_needs; i++)
		n += m->needs[i].wanted;
	return n;
}

/* A directory that holds a secret of the system is never shown as a whole. */
static bool holds_system_secret(const char *dir)
{
	for (const char *const *s = box_secrets; *s; s++)
		if (is_in(*s, dir))
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

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* MANY things of one directory that are read become that directory. */
static void gather(struct making *m, size_t many)
{
	const char **dirs = NULL;
	size_t n = 0, run = 0;

	for (size_t i = 0; i < m->n_needs; i++)
		if (m->needs[i].wanted && m->needs[i].need == NEED_READ)
			*arena_push(m->arena, &dirs, &n) = parent_of(m, m->needs[i].path);
	if (n)
		qsort(dirs, n, sizeof(*dirs), by_text);
	for (size_t i = 0; i < n; i++) {
		run = i && text_is(dirs[i], dirs[i - 1]) ? run + 1 : 1;
		if (run != (is_programs(dirs[i]) ? many * PROGRAMS_MORE : many))
			continue;
		if ((!is_too_wide(m, dirs[i]) || is_programs(dirs[i])) && !holds_system_secret(dirs[i]))
			need(m, dirs[i], NEED_READ);
	}
	drop_covered(m);
}

static void bring_together(struct making *m)
{
	drop_covered(m);
	gather(m, MANY_FIRST);
	for (size_t many = MANY_FIRST / 2; many > 0 && wanted(m) > RULES_MOST; many /= 2)
		gather(m, many);
}

/* ---- text ------------------------------------------------------------------------------------------------------------ */

/* Relative where it lies in the directory in which the command was started: so the profile serves in others too. */
static void put_path(const struct making *m, const char *path, struct buf *to)
{
	const char *start = m->learned->start;
	const char *rest = start && !text_is(start, "/") && is_in(path, start) ? path + strlen(start) : NULL;
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

static void put_needs(const struct making *m, struct buf *to)
{
	static const char *const words[] = {[NEED_READ] = "ro", [NEED_WRITE] = "rw"};

	for (size_t i = 0; i < m->n_needs; i++) {
		if (!m->needs[i].wanted || text_is(m->needs[i].path, "/"))
			continue;
		buf_addf(to, "%s%s ", can_be_written(m->needs[i].path) ? "" : "# ", words[m->needs[i].need]);
		put_path(m, m->needs[i].path, to);
		buf_addc(to, '\n');
	}
}

/* Secrets that lie in what is shown, and were not asked for. */
static void put_hidden(struct making *m, struct buf *to)
{
	const char *home = m->learned->home;

	for (size_t i = 0; i < m->n_needs; i++) {
		if (!m->needs[i].wanted)
			continue;
		for (const char *const *s = box_secrets; *s; s++)
			if (is_in(*s, m->needs[i].path) && access(*s, F_OK) == 0)
				buf_addf(to, "hide %s\n", *s);
		for (const char *const *s = learned_secrets; home && home[0] == '/' && *s; s++) {
			const char *place = arena_printf(m->arena, "%s/%s", home, *s);

			if (is_in(place, m->needs[i].path) && access(place, F_OK) == 0 && !strpbrk(place, "*?["))
				buf_addf(to, "hide %s\n", place);
		}
	}
}

static void put_network(const struct making *m, struct buf *to)
{
	const char *const *hosts = m->learned->hosts;

	if (m->n_addresses || (m->datagrams && !(hosts && hosts[0]))) {
		buf_adds(to, "\n# It connected by itself, not through the proxy that the environment names");
		for (size_t i = 0; i < m->n_addresses; i++)
			buf_addf(to, "%s %s", i ? "," : ":", m->addresses[i]);
		buf_adds(to, ".\nnet host\n");
		for (size_t i = 0; hosts && hosts[i]; i++)
			buf_addf(to, "# allow %s\n", hosts[i]);
	} else if (hosts && hosts[0]) {
		buf_addc(to, '\n');
		for (size_t i = 0; hosts[i]; i++)
			buf_addf(to, "allow %s\n", hosts[i]);
	}
	for (size_t i = 0; i < m->n_bound; i++)
		buf_addf(to, "# It listened at %s: \"publish PORT:PORT\" leads there.\n", m->bound[i]);
}

static void put_calls(struct making *m, struct buf *to)
{
	char *words = arena_strdup(m->arena, box_strict_calls), *rest = NULL;
	const char *separator = "syscalls deny ";

	buf_addc(to, '\n');
	if (!m->n_calls) {
		buf_adds(to, "syscalls strict\n");
		return;
	}
	for (char *word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		bool used = false;

		for (size_t i = 0; i < m->n_calls; i++)
			used = used || text_is(m->calls[i], word);
		if (used)
			continue;
		buf_addf(to, "%s%s", separator, word);
		separator = ",";
	}
	buf_addc(to, '\n');
}

/* The start directory stays the current one where rules show it. */
static void put_cwd(const struct making *m, struct buf *to)
{
	const char *start = m->learned->start;

	for (size_t i = 0; start && i < m->n_needs; i++)
		if (m->needs[i].wanted && is_in(start, m->needs[i].path))
			return;
	/* Below the root and in the box's own directories it is made when it is missing. */
	for (size_t i = 0; start && i < m->n_needs; i++) {
		if (m->needs[i].wanted && is_in(m->needs[i].path, start) && !text_is(start, "/")) {
			buf_adds(to, "cwd .\n");
			return;
		}
	}
}

void learned_profile(const struct learned *l, struct buf *to)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct making m = {.learned = l, .arena = a};

	read_notes(&m);
	if (m.n_seen)
		qsort(m.seen, m.n_seen, sizeof(*m.seen), by_path);
	for (size_t i = 0; i < m.n_seen; i++)
		judge(&m, &m.seen[i]);
	if (l->program)
		need_program(&m, l->program, 0);
	bring_together(&m);
	buf_addf(to, "# Learned from: %s\nbare\n", l->command);
	if (m.var_tmp)
		buf_adds(to, "tmp /var/tmp\n");
	put_needs(&m, to);
	put_hidden(&m, to);
	put_cwd(&m, to);
	put_network(&m, to);
	put_calls(&m, to);
	for (size_t i = 0; i < m.n_secrets; i++)
		buf_addf(to, "%s# It looked for secrets, which were hidden. To give them to it:\n# ro %s\n", i ? "" : "\n", m.secrets[i]);
	for (size_t i = 0; i < m.n_comments; i++)
		buf_addf(to, "# %s.\n", m.comments[i]);
}
