/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/media.h"

#include <string.h>
#include <strings.h>

const char *const compression_names[COMPRESSIONS] = {
	[COMPRESSION_NONE] = "none", [COMPRESSION_GZIP] = "gzip", [COMPRESSION_ZSTD] = "zstd",
};

#define OCI "application/vnd.oci."
#define DOCKER "application/vnd.docker."

const char media_oci_index[] = OCI "image.index.v1+json";
const char media_oci_manifest[] = OCI "image.manifest.v1+json";
const char media_oci_config[] = OCI "image.config.v1+json";
static const char docker_manifest[] = DOCKER "distribution.manifest.v2+json";
static const char docker_list[] = DOCKER "distribution.manifest.list.v2+json";

const char *const media_accepted[] = {
	media_oci_index, media_oci_manifest, docker_list, docker_manifest, NULL,
};

static const struct media table[] = {
	{media_oci_index, MEDIA_INDEX, .docker = false},
	{media_oci_manifest, MEDIA_MANIFEST, .docker = false},
	{media_oci_config, MEDIA_CONFIG, .docker = false},
	{OCI "empty.v1+json", MEDIA_EMPTY, .docker = false},
	{OCI "image.layer.v1.tar", MEDIA_LAYER, COMPRESSION_NONE},
	{OCI "image.layer.v1.tar+gzip", MEDIA_LAYER, COMPRESSION_GZIP},
	{OCI "image.layer.v1.tar+zstd", MEDIA_LAYER, COMPRESSION_ZSTD},
	{OCI "image.layer.nondistributable.v1.tar", MEDIA_LAYER, COMPRESSION_NONE, .foreign = true},
	{OCI "image.layer.nondistributable.v1.tar+gzip", MEDIA_LAYER, COMPRESSION_GZIP, .foreign = true},
	{OCI "image.layer.nondistributable.v1.tar+zstd", MEDIA_LAYER, COMPRESSION_ZSTD, .foreign = true},
	{docker_list, MEDIA_INDEX, .docker = true},
	{docker_manifest, MEDIA_MANIFEST, .docker = true},
	{DOCKER "container.image.v1+json", MEDIA_CONFIG, .docker = true},
	{DOCKER "image.rootfs.diff.tar", MEDIA_LAYER, COMPRESSION_NONE, .docker = true},
	{DOCKER "image.rootfs.diff.tar.gzip", MEDIA_LAYER, COMPRESSION_GZIP, .docker = true},
	{DOCKER "image.rootfs.diff.tar.zstd", MEDIA_LAYER, COMPRESSION_ZSTD, .docker = true},
	{DOCKER "image.rootfs.foreign.diff.tar", MEDIA_LAYER, COMPRESSION_NONE, .docker = true, .foreign = true},
	{DOCKER "image.rootfs.foreign.diff.tar.gzip", MEDIA_LAYER, COMPRESSION_GZIP, .docker = true, .foreign = true},
	{DOCKER "distribution.manifest.v1+json", MEDIA_SCHEMA1, .docker = true},
	{DOCKER "distribution.manifest.v1+prettyjws", MEDIA_SCHEMA1, .docker = true},
};

const struct media *media_find(const char *type)
{
	static const struct media unknown = {"", MEDIA_UNKNOWN, .docker = false};
	const size_t len = strcspn(type, "; \t");

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strlen(table[i].type) == len && strncasecmp(type, table[i].type, len) == 0)
			return &table[i];
	return &unknown;
}

const char *media_layer_type(enum compression compression)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].kind == MEDIA_LAYER && table[i].compression == compression)
			return table[i].type;
	return "";
}
