/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/box_more.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "box/box.h"
#include "box/learn.h"
#include "box/watch.h"
#include "cli/box_learn.h"
#include "cli/box_report.h"
#include "runtime/supervise.h"
#include "runtime/terminal.h"

#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

struct box_options {
	struct opt_list rules[BOX_WORDS]; /* of words with a value */
	bool flags[BOX_WORDS];            /* of words without */
	bool tty, no_tty, detach, check;
	const char *json, *learn, *explain, *save;
	struct opt_u64 ready_fd, go_fd;
};

#define AT(member) offsetof(struct box_options, member)
#define VALUE_ROW(id, word, letter, value, help) {letter, word, value, OPT_STRINGS, AT(rules[BOX_##id]), help},
#define FLAG_ROW(id, word, help) {0, word, NULL, OPT_FLAG, AT(flags[BOX_##id]), help},

static const struct opt table[] = {
	{0, NULL, NULL, OPT_SECTION, 0, "Rules"},
	BOX_RULES(VALUE_ROW, FLAG_ROW)
	{0, NULL, NULL, OPT_SECTION, 0, "Running"},
	{'t', "tty", NULL, OPT_FLAG, AT(tty), "a terminal of its own (the default when stdin and stdout are one)"},
	{'T', "no-tty", NULL, OPT_FLAG, AT(no_tty), "no terminal even then"},
	{'d', "detach", NULL, OPT_FLAG, AT(detach), "go on in the background: prints the number of the box's first process"},
	{0, "json", "FILE|fd:N", OPT_STRING, AT(json), "write there how it ended and what it used"},
	{0, "learn", "FILE", OPT_STRING, AT(learn), "let it touch what it wants, and write a profile there that opens just that"},
	{0, "explain", "text|why|json", OPT_OPTIONAL, AT(explain), "print the plan and start nothing"},
	{0, "check", NULL, OPT_FLAG, AT(check), "tell what this machine gives to boxes, try this one, and how to mend what fails"},
	{0, "save", "NAME", OPT_STRING, AT(save), "write these rules into the profile NAME, and start nothing"},
	{0, "ready-fd", "N", OPT_U64, AT(ready_fd), "write the number of its first process there once the box is made"},
	{0, "go-fd", "N", OPT_U64, AT(go_fd), "start the command only when something can be read there"},
	{0},
};

enum { EXIT_LIMIT = 124, EXIT_NOOK = 125 };

/* Profiles first, so that options change what they say. */
static int add_rules(struct nook_box *b, const struct box_options *o, struct nook_error *e)
{
	for (size_t i = 0; i < o->rules[BOX_PROFILE].n; i++)
		TRY(box_add(b, BOX_PROFILE, o->rules[BOX_PROFILE].items[i], e));
	for (int word = 0; word < BOX_WORDS; word++) {
		if (o->flags[word])
			TRY(box_add(b, (enum box_word)word, NULL, e));
		for (size_t i = 0; word != BOX_PROFILE && i < o->rules[word].n; i++)
			TRY(box_add(b, (enum box_word)word, o->rules[word].items[i], e));
	}
	return 0;
}

/* As a profile has them. */
static int save_rules(const struct box_options *o, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	for (int word = 0; word < BOX_WORDS; word++) {
		if (o->flags[word])
			buf_addf(&text, "%s\n", box_rules[word].word);
		for (size_t i = 0; i < o->rules[word].n; i++) {
			if (strchr(o->rules[word].items[i], '\n'))
				return err_why(e, STEP_OPTION, box_rules[word].word, EINVAL, "a profile has one rule a line, and this value has more");
			buf_addf(&text, "%s %s\n", box_rules[word].word, o->rules[word].items[i]);
		}
	}
	return box_save(o->save, buf_text(&text), e);
}

