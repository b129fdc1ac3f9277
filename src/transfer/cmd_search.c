/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/reach.h"

#include "base/fd.h"
#include "base/plain.h"
#include "base/text.h"
#include "http/url.h"
#include "json/out.h"
#include "registry/answer.h"
#include "transfer/transfer.h"

#include <string.h>

enum { LIMIT_DEFAULT = 25, LIMIT_MAX = 10000, BODY_MAX = 8 << 20, PAGES_MAX = 100, DESCRIPTION_SHORT = 60 };

struct search {
	const struct search_options *options;
	struct cli *cli;
	struct arena *arena;
	size_t limit;
	const char *registry;
	struct answer_found *found;
	size_t n;
};

static int get(struct search *s, struct remote *r, const char *path, const unsigned *fine, struct buf *body, const char **ret_next,
	struct nook_error *e)
{
	AUTO(http_close) struct http_reply *reply = NULL;
	const char *link;

	TRY(remote_open(r, &(struct remote_call){.path = path, .fine = fine}, &reply, e));
	if (http_status(reply) >= 400)
		return 1;
	TRY(http_read_all(reply, BODY_MAX, body, e));
	link = http_header(reply, "Link");
	*ret_next = link ? answer_next(link, s->arena) : NULL;
	/* The next page is one of the same registry's, or none. */
	if (*ret_next) {
		auto_free char *whole = url_resolve(http_url(reply), *ret_next);

		*ret_next = whole && url_same_origin(whole, http_url(reply)) ? arena_strdup(s->arena, whole) : NULL;
	}
	return 0;
}

/* Every name of a list that comes in pages. */
static int get_names(struct search *s, struct remote *r, const char *path, enum answer_list kind, const char *term, struct nook_error *e)
{
	for (int page = 0; path && page < PAGES_MAX && s->n < s->limit; page++) {
		AUTO_VALUE(buf_done) struct buf body = {0};
		const char *next = NULL, **names = NULL;
		size_t n = 0;

		TRY(get(s, r, path, NULL, &body, &next, e));
		TRY(answer_names(buf_text(&body), body.len, kind, remote_name(r), s->arena, &names, &n, e));
		for (size_t i = 0; i < n && s->n < s->limit; i++)
			if (!term || strcasestr(names[i], term))
				*arena_push(s->arena, &s->found, &s->n) = (struct answer_found){.name = names[i]};
		path = next && !text_is(next, path) ? next : NULL;
	}
	return 0;
}

/* docker.io answers a search; what others have is a list of all, which they may keep to themselves. */
static int find(struct search *s, struct remote *r, const char *term, struct nook_error *e)
{
	static const unsigned absent[] = {404, 405, 0};
	auto_free char *escaped = url_escape(term);
	AUTO_VALUE(buf_done) struct buf body = {0};
	const char *path = arena_printf(s->arena, "/v1/search?q=%s&n=%zu", escaped, s->limit < 100 ? s->limit : 100), *next = NULL;

	if (text_is(s->registry, "docker.io"))
		path = arena_printf(s->arena, "https://index.docker.io%s", path);
	if (TRY(get(s, r, path, absent, &body, &next, e)) == 1)
		return get_names(s, r, "/v2/_catalog?n=1000", ANSWER_REPOSITORIES, term, e);
	TRY(answer_search(buf_text(&body), body.len, s->registry, s->arena, &s->found, &s->n, e));
	if (s->n > s->limit)
		s->n = s->limit;
	return 0;
}

/* What passes all filters comes to the front. */
static int filter(struct search *s, struct nook_error *e)
{
	const struct opt_list *list = &s->options->filters;

	for (size_t i = 0; i < list->n; i++) {
		const char *stars = text_after(list->items[i], "stars="), *official = text_after(list->items[i], "is-official=");
		size_t kept = 0;
		int64_t least = 0;

		if ((!stars || text_i64(stars, &least) < 0) && (!official || !(text_is(official, "true") || text_is(official, "false"))))
			return err_fmt(e, STEP_OPTION, "--filter", EINVAL, "\"%.60s\" is neither stars=N nor is-official=true|false", list->items[i]);
		for (size_t k = 0; k < s->n; k++)
			if (stars ? (int64_t)s->found[k].stars >= least : s->found[k].is_official == text_is(official, "true"))
				s->found[kept++] = s->found[k];
		s->n = kept;
	}
	return 0;
}

