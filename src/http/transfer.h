/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What http.c, loop.c and transfer.c share: one request under way, and the thread that moves it. */
#pragma once

#include "http/http.h"

#include <curl/curl.h>
#include <pthread.h>

enum {
	RING_SIZE = 256 << 10,
	RING_WAKE = 64 << 10, /* a reader is woken for no less, unless the body has ended */
};

/* Members are changed under http.lock, but for EASY, ERROR and what is set before the start. */
struct http_reply {
	struct http *http;
	struct http_reply *next;
	CURL *easy;
	struct curl_slist *headers;
	char *url;
	struct http_request request; /* its strings are borrowed */
	uint64_t sent;
	/* asked of the thread */
	bool wants_add, wants_resume, wants_remove;
	/* told by the thread */
	bool has_header, is_done, is_paused, is_held_up, is_removed, header_too_long;
	CURLcode result;
	char error[CURL_ERROR_SIZE];
	pthread_cond_t changed; /* for the owner */
	pthread_cond_t drained; /* for the thread, while is_held_up */
	unsigned status;
	struct buf header; /* "Name: value" lines, each ended by a zero byte */
	char *ring;
	size_t ring_at, ring_len;
};

struct http {
	CURLM *multi;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cancelled;
	struct http_reply *replies;
	bool is_cancelled, is_ending;
	char *agent;
	long connect_ms, silence_s;
};

/* Makes the easy handle of R from its request. */
int transfer_prepare(struct http_reply *r, struct nook_error *e);
void transfer_free(struct http_reply *r);
/* The error of a transfer that has ended with a failure. */
int transfer_error(const struct http_reply *r, struct nook_error *e);
/* The thread. */
void *loop_run(void *http);
