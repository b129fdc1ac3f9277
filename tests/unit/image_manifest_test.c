/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/config.h"
#include "image/manifest.h"
#include "tests.h"

#include <string.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OCI "application/vnd.oci.image."
#define DOCKER "application/vnd.docker.distribution.manifest."
#define CONFIG "\"config\":{\"mediaType\":\"" OCI "config.v1+json\",\"digest\":\"sha256:" HEX "\",\"size\":2}"
#define LAYER(type) "{\"mediaType\":\"" type "\",\"digest\":\"sha256:" HEX "\",\"size\":5}"
#define MANIFEST(type) "{\"schemaVersion\":2,\"mediaType\":\"" type "\"," CONFIG ",\"layers\":[" LAYER(OCI "layer.v1.tar+gzip") "]}"
#define ENTRY(platform) "{\"mediaType\":\"" OCI "manifest.v1+json\",\"digest\":\"sha256:" HEX "\",\"size\":5,\"platform\":{" platform "}}"

static int parse(const char *text, const char *content_type, struct arena *a, struct image_document *d, struct nook_error *e)
{
	return image_document_parse(text, strlen(text), content_type, "name", a, d, e);
}

static void refuses(const char *text, const char *content_type, const char *why)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	struct image_document d;

	assert_true(parse(text, content_type, a, &d, &e) < 0);
	if (!strstr(e.detail, why))
		fail_msg("\"%s\" does not hold \"%s\"", e.detail, why);
}

static void test_a_manifest_is_read(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	struct image_document d;

	assert_int_equal(parse(MANIFEST(OCI "manifest.v1+json"), OCI "manifest.v1+json; charset=utf-8", a, &d, &e), 0);
	assert_false(d.is_index);
	assert_int_equal(d.manifest.n_layers, 1);
	assert_int_equal(d.manifest.layers[0].size, 5);
	assert_int_equal(media_find(d.manifest.layers[0].media_type)->compression, COMPRESSION_GZIP);
	assert_int_equal(manifest_check_image(&d.manifest, "name", &e), 0);
	assert_int_equal(parse(manifest_text(&d.manifest, a), NULL, a, &d, &e), 0);
	assert_string_equal(d.manifest.config.digest, "sha256:" HEX);
}

static void test_confused_media_types_are_refused(void **state)
{
	refuses("{\"schemaVersion\":2," CONFIG ",\"layers\":[],\"manifests\":[]}", NULL, "manifest and index at once");
	refuses("{\"schemaVersion\":2," CONFIG ",\"manifests\":[]}", NULL, "manifest and index at once");
	refuses(MANIFEST(OCI "manifest.v1+json"), OCI "index.v1+json", "was sent as");
	refuses(MANIFEST(OCI "manifest.v1+json"), DOCKER "v2+json", "was sent as");
	refuses(MANIFEST(OCI "index.v1+json"), NULL, "and is none");
	refuses(MANIFEST("text/plain"), NULL, "neither manifest nor index");
	refuses("{\"schemaVersion\":2,\"manifests\":[]}", OCI "manifest.v1+json", "and is none");
	refuses("{\"schemaVersion\":2," CONFIG ",\"layers\":[]}", OCI "index.v1+json", "and is none");
	refuses("{\"schemaVersion\":2}", NULL, "and is none");
}