static void set_terminal(struct nook_box *b, const struct box_options *o)
{
	struct winsize size;

	if (o->detach)
		return;
	b->terminal = o->tty || (!o->no_tty && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
	if (b->terminal && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
		b->rows = size.ws_row;
		b->columns = size.ws_col;
	}
}

/* ---- running ------------------------------------------------------------------------------------------------------- */

/* Descriptors of rules at the numbers that the box sees. */
static int place_fds(struct nook_box *b, struct nook_error *e)
{
	int above = 3;

	for (size_t i = 0; i < b->n_fds; i++)
		above = b->fds[i].as >= above ? b->fds[i].as + 1 : above;
	for (size_t i = 0; i < b->n_fds; i++) {
		int moved = fcntl(b->fds[i].fd, F_DUPFD_CLOEXEC, above);

		if (moved < 0)
			return err_sys(e, STEP_FDS, "source");
		(void)close(b->fds[i].fd);
		b->fds[i].fd = moved;
	}
	for (size_t i = 0; i < b->n_fds; i++)
		if (dup3(b->fds[i].fd, b->fds[i].as, b->fds[i].as < 3 ? 0 : O_CLOEXEC) < 0)
			return err_sys(e, STEP_FDS, "target");
	return 0;
}

struct asked {
	const struct box_options *options;
	const struct nook_box *box;
	const char *const *command;
	struct box_plan *plan;
	int learn_listener;
};

struct running {
	struct box_plan *plan;
	struct launched launched;
	struct box_output output;
	struct box_links links;
	struct observer observer;
	const char **hosts; /* that were reached while learning */
	size_t n_hosts;
	struct arena *arena;
	struct relay *relays; /* of a terminal */
	struct terminal terminal;
	int ready, started;   /* where the box's number is told: when it is made, when the command runs; or -EBADF */
};

static void tell_number(int fd, pid_t pid)
{
	char text[16];

	if (fd >= 0)
		(void)fd_write(fd, text, (size_t)snprintf(text, sizeof(text), "%d\n", (int)pid));
}

static int adopted(void *data, pid_t pid, int pidfd, int proc, struct nook_error *e)
{
	struct running *r = data;

	TRY(box_links_adopted(&r->links, pid, pidfd, proc, e));
	tell_number(r->ready, pid);
	close_fd(&r->ready);
	return 0;
}

static int watch_terminal(struct running *r, struct box_watch *w, struct nook_error *e)
{
	r->relays = xcalloc(2, sizeof(*r->relays));
	TRY(terminal_join(&r->terminal, r->launched.console, e));
	(void)fcntl(r->launched.console, F_SETFL, O_NONBLOCK);
	r->relays[0].from = r->relays[1].to = r->launched.console;
	r->relays[0].to = STDOUT_FILENO;
	r->relays[1].from = STDIN_FILENO;
	w->terminal = &r->terminal;
	w->relays = r->relays;
	w->n_output = 1;
	w->n_relays = 2;
	return 0;
}

static int observed(void *data, pid_t pid, int listener, struct nook_error *e)
{
	struct running *r = data;

	return observer_start(&r->observer, listener, e);
}

/* What has started does not stay when its network could not be made. */
static int links_ready(struct running *r, struct nook_error *e)
{
	int code = box_links_ready(&r->links, &r->launched, e);

	if (code < 0) {
		(void)kill(r->launched.pid, SIGKILL);
		while (waitpid(r->launched.pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	return code;
}

static int run_box(struct running *r, struct nook_result *ret, struct nook_error *e)
{
	const struct launch_hooks hooks = {.adopted = adopted, .notify = observed, .data = r};
	struct box_watch w = BOX_WATCH_INIT(&r->launched, r->plan->plan);
	bool pipes = !w.plan->terminal && r->plan->bounds.output;
	sigset_t before;
	int code;

	w.bounds = r->plan->bounds;
	w.started_us = clock_us();
	supervise_begin(&before);
	auto_close int signals = TRY(supervise_signals(e));

	w.signals = signals;
	w.links = &r->links;
	TRY(box_links_begin(&r->links, &r->plan->network, r->plan->hosts, e));
	if (pipes)
		TRY(box_output_begin(&r->output, e));
	code = launch(w.plan, &hooks, &r->launched, e);
	if (code >= 0)
		code = links_ready(r, e);
	if (pipes) {
		int back = box_output_ready(&r->output, &w, code < 0 ? NULL : e);

		code = code < 0 ? code : back;
	}
	if (code >= 0 && w.plan->terminal)
		code = watch_terminal(r, &w, e);
	if (code < 0) {
		box_remove_groups(w.plan);
		return code;
	}
	tell_number(r->started, r->launched.pid);
	close_fd(&r->started);
	code = box_watch(&w, ret, e);
	terminal_restore(&r->terminal);
	return code;
}

static int status_of(const struct nook_result *r)
{
	if (r->limit)
		return EXIT_LIMIT;
	return r->term_signal >= 0 ? 128 + r->term_signal : r->exit_code;
}

struct refusals {
	const struct cli *c;
	struct running *running;
	bool later; /* a terminal is the box's as long as it runs */
};

static void tell_refusal(void *data, const struct box_refusal *r)
{
	const struct refusals *refusals = data;
	char text[BOX_REFUSAL_TEXT];

	if (refusals->later)
		return;
	(void)box_refusal_text(r, text);
	if (r->address[0])
		cli_note(refusals->c, "refused %s:%u: its address is not public; allow it with --allow %s", r->host, r->port, text);
	else
		cli_note(refusals->c, "refused %s; allow it with --allow %s", text, text);
}

static void note_reached(void *data, const struct box_refusal *r)
{
	const struct refusals *refusals = data;
	struct running *running = refusals->running;
	struct box_refusal name = *r;
	char text[BOX_REFUSAL_TEXT];

	/* A name whose address is not public takes both. */
	name.address[0] = 0;
	*arena_push(running->arena, &running->hosts, &running->n_hosts) =
		arena_strdup(running->arena, box_refusal_text(&name, text));
	if (!r->address[0])
		return;
	*arena_push(running->arena, &running->hosts, &running->n_hosts) = arena_strdup(running->arena, box_refusal_text(r, text));
}

/* STARTED: where the box's number is told, or -EBADF. */
static int run_planned(struct cli *c, const struct asked *q, int started, struct nook_error *e)
{
	const struct box_options *o = q->options;
	struct box_plan *plan = q->plan;
	struct running r = {.plan = plan, .launched = LAUNCHED_INIT, .output = BOX_OUTPUT_INIT, .terminal.master = -EBADF,
		.ready = o->ready_fd.set ? (int)o->ready_fd.value : -EBADF, .started = started};
	struct nook_result result = NOOK_RESULT_INIT;
	AUTO_VALUE(buf_done) struct buf text = {0};
	auto_close int json = o->json ? TRY(box_report_open(o->json, e)) : -EBADF;
	auto_close int profile = o->learn ? TRY(box_report_open(o->learn, e)) : -EBADF;
	struct refusals refusals = {c, &r, plan->plan->terminal};
	int code, status;

	r.links.told = tell_refusal;
	r.links.reached = note_reached;
	r.links.data = &refusals;
	r.links.learn_listener = q->learn_listener;
	r.arena = c->arena;
	if (profile >= 0)
		TRY(observer_prepare(&r.observer, e));
	code = run_box(&r, &result, e);
	box_output_done(&r.output);
	free(r.relays);
	launched_done(&r.launched);
	box_links_end(&r.links);
	refusals.later = false;
	for (size_t i = 0; plan->plan->terminal && i < r.links.n_list; i++)
		tell_refusal(&refusals, &r.links.list[i]);
	if (code < 0) {
		status = supervise_status(e, code);
		if (json >= 0) {
			box_report_error(e, status, &text);
			(void)box_report_write(json, &text, NULL);
		}
		cli_error(c, e);
		box_links_done(&r.links);
		return status;
	}
	status = status_of(&result);
	if (profile >= 0)
		TRY(box_learn_write(&r.observer, profile, q->box, q->command, r.hosts, c->arena, e));
	if (result.limit)
		cli_note(c, "the limit of %s was reached", box_limit_names[result.limit]);
	if (json >= 0) {
		box_report_result(&result, status, &r.links, &text);
		code = box_report_write(json, &text, e);
	}
	box_links_done(&r.links);
	return code < 0 ? code : status;
}

/* As nook run has it: NOOK_FAIL_STEP=N lets step N of the plan fail, for tests of what a failure leaves behind. */
static void fail_on_purpose(struct plan *p)
{
	const char *text = getenv("NOOK_FAIL_STEP");

	if (text)
		(void)text_u32(text, &p->fail_at);
}

/* The one who stays behind watches the box; this one goes as soon as the command runs. */
static int run_detached(struct cli *c, const struct asked *q, struct nook_error *e)
{
	char number[16] = "";
	int pipes[2], status = 0;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_sys(e, STEP_STDIO, "pipe");
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC), code;

		close_fd(&pipes[0]);
		(void)setsid();
		code = null < 0 || dup2(null, STDIN_FILENO) < 0 ? err_sys(e, STEP_STDIO, "/dev/null") : run_planned(c, q, pipes[1], e);
		if (code < 0)
			cli_error(c, e);
		_exit(code < 0 ? EXIT_NOOK : code);
	}
	close_fd(&pipes[1]);
	if (pid > 0 && fd_read(pipes[0], number, sizeof(number) - 1) > 0)
		(void)fputs(number, stdout);
	else
		while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	close_fd(&pipes[0]);
	if (pid < 0)
		return err_sys(e, STEP_CLONE, "detach");
	return number[0] ? 0 : WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_NOOK;
}

static int check_descriptor(const char *option, const struct opt_u64 *fd, struct nook_error *e)
{
	if (fd->set && (fd->value > BOX_FD_MAX || fcntl((int)fd->value, F_GETFD) < 0))
		return err_why(e, STEP_OPTION, option, EBADF, "this descriptor is not open");
	return 0;
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct box_options *o = options;
	AUTO(box_free) struct nook_box *b = box_new();
	AUTO(plan_free) struct plan *owned = NULL;
	const char **command = arena_new_n(c->arena, const char *, (size_t)argc + 2);
	struct box_plan plan = {0};
	struct asked q = {.options = o, .box = b, .command = command, .plan = &plan, .learn_listener = -EBADF};

	for (int i = 0; i < argc; i++)
		command[i] = argv[i];
	if (!argc)
		command[0] = "/bin/sh";
	if (o->learn)
		TRY(learn_rules(b, e));
	TRY(add_rules(b, o, e));
	if (o->save)
		return save_rules(o, e);
	if (o->check)
		return box_check_run(c, b, e);
	if (o->detach && o->tty)
		return err_why(e, STEP_OPTION, "--tty", EINVAL, "nobody sees the terminal of a box in the background");
	TRY(check_descriptor("--ready-fd", &o->ready_fd, e));
	TRY(check_descriptor("--go-fd", &o->go_fd, e));
	b->start_fd = o->go_fd;
	if (o->learn)
		TRY(learn_ready(b, &q.learn_listener, e));
	set_terminal(b, o);
	TRY(box_compile(b, command, c->arena, &plan, e));
	owned = plan.plan;
	for (const char **note = plan.notes; note && *note; note++)
		cli_note(c, "%s", *note);
	if (o->explain)
		return plan_explain(plan.plan, o->explain, STDOUT_FILENO, e);
	fail_on_purpose(plan.plan);
	TRY(place_fds(b, e));
	return o->detach ? run_detached(c, &q, e) : run_planned(c, &q, -EBADF, e);
}

const struct command cmd_box = {
	.name = "box",
	.usage = "[RULE|OPTION]... [--] [COMMAND [ARG...]]",
	.summary = "run a command in a sandbox, with this system shared exactly as far as you say",
	.options = table,
	.options_size = sizeof(struct box_options),
	.mode = OPT_STOP,
	.min_args = 0,
	.max_args = -1,
	.run = run,
	.details = "Without rules a box sees this machine's programs and libraries, read-only, and an empty home, /tmp and /run; it has "
		   "no network, no rights, none of the caller's descriptors beyond 0, 1 and 2, and few variables. Rules open it: "
		   "-w . gives it the current directory. The exit status is the command's, 128+n when signal n ended it, 124 when a "
		   "limit did, 125 when nook failed, 126 when the command cannot be executed, 127 when it is not found.",
	.examples = "nook box id\n"
		    "nook box -w . make -j2\n"
		    "nook box -r ~/in.pdf --limit wall=20s,output=10m -- pdftotext ~/in.pdf -\n"
		    "nook box --overlay .,keep=../changes -- ./install.sh\n"
		    "nook box -p judge --json result.json -r ./solution -- ./solution",
};
