/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "command/command.h"
#include "cli/disk_view.h"
#include "json/out.h"

static void add(struct json_out *o, const struct disk_view *v, struct arena *a)
{
	json_out_object(o, NULL);
	json_out_string(o, "file", v->path);
	json_out_string(o, "fs", fsimage_names[v->image.type]);
	json_out_string(o, "label", v->image.label);
	json_out_string(o, "uuid", disk_view_uuid(v, a));
	json_out_u64(o, "bytes", v->bytes);
	json_out_u64(o, "fsBytes", v->image.bytes);
	json_out_u64(o, "allocated", v->allocated);
	json_out_u64(o, "blockSize", v->image.block_bytes);
	json_out_bool(o, "writable", fsimage_is_writable(v->image.type));
	json_out_bool(o, "needsRecovery", v->image.dirty);
	json_out_string(o, "user", v->user);
	json_out_object_end(o);
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct json_out o = {.text = &text, .style = JSON_PRETTY};

	(void)options;
	json_out_array(&o, NULL);
	for (int i = 0; i < argc; i++) {
		struct disk_view v;

		TRY(disk_view_load(argv[i], c->arena, &v, e));
		add(&o, &v, c->arena);
	}
	json_out_array_end(&o);
	buf_addc(&text, '\n');
	return fd_write(STDOUT_FILENO, buf_text(&text), text.len);
}

const struct command cmd_disk_inspect = {
	.name = "inspect",
	.usage = "FILE...",
	.summary = "tell what a disk's superblock says, as JSON",
	.min_args = 1,
	.max_args = -1,
	.run = run,
	.examples = "nook disk inspect home.img\n",
};
