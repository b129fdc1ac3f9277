/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the rules have in common, whichever file they are in: how a value is read and how it is refused. */
#pragma once

#include "base/error.h"

struct nook_box;

/* -EINVAL, with WHY as the clause behind VALUE. */
int rule_refuse(const char *value, const char *why, struct nook_error *e);
/* An absolute path without "." and "..", as the host's kernel would take PATH, but for symbolic links. */
int rule_path(struct nook_box *b, const char *path, const char **ret, struct nook_error *e);
/* Calls EACH for every word of a comma list. */
int rule_each_word(struct nook_box *b, const char *value, int (*each)(struct nook_box *b, char *word, struct nook_error *e),
	struct nook_error *e);
