/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/transfer.h"

#include "base/fd.h"
#include "base/spawn.h"
#include "base/text.h"
#include "command/image_options.h"
#include "storage/depot.h"
#include "sys/elf.h"
#include "transfer/options.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

struct bootstrap {
	struct cli *cli;
	const struct bootstrap_options *options;
	struct depot *depot;
	char name[INGEST_NAME_MAX]; /* of the working directory, below the depot */
	int dir;
	const char *path;           /* of it */
};

/* ---- busybox --------------------------------------------------------------------------------------------------------- */

static int copy_program(int dir, const char *name, const char *from, struct nook_error *e)
{
	auto_close int in = open(from, O_RDONLY | O_CLOEXEC);
	auto_close int out = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	struct stat st;
	off_t at = 0;

	if (in < 0 || fstat(in, &st) < 0)
		return err_sys(e, STEP_SOURCE, from);
	if (out < 0)
		return err_sys(e, STEP_FILE, name);
	while (at < st.st_size)
		if (sendfile(out, in, &at, (size_t)(st.st_size - at)) <= 0)
			return err_sys(e, STEP_FILE, name);
	return fchmod(out, 0755) < 0 ? err_sys(e, STEP_FILE, name) : 0;
}

static int link_commands(int dir, const char *program, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf names = {0};
	char *save = NULL;
	int status = TRY(spawn_run(&(struct spawn){.argv = (const char *const[]){program, "--list", NULL}}, &names, e));

	if (status != 0 || !names.len)
		return err_why(e, STEP_SOURCE, program, ENOEXEC, "does not tell its commands");
	for (char *name = strtok_r(names.data, "\n", &save); name; name = strtok_r(NULL, "\n", &save)) {
		char path[NAME_MAX];

		if (text_is(name, "busybox") || strchr(name, '/') || snprintf(path, sizeof(path), "bin/%s", name) >= (int)sizeof(path))
			continue;
		if (symlinkat("busybox", dir, path) < 0 && errno != EEXIST)
			return err_sys(e, STEP_FILE, path);
	}
	return 0;
}

/* One that needs a loader would not run in a root that has none. */
static int check_static(const char *program, struct nook_error *e)
{
	auto_close int fd = open(program, O_RDONLY | O_CLOEXEC);
	struct elf_info info = {0};

	if (fd < 0)
		return err_sys(e, STEP_SOURCE, program);
	elf_inspect(fd, &info);
	if (info.kind != ELF_NATIVE || info.interpreter[0])
		return err_why(e, STEP_SOURCE, program, ENOEXEC, "is no static program (Debian: busybox-static)");
	return 0;
}

static int write_file(int dir, const char *name, const char *text, struct nook_error *e)
{
	auto_close int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : fd_write(fd, text, strlen(text));

	return r < 0 ? err_num(e, STEP_FILE, name, r) : 0;
}

static int make_busybox(struct bootstrap *b, struct nook_error *e)
{
	static const char *const folders[] = {"bin", "dev", "etc", "home", "proc", "root", "run", "sys", "tmp", "usr", "usr/bin", "var", "var/tmp"};
	static const struct {
		const char *name, *text;
	} files[] = {
		{"etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"},
		{"etc/group", "root:x:0:\nnogroup:x:65534:\n"},
	};
	static const char *const places[] = {"/bin/busybox", "/usr/bin/busybox", "/sbin/busybox"};
	const char *program = NULL;

	for (size_t i = 0; !program && i < sizeof(places) / sizeof(places[0]); i++)
		program = access(places[i], X_OK) == 0 ? places[i] : NULL;
	if (!program)
		return err_why(e, STEP_SOURCE, "busybox", ENOENT, "is not installed (Debian: busybox-static)");
	TRY(check_static(program, e));
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (mkdirat(b->dir, folders[i], 0755) < 0)
			return err_sys(e, STEP_FILE, folders[i]);
	if (fchmodat(b->dir, "tmp", 01777, 0) < 0 || fchmodat(b->dir, "var/tmp", 01777, 0) < 0 || fchmodat(b->dir, "root", 0700, 0) < 0)
		return err_sys(e, STEP_FILE, "tmp");
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		TRY(write_file(b->dir, files[i].name, files[i].text, e));
	TRY(copy_program(b->dir, "bin/busybox", program, e));
	return link_commands(b->dir, program, e);
}

/* ---- distributions --------------------------------------------------------------------------------------------------- */

