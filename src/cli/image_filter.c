/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/image_filter.h"

#include "base/clock.h"
#include "base/text.h"
#include "image/reference.h"

#include <fnmatch.h>

int image_filter_parse(const struct opt_list *options, struct arena *a, struct image_filter *ret, struct nook_error *e)
{
	struct image_filter f = {0};
	const char **labels = NULL;
	size_t n_labels = 0;

	for (size_t i = 0; i < options->n; i++) {
		const char *text = options->items[i], *value;
		int64_t age = 0;

		if ((value = text_after(text, "dangling="))) {
			if (!text_is(value, "true") && !text_is(value, "false"))
				return err_fmt(e, STEP_OPTION, "--filter", EINVAL, "\"%.40s\" is neither true nor false", value);
			f.dangling = text_is(value, "true") ? 1 : -1;
		} else if ((value = text_after(text, "reference="))) {
			f.reference = value;
		} else if ((value = text_after(text, "label="))) {
			*arena_push(a, &labels, &n_labels) = value;
		} else if ((value = text_after(text, "before="))) {
			f.before = value;
		} else if ((value = text_after(text, "since="))) {
			f.since = value;
		} else if ((value = text_after(text, "until="))) {
			if (text_duration(value, &age) < 0)
				return err_fmt(e, STEP_OPTION, "--filter", EINVAL, "\"%.40s\" is no span of time such as 24h", value);
			f.before_ns = clock_date_ns() - age;
		} else {
			return err_fmt(e, STEP_OPTION, "--filter", EINVAL, "\"%.40s\" does not begin with dangling=, reference=, label=, until=, before= or since=", text);
		}
	}
	f.labels = labels;
	*ret = f;
	return 0;
}

bool image_filter_names(const struct image_filter *f, const char *name)
{
	const char *familiar = reference_familiar(name);
	char bare[REFERENCE_NAME_MAX + 1];
	const char *colon = strrchr(familiar, ':'), *slash = strrchr(familiar, '/');
	size_t len = colon && (!slash || colon > slash) ? (size_t)(colon - familiar) : strlen(familiar);

	if (!f->reference)
		return true;
	if (fnmatch(f->reference, familiar, 0) == 0 || fnmatch(f->reference, name, 0) == 0)
		return true;
	if (len > REFERENCE_NAME_MAX)
		return false;
	memcpy(bare, familiar, len);
	bare[len] = 0;
	return fnmatch(f->reference, bare, 0) == 0;
}

static bool has_label(const struct image_config *c, const char *label)
{
	const char *equals = strchr(label, '=');
	const size_t len = equals ? (size_t)(equals - label) : strlen(label);

	for (size_t i = 0; i < c->run.n_labels; i++) {
		const struct spec_pair *p = &c->run.labels[i];

		if (strlen(p->key) == len && memcmp(p->key, label, len) == 0 && (!equals || text_is(p->value, equals + 1)))
			return true;
	}
	return false;
}

static int64_t made_ns(const struct image *i)
{
	return i->created_ns ? i->created_ns : i->added_ns;
}

/* Is image I older (-1) or newer (1) than the one of this name?  NULL: yes. */
static int is_on_side(const char *name, int side, struct depot *d, const struct image *i, struct arena *a, struct nook_error *e)
{
	struct image other;

	if (!name)
		return 1;
	TRY(image_find(d, name, a, &other, NULL, e));
	return side < 0 ? made_ns(i) < made_ns(&other) : made_ns(i) > made_ns(&other);
}

int image_filter_passes(const struct image_filter *f, struct depot *d, const struct image *i, struct arena *a, struct nook_error *e)
{
	bool named = !f->reference;

	if (f->dangling && (f->dangling > 0) != (i->n_names == 0))
		return 0;
	if (f->before_ns && made_ns(i) >= f->before_ns)
		return 0;
	if (!TRY(is_on_side(f->before, -1, d, i, a, e)) || !TRY(is_on_side(f->since, 1, d, i, a, e)))
		return 0;
	for (size_t n = 0; n < i->n_names; n++)
		named |= image_filter_names(f, i->names[n]);
	if (!named)
		return 0;
	for (const char *const *label = f->labels; label && *label; label++) {
		struct image_config config;

		TRY(image_config(d, i, a, &config, e));
		if (!has_label(&config, *label))
			return 0;
	}
	return 1;
}
