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
		   "compressed with gzip), oci:DIR[:TAG], dir:DIR (skopeo), oci-archive:FILE[:TAG] or docker-archive:FILE. Without one the archive comes from "
		   "stdin.",
	.examples = "nook load -i debian.tar\nnook load oci:layout:12 --name debian:12\n",
};

#define AT(member) offsetof(struct save_options, member)
static const struct opt save_table[] = {
	{'o', "output", "FILE", OPT_STRING, AT(output), "write to this file (a directory for oci) instead of stdout"},
	{0, "format", "FORMAT", OPT_STRING, AT(format), "docker-archive (the default), oci-archive, or oci: a directory"},
	{'q', "quiet", NULL, OPT_FLAG, AT(quiet), "say nothing (it never does; for podman's habits)"},
	{0},
};
#undef AT

const struct command cmd_save = {
	.name = "save",
	.usage = "[OPTIONS] IMAGE...",
	.summary = "write images to an archive",
	.options = save_table,
	.options_size = sizeof(struct save_options),
	.min_args = 1,
	.max_args = -1,
	.transfer = true,
	.details = "A docker-archive is an OCI layout with docker's manifest.json beside it, as docker save writes it since version 25: "
		   "docker, podman, skopeo and nook read it. Layers are written as they are stored, so digests stay what they are.",
	.examples = "nook save -o debian.tar debian:12\nnook save --format oci -o layout debian:12\n",
};

#define AT(member) offsetof(struct import_options, member)
static const struct opt import_table[] = {
	{'c', "change", "INSTRUCTION", OPT_STRINGS, AT(changes), "CMD, ENTRYPOINT, ENV, LABEL, USER, WORKDIR, EXPOSE, VOLUME, STOPSIGNAL, as in a Dockerfile"},
	{0, "compression", "gzip|zstd|none", OPT_STRING, AT(compression), "of the layer as it is stored (gzip)"},
	{'m', "message", "TEXT", OPT_STRING, AT(message), "a comment in the history"},
	{0, "platform", "OS/ARCH", OPT_STRING, AT(platform), "which system and processor its programs are for (this machine's)"},
	{0},
};
#undef AT

const struct command cmd_import = {
	.name = "import",
	.usage = "[OPTIONS] FILE|DIR|- [NAME]",
	.summary = "make an image of a root file system",
	.options = import_table,
	.options_size = sizeof(struct import_options),
	.min_args = 1,
	.max_args = 2,
	.transfer = true,
	.details = "FILE is a tar archive, plain or compressed with gzip, zstd, xz or bzip2; of a directory all files are taken.",
	.examples = "nook import rootfs.tar base:1 --change 'CMD [\"/bin/sh\"]'\nnook import --change 'ENV A=b' rootfs.tar.zst\n",
};

#define AT(member) offsetof(struct commit_options, member)
static const struct opt commit_table[] = {
	{'a', "author", "TEXT", OPT_STRING, AT(author), "who made it"},
	{'c', "change", "INSTRUCTION", OPT_STRINGS, AT(changes), "CMD, ENTRYPOINT, ENV and so on, as in a Dockerfile"},
	{0, "compression", "gzip|zstd|none", OPT_STRING, AT(compression), "of the layer as it is stored (gzip)"},
	{'m', "message", "TEXT", OPT_STRING, AT(message), "a comment in the history"},
	{0, "no-pause", NULL, OPT_FLAG, AT(no_pause), "let it run on while its files are read"},
	{'p', "pause", "true|false", OPT_OPTIONAL, AT(pause), "pause it meanwhile (the default), or not"},
	{0},
};
#undef AT

const struct command cmd_commit = {
	.name = "commit",
	.usage = "[OPTIONS] CONTAINER [NAME]",
	.summary = "make an image of what a container has changed",
	.options = commit_table,
	.options_size = sizeof(struct commit_options),
	.min_args = 1,
	.max_args = 2,
	.transfer = true,
	.details = "The container was made of an image and keeps its changes on disk: that is so without --rm, and with --storage dir. "
		   "It may run or have ended. Volumes and other mounts are no part of it.",
	.examples = "nook commit web web:2\nnook commit -c 'CMD [\"/srv/start\"]' web web:3\n",
};

