/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client's request in every form, in one piece and byte by byte; and hosts as rules and names. */
#include "fuzz.h"

#include "proxy/request.h"

#include <string.h>

static void check_host(const struct host *h)
{
	MUST(strnlen(h->name, sizeof(h->name)) < sizeof(h->name));
	MUST(h->kind == HOST_NAME || h->kind == HOST_ADDRESS);
	for (const char *c = h->name; *c; c++)
		MUST(strchr("abcdefghijklmnopqrstuvwxyz0123456789.-_:", *c));
}

/* The parser sees what has come so far, as the engine shows it; returns the last state. */
static enum request_state feed(const char *data, size_t size, size_t step, struct request *r)
{
	enum request_state state = REQUEST_MORE;
	size_t start = 0;

	for (size_t n = step < size ? step : size;; n = n + step < size ? n + step : size) {
		state = request_parse(r, data + start, n - start);
		MUST(state != REQUEST_BAD || r->why);
		MUST(state == REQUEST_MORE || state == REQUEST_BAD || (r->used && r->used <= n - start));
		if (state == REQUEST_GREETED) {
			start += r->used;
			r->answer.len = r->used = 0;
			state = request_parse(r, data + start, n - start);
			MUST(state != REQUEST_GREETED);
		}
		if (state != REQUEST_MORE || n == size)
			return state;
	}
}

static void check_request(const char *data, size_t size)
{
	struct request whole = {0}, pieces = {0};
	enum request_state state;

	if (size > REQUEST_MAX || !size)
		return;
	state = feed(data, size, size, &whole);
	/* What is whole in one piece is whole in many; what is wrong early may be seen earlier. */
	if (state == REQUEST_READY) {
		MUST(feed(data, size, 1, &pieces) == REQUEST_READY);
		MUST(strcmp(whole.host.name, pieces.host.name) == 0 && whole.host.port == pieces.host.port && whole.host.port);
		check_host(&whole.host);
		/* Nothing of the client makes a line more than it had. */
		MUST(whole.protocol != PROTOCOL_HTTP || (whole.head.len > 4 && !memcmp(whole.head.data + whole.head.len - 4, "\r\n\r\n", 4)));
		MUST(whole.protocol != PROTOCOL_HTTP ||
			memmem(whole.head.data, whole.head.len, "\r\n\r\n", 4) == whole.head.data + whole.head.len - 4);
		for (int outcome = OUTCOME_CONNECTED; outcome <= OUTCOME_BUSY; outcome++) {
			struct buf answer = {0};

			request_answer(&whole, (enum outcome)outcome, "why", &answer);
			buf_done(&answer);
		}
	}
	request_done(&whole);
	request_done(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why = NULL;
	struct host h, again;
	char *text = xcalloc(1, size + 1);

	check_request((const char *)data, size);
	memcpy(text, data, size);
	if (host_parse(text, &h, &why) == 0) {
		check_host(&h);
		MUST(host_parse_name(h.name, &again, &why) == 0 && strcmp(h.name, again.name) == 0 && again.kind == h.kind);
	} else {
		MUST(why);
	}
	if (host_parse_rule(text, &h, &why) == 0)
		MUST(strnlen(h.name, sizeof(h.name)) < sizeof(h.name));
	free(text);
	return 0;
}
