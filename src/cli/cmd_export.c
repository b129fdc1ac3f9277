/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The root file system of a container as one file.  Disks that can be written are made empty, mounted where nobody sees
 * them and filled from a tar stream by nook itself, so that nothing is lost on the way; squashfs and erofs are made by
 * their own programs, as the container's root and below its root directory.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/spawn.h"
#include "base/text.h"
#include "cli/exported.h"
#include "command/command.h"
#include "command/transfer.h"
#include "command/unpaused.h"
#include "disk/disk.h"
#include "disk/draft.h"
#include "disk/note.h"
#include "runtime/container.h"
#include "runtime/inside.h"
#include "stream/tree.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct options {
	const char *format, *output;
	struct opt_i64 size;
	bool no_pause, no_config;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{'f', "format", "tar|ext4|xfs|btrfs|squashfs|erofs|oci", OPT_STRING, AT(format), "what to write (tar)"},
	{'o', "output", "FILE", OPT_STRING, AT(output), "where to (tar: standard output)"},
	{'s', "size", "BYTES", OPT_BYTES, AT(size), "size of an ext4, xfs or btrfs (10g); the file takes the space of what is in it"},
	{0, "no-config", NULL, OPT_FLAG, AT(no_config), "files alone: not the command, environment, user and so on"},
	{0, "no-pause", NULL, OPT_FLAG, AT(no_pause), "let the container run on meanwhile"},
	{0},
};

enum { CONFIG_MAX = 512 << 10, SELF_MAX = 32, NO_LIMIT_MS = -1, SIGNAL_BASE = 128, WORDS_MAX = 20 };
#define SIZE_DEFAULT (INT64_C(10) << 30)

struct export {
	struct arena *arena;
	const struct options *options;
	struct store_run *run;
	const struct container *container;
	const char *path;  /* NULL: standard output */
	const char *config; /* how it is run; NULL: not to be told */
	const struct format *format;
	unsigned flags;    /* TREE_* */
	int fd;            /* of the file, or of a pipe to whom fills it */
};

struct format {
	const char *name;
	enum fsimage_type type;
	int (*write)(struct export *x, struct nook_error *e);
	inside_job job;
	const char *package, *argv[WORDS_MAX]; /* %f: the file; "." is the root */
};

/* ---- tar ------------------------------------------------------------------------------------------------------------------ */

static int job_tar(int root, void *data, struct nook_error *e)
{
	const struct export *x = data;

	if (x->config && !(x->flags & TREE_HOLES))
		TRY(exported_write(x->fd, x->config, e));
	return tree_write(root, ".", ".", x->flags, x->fd, e);
}

static int write_inside(struct export *x, struct nook_error *e)
{
	return inside_run(x->run, x->container, INSIDE_ROOT_ALONE, x->format->job, x, e);
}

/* ---- squashfs, erofs, and ext4 of an ordinary user ------------------------------------------------------------------------- */

/* A program that asks for its working directory must not be led to another one. */
static int check_place(int root, const char *object, struct nook_error *e)
{
	char path[PATH_MAX];
	struct stat meant, found;

	if (fchdir(root) < 0 || !getcwd(path, sizeof(path)) || fstat(root, &meant) < 0 || stat(path, &found) < 0)
		return err_sys(e, STEP_ROOT, object);
	if (path[0] != '/' || meant.st_dev != found.st_dev || meant.st_ino != found.st_ino)
		return err_why(e, STEP_ROOT, object, EXDEV, "the root has no path of its own here");
	return 0;
}

static int job_tool(int root, void *data, struct nook_error *e)
{
	const struct export *x = data;
	const struct format *f = x->format;
	AUTO_VALUE(buf_done) struct buf out = {0};
	const char *argv[WORDS_MAX];
	char self[SELF_MAX];
	size_t n = 0;
	int status;

	/* The program inherits the file: it may not be this user's, who is the container's root. */
	TRY(check_place(root, x->path, e));
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", SPAWN_KEPT);
	for (; f->argv[n]; n++)
		argv[n] = text_is(f->argv[n], "%f") ? self : f->argv[n];
	argv[n] = NULL;
	status = spawn_run(&(struct spawn){.argv = argv, .cwd = root, .timeout_ms = NO_LIMIT_MS, .kept_fd = x->fd}, &out, e);
	if (status == -ENOENT)
		return err_fmt(e, STEP_SPAWN, argv[0], ENOENT, "is not installed: it comes with the package %s", f->package);
	if (status < 0)
		return status;
	if (status > SIGNAL_BASE)
		return err_fmt(e, STEP_SPAWN, argv[0], EIO, "was ended by signal %d", status - SIGNAL_BASE);
	return status ? err_fmt(e, STEP_DISK, x->path, EIO, "%s: %s", argv[0], buf_last_line(&out)) : 0;
}

/* ---- ext4, xfs, btrfs ---------------------------------------------------------------------------------------------------------- */

