/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/watch.h"

#include "base/clock.h"
#include "box/shim.h"
#include "runtime/supervise.h"
#include "sys/record.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum { TIME_STEP_US = 10000 }; /* /proc counts processor time in ticks of 10 ms */
enum { RUSAGE_BLOCK = 512 };   /* getrusage(2): bytes of a block of ru_inblock */

/* ---- the time of processors ---------------------------------------------------------------------------------------- */

static uint64_t time_used(const struct box_watch *w)
{
	struct usage u;

	return usage_of_tree(w->launched->pid, &u) < 0 ? 0 : u.user_us + u.system_us;
}

/* The earliest moment at which the time can be used up: all processors busy from now on. */
static int64_t next_look(const struct box_watch *w, uint64_t used)
{
	int64_t left = (int64_t)(w->bounds.time_us - used) / sysconf(_SC_NPROCESSORS_ONLN);

	return clock_us() + (left > TIME_STEP_US ? left : TIME_STEP_US);
}

/* ---- the end ------------------------------------------------------------------------------------------------------- */

static void set_status(struct nook_result *r, int status)
{
	r->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	r->term_signal = WIFSIGNALED(status) ? WTERMSIG(status) : -1;
}

static uint64_t micros(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_usec;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static int collect(struct box_watch *w, struct nook_result *r, struct nook_error *e)
{
	struct rusage usage;
	int status = 0;

	while (wait4(w->launched->pid, &status, 0, &usage) < 0)
		if (errno != EINTR)
			return err_sys(e, STEP_WAIT, NULL);
	r->wall_us = (uint64_t)(clock_us() - w->started_us);
	r->user_us = larger(micros(&usage.ru_utime), w->last.user_us);
	r->system_us = larger(micros(&usage.ru_stime), w->last.system_us);
	r->max_rss = (uint64_t)usage.ru_maxrss * 1024;
	r->have |= NOOK_HAS_CPU | NOOK_HAS_MAX_RSS;
	set_status(r, w->launched->status && *w->launched->status != -1 ? *w->launched->status : status);
	/* RLIMIT_CPU is the second net below ours. */
	if (!r->limit && w->bounds.time_us && (r->term_signal == SIGXCPU || r->term_signal == SIGKILL) &&
		r->user_us + r->system_us >= w->bounds.time_us)
		r->limit = NOOK_LIMIT_TIME;
	box_groups_stats(w->plan, r);
	if (!(r->have & NOOK_HAS_IO)) {
		r->have |= NOOK_HAS_IO;
		r->read_bytes = (uint64_t)usage.ru_inblock * RUSAGE_BLOCK;
		r->written_bytes = (uint64_t)usage.ru_oublock * RUSAGE_BLOCK;
	}
	return 0;
}

/* ---- while it runs ------------------------------------------------------------------------------------------------- */

static void end_box(struct box_watch *w)
{
	/* The kernel does not count for pid 1 what it kills behind it. */
	(void)usage_of_tree(w->launched->pid, &w->last);
	(void)syscall(SYS_pidfd_send_signal, w->launched->pidfd, SIGKILL, NULL, 0);
}

static void answer_stats(struct box_watch *w)
{
	struct shim_reply reply = {.kind = SHIM_STATS, .result = NOOK_RESULT_INIT};
	struct usage u;

	reply.result.wall_us = (uint64_t)(clock_us() - w->started_us);
	if (usage_of_tree(w->launched->pid, &u) == 0) {
		reply.result.user_us = u.user_us;
		reply.result.system_us = u.system_us;
		reply.result.pids = u.pids ? u.pids - 1 : 0; /* pid 1 is nook's */
		reply.result.have |= NOOK_HAS_CPU | NOOK_HAS_PIDS;
	}
	box_groups_stats(w->plan, &reply.result);
	reply.result.limit = NOOK_LIMIT_NONE;
	(void)record_send(w->control, &reply, shim_reply_size(SHIM_STATS), NULL, 0);
}

static void answer_join(struct box_watch *w)
{
	struct shim_reply reply = {.kind = SHIM_JOIN};
	int fds[NS_COUNT];
	size_t n = 0;

	for (int kind = 0; w->namespaces && kind < NS_COUNT; kind++) {
		if (w->namespaces[kind] < 0)
			continue;
		reply.number |= 1 << kind;
		fds[n++] = w->namespaces[kind];
	}
	(void)record_send(w->control, &reply, shim_reply_size(SHIM_JOIN), fds, n);
}

static void serve_control(struct box_watch *w)
{
	uint32_t kind;
	size_t n_fds = 0;
	ssize_t n = record_receive(w->control, &kind, sizeof(kind), NULL, &n_fds, MSG_DONTWAIT);

	if (n == sizeof(kind) && kind == SHIM_STATS) {
		answer_stats(w);
	} else if (n == sizeof(kind) && kind == SHIM_JOIN) {
		answer_join(w);
	} else if (n != -EAGAIN) {
		w->control = -EBADF; /* not ours to close */
		end_box(w);
	}
}

/* Ends the box when a limit of the whole is reached; returns the time of the next look in microseconds, -1: never. */
static int64_t enforce(struct box_watch *w, struct nook_result *r, int64_t *look)
{
	int64_t now = clock_us(), wall_end = w->started_us + (int64_t)w->bounds.wall_us;
	int64_t next = -1;

	if (r->limit)
		return -1;
	if (w->bounds.wall_us) {
		if (now >= wall_end)
			r->limit = NOOK_LIMIT_WALL;
		next = wall_end;
	}
	if (w->bounds.time_us) {
		if (now >= *look) {
			uint64_t used = time_used(w);

			if (used >= w->bounds.time_us)
				r->limit = NOOK_LIMIT_TIME;
			else
				*look = next_look(w, used);
		}
		next = next < 0 || *look < next ? *look : next;
	}
	if (r->limit)
		end_box(w);
	return r->limit ? -1 : next;
}

/* ---- output -------------------------------------------------------------------------------------------------------- */

static bool output_is_done(const struct box_watch *w)
{
	for (size_t i = 0; i < w->n_output; i++)
		if (!w->relays[i].done || relay_is_full(&w->relays[i]))
			return false;
	return true;
}

static void step_relays(struct box_watch *w, const struct pollfd *p, bool ended, struct nook_result *r)
{
	uint64_t total = 0;

	for (size_t i = 0; i < w->n_relays; i++, p += 2) {
		struct relay *relay = &w->relays[i];

		/* After the end nothing new is written; what another process could still hold open is not waited for. */
		if (ended && i < w->n_output && !p[0].revents && !relay_is_full(relay))
			relay->done = true;
		relay_step(relay, p);
		if (i >= w->n_output)
			continue;
		total += relay->total;
		if (w->bounds.output && total > w->bounds.output) {
			/* Not a byte more than allowed. */
			relay->end -= (size_t)(total - w->bounds.output) < relay->end - relay->start
				? (size_t)(total - w->bounds.output) : relay->end - relay->start;
			relay->total -= total - w->bounds.output;
			total = w->bounds.output;
			if (!r->limit)
				r->limit = NOOK_LIMIT_OUTPUT;
			end_box(w);
		}
	}
}

/* What is waited for, before the relays. */
enum { WAIT_END, WAIT_CONTROL, WAIT_CALLER, WAIT_SIGNALS, WAIT_LINKS, FIXED };
enum { RELAYS_MAX = 4 };

static int poll_once(struct box_watch *w, struct pollfd *p, bool ended, int64_t next)
{
	int64_t left = next < 0 ? -1 : next - clock_us();
	struct timespec t = {left > 0 ? left / 1000000 : 0, left > 0 ? left % 1000000 * 1000 : 0};
	bool full = false;

	p[WAIT_END] = (struct pollfd){ended ? -1 : w->launched->pidfd, POLLIN, 0};
	p[WAIT_CONTROL] = (struct pollfd){w->control, POLLIN, 0};
	p[WAIT_CALLER] = (struct pollfd){w->caller, POLLIN, 0};
	p[WAIT_SIGNALS] = (struct pollfd){w->signals, POLLIN, 0};
	p[WAIT_LINKS] = (struct pollfd){w->links ? box_links_fd(w->links) : -EBADF, POLLIN, 0};
	for (size_t i = 0; i < w->n_relays; i++) {
		relay_poll(&w->relays[i], p + FIXED + 2 * i);
		full = full || (i < w->n_output && relay_is_full(&w->relays[i]));
	}
	/* After the end only a reader that is slow to take the rest is waited for. */
	if (ended && !full)
		t = (struct timespec){0, 0};
	if (ppoll(p, FIXED + 2 * w->n_relays, (ended && !full) || next >= 0 ? &t : NULL, NULL) < 0) {
		if (errno != EINTR)
			return -errno;
		for (size_t i = 0; i < FIXED + 2 * w->n_relays; i++)
			p[i].revents = 0;
	}
	return 0;
}

/* Serves the box until it has ended and its output is out. */
static int serve(struct box_watch *w, struct nook_result *r, struct nook_error *e)
{
	struct pollfd p[FIXED + 2 * RELAYS_MAX];
	int64_t look = w->started_us;
	bool ended = false;

	while (!ended || !output_is_done(w)) {
		int code = poll_once(w, p, ended, ended ? -1 : enforce(w, r, &look));

		if (code < 0)
			return err_num(e, STEP_WAIT, NULL, code);
		if (p[WAIT_CONTROL].revents)
			serve_control(w);
		if (p[WAIT_CALLER].revents) {
			w->caller = -EBADF;
			end_box(w);
		}
		if (p[WAIT_SIGNALS].revents)
			supervise_forward(w->signals, w->launched, w->terminal);
		if (p[WAIT_LINKS].revents)
			box_links_event(w->links);
		step_relays(w, p + FIXED, ended, r);
		ended = ended || p[WAIT_END].revents;
	}
	return 0;
}

int box_watch(struct box_watch *w, struct nook_result *ret, struct nook_error *e)
{
	struct nook_result r = NOOK_RESULT_INIT;
	int code = serve(w, &r, e), collected;

	/* A box that cannot be watched does not stay. */
	if (code < 0)
		end_box(w);
	collected = collect(w, &r, code < 0 ? NULL : e);
	box_remove_groups(w->plan);
	if (code < 0 || collected < 0)
		return code < 0 ? code : collected;
	*ret = r;
	return 0;
}