#define AT(member) offsetof(struct store_check_options, member)
static const struct opt store_check_table[] = {
	{0, "repair", NULL, OPT_FLAG, AT(repair), "make whole what can be, and take the rest away"},
	{0},
};
#undef AT

const struct command cmd_store_check = {
	.name = "store-check",
	.usage = "[OPTIONS]",
	.options = store_check_table,
	.options_size = sizeof(struct store_check_options),
	.transfer = true,
};

#define AT(member) offsetof(struct export_options, member)
static const struct opt export_oci_table[] = {
	{0, "no-config", NULL, OPT_FLAG, AT(no_config), "files alone"},
	{0, "no-pause", NULL, OPT_FLAG, AT(no_pause), "let it run on while its files are read"},
	{0},
};
#undef AT

const struct command cmd_export_oci = {
	.name = "export-oci",
	.usage = "[OPTIONS] CONTAINER FILE",
	.options = export_oci_table,
	.options_size = sizeof(struct export_options),
	.min_args = 2,
	.max_args = 2,
	.transfer = true,
};

#define AT(member) offsetof(struct bootstrap_options, member)
static const struct opt bootstrap_table[] = {
	{'c', "change", "INSTRUCTION", OPT_STRINGS, AT(changes), "CMD, ENTRYPOINT, ENV and so on, as in a Dockerfile"},
	{0, "from", "DIR", OPT_STRING, AT(from), "take the files of this directory"},
	{0, "include", "PACKAGE,...", OPT_STRING, AT(include), "more packages of a distribution"},
	{0, "mirror", "URL", OPT_STRING, AT(mirror), "where the distribution is fetched from; the one that apt uses when absent"},
	{0, "name", "NAME", OPT_STRING, AT(name), "the name of the image; what was asked for when absent"},
	{0},
};
#undef AT

const struct command cmd_bootstrap = {
	.name = "bootstrap",
	.usage = "[OPTIONS] busybox|debian:SUITE",
	.summary = "make a base image without a registry",
	.options = bootstrap_table,
	.options_size = sizeof(struct bootstrap_options),
	.max_args = 1,
	.transfer = true,
	.details = "busybox is a root with this machine's static busybox and a name for each of its commands. debian:bookworm is made by "
		   "mmdebstrap or debootstrap from the mirror that apt uses (ubuntu:SUITE likewise, with --mirror). --from takes any directory.",
	.examples = "nook bootstrap busybox\nnook bootstrap debian:bookworm --include curl,git\nnook bootstrap --from /srv/root --name base:1\n",
};

#define AT(member) offsetof(struct slim_options, member)
static const struct opt slim_table[] = {
	{0, "compression", "gzip|zstd|none", OPT_STRING, AT(compression), "of the layer as it is stored (gzip)"},
	{0, "dry-run", NULL, OPT_FLAG, AT(dry_run), "tell what would go, and make no image"},
	{0, "keep", "docs|locales|caches", OPT_STRINGS, AT(keep), "leave this group alone"},
	{0, "name", "NAME", OPT_STRING, AT(name), "the name of the new image; REPOSITORY:TAG-slim when absent"},
	{0},
};
#undef AT

const struct command image_slim = {
	.name = "slim",
	.usage = "[OPTIONS] IMAGE",
	.summary = "make an image without docs, locales and caches of another",
	.options = slim_table,
	.options_size = sizeof(struct slim_options),
	.min_args = 1,
	.max_args = 1,
	.transfer = true,
	.details = "docs are the files of /usr/share/doc (copyright files stay), man, info, gtk-doc and lintian; locales those of /usr/share/locale "
		   "but English and C, and the sources of /usr/share/i18n where there is no localedef to compile them; caches those of "
		   "/var/cache, the lists of apt, /tmp, /var/tmp, /root/.cache and what is in /var/log/*.log. Directories that packages expect "
		   "stay, empty.\n"
		   "The new image has one layer and the old config. The old image is not changed; its layers go with nook rmi.",
	.examples = "nook image slim debian:12\nnook image slim --dry-run debian:12\nnook image slim --keep docs --name app:small app:1\n",
};
