/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/signals.h"

#include "base/text.h"

#include <signal.h>
#include <strings.h>

/* The first of several names is the one that is printed. */
static const struct {
	const char *name;
	int number;
} signals[] = {
	{"HUP", SIGHUP},       {"INT", SIGINT},   {"QUIT", SIGQUIT},     {"ILL", SIGILL},       {"TRAP", SIGTRAP},
	{"ABRT", SIGABRT},     {"BUS", SIGBUS},   {"FPE", SIGFPE},       {"KILL", SIGKILL},     {"USR1", SIGUSR1},
	{"SEGV", SIGSEGV},     {"USR2", SIGUSR2}, {"PIPE", SIGPIPE},     {"ALRM", SIGALRM},     {"TERM", SIGTERM},
	{"STKFLT", SIGSTKFLT}, {"CHLD", SIGCHLD}, {"CONT", SIGCONT},     {"STOP", SIGSTOP},     {"TSTP", SIGTSTP},
	{"TTIN", SIGTTIN},     {"TTOU", SIGTTOU}, {"URG", SIGURG},       {"XCPU", SIGXCPU},     {"XFSZ", SIGXFSZ},
	{"VTALRM", SIGVTALRM}, {"PROF", SIGPROF}, {"WINCH", SIGWINCH},   {"IO", SIGIO},         {"PWR", SIGPWR},
	{"SYS", SIGSYS},       {"IOT", SIGIOT},   {"CLD", SIGCHLD},      {"POLL", SIGPOLL},
};

enum { SIGNAL_MAX = 64 };

/* "RTMIN", "RTMIN+N", "RTMAX", "RTMAX-N": glibc's range, 34 to 64, as every shell counts. */
static int realtime_parse(const char *s)
{
	uint32_t offset = 0, span = (uint32_t)(SIGRTMAX - SIGRTMIN);
	int from_min = strncasecmp(s, "RTMIN", 5) == 0;

	if (!from_min && strncasecmp(s, "RTMAX", 5) != 0)
		return -EINVAL;
	s += 5;
	if (*s && (*s != (from_min ? '+' : '-') || text_u32(s + 1, &offset) < 0 || offset > span))
		return -EINVAL;
	return from_min ? SIGRTMIN + (int)offset : SIGRTMAX - (int)offset;
}

static int name_parse(const char *s)
{
	if (strncasecmp(s, "SIG", 3) == 0)
		s += 3;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (strcasecmp(s, signals[i].name) == 0)
			return signals[i].number;
	return realtime_parse(s);
}

int signal_parse(const char *text, struct nook_error *e)
{
	uint32_t number = 0;
	int r = text_u32(text, &number) == 0 && number <= SIGNAL_MAX ? (int)number : name_parse(text);

	return r < 0 ? err_why(e, STEP_SIGNAL, text, EINVAL, "no such signal") : r;
}
