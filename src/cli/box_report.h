/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a box ended, for programs: nook box --json. */
#pragma once

#include "box/network.h"
#include "nook.h"

/* The words of rules for limits, by enum nook_limit; NULL for none. */
extern const char *const box_limit_names[];

enum { BOX_REFUSAL_TEXT = NOOK_OBJECT_MAX + 16 };
/* "host:port" as --allow takes it: of the address, when a rule names the host already.  Returns BUF. */
const char *box_refusal_text(const struct box_refusal *r, char buf[BOX_REFUSAL_TEXT]);

/* WHERE: a file or "fd:N"; opened before anything starts, so that a bad name is told at once. */
int box_report_open(const char *where, struct nook_error *e);
/* The reports of a box that has run, and of one that could not. */
void box_report_result(const struct nook_result *r, int status, const struct box_links *l, struct buf *text);
void box_report_error(const struct nook_error *error, int status, struct buf *text);
int box_report_write(int fd, const struct buf *text, struct nook_error *e);