/* The mirror that apt uses for this suite; NULL: apt knows none. */
static const char *apt_mirror(const char *suite, struct arena *a)
{
	const char *const argv[] = {"apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT) ", "Created-By: Packages", NULL};
	const char *wanted = arena_printf(a, " %s main ", suite);
	AUTO_VALUE(buf_done) struct buf out = {0};
	char *save = NULL;

	if (spawn_run(&(struct spawn){.argv = argv}, &out, NULL) != 0 || !out.len)
		return NULL;
	for (char *line = strtok_r(out.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *at = strstr(line, wanted);

		if (at)
			return arena_strndup(a, line, (size_t)(at - line));
	}
	return NULL;
}

static bool is_suite(const char *text)
{
	return *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-.")] == 0 && *text != '-';
}

/* debootstrap fetches by itself and knows the environment's proxy, but not the one that apt is told to use. */
static void add_proxy(const char ***list, size_t *n, const char *variable, const char *option, struct arena *a)
{
	const char *const argv[] = {"apt-config", "--format", "%v", "dump", option, NULL};
	AUTO_VALUE(buf_done) struct buf out = {0};

	if (getenv(variable) || spawn_run(&(struct spawn){.argv = argv}, &out, NULL) != 0 || !text_after(buf_text(&out), "http"))
		return;
	*arena_push(a, list, n) = arena_printf(a, "%s=%.*s", variable, (int)strcspn(buf_text(&out), "\n"), buf_text(&out));
}

/* Its progress is for people to see. */
static int run_tool(const char *const *argv, struct arena *a, struct nook_error *e)
{
	const char **environment = NULL;
	size_t n = 0;
	int status;

	for (char **v = environ; *v; v++)
		*arena_push(a, &environment, &n) = *v;
	add_proxy(&environment, &n, "http_proxy", "Acquire::http::Proxy", a);
	add_proxy(&environment, &n, "https_proxy", "Acquire::https::Proxy", a);
	*arena_push(a, &environment, &n) = NULL;
	status = TRY(spawn_run(&(struct spawn){.argv = argv, .envp = environment, .timeout_ms = -1, .stdout_fd = STDERR_FILENO}, NULL, e));

	return status == 0 ? 0 : err_fmt(e, STEP_SPAWN, argv[0], EIO, "ended with exit status %d", status);
}

static int make_distribution(struct bootstrap *b, const char *suite, struct nook_error *e)
{
	struct arena *a = b->cli->arena;
	const char *mirror = b->options->mirror ? b->options->mirror : apt_mirror(suite, a), **argv = NULL;
	struct nook_error first = NOOK_ERROR_INIT;
	size_t n = 0;
	int r;

	if (!is_suite(suite))
		return err_why(e, STEP_SOURCE, suite, EINVAL, "is no name of a suite, such as bookworm");
	*arena_push(a, &argv, &n) = "mmdebstrap";
	*arena_push(a, &argv, &n) = "--variant=minbase";
	if (b->options->include)
		*arena_push(a, &argv, &n) = arena_printf(a, "--include=%s", b->options->include);
	*arena_push(a, &argv, &n) = suite;
	*arena_push(a, &argv, &n) = b->path;
	if (mirror)
		*arena_push(a, &argv, &n) = mirror;
	r = run_tool(argv, a, &first);
	if (r == -ENOENT) {
		argv[0] = "debootstrap";
		if (geteuid() != 0)
			return err_why(e, STEP_SPAWN, "mmdebstrap", ENOENT, "is not installed, and debootstrap needs root");
		r = run_tool(argv, a, e);
	} else if (r < 0 && e) {
		*e = first;
	}
	if (r < 0)
		return r;
	/* What was fetched is unpacked. */
	TRY(tree_remove(b->dir, "var/cache/apt", e));
	return tree_remove(b->dir, "var/lib/apt/lists", e);
}

/* ---- the command ----------------------------------------------------------------------------------------------------- */

static int make(struct bootstrap *b, const char *what, struct import_want *want, struct nook_error *e)
{
	const char *suite = text_after(what, "debian:");

	if (!suite)
		suite = text_after(what, "ubuntu:");
	if (!text_is(what, "busybox") && !suite)
		return err_why(e, STEP_SOURCE, what, EINVAL, "is neither busybox nor debian:SUITE; --from takes a directory");
	b->dir = TRY(ingest_dir(b->depot, "root", b->name, e));
	b->path = arena_printf(b->cli->arena, "%s/%s", b->depot->root, b->name);
	if (fchmod(b->dir, 0755) < 0)
		return err_sys(e, STEP_FILE, b->path);
	want->source = b->path;
	return suite ? make_distribution(b, suite, e) : make_busybox(b, e);
}

static void add_changes(struct bootstrap *b, const char *what, struct import_want *want)
{
	struct arena *a = b->cli->arena;
	struct opt_list list = {0};

	if (what) {
		*arena_push(a, &list.items, &list.n) = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
		*arena_push(a, &list.items, &list.n) = text_is(what, "busybox") ? "CMD [\"sh\"]" : "CMD [\"bash\"]";
	}
	for (size_t i = 0; i < b->options->changes.n; i++)
		*arena_push(a, &list.items, &list.n) = b->options->changes.items[i];
	want->changes = list;
}

int bootstrap_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct bootstrap_options *o = options;
	const char *what = argc ? argv[0] : NULL, *id = NULL;
	struct import_want want = {.source = o->from, .created_by = "nook bootstrap", .compression = COMPRESSION_GZIP};
	AUTO(depot_close) struct depot *d = NULL;
	struct bootstrap b = {.cli = c, .options = o, .dir = -EBADF};
	int r;

	if (!what == !o->from)
		return err_why(e, STEP_COMMAND, "bootstrap", EINVAL, "what from? busybox, debian:SUITE, or --from DIR");
	if (o->from && !o->name)
		return err_why(e, STEP_OPTION, "--name", EINVAL, "is needed beside --from");
	TRY(option_name(o->name ? o->name : what, c->arena, &want.name, e));
	TRY(depot_open(c->root, DEPOT_WRITE, c->arena, &d, e));
	b.depot = d;
	r = what ? make(&b, what, &want, e) : 0;
	add_changes(&b, what, &want);
	if (r >= 0)
		r = import_source(d, &want, c->arena, &id, e);
	if (b.dir >= 0)
		(void)tree_remove(d->fd, b.name, NULL);
	close_fd(&b.dir);
	if (r >= 0)
		(void)printf("%s\n", id);
	return r;
}
