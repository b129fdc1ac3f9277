/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/reference.h"

#include "base/text.h"
#include "image/digest.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static const char default_registry[] = "docker.io", library[] = "library/";

static int refuse(const char *text, struct nook_error *e, const char *why)
{
	return err_why(e, STEP_IMAGE, text, EINVAL, why);
}

/* ---- the parts ----------------------------------------------------------------------------------------------------- */

/* Labels of letters, digits and inner dashes, between dots; or an IPv6 address in brackets; then a port. */
static bool is_registry(const char *s)
{
	const char *label = s;

	if (*s == '[') {
		size_t n = strspn(s + 1, DIGITS "abcdefABCDEF:");

		if (!n || s[1 + n] != ']')
			return false;
		s += n + 2;
	} else {
		for (;; s++) {
			s += strspn(s, LOWER UPPER DIGITS "-");
			if (s == label || *label == '-' || s[-1] == '-')
				return false;
			if (*s != '.')
				break;
			label = s + 1;
		}
	}
	if (!*s)
		return true;
	if (*s++ != ':')
		return false;
	const size_t digits = strspn(s, DIGITS);

	return digits >= 1 && digits <= 5 && !s[digits];
}

/* Components of lower-case letters and digits, joined inside by ".", "_", "__" or dashes. */
static bool is_path(const char *s)
{
	for (;;) {
		size_t n = strspn(s, LOWER DIGITS);

		if (!n)
			return false;
		s += n;
		if (!*s)
			return true;
		if (*s == '/' || *s == '.')
			s++;
		else if (*s == '_')
			s += s[1] == '_' ? 2 : 1;
		else if (*s == '-')
			s += strspn(s, "-");
		else
			return false;
	}
}

static bool is_tag(const char *s)
{
	const size_t n = strspn(s, LOWER UPPER DIGITS "_.-");

	return n && !s[n] && n <= REFERENCE_TAG_MAX && *s != '.' && *s != '-';
}

static bool names_registry(const char *first)
{
	return strpbrk(first, ".:") || text_is(first, "localhost") || first[strcspn(first, UPPER)];
}

/* ---- the whole ----------------------------------------------------------------------------------------------------- */

/* Cuts "@DIGEST" and ":TAG" off the end of S. */
static int cut_tail(const char *text, char *s, struct reference *r, struct nook_error *e)
{
	char *at = strchr(s, '@'), *colon, *slash;

	if (at) {
		*at = 0;
		r->digest = at + 1;
		if (!digest_is_valid(r->digest))
			return refuse(text, e, "has no sha256 or sha512 digest behind the \"@\"");
	}
	colon = strrchr(s, ':');
	slash = strrchr(s, '/');
	if (!colon || (slash && colon < slash))
		return 0;
	*colon = 0;
	r->tag = colon + 1;
	return is_tag(r->tag) ? 0 : refuse(text, e, "has a tag that is none: letters, digits, \"_\", \".\" and \"-\", at most 128");
}

static bool is_id(const char *path)
{
	return strlen(path) == 64 && strspn(path, DIGITS "abcdef") == 64;
}

int reference_parse(const char *text, struct arena *a, struct reference *ret, struct nook_error *e)
{
	struct reference r = {0};
	char *s, *slash;

	if (!*text)
		return refuse(text, e, "is empty where the name of an image was expected");
	if (strlen(text) > REFERENCE_NAME_MAX + REFERENCE_TAG_MAX + DIGEST_TEXT_MAX)
		return refuse(text, e, "is too long for the name of an image");
	s = arena_strdup(a, text);
	TRY(cut_tail(text, s, &r, e));
	slash = strchr(s, '/');
	if (slash) {
		*slash = 0;
		if (names_registry(s)) {
			r.registry = s;
			if (!is_registry(s))
				return refuse(text, e, "begins with something that is no registry's host name");
			s = slash + 1;
		} else {
			*slash = '/';
		}
	}
	r.is_short = !r.registry;
	r.given_path = s;
	if (s[strcspn(s, UPPER)])
		return refuse(text, e, "has upper-case letters: the path of an image has none");
	if (!is_path(s))
		return refuse(text, e, "is not spelled as the name of an image is");
	if (r.is_short && is_id(s))
		return refuse(text, e, "is an id, which cannot be a name");
	if (r.is_short || text_is(r.registry, "index.docker.io") || text_is(r.registry, default_registry)) {
		r.registry = default_registry;
		r.repository = strchr(s, '/') ? s : arena_printf(a, "%s%s", library, s);
	} else {
		r.repository = s;
	}
	if (strlen(r.registry) + strlen(r.repository) + 1 > REFERENCE_NAME_MAX)
		return refuse(text, e, "has a name of more than 255 bytes");
	if (!r.tag && !r.digest)
		r.tag = "latest";
	*ret = r;
	return 0;
}

const char *reference_text(const struct reference *r, struct arena *a)
{
	return arena_printf(a, "%s/%s%s%s%s%s", r->registry, r->repository, r->tag ? ":" : "", r->tag ? r->tag : "",
		r->digest ? "@" : "", r->digest ? r->digest : "");
}

const char *reference_familiar(const char *canonical)
{
	const char *path = text_after(canonical, "docker.io/"), *below;

	if (!path)
		return canonical;
	below = text_after(path, library);
	return below && !strchr(below, '/') ? below : path;
}
