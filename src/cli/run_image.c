/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/run_image.h"

#include "base/text.h"
#include "cli/run_config.h"
#include "command/transfer.h"
#include "image/reference.h"
#include "runtime/container.h"
#include "storage/image.h"

#include <sys/mman.h>

enum { ANSWER_MAX = 64 << 10 };

/* ---- finding --------------------------------------------------------------------------------------------------------- */

/* 1: found. */
static int find_here(struct cli *c, const char *text, struct run_image *ret, struct nook_error *e)
{
	AUTO(depot_close) struct depot *d = NULL;
	struct nook_error why = NOOK_ERROR_INIT;
	struct image image = {0};
	int r;

	if (TRY(depot_open(c->root, DEPOT_READ, c->arena, &d, e)))
		return 0;
	r = image_find(d, text, c->arena, &image, &ret->name, &why);
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		if (e)
			*e = why;
		return r;
	}
	ret->digest = image.digest;
	ret->layers = image.layers;
	ret->n_layers = image.n_layers;
	TRY(image_config(d, &image, c->arena, &ret->config, e));
	TRY(image_hold(d, &image, c->arena, &ret->locks, e));
	return 1;
}

/* Runs nook-transfer; the last line that it prints names the image. */
static int fetch(struct cli *c, const char *const *words, const char *source, const char **ret, struct nook_error *e)
{
	auto_close int answer = memfd_create("nook-answer", MFD_CLOEXEC);
	char *text = arena_alloc(c->arena, ANSWER_MAX + 1), *line;
	ssize_t n;
	int status;

	if (answer < 0)
		return err_sys(e, STEP_IMAGE, source);
	status = TRY(transfer_run(c, words, answer, e));
	if (status != 0)
		return err_fmt(e, STEP_IMAGE, source, EIO, "nook %s failed with exit status %d", words[0], status);
	n = pread(answer, text, ANSWER_MAX, 0);
	if (n <= 0)
		return err_fmt(e, STEP_IMAGE, source, EPROTO, "nook %s did not say what it brought", words[0]);
	if (text[n - 1] == '\n')
		text[n - 1] = 0;
	line = strrchr(text, '\n');
	*ret = line ? line + 1 : text;
	return 0;
}

static bool is_file(const char *source)
{
	return text_after(source, "oci:") || text_after(source, "dir:") || text_after(source, "oci-archive:") || text_after(source, "docker-archive:");
}

static int pull(struct cli *c, const char *name, const struct reference *r, const char *platform, const char **ret, struct nook_error *e)
{
	const char *words[] = {"pull", "--quiet", NULL, NULL, NULL};
	size_t n = 2;

	if (platform)
		words[n++] = arena_printf(c->arena, "--platform=%s", platform);
	words[n] = name;
	if (r->is_short)
		cli_note(c, "\"%s\" is %s%s", name, reference_text(r, c->arena),
			text_is(name, "host") ? "; this machine's own system is spelled \"host:\"" : "");
	return fetch(c, words, name, ret, e);
}

static int must_find(struct cli *c, const char *text, struct run_image *ret, struct nook_error *e)
{
	if (TRY(find_here(c, text, ret, e)))
		return 0;
	return err_why(e, STEP_IMAGE, text, ENOENT, "there is no such image");
}

int run_image_find(struct cli *c, const char *source, const char *policy, const char *platform, struct run_image *ret, struct nook_error *e)
{
	const char *name = text_after(source, "docker://"), *brought = NULL;
	const bool always = policy && text_is(policy, "always"), never = policy && text_is(policy, "never");
	struct reference r;

	*ret = (struct run_image){0};
	if (policy && !always && !never && !text_is(policy, "missing"))
		return err_fmt(e, STEP_OPTION, "--pull", EINVAL, "\"%s\" is not always, missing or never", policy);
	if (is_file(source)) {
		TRY(fetch(c, (const char *const[]){"load", "--quiet", source, NULL}, source, &brought, e));
		return must_find(c, brought, ret, e);
	}
	if (!name)
		name = source;
	if (!always && TRY(find_here(c, name, ret, e)))
		return 0;
	/* What is no name is said before anything else. */
	TRY(reference_parse(name, c->arena, &r, e));
	if (never)
		return err_why(e, STEP_IMAGE, name, ENOENT, "there is no such image, and --pull never forbids to fetch it");
	TRY(pull(c, name, &r, platform, &brought, e));
	return must_find(c, brought, ret, e);
}

int run_image_hold(struct cli *c, const char *digest, struct run_image *ret, struct nook_error *e)
{
	*ret = (struct run_image){0};
	TRY(find_here(c, digest, ret, e));
	return 0;
}

void run_image_done(struct run_image *image)
{
	image_release(image->locks, image->locks ? image->n_layers : 0);
	image->locks = NULL;
}

/* ---- applying -------------------------------------------------------------------------------------------------------- */

int run_image_apply(struct cli *c, const struct run_image *image, struct spec *s, struct nook_error *e)
{
	TRY(run_config_apply(c, &image->config, s, e));
	if (image->n_layers) {
		s->root.kind = ROOT_OVERLAY;
		s->root.path = image->layers[0];
		s->root.lowers = image->layers + 1;
	} else {
		s->root.kind = ROOT_TMPFS;
		s->root.path = "/";
	}
	spec_pair_set(s->arena, &s->annotations, &s->n_annotations, ANNOTATION_IMAGE, image->digest);
	return 0;
}
