/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook-oci: global options, which command, its options and arguments, run, and say once what went wrong. */
#include "base/fd.h"
#include "base/text.h"
#include "bundle/config.h"
#include "oci/log.h"
#include "oci/oci.h"
#include "opt/nearest.h"
#include "sys/ns.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>

enum { EXIT_RUNTIME = 1, EXIT_NOT_RUNNABLE = 126, EXIT_NOT_FOUND = 127 };

static const char version[] =
	"nook-oci version " NOOK_VERSION "\n"
	"commit: " NOOK_VERSION "\n"
	"spec: " CONFIG_OCI_VERSION "\n"
	"+SECCOMP +LANDLOCK +APPARMOR +SELINUX +CAP +EBPF +IDMAP\n";

const struct opt oci_global_options[] = {
	{0, "root", "DIR", OPT_STRING, offsetof(struct oci_globals, root), "where the states of containers are kept"},
	{0, "log", "FILE", OPT_STRING, offsetof(struct oci_globals, log), "append messages to this file, or send them to syslog:NAME, journald:NAME"},
	{0, "log-format", "FORMAT", OPT_STRING, offsetof(struct oci_globals, log_format), "text or json"},
	{0, "log-level", "LEVEL", OPT_STRING, offsetof(struct oci_globals, log_level), "debug, warning or error"},
	{0, "debug", NULL, OPT_FLAG, offsetof(struct oci_globals, debug), "log more"},
	{0, "systemd-cgroup", NULL, OPT_FLAG, offsetof(struct oci_globals, systemd),
		"cgroupsPath is SLICE:PREFIX:NAME, a unit of systemd"},
	{0, "cgroup-manager", "MANAGER", OPT_STRING, offsetof(struct oci_globals, cgroup_manager),
		"cgroupfs, systemd or disabled"},
	{0, "rootless", "WHEN", OPT_STRING, offsetof(struct oci_globals, rootless), "true, false or auto"},
	{0, "criu", "PROGRAM", OPT_STRING, offsetof(struct oci_globals, criu), "path of criu(8)"},
	{'v', "version", NULL, OPT_FLAG, offsetof(struct oci_globals, version), "print the version"},
	{'h', "help", NULL, OPT_FLAG, offsetof(struct oci_globals, help), "print this help"},
	{0},
};

static int print(const char *text, size_t len)
{
	return fd_write(STDOUT_FILENO, text, len) < 0 ? 1 : 0;
}

static int print_help(const struct oci_command *cmd)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	if (cmd) {
		buf_addf(&text, "usage: nook-oci [OPTIONS] %s %s\n%s\n\n", cmd->name, cmd->usage, cmd->summary);
		if (cmd->options)
			opt_help(cmd->options, &text);
	} else {
		buf_adds(&text, "usage: nook-oci [OPTIONS] COMMAND [OPTIONS] [ARGUMENTS]\nrun OCI bundles\n\n");
		opt_help(oci_global_options, &text);
		buf_addc(&text, '\n');
		for (const struct oci_command *const *c = oci_commands; *c; c++)
			buf_addf(&text, "  %-12s %s\n", (*c)->name, (*c)->summary);
	}
	return print(buf_text(&text), text.len);
}

static const struct oci_command *find_command(const char *name)
{
	for (const struct oci_command *const *c = oci_commands; *c; c++)
		if (text_is((*c)->name, name))
			return *c;
	return NULL;
}

static int unknown_command(const char *name, struct nook_error *e)
{
	struct nearest near = {.typed = name};

	for (const struct oci_command *const *c = oci_commands; *c; c++)
		nearest_offer(&near, (*c)->name);
	if (near.word)
		return err_fmt(e, STEP_OPTION, name, EINVAL, "there is no such command; did you mean \"%s\"?", near.word);
	return err_why(e, STEP_OPTION, name, EINVAL, "there is no such command");
}

/* ---- what the global options mean ----------------------------------------------------------------------------------- */

struct choice {
	const char *word;
	int value;
};

static int choose(const char *option, const char *given, const struct choice *choices, int *ret, struct nook_error *e)
{
	for (; choices->word; choices++)
		if (text_is(choices->word, given)) {
			*ret = choices->value;
			return 0;
		}
	return err_fmt(e, STEP_OPTION, option, EINVAL, "\"%.40s\" is not known", given);
}

static int settle_log(const struct oci_globals *g, struct oci_log *log, struct nook_error *e)
{
	static const struct choice formats[] = {{"text", OCI_LOG_TEXT}, {"json", OCI_LOG_JSON}, {0}};
	static const struct choice level_words[] = {
		{"debug", OCI_LOG_DEBUG}, {"info", OCI_LOG_WARNING}, {"warning", OCI_LOG_WARNING}, {"error", OCI_LOG_ERROR}, {0}};
	/* Without a file of its own the log is stderr, which engines take for the container's: errors only. */
	int format = OCI_LOG_TEXT, level = g->log && *g->log ? OCI_LOG_WARNING : OCI_LOG_ERROR;

	if (g->log_format)
		TRY(choose("--log-format", g->log_format, formats, &format, e));
	if (g->log_level)
		TRY(choose("--log-level", g->log_level, level_words, &level, e));
	log->format = (enum oci_log_format)format;
	log->level = g->debug ? OCI_LOG_DEBUG : (enum oci_log_level)level;
	return oci_log_open(log, g->log, e);
}

static const char *absolute(struct arena *a, const char *path)
{
	auto_free char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);

	return cwd ? arena_printf(a, "%s/%s", cwd, path) : path;
}

