/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The thread that moves the bytes of all requests; only it touches the multi handle. */
#include "http/transfer.h"

/* Does what was asked for R: true when R is out of the thread's hands. */
static bool serve(struct http *h, struct http_reply *r)
{
	if (r->wants_remove) {
		(void)curl_multi_remove_handle(h->multi, r->easy);
		r->is_removed = true;
		pthread_cond_signal(&r->changed);
		return true;
	}
	if (r->wants_add) {
		r->wants_add = false;
		(void)curl_multi_add_handle(h->multi, r->easy);
	}
	if (r->wants_resume && !r->is_done) {
		r->wants_resume = r->is_paused = false;
		/* Delivers what libcurl holds back, by way of on_body(), which takes the lock. */
		pthread_mutex_unlock(&h->lock);
		(void)curl_easy_pause(r->easy, CURLPAUSE_CONT);
		pthread_mutex_lock(&h->lock);
	}
	return false;
}

static void serve_all(struct http *h)
{
	pthread_mutex_lock(&h->lock);
	for (struct http_reply **at = &h->replies; *at;) {
		/* The owner frees R as soon as it is removed and the lock is free: the next is read first. */
		struct http_reply *r = *at, *next = r->next;

		if (serve(h, r)) {
			/* serve() let go of the lock only for replies that stay, and new ones come in front. */
			for (at = &h->replies; *at != r; at = &(*at)->next)
				;
			*at = next;
		} else {
			at = &r->next;
		}
	}
	pthread_mutex_unlock(&h->lock);
}

static void collect_ended(struct http *h)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(h->multi, &left))) {
		struct http_reply *r = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&r);
		pthread_mutex_lock(&h->lock);
		r->result = message->data.result;
		r->is_done = true;
		pthread_cond_signal(&r->changed);
		pthread_mutex_unlock(&h->lock);
	}
}

void *loop_run(void *http)
{
	struct http *h = http;
	int running = 0;

	for (;;) {
		serve_all(h);
		(void)curl_multi_perform(h->multi, &running);
		collect_ended(h);
		pthread_mutex_lock(&h->lock);
		bool ends = h->is_ending && !h->replies;

		pthread_mutex_unlock(&h->lock);
		if (ends)
			return NULL;
		/* Requests wake it; the time is libcurl's own in the first place. */
		(void)curl_multi_poll(h->multi, NULL, 0, 60000, NULL);
	}
}
