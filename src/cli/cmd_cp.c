/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One process reads the tree and writes a tar stream, another one makes it again.  One of the two is the container's root
 * (runtime/inside.h), the other the caller; so what each side may do is what its user may, and a name that the container
 * controls is looked up below its root only.
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "command/command.h"
#include "runtime/container.h"
#include "runtime/inside.h"
#include "stream/tree.h"
#include "sys/inroot.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct options {
	bool archive, follow, quiet;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{'a', "archive", NULL, OPT_FLAG, AT(archive), "keep owners, set-id bits and attributes"},
	{'L', "follow-link", NULL, OPT_FLAG, AT(follow), "copy what the source is a symbolic link to"},
	{'q', "quiet", NULL, OPT_FLAG, AT(quiet), "say nothing (it never does; for docker's habits)"},
	{0},
};

enum { LINKS_MAX = 40 };
#define TOP "top" /* what the stream calls that which is copied */

/* One end of the copy: names of the host's, or of a container's below ROOT. */
struct side {
	const char *path;  /* as given */
	int root;          /* of a container; -EBADF: the host */
	bool is_inside;
	const char *source; /* of the reader: the path of the other side */
	const struct options *options;
	int stream;
	const char *as;    /* of the writer */
	unsigned flags;    /* TREE_* */
	char folder[PATH_MAX], name[NAME_MAX + 1]; /* of the reader: decided */
};

/* ---- names -------------------------------------------------------------------------------------------------------------- */

static bool ends_in(const char *path, const char *end)
{
	size_t len = strlen(path), n = strlen(end);

	return len >= n && text_is(path + len - n, end);
}

static bool means_contents(const char *path)
{
	return text_is(path, ".") || ends_in(path, "/.");
}

static bool means_directory(const char *path)
{
	return ends_in(path, "/") || means_contents(path) || ends_in(path, "/..") || text_is(path, "..") || !*path;
}