/* An ordinary user's podman calls us in its user namespace, as a root that only has what is the user's. */
static bool is_users(const char *runtime_dir)
{
	return runtime_dir && *runtime_dir && (geteuid() != 0 || ns_is_first_user(NULL) == 0);
}

static int settle(const struct oci_globals *g, struct oci *o, struct nook_error *e)
{
	static const struct choice managers[] = {
		{"cgroupfs", MANAGER_CGROUPFS}, {"systemd", MANAGER_SYSTEMD}, {"disabled", MANAGER_NONE}, {0}};
	static const struct choice rootless_words[] = {{"true", 1}, {"false", 0}, {"auto", 0}, {0}};
	const char *runtime_dir = secure_getenv("XDG_RUNTIME_DIR");
	int manager = g->systemd ? MANAGER_SYSTEMD : MANAGER_CGROUPFS, rootless;

	if (g->rootless)
		TRY(choose("--rootless", g->rootless, rootless_words, &rootless, e));
	if (g->cgroup_manager)
		TRY(choose("--cgroup-manager", g->cgroup_manager, managers, &manager, e));
	o->manager = (enum oci_manager)manager;
	o->criu = g->criu && *g->criu ? g->criu : "criu";
	if (g->root && *g->root)
		o->root = absolute(o->arena, g->root);
	else if ((o->root_is_own = is_users(runtime_dir)))
		o->root = arena_printf(o->arena, "%s/nook-oci", runtime_dir);
	else
		o->root = "/run/nook-oci";
	return 0;
}

/* ---- one call -------------------------------------------------------------------------------------------------------- */

static int check_arguments(const struct oci_command *cmd, int argc, char **argv, struct nook_error *e)
{
	if (argc < cmd->min_args)
		return err_fmt(e, STEP_OPTION, cmd->name, EINVAL, "an argument is missing: nook-oci %s %s", cmd->name, cmd->usage);
	if (cmd->max_args >= 0 && argc > cmd->max_args)
		return err_fmt(e, STEP_OPTION, cmd->name, EINVAL, "\"%.100s\" is one argument too many", argv[cmd->max_args]);
	return 0;
}

/* Parses and runs; the options that decide how a failure is told are settled as soon as they are known. */
static int call(struct oci *o, int argc, char **argv, struct nook_error *e)
{
	struct oci_globals globals = {0};
	const struct opt *tables[] = {oci_global_options, NULL, NULL};
	void *targets[] = {&globals, NULL, NULL};
	const struct oci_command *cmd;
	int first = 0;

	TRY(opt_parse(argc, argv, tables, OPT_STOP, targets, o->arena, &first, e));
	cmd = argc > first ? find_command(argv[first]) : NULL;
	/* A reader that has gone away is an error of write(2), not the end of us. */
	if (!cmd || !cmd->starts)
		(void)signal(SIGPIPE, SIG_IGN);
	if (globals.version)
		return print(version, sizeof(version) - 1);
	TRY(settle_log(&globals, o->log, e));
	argc -= first;
	argv += first;
	if (globals.help || !argc)
		return print_help(NULL) ?: !globals.help;
	if (!cmd)
		return unknown_command(argv[0], e);
	void *options = arena_alloc(o->arena, cmd->options_size);

	if (cmd->options) {
		tables[0] = cmd->options;
		targets[0] = options;
		tables[1] = oci_global_options;
		targets[1] = &globals;
	}
	TRY(opt_parse(argc, argv, tables, cmd->mode, targets, o->arena, &first, e));
	if (o->log->fd < 0)
		TRY(settle_log(&globals, o->log, e));
	if (globals.help)
		return print_help(cmd);
	argc -= first;
	argv += first;
	TRY(check_arguments(cmd, argc, argv, e));
	TRY(settle(&globals, o, e));
	return cmd->run(o, options, argc, argv, e);
}

/* Go programs look for the words of Go's syscall package: strerror(3)'s in small letters. */
static void describe(const struct nook_error *e, char *buf, size_t size)
{
	const char *words = e->sys_errno ? strerror(e->sys_errno) : "";
	struct nook_error bare = *e;
	size_t len;

	if (e->step == STEP_EXEC && e->sys_errno == ENOENT && !e->detail[0] && !strchr(e->object, '/'))
		err_detail(&bare, "executable file not found in $PATH");
	bare.sys_errno = 0;
	len = (size_t)nook_error_text(&bare, buf, size);
	if (words[0] && len < size)
		(void)snprintf(buf + len, size - len, ": %c%s", tolower((unsigned char)words[0]), words + 1);
}

/* A program that is not there or cannot be run, in the words of shells; anything else is a failure of the runtime. */
static int exit_status(const struct nook_error *e, int r)
{
	if (e->step != STEP_EXEC)
		return EXIT_RUNTIME;
	return r == -ENOENT || r == -ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_RUNNABLE;
}

int main(int argc, char **argv)
{
	AUTO(arena_free) struct arena *arena = arena_new();
	struct oci_log log = {.fd = -EBADF, .level = OCI_LOG_ERROR};
	struct oci o = {.arena = arena, .log = &log};
	struct nook_error e = NOOK_ERROR_INIT;
	char message[NOOK_OBJECT_MAX + NOOK_DETAIL_MAX + 128];
	int r;

	/* As it was: the parser moves options before arguments. */
	o.argv = arena_memdup(arena, argv, ((size_t)argc + 1) * sizeof(*argv));
	r = call(&o, argc, argv, &e);

	if (r >= 0)
		return r;
	describe(&e, message, sizeof(message));
	/* What has words of its own has a number, too. */
	if (!e.sys_errno)
		e.sys_errno = -r;
	oci_log_write(&log, OCI_LOG_ERROR, message, &e);
	return exit_status(&e, r);
}
