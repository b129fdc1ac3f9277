/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/inspect_image.h"

#include "command/ago.h"
#include "json/load.h"
#include "storage/blob.h"
#include "storage/image.h"

/* Members of the config as they stand in it. */
static void add_config(struct depot *d, const struct image *i, struct json_out *o)
{
	static const struct {
		const char *from, *to;
	} members[] = {{"author", "author"}, {"config", "config"}, {"rootfs", "rootfs"}, {"history", "history"}};
	AUTO_VALUE(buf_done) struct buf text = {0};
	AUTO(json_free) struct json *root = NULL;

	if (blob_read(d, i->id, CONFIG_BYTES_MAX, &text, NULL) < 0 ||
	    json_parse(buf_text(&text), text.len, i->id, STEP_IMAGE, &root, NULL) < 0)
		return;
	for (size_t n = 0; n < sizeof(members) / sizeof(members[0]); n++) {
		struct json *value = NULL;

		if (json_find(root, members[n].from, &value))
			json_out_tree(o, members[n].to, value);
	}
}

int inspect_image(struct cli *c, const char *name, struct json_out *o)
{
	AUTO(depot_close) struct depot *d = NULL;
	struct image i;

	if (depot_open(c->root, DEPOT_READ, c->arena, &d, NULL) != 0 || image_find(d, name, c->arena, &i, NULL, NULL) < 0)
		return -ENOENT;
	json_out_object(o, NULL);
	json_out_string(o, "id", i.id);
	json_out_string(o, "digest", i.digest);
	json_out_strings(o, "names", i.names);
	json_out_string(o, "platform", i.platform);
	json_out_string(o, "created", ago_stamp(c->arena, i.created_ns));
	json_out_string(o, "added", ago_stamp(c->arena, i.added_ns));
	json_out_u64(o, "bytes", i.bytes);
	json_out_u64(o, "blobBytes", i.blob_bytes);
	json_out_strings(o, "layers", i.layers ? (const char *const *)i.layers : (const char *const[]){NULL});
	add_config(d, &i, o);
	json_out_object_end(o);
	return 0;
}