static void add_table(const struct search *s, struct buf *out)
{
	if (s->options->list_tags) {
		for (size_t i = 0; i < s->n; i++) {
			plain_add(s->found[i].name, out);
			buf_addc(out, '\n');
		}
		return;
	}
	buf_addf(out, "%-50s %-8s %-6s %s\n", "NAME", "OFFICIAL", "STARS", "DESCRIPTION");
	for (size_t i = 0; i < s->n; i++) {
		const struct answer_found *now = &s->found[i];
		AUTO_VALUE(buf_done) struct buf name = {0};
		AUTO_VALUE(buf_done) struct buf description = {0};
		const char *text = now->description ? now->description : "";
		size_t len = strlen(text);

		if (!s->options->no_trunc && len > DESCRIPTION_SHORT)
			for (len = DESCRIPTION_SHORT; len && (text[len] & 0xc0) == 0x80; len--)
				;
		plain_add(arena_printf(s->arena, "%s/%s", s->registry, now->name), &name);
		plain_add(arena_strndup(s->arena, text, len), &description);
		buf_addf(out, "%-50s %-8s %-6lld %s%s\n", buf_text(&name), now->is_official ? "[OK]" : "", (long long)now->stars,
			buf_text(&description), len < strlen(text) ? "..." : "");
	}
}

static void add_json(const struct search *s, struct buf *out)
{
	struct json_out o = {.text = out, .style = JSON_PRETTY};

	json_out_array(&o, NULL);
	for (size_t i = 0; i < s->n; i++) {
		const struct answer_found *now = &s->found[i];

		json_out_object(&o, NULL);
		json_out_string(&o, s->options->list_tags ? "tag" : "name", now->name);
		if (!s->options->list_tags) {
			json_out_string(&o, "registry", s->registry);
			json_out_string(&o, "description", now->description ? now->description : "");
			json_out_i64(&o, "stars", now->stars);
			json_out_bool(&o, "official", now->is_official);
		}
		json_out_object_end(&o);
	}
	json_out_array_end(&o);
	buf_addc(out, '\n');
}

/* "HOST/TERM" or "TERM", where a host has a dot, a colon or is localhost. */
static const char *split_host(struct search *s, const char *text)
{
	size_t len = strcspn(text, "/");
	const char *host = arena_strndup(s->arena, text, len);

	if (text[len] && (strpbrk(host, ".:") || text_is(host, "localhost"))) {
		s->registry = host;
		return text + len + 1;
	}
	s->registry = "docker.io";
	return text;
}

static int list_tags(struct search *s, struct reach *reach, const char *name, struct nook_error *e)
{
	AUTO(remote_free) struct remote *remote = NULL;
	struct registries_place *places = NULL;
	struct reference *names = NULL;
	size_t n = 0;

	TRY(reach_names(reach, name, &names, &n, e));
	TRY(registries_places(&reach->conf, names[0].registry, names[0].repository, REGISTRIES_BY_TAG, s->arena, &places, &n, e));
	TRY(reach_remote(reach, &places[n - 1], "pull", &remote, e));
	return get_names(s, remote, "tags/list", ANSWER_TAGS, NULL, e);
}

int search_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct search_options *q = options;
	struct search s = {.options = q, .arena = c->arena, .limit = LIMIT_DEFAULT};
	bool is_json = q->format && text_is(q->format, "json");
	AUTO_VALUE(reach_done) struct reach reach = {0};
	AUTO(remote_free) struct remote *remote = NULL;
	AUTO_VALUE(buf_done) struct buf out = {0};
	const char *term;

	if (q->format && !is_json && !text_is(q->format, "table"))
		return err_fmt(e, STEP_OPTION, "--format", EINVAL, "\"%.40s\" is neither table nor json", q->format);
	if (q->list_tags)
		s.limit = LIMIT_MAX;
	if (q->limit.set && q->limit.value)
		s.limit = q->limit.value < LIMIT_MAX ? (size_t)q->limit.value : LIMIT_MAX;
	TRY(reach_open(c, &q->access, REACH_NOTHING, NULL, &reach, e));
	if (q->list_tags) {
		TRY(list_tags(&s, &reach, argv[0], e));
	} else {
		term = split_host(&s, argv[0]);
		TRY(reach_registry(&reach, s.registry, NULL, &remote, e));
		TRY(find(&s, remote, term, e));
		TRY(filter(&s, e));
	}
	if (is_json)
		add_json(&s, &out);
	else
		add_table(&s, &out);
	int r = fd_write(STDOUT_FILENO, buf_text(&out), out.len);

	return r < 0 ? err_num(e, STEP_STDIO, "stdout", r) : 0;
}
