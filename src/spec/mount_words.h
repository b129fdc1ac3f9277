/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The option words of mounts (mount(8), OCI config.md "Linux mount options"), in one table read by every front end. */
#pragma once

#include "spec/spec.h"

/* Sorts OPTIONS (NULL-terminated) of M into M->words and M->data.  Words that are nobody's go to data, for the file system. */
int mount_words_parse(struct arena *a, struct spec_mount *m, struct nook_error *e);
/* Every known word in table order, NULL after the last: for `features`, completion and the manual. */
const char *mount_word_name(size_t i);
