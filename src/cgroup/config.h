/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgconfig.conf(5): groups with their values and owners.
 *
 *   group lab/a {
 *       perm { task { uid = alice; gid = users; }  admin { uid = root; gid = root; } }
 *       cpu { cpu.shares = "512"; }
 *   }
 *
 * mount and namespace sections are read and passed over: nook finds hierarchies itself.
 */
#pragma once

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

struct config_value {
	const char *file, *value;
};
struct config_controller {
	const char *name;
	struct config_value *values;
	size_t n;
};
/* NULL: not given. */
struct config_perm {
	const char *task_uid, *task_gid, *admin_uid, *admin_gid;
};
struct config_group {
	const char *name; /* "." is the top */
	struct config_controller *controllers;
	size_t n;
	struct config_perm perm;
};
struct config_file {
	struct config_group *groups;
	size_t n;
};

enum { CONFIG_FILE_MAX = 4 * 1024 * 1024 };

/* TEXT ends with 0; NAME is for messages, which tell the line. */
int config_parse(struct arena *a, const char *name, const char *text, struct config_file *ret, struct nook_error *e);
void config_print(const struct config_file *f, struct buf *out);
