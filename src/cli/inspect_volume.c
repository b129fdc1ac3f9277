/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/inspect_volume.h"

#include "command/ago.h"
#include "runtime/volume.h"

int inspect_volume(struct cli *c, struct store_run *r, const char *name, struct json_out *o, struct nook_error *e)
{
	const char **users;
	struct volume v;
	size_t n;

	TRY(volume_load(c->root, name, c->arena, &v, e));
	TRY(volume_users(r, v.name, c->arena, &users, &n, e));
	json_out_object(o, NULL);
	json_out_string(o, "name", v.name);
	json_out_string(o, "driver", v.driver);
	json_out_string(o, "source", v.source);
	json_out_string(o, "created", ago_stamp(c->arena, v.created_ns));
	json_out_bool(o, "anonymous", v.anonymous);
	if (v.bytes) {
		json_out_u64(o, "bytes", v.bytes);
		json_out_string(o, "fs", v.fs ? v.fs : "ext4");
	}
	json_out_object(o, "labels");
	for (size_t k = 0; k < v.n_labels; k++)
		json_out_string(o, v.labels[k].key, v.labels[k].value);
	json_out_object_end(o);
	json_out_array(o, "usedBy");
	for (size_t k = 0; k < n; k++)
		json_out_string(o, NULL, users[k]);
	json_out_array_end(o);
	json_out_object_end(o);
	return 0;
}
