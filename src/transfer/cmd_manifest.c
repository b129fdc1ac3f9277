/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/transfer.h"

#include "command/registry_options.h"
#include "json/load.h"
#include "json/out.h"
#include "transfer/document.h"
#include "transfer/reach.h"

#include <stdio.h>

static int fetch(struct reach *reach, const struct manifest_options *o, const struct reference *name, struct document *d,
	struct nook_error *e)
{
	struct registries_place *places = NULL;
	struct platform wanted;
	size_t n = 0;
	int r = -ENOENT;

	if (o->platform)
		TRY(platform_parse(o->platform, reach->arena, &wanted, e));
	TRY(registries_places(&reach->conf, name->registry, name->repository, name->digest ? REGISTRIES_BY_DIGEST : REGISTRIES_BY_TAG,
		reach->arena, &places, &n, e));
	for (size_t i = 0; i < n; i++) {
		AUTO(remote_free) struct remote *remote = NULL;

		TRY(reach_remote(reach, &places[i], "pull", &remote, e));
		r = document_fetch(remote, name->digest ? name->digest : name->tag, 0, reach->arena, d, e);
		if (r == 0 && o->platform)
			r = document_descend(remote, &wanted, reach->arena, d, e);
		if (r == 0 && o->referrers)
			r = document_referrers(remote, d->digest, reach->arena, d, e);
		if (r == 0)
			break;
	}
	return r;
}

static int print(const struct document *d, const struct manifest_options *o, struct nook_error *e)
{
	AUTO(json_free) struct json *root = NULL;
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct json_out out = {.text = &text, .style = JSON_PRETTY};

	if (o->raw) {
		buf_add(&text, d->text, d->len);
	} else {
		TRY(json_parse(d->text, d->len, d->digest ? d->digest : "manifest", STEP_REGISTRY, &root, e));
		json_out_tree(&out, NULL, root);
		buf_addc(&text, '\n');
	}
	return fwrite(buf_text(&text), 1, text.len, stdout) == text.len ? 0 : err_sys(e, STEP_STDIO, "stdout");
}

int manifest_inspect_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct manifest_options *o = options;
	AUTO_VALUE(reach_done) struct reach reach = {0};
	struct reference *names = NULL;
	struct document d = {0};
	size_t n = 0;
	int r = -ENOENT;

	(void)argc;
	TRY(reach_open(c, &o->access, REACH_NOTHING, NULL, &reach, e));
	TRY(reach_names(&reach, argv[0], &names, &n, e));
	for (size_t i = 0; i < n && (r == -ENOENT || r == -EACCES); i++)
		r = fetch(&reach, o, &names[i], &d, e);
	return r < 0 ? r : print(&d, o, e);
}
