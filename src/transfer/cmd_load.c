/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/transfer.h"

#include "command/image_options.h"
#include "image/reference.h"
#include "transfer/intake.h"
#include "transfer/options.h"
#include "transfer/shut_in.h"

#include <stdio.h>

static void print(const struct arrival *arrivals, size_t n, bool quiet)
{
	for (size_t i = 0; i < n; i++)
		(void)printf("%s%s\n", quiet ? "" : "Loaded image: ", arrivals[i].name ? reference_familiar(arrivals[i].name) : arrivals[i].id);
}

int load_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct load_options *o = options;
	const char *text = argc ? argv[0] : o->input, *name = NULL;
	AUTO_VALUE(starter_done) struct starter starter = {0};
	AUTO_VALUE(source_done) struct source s = SOURCE_INIT;
	AUTO(depot_close) struct depot *d = NULL;
	struct arrival *arrivals = NULL;
	struct platform here;
	size_t n = 0;
	int code;

	if (argc && o->input)
		return err_why(e, STEP_OPTION, "--input", EINVAL, "the source stands twice");
	if (o->name)
		TRY(option_name(o->name, c->arena, &name, e));
	TRY(shut_in(c, source_path(text, c->arena), &starter, e));
	TRY(depot_open(c->root, DEPOT_WRITE, c->arena, &d, e));
	d->unpackers = &starter.unpackers;
	TRY(source_open(d, text, c->arena, &s, e));
	platform_host(&here);
	code = intake_all(d, &s, &here, name, c->arena, &arrivals, &n, e);
	print(arrivals, n, o->quiet);
	return code;
}