/* A process of its own reads the container while this one fills the disk. */
static pid_t start_reading(struct export *x, int pair[2], int report[2], struct nook_error *e)
{
	pid_t pid = fork();

	if (pid < 0)
		return err_sys(e, STEP_CLONE, NULL);
	if (pid == 0) {
		struct nook_error inner = NOOK_ERROR_INIT;
		int code;

		(void)close(pair[0]);
		x->fd = pair[1];
		x->flags = TREE_HOLES;
		code = inside_run(x->run, x->container, INSIDE_ROOT_ALONE, job_tar, x, &inner);
		if (code < 0)
			(void)fd_write(report[1], &inner, sizeof(inner));
		_exit(code < 0);
	}
	return pid;
}

static int fill(struct export *x, int root, struct nook_error *e)
{
	struct tree_in in = {.root = root, .prefix = "", .keep_owner = true, .keep_top = true};
	struct nook_error inner;
	int pair[2], report[2], r, status = 0;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_sys(e, STEP_CLONE, NULL);
	if (pipe2(report, O_CLOEXEC) < 0) {
		r = err_sys(e, STEP_CLONE, NULL);
		close_fd(&pair[0]);
		close_fd(&pair[1]);
		return r;
	}
	pid = start_reading(x, pair, report, e);
	close_fd(&pair[1]);
	close_fd(&report[1]);
	r = pid < 0 ? pid : tree_read(&in, pair[0], e);
	close_fd(&pair[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	/* Why the stream broke off, rather than that it did; but not that nobody read it any more. */
	if (pid > 0 && fd_read(report[0], &inner, sizeof(inner)) == sizeof(inner) && (r >= 0 || inner.sys_errno != EPIPE)) {
		if (e)
			*e = inner;
		r = inner.sys_errno ? -inner.sys_errno : -EINVAL;
	} else if (r >= 0 && status) {
		r = err_why(e, STEP_CONTAINER, x->container->id, EIO, "the process that read it was killed");
	}
	close_fd(&report[0]);
	return r;
}

static int write_disk(struct export *x, struct nook_error *e)
{
	AUTO_VALUE(draft_done) struct draft d = DRAFT_INIT;
	const struct disk_new n = {.bytes = (uint64_t)(x->options->size.set ? x->options->size.value : SIZE_DEFAULT), .type = x->format->type};

	TRY(draft_open(&d, x->path, e));
	TRY(disk_make(&d, x->path, &n, e));
	{
		auto_close int root = TRY(disk_mount_file(d.fd, x->path, e));

		/* A root is what it was, and no more. */
		if (unlinkat(root, "lost+found", AT_REMOVEDIR) < 0 && errno != ENOENT)
			return err_sys(e, STEP_DISK, x->path);
		TRY(fill(x, root, e));
		if (syncfs(root) < 0)
			return err_sys(e, STEP_DISK, x->path);
	}
	if (x->config)
		TRY(note_append(d.fd, x->config, x->path, e));
	return draft_publish(&d, x->path, e);
}

/* ---- the whole -------------------------------------------------------------------------------------------------------------------- */

static int write_file(struct export *x, struct nook_error *e)
{
	AUTO_VALUE(draft_done) struct draft d = DRAFT_INIT;

	TRY(draft_open(&d, x->path, e));
	x->fd = d.fd;
	/* While it has no name, nobody else gets to it; the container's root has to. */
	if (fchmod(d.fd, 0666) < 0)
		return err_sys(e, STEP_DISK, x->path);
	if (x->format->type == FSIMAGE_EXT4 && ftruncate(d.fd, x->options->size.set ? x->options->size.value : SIZE_DEFAULT) < 0)
		return err_sys(e, STEP_DISK, x->path);
	TRY(write_inside(x, e));
	if (x->config && x->format->type != FSIMAGE_TYPES)
		TRY(note_append(d.fd, x->config, x->path, e));
	if (fchmod(d.fd, 0600) < 0)
		return err_sys(e, STEP_DISK, x->path);
	return draft_publish(&d, x->path, e);
}

static int write_tar(struct export *x, struct nook_error *e)
{
	if (x->path)
		return write_file(x, e);
	if (isatty(STDOUT_FILENO))
		return err_why(e, STEP_OPTION, "--output", EINVAL, "an archive is not for a terminal: name a file");
	x->fd = STDOUT_FILENO;
	return write_inside(x, e);
}

/* An ordinary user can mount nothing: mke2fs fills its file system itself, to the second. */
static const struct format formats[] = {
	{"tar", FSIMAGE_TYPES, write_tar, job_tar, NULL, {NULL}},
	{"squashfs", FSIMAGE_SQUASHFS, write_file, job_tool, "squashfs-tools",
		{"mksquashfs", ".", "%f", "-noappend", "-no-progress", "-quiet", "-no-recovery", "-xattrs", "-comp", "zstd", "-Xcompression-level", "6"}},
	{"erofs", FSIMAGE_EROFS, write_file, job_tool, "erofs-utils", {"mkfs.erofs", "--quiet", "-zlz4", "%f", "."}},
	{"ext4", FSIMAGE_EXT4, write_disk, NULL, NULL, {NULL}},
	{"xfs", FSIMAGE_XFS, write_disk, NULL, NULL, {NULL}},
	{"btrfs", FSIMAGE_BTRFS, write_disk, NULL, NULL, {NULL}},
};
static const struct format ext4_of_a_user = {"ext4", FSIMAGE_EXT4, write_file, job_tool, "e2fsprogs",
	{"mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", "-d", ".", "%f"}};

static int find_format(const char *name, const struct format **ret, struct nook_error *e)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (text_is(formats[i].name, name)) {
			*ret = &formats[i];
			if (formats[i].write != write_disk || geteuid() == 0)
				return 0;
			if (formats[i].type != FSIMAGE_EXT4)
				return err_fmt(e, STEP_OPTION, "--format", EPERM, "%s needs a mount to be filled, and so root; ext4 does not", name);
			*ret = &ext4_of_a_user;
			return 0;
		}
	return err_fmt(e, STEP_OPTION, "--format", EINVAL, "\"%s\" is not tar, ext4, xfs, btrfs, squashfs, erofs or oci", name);
}

static int export_paused(struct export *x, struct nook_error *e)
{
	struct nook_error thawing = NOOK_ERROR_INIT;
	int frozen = x->options->no_pause ? 0 : TRY(inside_freeze(x->container, x->arena, e)), r, thawed;

	r = x->format->write(x, e);
	thawed = frozen ? inside_thaw(x->container, x->arena, &thawing) : 0;
	if (r >= 0 && thawed < 0 && e)
		*e = thawing;
	return r < 0 ? r : thawed < 0 ? thawed : 0;
}

/* By the program that makes images. */
static int write_image(struct cli *c, const struct options *o, const char *name, const char *path, struct nook_error *e)
{
	const char *words[7] = {"export-oci"};
	size_t n = 1;

	if (!path)
		return err_why(e, STEP_OPTION, "--output", EINVAL, "name the file to write");
	if (o->no_pause)
		words[n++] = "--no-pause";
	if (o->no_config)
		words[n++] = "--no-config";
	words[n++] = "--";
	words[n++] = name;
	words[n] = path;
	return transfer_exec(c, words, e);
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	struct export x = {.arena = c->arena, .options = o, .path = argc > 1 ? argv[1] : o->output, .fd = -EBADF};
	AUTO(runtime_close) struct store_run *r = NULL;
	struct container container;

	if (x.path && text_is(x.path, "-"))
		x.path = NULL;
	if (o->size.set && o->size.value <= 0)
		return err_why(e, STEP_OPTION, "--size", ERANGE, "it must be positive");
	if (o->format && text_is(o->format, "oci"))
		return write_image(c, o, argv[0], x.path, e);
	TRY(find_format(o->format ? o->format : "tar", &x.format, e));
	if (!x.path && x.format->write != write_tar)
		return err_why(e, STEP_OPTION, "--output", EINVAL, "name the file to write");
	(void)signal(SIGPIPE, SIG_IGN);
	TRY(runtime_open(c->run, c->arena, &r, e));
	TRY(container_load(r, argv[0], c->arena, &container, e));
	x.run = r;
	x.container = &container;
	x.flags = TREE_SPARSE;
	x.config = o->no_config || !*container.config ? NULL : container.config;
	if (x.config && strlen(x.config) > CONFIG_MAX)
		return err_why(e, STEP_CONTAINER, container.id, E2BIG, "its command and environment are too long to go with the file; see --no-config");
	if (!o->no_pause)
		note_unpaused(c, &container);
	return export_paused(&x, e);
}

const struct command cmd_export = {
	.name = "export",
	.usage = "[OPTIONS] CONTAINER [FILE]",
	.summary = "save a container's root file system as one file",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 2,
	.run = run,
	.details = "What is mounted in the root, volumes for example, is not part of it.  A container that runs is paused "
	           "meanwhile; one that has ended must have kept its changes (an image's container without --rm, run --storage).  nook "
	           "run img:FILE starts from every format as the container was started, with its command, environment, user and working "
	           "directory, which go with the file: ext4, xfs and btrfs are written by it, squashfs and erofs are small and never "
	           "written, tar is unpacked first.  oci is an archive with an image of one layer, for podman, skopeo and nook load, too.",
	.examples = "nook export web > web.tar\n"
	            "nook export --format squashfs web web.sqfs\n"
	            "nook export --format ext4 --size 4G web web.img && nook run img:web.img\n"
	            "nook export --format oci web web.oci && nook load web.oci\n",
};
