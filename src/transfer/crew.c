/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/crew.h"

#include <pthread.h>
#include <time.h>

enum { SHOW_MS = 100, WORKERS_MAX = 16 };

struct crew {
	const struct crew_work *work;
	pthread_mutex_t lock;
	pthread_cond_t moved; /* an item was finished, or a worker has ended */
	size_t next, running;
	int result;
	struct nook_error error;
};

struct worker {
	struct crew *crew;
	size_t number;
	pthread_t thread;
};

static void fail(struct crew *c, int r, const struct nook_error *e)
{
	if (c->result == 0) {
		c->result = r;
		c->error = *e;
		http_cancel(c->work->http);
	}
}

static void *run(void *context)
{
	const struct worker *me = context;
	struct crew *c = me->crew;

	pthread_mutex_lock(&c->lock);
	while (c->result == 0 && c->next < c->work->n) {
		struct nook_error e = NOOK_ERROR_INIT;
		size_t i = c->next++;

		pthread_mutex_unlock(&c->lock);
		int r = c->work->run(c->work->context, me->number, i, &e);

		pthread_mutex_lock(&c->lock);
		if (r < 0)
			fail(c, r, &e);
		pthread_cond_signal(&c->moved);
	}
	c->running--;
	pthread_cond_signal(&c->moved);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* Wakes for what was finished, and on a terminal often enough for bars that move. */
static void watch(struct crew *c)
{
	struct progress *p = c->work->progress;

	pthread_mutex_lock(&c->lock);
	while (c->running) {
		struct timespec until;

		(void)clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += SHOW_MS * 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		if (p->is_terminal && !p->is_quiet)
			(void)pthread_cond_timedwait(&c->moved, &c->lock, &until);
		else
			(void)pthread_cond_wait(&c->moved, &c->lock);
		pthread_mutex_unlock(&c->lock);
		progress_show(p);
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
}

int crew_run(const struct crew_work *w, struct nook_error *e)
{
	struct crew c = {.work = w, .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
	size_t n = w->workers < w->n ? w->workers : w->n, started = 0;
	struct worker workers[WORKERS_MAX];

	if (n > WORKERS_MAX)
		n = WORKERS_MAX;
	pthread_mutex_lock(&c.lock);
	for (; started < n; started++) {
		workers[started] = (struct worker){.crew = &c, .number = started};
		int r = pthread_create(&workers[started].thread, NULL, run, &workers[started]);

		if (r) {
			struct nook_error why = NOOK_ERROR_INIT;

			fail(&c, err_num(&why, STEP_REGISTRY, "thread", r), &why);
			break;
		}
		c.running++;
	}
	pthread_mutex_unlock(&c.lock);
	watch(&c);
	for (size_t i = 0; i < started; i++)
		(void)pthread_join(workers[i].thread, NULL);
	progress_show(w->progress);
	if (c.result < 0 && e)
		*e = c.error;
	return c.result;
}
