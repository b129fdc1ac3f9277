/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "base/text.h"
#include "box/bwrap.h"
#include "cli/help.h"
#include "launch/launch.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern const struct command cmd_bwrap;

enum { EXIT_BWRAP = 1 };

/* Only for help, completion and the manual: the words are read by bwrap_parse(). */
#define ROW(id, word, n, value, help) {0, word, value, (n) ? OPT_STRING : OPT_FLAG, 0, help},
static const struct opt table[] = {
	BWRAP_OPTIONS(ROW)
	{0},
};

/* ---- descriptors ---------------------------------------------------------------------------------------------------- */

static bool is_used(const struct bwrap *b, int fd)
{
	for (size_t i = 0; i < b->n_used; i++)
		if (b->used[i] == fd)
			return true;
	return false;
}

/* The command inherits what the caller left open for it and no option is about. */
static int keep_list(const struct bwrap *b, struct arena *a, uint32_t **ret, size_t *ret_n, struct nook_error *e)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	if (!dir)
		return err_sys(e, STEP_FDS, "/proc/self/fd");
	while ((entry = readdir(dir))) {
		uint64_t fd = 0;

		if (text_u64(entry->d_name, &fd) < 0 || fd < 3 || is_used(b, (int)fd) || fcntl((int)fd, F_GETFD) != 0)
			continue;
		*arena_push(a, ret, ret_n) = (uint32_t)fd;
	}
	(void)closedir(dir);
	if (*ret_n > KEEP_MAX)
		return err_fmt(e, STEP_FDS, NULL, E2BIG, "%zu descriptors are open, and at most %d can be passed on", *ret_n, KEEP_MAX);
	return 0;
}

/* ---- what is told ---------------------------------------------------------------------------------------------------- */

static const struct {
	const char *key, *file;
	enum ns_kind kind;
} namespaces[] = {
	{"cgroup-namespace", "cgroup", NS_CGROUP}, {"ipc-namespace", "ipc", NS_IPC}, {"mnt-namespace", "mnt", NS_MNT},
	{"net-namespace", "net", NS_NET}, {"pid-namespace", "pid", NS_PID}, {"uts-namespace", "uts", NS_UTS},
};

/* bubblewrap's own form, which programs read: {"child-pid": 1, "mnt-namespace": 2}. */
static void started_text(const struct bwrap *b, pid_t pid, const char *before, const char *after, struct buf *text)
{
	buf_addf(text, "{%s\"child-pid\": %d", before, (int)pid);
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
		char path[64];
		struct stat st;

		(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, namespaces[i].file);
		if (b->spec->ns[namespaces[i].kind].mode == NS_PRIVATE && stat(path, &st) == 0)
			buf_addf(text, ",%s\"%s\": %llu", before, namespaces[i].key, (unsigned long long)st.st_ino);
	}
	buf_addf(text, "%s}\n", after);
}

/* Who reads there may have gone: that is not the command's fault. */
static void tell(int fd, const struct buf *text)
{
	if (fd >= 0)
		(void)fd_write(fd, buf_text(text), text->len);
}

static int born(void *data, pid_t pid, int pidfd, struct nook_error *e)
{
	struct bwrap *b = data;
	AUTO_VALUE(buf_done) struct buf lines = {0}, line = {0};
	char byte;
	ssize_t n;

	started_text(b, pid, "\n    ", "\n", &lines);
	started_text(b, pid, " ", " ", &line);
	tell(b->info_fd, &lines);
	tell(b->json_fd, &line);
	close_fd(&b->info_fd);
	if (b->userns_block_fd < 0)
		return 0;
	n = fd_read_once(b->userns_block_fd, &byte, 1);
	return n < 0 ? err_num(e, STEP_WAIT, "--userns-block-fd", (int)n) : 0;
}

static void tell_end(const struct bwrap *b, int status)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	buf_addf(&text, "{ \"exit-code\": %d }\n", status);
	tell(b->json_fd, &text);
}

/* ---- running -------------------------------------------------------------------------------------------------------- */

static int wait_end(struct launched *l, struct nook_error *e)
{
	int status = 0;

	while (waitpid(l->pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, STEP_WAIT, NULL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_sandbox(struct cli *c, struct bwrap *b, struct nook_error *e)
{
	const struct launch_hooks hooks = {.born = born, .data = b};
	AUTO_VALUE(launched_done) struct launched l = LAUNCHED_INIT;
	uint32_t *keep = NULL;
	size_t n_keep = 0;
	int status;

	TRY(keep_list(b, c->arena, &keep, &n_keep, e));
	TRY(bwrap_compile(b, keep, n_keep, e));
	for (const char **note = b->notes; note && *note; note++)
		cli_note(c, "%s", *note);
	if (b->die_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_sys(e, STEP_SIGNAL, "--die-with-parent");
	/* Modes are meant as they are given; the command gets its mask back. */
	(void)umask(0);
	(void)signal(SIGPIPE, SIG_IGN);
	TRY(launch(b->plan, &hooks, &l, e));
	status = TRY(wait_end(&l, e));
	tell_end(b, status);
	return status;
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(spec_free) struct spec *spec = spec_new();
	struct bwrap b = {.arena = c->arena, .spec = spec};
	AUTO_VALUE(buf_done) struct buf text = {0};
	int r = bwrap_parse(&b, argc, argv, e);

	if (r == 0 && b.help) {
		help_command(&cmd_bwrap, "bwrap", &text);
		(void)fd_write(STDOUT_FILENO, buf_text(&text), text.len);
		return 0;
	}
	if (r == 0 && b.version)
		return puts("bubblewrap 0.11.0") < 0;
	if (r == 0)
		r = run_sandbox(c, &b, e);
	plan_free(b.plan);
	if (r >= 0)
		return r;
	if (b.level_prefix)
		(void)fd_write(STDERR_FILENO, "<3>", 3);
	cli_error(c, e);
	return EXIT_BWRAP;
}

const struct command cmd_bwrap = {
	.name = "bwrap",
	.usage = "[OPTION]... [--] COMMAND [ARG...]",
	.summary = "bubblewrap's command line, for programs that call bwrap",
	.options = table,
	.options_size = sizeof(const char *),
	.mode = OPT_RAW,
	.min_args = 0,
	.max_args = -1,
	.run = run,
	.details = "The options are those of bubblewrap 0.11, and mean what they mean there: the sandbox starts empty, options fill it in "
		   "their order, and nothing is closed that they do not name. Write nook box instead where you may. The exit status is "
		   "the command's, 128+n when signal n ended it, 1 when the sandbox could not be made.",
	.examples = "nook bwrap --ro-bind / / --dev /dev --proc /proc --unshare-all --die-with-parent id\n"
		    "nook bwrap --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib64 /lib64 --symlink usr/lib /lib sh",
};