static void test_schema_1_is_refused(void **state)
{
	refuses("{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, "schema 1");
	refuses("{\"schemaVersion\":2,\"fsLayers\":[]}", NULL, "schema 1");
	refuses("{}", DOCKER "v1+prettyjws", "schema 1");
	refuses("{\"schemaVersion\":3,\"manifests\":[]}", NULL, "schema version 3");
}

static void test_bad_descriptors_are_refused(void **state)
{
	refuses("{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:../x\",\"size\":1},\"layers\":[]}", NULL, "config 1");
	refuses("{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"\",\"size\":1}]}", NULL, "layer 1");
	refuses("{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"sha256:" HEX "\",\"size\":-1}]}", NULL, "not between");
	refuses("{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"sha256:" HEX "\"}]}", NULL, "missing");
}

static void test_limits(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct nook_error e = NOOK_ERROR_INIT;
	struct image_document d;

	buf_adds(&text, "{\"schemaVersion\":2," CONFIG ",\"layers\":[");
	for (int i = 0; i < IMAGE_LAYERS_MAX + 1; i++)
		buf_addf(&text, "%s%s", i ? "," : "", LAYER(OCI "layer.v1.tar"));
	buf_adds(&text, "]}");
	refuses(text.data, NULL, "129 layers");
	assert_int_equal(image_document_parse(text.data, MANIFEST_BYTES_MAX + 1, NULL, "x", a, &d, &e), -EFBIG);
}

static void test_an_artifact_is_no_image(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	struct image_document d;

	assert_int_equal(parse("{\"schemaVersion\":2,\"artifactType\":\"a/b\",\"config\":{\"mediaType\":"
			       "\"application/vnd.oci.empty.v1+json\",\"digest\":\"sha256:" HEX "\",\"size\":2},\"layers\":[]}",
			       NULL, a, &d, &e), 0);
	assert_int_equal(manifest_check_image(&d.manifest, "name", &e), -EINVAL);
	assert_non_null(strstr(e.detail, "artifact (a/b)"));
}

#define INDEX(entries) "{\"schemaVersion\":2,\"manifests\":[" entries "]}"

static const char *chosen(const char *index, const char *platform, struct arena *a, struct nook_error *e)
{
	const struct descriptor *found = NULL;
	struct image_document d;
	struct platform p;

	assert_int_equal(parse(index, NULL, a, &d, e), 0);
	assert_int_equal(platform_parse(platform, a, &p, e), 0);
	if (image_index_select(&d.index, &p, "name", a, &found, e) < 0)
		return NULL;
	return found->has_platform ? platform_text(&found->platform, a) : "none";
}

static void test_platforms(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	static const char index[] = INDEX(
		ENTRY("\"os\":\"unknown\",\"architecture\":\"unknown\"") ","
		ENTRY("\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v6\"") ","
		ENTRY("\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"") ","
		ENTRY("\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v5\"") ","
		ENTRY("\"os\":\"linux\",\"architecture\":\"amd64\""));

	assert_string_equal(chosen(index, "linux/amd64", a, &e), "linux/amd64");
	assert_string_equal(chosen(index, "x86_64", a, &e), "linux/amd64");
	assert_string_equal(chosen(index, "linux/arm64", a, &e), "linux/arm64/v8");
	assert_string_equal(chosen(index, "aarch64", a, &e), "linux/arm64/v8");
	assert_string_equal(chosen(index, "linux/arm", a, &e), "linux/arm/v6");
	assert_string_equal(chosen(index, "linux/arm/v5", a, &e), "linux/arm/v5");
	assert_null(chosen(index, "linux/riscv64", a, &e));
	assert_non_null(strstr(e.detail, "linux/arm/v6, linux/arm64/v8"));
	assert_null(strstr(e.detail, "unknown"));
	assert_null(chosen(index, "windows/amd64", a, &e));
	assert_true(platform_parse("nonsense", a, &(struct platform){0}, &e) < 0);
	assert_int_equal(platform_parse("linux/nonsense", a, &(struct platform){0}, &e), 0);
	assert_true(platform_parse("a/b/c/d", a, &(struct platform){0}, &e) < 0);
}

static void test_config(void **state)
{
	static const char text[] = "{\"created\":\"2026-11-27T09:00:00.5Z\",\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{"
		"\"Env\":[\"B=2\",\"A=1\"],\"Entrypoint\":null,\"Cmd\":\"sh -l\",\"User\":\"1000:100\",\"Volumes\":{\"/data\":{}},"
		"\"ExposedPorts\":{\"80/tcp\":{}},\"Labels\":{\"k\":\"v\"},\"Healthcheck\":{\"Test\":[\"NONE\"]}},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX "\"]},\"history\":[{\"empty_layer\":true}]}";
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	struct image_config c;
	const char *again;

	assert_int_equal(image_config_parse(text, strlen(text), 1, "name", a, &c, &e), 0);
	assert_string_equal(c.run.env[0], "B=2");
	assert_null(c.run.entrypoint);
	assert_string_equal(c.run.cmd[0], "sh -l");
	assert_string_equal(c.run.volumes[0], "/data");
	again = image_config_text(&c, a);
	assert_non_null(strstr(again, "\"Volumes\":{\"/data\":{}}"));
	assert_non_null(strstr(again, "\"Healthcheck\":{\"Test\":[\"NONE\"]}"));
	assert_int_equal(image_config_parse(again, strlen(again), 1, "name", a, &c, &e), 0);
	assert_true(image_config_parse(text, strlen(text), 2, "name", a, &c, &e) < 0);
	assert_non_null(strstr(e.detail, "2 layers"));
}

static void test_changes(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	struct image_config c = {0};

	assert_int_equal(image_config_change(&c, "CMD [\"a\", \"b\"]", a, &e), 0);
	assert_string_equal(c.run.cmd[1], "b");
	assert_int_equal(image_config_change(&c, "cmd echo hi", a, &e), 0);
	assert_string_equal(c.run.cmd[0], "/bin/sh");
	assert_string_equal(c.run.cmd[2], "echo hi");
	assert_int_equal(image_config_change(&c, "ENV A=1", a, &e), 0);
	assert_int_equal(image_config_change(&c, "ENV=A=\"2 3\"", a, &e), 0);
	assert_string_equal(c.run.env[0], "A=2 3");
	assert_null(c.run.env[1]);
	assert_int_equal(image_config_change(&c, "EXPOSE 80 53/udp", a, &e), 0);
	assert_string_equal(c.run.ports[0], "80/tcp");
	assert_true(image_config_change(&c, "WORKDIR here", a, &e) < 0);
	assert_true(image_config_change(&c, "RUN x", a, &e) < 0);
	assert_true(image_config_change(&c, "CMD [1]", a, &e) < 0);
	assert_true(image_config_change(&c, "CMD", a, &e) < 0);
}

static void test_times(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();

	assert_int_equal(image_time("1970-01-01T00:00:01Z"), 1000000000);
	assert_int_equal(image_time("1970-01-01T01:00:01.000000005+01:00"), 1000000005);
	assert_int_equal(image_time("nonsense"), 0);
	assert_int_equal(image_time("9999-01-01T00:00:00Z"), 0);
	assert_string_equal(image_time_text(image_time("2026-11-27T09:15:00.25Z"), a), "2026-11-27T09:15:00.250000000Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_manifest_is_read),
		cmocka_unit_test(test_confused_media_types_are_refused),
		cmocka_unit_test(test_schema_1_is_refused),
		cmocka_unit_test(test_bad_descriptors_are_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_an_artifact_is_no_image),
		cmocka_unit_test(test_platforms),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