static int side_open(const struct side *s, const char *path, int flags)
{
	int fd;

	if (s->is_inside)
		return inroot_open_raw(s->root, *path ? path : ".", flags, 0);
	fd = open(*path ? path : ".", flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* "/srv/web/" into "/srv" and "web"; the name of "/", "." and ".." is "". */
static int split(const char *path, char *folder, char *name, struct nook_error *e)
{
	size_t len = strlen(path), start;

	while (len > 1 && (path[len - 1] == '/' || (path[len - 1] == '.' && path[len - 2] == '/')))
		len--;
	for (start = len; start > 0 && path[start - 1] != '/'; start--)
		;
	if (len - start > NAME_MAX || len >= PATH_MAX)
		return err_num(e, STEP_SOURCE, path, ENAMETOOLONG);
	(void)snprintf(name, NAME_MAX + 1, "%.*s", (int)(len - start), path + start);
	(void)snprintf(folder, PATH_MAX, "%.*s", start ? (int)start : 1, start ? path : ".");
	if (text_is(name, ".") || text_is(name, "..") || text_is(name, "/"))
		name[0] = 0;
	return 0;
}

/* ---- the writer --------------------------------------------------------------------------------------------------------- */

static int write_side(struct side *s, struct nook_error *e)
{
	char folder[PATH_MAX], name[NAME_MAX + 1];
	bool follow = s->options->follow || means_directory(s->path);
	struct stat st;

	TRY(split(s->path, folder, name, e));
	auto_close int there = side_open(s, s->path, O_PATH | (follow ? 0 : O_NOFOLLOW));

	if (there < 0 || fstat(there, &st) < 0)
		return err_num(e, STEP_SOURCE, s->path, there < 0 ? there : errno);
	if (means_directory(s->path) && !S_ISDIR(st.st_mode))
		return err_num(e, STEP_SOURCE, s->path, ENOTDIR);
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
		char self[32];

		/* The very same thing, whatever has the name by now. */
		(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", there);
		auto_close int opened = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

		if (opened < 0)
			return err_sys(e, STEP_SOURCE, s->path);
		return tree_write(opened, NULL, s->as, s->flags, s->stream, e);
	}
	/* Links, nodes and FIFOs are never opened. */
	if (follow)
		return err_why(e, STEP_SOURCE, s->path, EINVAL, "the link leads to no file and no directory");
	auto_close int parent = side_open(s, folder, O_PATH | O_DIRECTORY);

	if (parent < 0)
		return err_num(e, STEP_SOURCE, s->path, parent);
	return tree_write(parent, name, s->as, s->flags, s->stream, e);
}

/* ---- the reader --------------------------------------------------------------------------------------------------------- */

static int into_folder(struct tree_in *in, struct side *s, const char *folder, const char *top, struct nook_error *e)
{
	in->top = top;
	if (s->is_inside) {
		if (snprintf(s->folder, sizeof(s->folder), "%s/", folder) >= (int)sizeof(s->folder))
			return err_num(e, STEP_TARGET, folder, ENAMETOOLONG);
		in->root = s->root;
		in->prefix = s->folder;
		return 0;
	}
	in->prefix = "";
	in->root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return in->root < 0 ? err_sys(e, STEP_TARGET, folder) : 0;
}

/* PATH, or where the links lead that it is, as seen from this side. */
static int follow_links(const struct side *s, const char *path, char *to, struct nook_error *e)
{
	char folder[PATH_MAX], name[NAME_MAX + 1], text[PATH_MAX];

	if (snprintf(to, PATH_MAX, "%s", path) >= PATH_MAX)
		return err_num(e, STEP_TARGET, path, ENAMETOOLONG);
	for (int i = 0; i < LINKS_MAX; i++) {
		auto_close int there = side_open(s, to, O_PATH | O_NOFOLLOW);
		ssize_t n = there < 0 ? -1 : readlinkat(there, "", text, sizeof(text) - 1);

		if (n <= 0)
			return 0; /* no link, or nothing: the caller sees which */
		text[n] = 0;
		TRY(split(to, folder, name, e));
		n = text[0] == '/' ? snprintf(to, PATH_MAX, "%s", text) : snprintf(to, PATH_MAX, "%s/%s", folder, text);
		if (n >= PATH_MAX)
			return err_num(e, STEP_TARGET, path, ENAMETOOLONG);
	}
	return err_num(e, STEP_TARGET, path, ELOOP);
}

/* docker's rules: into a directory that is there, over a file, or under a new name. */
static int decide(struct tree_in *in, bool is_dir, struct nook_error *e)
{
	struct side *s = in->data;
	char folder[PATH_MAX], source_folder[PATH_MAX], path[PATH_MAX];
	auto_close int there = side_open(s, s->path, O_PATH);
	struct stat st;

	if (there >= 0 && fstat(there, &st) < 0)
		return err_sys(e, STEP_TARGET, s->path);
	if (there >= 0 && S_ISDIR(st.st_mode)) {
		TRY(split(s->source, source_folder, s->name, e));
		return into_folder(in, s, s->path, is_dir && (means_contents(s->source) || !s->name[0]) ? "" : s->name, e);
	}
	if (there >= 0 && is_dir)
		return err_why(e, STEP_TARGET, s->path, ENOTDIR, "it is a file, and a directory does not go over it");
	if (there >= 0 && means_directory(s->path))
		return err_num(e, STEP_TARGET, s->path, ENOTDIR);
	if (there < 0 && there != -ENOENT)
		return err_num(e, STEP_TARGET, s->path, there);
	if (there < 0 && !is_dir && means_directory(s->path))
		return err_why(e, STEP_TARGET, s->path, ENOENT, "there is no such directory");
	TRY(follow_links(s, s->path, path, e));
	TRY(split(path, folder, s->name, e));
	if (!s->name[0])
		return err_num(e, STEP_TARGET, s->path, ENOENT);
	auto_close int parent = side_open(s, folder, O_PATH | O_DIRECTORY);

	if (parent < 0)
		return err_num(e, STEP_TARGET, folder, parent);
	return into_folder(in, s, folder, s->name, e);
}

static int read_side(struct side *s, struct nook_error *e)
{
	struct tree_in in = {
		.root = -EBADF,
		.prefix = "",
		.links_inside = s->is_inside,
		.keep_owner = s->options->archive && (s->is_inside || geteuid() == 0),
		.decide = decide,
		.data = s,
	};

	return tree_read(&in, s->stream, e);
}

/* A stream of somebody else's: its names stay, below a directory that is there. */
static int read_stream(struct side *s, struct nook_error *e)
{
	struct tree_in in = {.links_inside = true, .keep_owner = true};
	auto_close int there = side_open(s, s->path, O_PATH | O_DIRECTORY);

	if (there < 0)
		return err_num(e, STEP_TARGET, s->path, there);
	TRY(into_folder(&in, s, s->path, NULL, e));
	return tree_read(&in, s->stream, e);
}

/* ---- two processes -------------------------------------------------------------------------------------------------------- */

struct inside_side {
	struct side *side;
	int (*work)(struct side *s, struct nook_error *e);
	int close_first; /* the other end of the pipe */
};

static int inside_work(int root, void *data, struct nook_error *e)
{
	struct inside_side *i = data;

	close_fd(&i->close_first);
	i->side->root = root;
	return i->work(i->side, e);
}

struct outside {
	pid_t pid;
	int report;
};

struct outside_report {
	int code;
	struct nook_error error;
};

static int outside_start(struct outside *o, struct side *s, int (*work)(struct side *s, struct nook_error *e), int other_end,
	struct nook_error *e)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_sys(e, STEP_CLONE, NULL);
	o->pid = fork();
	if (o->pid == 0) {
		struct outside_report r = {.error = NOOK_ERROR_INIT};

		(void)close(other_end);
		r.code = work(s, &r.error);
		_exit(write(pair[1], &r, sizeof(r)) == sizeof(r) ? 0 : 1);
	}
	(void)close(pair[1]);
	o->report = pair[0];
	if (o->pid < 0) {
		close_fd(&o->report);
		return err_sys(e, STEP_CLONE, NULL);
	}
	return 0;
}

static int outside_end(struct outside *o, struct nook_error *e)
{
	struct outside_report r = {.code = -EIO};
	ssize_t n = read(o->report, &r, sizeof(r));

	close_fd(&o->report);
	while (waitpid(o->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != sizeof(r))
		return err_why(e, STEP_FILE, "cp", EIO, "the process on the host's side was killed");
	if (r.code < 0 && e)
		*e = r.error;
	return r.code;
}

/* Of two failures the broken pipe is the other one's echo. */
static bool is_echo(int code, const struct nook_error *e)
{
	return code == -EPIPE || (code == -EINVAL && e->step == STEP_UNPACK && text_is(e->object, "tar stream"));
}

static int copy(struct store_run *r, const struct container *c, struct side *from, struct side *to, struct nook_error *e)
{
	struct nook_error outside_error = NOOK_ERROR_INIT;
	struct outside o = {.report = -EBADF};
	int pair[2], outside, inside;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_sys(e, STEP_CLONE, NULL);
	from->stream = pair[1];
	to->stream = pair[0];
	from->as = TOP;
	from->flags = TREE_HOLES;
	if (from->is_inside)
		outside = outside_start(&o, to, read_side, pair[1], e);
	else
		outside = outside_start(&o, from, write_side, pair[0], e);
	if (outside < 0) {
		(void)close(pair[0]);
		(void)close(pair[1]);
		return outside;
	}
	close_fd(&pair[from->is_inside ? 0 : 1]);
	inside = inside_run(r, c, INSIDE_ALL,
		inside_work, &(struct inside_side){from->is_inside ? from : to, from->is_inside ? write_side : read_side, -EBADF}, e);
	close_fd(&pair[0]);
	close_fd(&pair[1]);
	outside = outside_end(&o, &outside_error);
	if (outside < 0 && (inside >= 0 || (is_echo(inside, e) && !is_echo(outside, &outside_error)))) {
		if (e)
			*e = outside_error;
		return outside;
	}
	return inside;
}

/* ---- the command ---------------------------------------------------------------------------------------------------------- */

/* "web:/etc" names a container; "./a:b", "/a:b" and "-" do not. */
static const char *container_of(struct arena *a, const char *text, const char **ret_path)
{
	const char *colon = strchr(text, ':'), *slash = strchr(text, '/');

	*ret_path = text;
	if (!colon || colon == text || text[0] == '.' || text[0] == '/' || (slash && slash < colon))
		return NULL;
	*ret_path = colon + 1;
	return arena_strndup(a, text, (size_t)(colon - text));
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	struct side from = {.root = -EBADF, .options = options}, to = {.root = -EBADF, .options = options};
	const char *source = container_of(c->arena, argv[0], &from.path), *target = container_of(c->arena, argv[1], &to.path);
	AUTO(runtime_close) struct store_run *r = NULL;
	struct inside_side inside = {.close_first = -EBADF};
	struct container container;
	char folder[PATH_MAX], name[NAME_MAX + 1];

	(void)argc;
	if (source && target)
		return err_why(e, STEP_OPTION, argv[1], EINVAL, "it does not copy between containers");
	if (!source && !target)
		return err_why(e, STEP_OPTION, argv[0], EINVAL, "one of the two is CONTAINER:PATH");
	from.is_inside = source;
	to.is_inside = target;
	to.source = from.path;
	(void)signal(SIGPIPE, SIG_IGN);
	TRY(runtime_open(c->run, c->arena, &r, e));
	TRY(container_load(r, source ? source : target, c->arena, &container, e));
	if (source && text_is(to.path, "-")) {
		TRY(split(from.path, folder, name, e));
		from.as = *name ? name : ".";
		from.stream = STDOUT_FILENO;
		inside.side = &from;
		inside.work = write_side;
		return inside_run(r, &container, INSIDE_ALL, inside_work, &inside, e);
	}
	if (target && text_is(from.path, "-")) {
		to.stream = STDIN_FILENO;
		inside.side = &to;
		inside.work = read_stream;
		return inside_run(r, &container, INSIDE_ALL, inside_work, &inside, e);
	}
	return copy(r, &container, &from, &to, e);
}

const struct command cmd_cp = {
	.name = "cp",
	.usage = "[OPTIONS] CONTAINER:PATH PATH|-  or  PATH|- CONTAINER:PATH",
	.summary = "copy files between a container and the host",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 2,
	.max_args = 2,
	.run = run,
	.details = "The container may run or have ended; one that has ended must have kept its changes (run --storage).  A "
	           "directory goes into a directory that is there, and becomes one of the new name when there is none; with "
	           "\"/.\" at its end only what is in it is copied.  A file goes into a directory, over a file, or under a new "
	           "name.  Symbolic links are copied as links and never followed out of the container.  \"-\" is a tar stream.\n"
	           "\n"
	           "Without -a, what is copied belongs to whoever copies, and inside to the container's root.",
	.examples = "nook cp web:/etc/nginx .\n"
	            "nook cp index.html web:/srv/\n"
	            "nook cp web:/var/log - | tar -tf -\n"
	            "tar -c . | nook cp - web:/srv\n",
};
