/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/image_options.h"

#define AT(member) offsetof(struct load_options, member)
static const struct opt load_table[] = {
	{'i', "input", "FILE", OPT_STRING, AT(input), "read this file instead of stdin"},
	{0, "name", "NAME", OPT_STRING, AT(name), "the name of the image, when the archive holds one image"},
	{'q', "quiet", NULL, OPT_FLAG, AT(quiet), "print names only"},
	{0},
};
#undef AT

const struct command cmd_load = {
	.name = "load",
	.usage = "[OPTIONS] [SOURCE]",
	.summary = "bring in images from an archive or an OCI directory",
	.options = load_table,
	.options_size = sizeof(struct load_options),
	.max_args = 1,
	.transfer = true,
	.details = "SOURCE is an archive as docker save, podman save or skopeo write it (docker-archive or oci-archive, plain or "
		   "compressed with gzip), oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE. Without one the archive comes from "
		   "stdin.",
	.examples = "nook load -i debian.tar\nnook load oci:layout:12 --name debian:12\n",
};
