/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bundle/bundle.h"
#include "bundle/config.h"
#include "security/caps.h"
#include "tests.h"

#include <stdio.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/resource.h>

#define FULL SOURCE_ROOT "/tests/fuzz/corpus/oci_config/full.json"

static int read_text(const char *text, struct spec *s, struct nook_error *e)
{
	AUTO(json_free) struct json *root = NULL;

	TRY(json_parse(text, strlen(text), "config.json", STEP_CONFIG, &root, e));
	TRY(config_read(root, s, e));
	return spec_check(s, e);
}

static void must(int r, const struct nook_error *e)
{
	if (r < 0)
		fail_msg("%s: %s", e->object, e->detail);
}

static void test_everything_is_read_and_written_again(void **state)
{
	AUTO(spec_free) struct spec *s = spec_new();
	AUTO_VALUE(buf_done) struct buf file = {0}, out = {0};
	struct nook_error e = NOOK_ERROR_INIT;

	(void)state;
	must(file_read(AT_FDCWD, FULL, JSON_LIMIT, &file, &e), &e);
	must(config_load(AT_FDCWD, FULL, s, &e), &e);
	config_text(s, JSON_PRETTY, &out);
	buf_addc(&out, '\n');
	/* The file is written as the writer would; a device without a minor number has minor 0. */
	assert_string_equal(out.data, file.data);
}

static void test_values_land_where_the_spec_wants_them(void **state)
{
	AUTO(spec_free) struct spec *s = spec_new();
	struct nook_error e = NOOK_ERROR_INIT;

	(void)state;
	must(config_load(AT_FDCWD, FULL, s, &e), &e);
	assert_int_equal(s->process.user.umask, 022);
	assert_int_equal(s->process.caps[CAPS_BOUNDING],
		CAPS_BIT(CAP_CHOWN) | CAPS_BIT(CAP_KILL) | CAPS_BIT(CAP_CHECKPOINT_RESTORE));
	assert_int_equal(s->process.rlimits[0].resource, RLIMIT_CPU);
	assert_int_equal(s->process.ioprio.value, 2 << 13);
	assert_int_equal(s->ns[NS_NET].mode, NS_PATH);
	assert_int_equal(s->ns[NS_TIME].mode, NS_PRIVATE);
	assert_int_equal(s->mounts[1].words.set, MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME);
	assert_string_equal(s->mounts[1].data, "mode=755,size=65536k");
	assert_true(s->mounts[2].words.rbind);
	assert_int_equal(s->mounts[3].n_uid_maps, 1);
	assert_int_equal(s->resources.n_blkio_devices, 2);
	assert_int_equal(s->resources.blkio_devices[1].write_iops.value, 300);
	assert_true(s->resources.blkio_devices[1].write_bps.set);
	assert_int_equal(s->resources.devices[0].major, -1);
	assert_int_equal(s->resources.devices[2].minor, -1);
	assert_int_equal(s->root.propagation, MS_SLAVE | MS_REC);
	assert_int_equal(s->personality.value, PER_LINUX32);
	assert_int_equal(s->time_monotonic.secs, -172800);
	assert_string_equal(s->net_devices[1].host_name, "eth0");
	assert_int_equal(s->n_hooks[HOOK_POSTSTOP], 2);
}

static void test_old_versions_and_what_nobody_knows_are_accepted(void **state)
{
	static const char *const rows[] = {
		"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"}}",
		"{\"ociVersion\":\"1.2.1-dev\",\"root\":{\"path\":\"r\"},\"solaris\":{\"x\":[]},\"linux\":null}",
		"{\"ociVersion\":\"1.99.0\",\"root\":{\"path\":\"r\",\"new\":1},\"linux\":{\"namespaces\":[{\"type\":\"mount\",\"path\":\"\"}]}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(spec_free) struct spec *s = spec_new();
		struct nook_error e = NOOK_ERROR_INIT;

		must(read_text(rows[i], s, &e), &e);
	}
}

#define HEAD "{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"r\"},"
#define PROCESS HEAD "\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"],"
#define LINUX HEAD "\"linux\":{"
#define PRIVATE HEAD "\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"network\"},{\"type\":\"user\"}],"

static void test_bad_input_is_named_by_its_path(void **state)
{
	static const struct {
		const char *text, *where, *why;
	} rows[] = {
		{"{}", "ociVersion", "missing"},
		{"{\"ociVersion\":\"2.0.0\"}", "ociVersion", "\"2.0.0\" is no version 1.x"},
		{"{\"ociVersion\":\"1.0.0\"}", "root.path", "must not be empty"},
		{"{\"ociVersion\":\"1.0.0\",\"root\":{}}", "root.path", "missing"},
		{"{\"ociVersion\":\"1.0.0\",\"root\":[]}", "root", "expected an object, found an array"},
		{HEAD "\"process\":{\"cwd\":\"/\",\"args\":[]}}", "process.args", "must not be empty"},
		{HEAD "\"process\":{\"args\":[\"sh\"]}}", "process.cwd", "missing"},
		{HEAD "\"process\":{\"cwd\":\"x\",\"args\":[\"sh\"]}}", "process.cwd", "must be absolute"},
		{PROCESS "\"user\":{\"uid\":4294967296}}}", "process.user.uid", "4294967296 is not between 0 and 4294967295"},
		{PROCESS "\"user\":{\"uid\":-1}}}", "process.user.uid", "-1 is not between 0 and 4294967295"},
		{PROCESS "\"env\":[\"A=1\",\"B\"]}}", "process.env[1]", "is not NAME=value"},
		{PROCESS "\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_FLY\"]}}}", "process.capabilities.bounding[1]",
			"unknown capability \"CAP_FLY\""},
		{PROCESS "\"rlimits\":[{\"type\":\"RLIMIT_CORE\"},{\"type\":\"RLIMIT_CORE\"}]}}", "process.rlimits[1].type",
			"stands there twice"},
		{PROCESS "\"rlimits\":[{\"type\":\"RLIMIT_FUN\"}]}}", "process.rlimits[0].type", "\"RLIMIT_FUN\" is unknown here"},
		{PROCESS "\"rlimits\":[{\"type\":\"RLIMIT_CPU\"},{\"type\":\"RLIMIT_CORE\",\"soft\":\"7\"}]}}",
			"process.rlimits[1].soft", "expected an integer, found a string"},
		{PROCESS "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1}]}}", "process.rlimits[0].soft",
			"is above the hard limit"},
		{PROCESS "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":8}}}", "process.ioPriority.priority",
			"8 is not between 0 and 7"},
		{PROCESS "\"scheduler\":{\"policy\":\"SCHED_BEST\"}}}", "process.scheduler.policy", "\"SCHED_BEST\" is unknown here"},
		{PROCESS "\"oomScoreAdj\":1001}}", "process.oomScoreAdj", "is not between -1000 and 1000"},
		{HEAD "\"hostname\":\"x\"}", "hostname", "needs a uts namespace, else it would be the host's name"},
		{LINUX "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]}}", "linux.namespaces[1]",
			"the namespace type \"pid\" stands there twice"},
		{LINUX "\"namespaces\":[{\"type\":\"colour\"}]}}", "linux.namespaces[0].type", "unknown namespace type \"colour\""},
		{LINUX "\"namespaces\":[{\"type\":\"pid\",\"path\":\"x\"}]}}", "linux.namespaces: pid", "the path must be absolute"},
		{LINUX "\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]}}", "linux.uidMappings",
			"needs a user namespace"},
		{PRIVATE "\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":2},{\"containerID\":1,\"hostID\":9,\"size\":2}]}}",
			"linux.uidMappings[1]", "overlaps with another range"},
		{PRIVATE "\"uidMappings\":[{\"containerID\":0,\"size\":2}]}}", "linux.uidMappings[0].hostID", "missing"},
		{LINUX "\"timeOffsets\":{\"boottime\":{\"secs\":1}}}}", "linux.timeOffsets",
			"needs a time namespace of the container's own"},
		{LINUX "\"maskedPaths\":[\"/x\"]}}", "linux.maskedPaths", "needs a mount namespace of the container's own"},
		{PRIVATE "\"maskedPaths\":[\"/x\",\"y\"]}}", "linux.maskedPaths[1]", "must be absolute"},
		{PRIVATE "\"sysctl\":{\"kernel.core_pattern\":\"x\"}}}", "linux.sysctl.kernel.core_pattern",
			"belongs to the whole machine, not to a namespace"},
		{PRIVATE "\"sysctl\":{\"net/../kernel/core_pattern\":\"x\"}}}", "linux.sysctl.net.//.kernel.core_pattern",
			"is no kernel parameter"},
		{LINUX "\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"}}}", "linux.sysctl.net.ipv4.ip_forward",
			"needs a private net namespace, else it would change the host's"},
		{PRIVATE "\"sysctl\":{\"net.x\":1}}}", "linux.sysctl.net.x", "expected a string, found an integer"},
		{HEAD "\"mounts\":[{\"destination\":\"/x\",\"type\":\"tmpfs\"}]}", "mounts", "needs a mount namespace"},
		{HEAD "\"mounts\":[{\"type\":\"tmpfs\"}]}", "mounts[0].destination", "missing"},
		{HEAD "\"mounts\":[{\"destination\":\"/a\",\"type\":\"bind\",\"options\":[\"size=1m\"]}]}", "mounts[0]",
			"/a: a bind mount takes no option \"size=1m\""},
		{HEAD "\"mounts\":[{\"destination\":\"/a\"}]}", "mounts[0]",
			"/a: the mount has neither a type nor the option bind"},
		{LINUX "\"resources\":{\"devices\":[{\"allow\":true,\"type\":\"x\"}]}}}", "linux.resources.devices[0].type",
			"\"x\" is unknown here"},
		{LINUX "\"resources\":{\"devices\":[{\"allow\":true,\"access\":\"rx\"}]}}}", "linux.resources.devices[0].access",
			"\"x\" is none of r, w and m"},
		{LINUX "\"resources\":{\"unified\":{\"../x.y\":\"1\"}}}}", "linux.resources.unified",
			"\"../x.y\" is no file of a cgroup"},
		{LINUX "\"resources\":{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":1,\"minor\":1}]}}}}",
			"linux.resources.blockIO.throttleReadBpsDevice[0].rate", "missing"},
		{LINUX "\"resources\":{\"cpu\":{\"burst\":2,\"quota\":1}}}}", "linux.resources.cpu.burst", "is above the quota"},
		{LINUX "\"devices\":[{\"path\":\"/dev/x\",\"type\":\"c\",\"major\":4096}]}}", "linux.devices[0]",
			"no device has such numbers"},
		{LINUX "\"devices\":[{\"path\":\"dev/x\",\"type\":\"p\"}]}}", "linux.devices[0].path", "must be absolute"},
		{LINUX "\"personality\":{\"domain\":\"LINUX\",\"flags\":[\"x\"]}}}", "linux.personality.flags",
			"no flag is supported, found \"x\""},
		{LINUX "\"memoryPolicy\":{\"mode\":\"MPOL_FUN\"}}}", "linux.memoryPolicy.mode", "\"MPOL_FUN\" is unknown here"},
		{LINUX "\"intelRdt\":{\"closID\":\"../x\"}}}", "linux.intelRdt.closID", "is no directory name"},
		{LINUX "\"netDevices\":{\"eth0\":{}}}}", "linux.netDevices", "needs a network namespace"},
		{PRIVATE "\"netDevices\":{\"eth0\":{\"name\":\"a/b\"}}}}", "linux.netDevices",
			"\"a/b\" is no name of a network device"},
		{HEAD "\"hooks\":{\"poststop\":[{\"path\":\"/x\"},{\"path\":\"x\"}]}}", "hooks.poststop[1].path", "must be absolute"},
		{HEAD "\"hooks\":{\"prestart\":[{\"path\":\"/x\",\"timeout\":0}]}}", "hooks.prestart[0].timeout",
			"must be above 0"},
		{LINUX "\"rootfsPropagation\":\"maybe\"}}", "linux.rootfsPropagation", "\"maybe\" is unknown here"},
		{"{\"ociVersion\":\"1.0.0\",", "config.json:1:23", "the text ends in the middle of a value"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(spec_free) struct spec *s = spec_new();
		struct nook_error e = NOOK_ERROR_INIT;

		if (read_text(rows[i].text, s, &e) != -EINVAL)
			fail_msg("accepted: %s", rows[i].text);
		assert_string_equal(e.object, rows[i].where);
		assert_string_equal(e.detail, rows[i].why);
		assert_int_equal(e.step, STEP_CONFIG);
	}
}

/* What no member of this type may be. */
static struct json *wrong(struct json *root, const struct json *value)
{
	switch (json_type_of(value)) {
	case JSON_STRING:
	case JSON_OBJECT:
	case JSON_ARRAY:
		return json_make_i64(root, 5);
	default:
		return json_make_string(root, "x", 1);
	}
}

/* The whole with one member of the wrong type is refused, and the message has the member's path. */
static size_t refused_at(struct json *root, const char *path)
{
	AUTO(spec_free) struct spec *s = spec_new();
	struct nook_error e = NOOK_ERROR_INIT;

	if (config_read(root, s, &e) != -EINVAL)
		fail_msg("%s may be of another type", path);
	if (e.step != STEP_CONFIG || strcmp(e.object, path) != 0)
		fail_msg("%s: the error is of \"%s\": %s", path, e.object, e.detail);
	return 1;
}

static struct json *with_wrong_element(struct json *root, const struct json *array, size_t at)
{
	struct json *copy = json_make(root, JSON_ARRAY);

	for (size_t i = 0; i < json_length(array); i++)
		json_append(copy, i == at ? wrong(root, json_at(array, i)) : json_at(array, i));
	return copy;
}

static size_t refuse_members(struct json *root, struct json *of, const char *path)
{
	char where[256], element[300];
	size_t n = 0;

	for (size_t m = 0; json_is(of, JSON_OBJECT) && m < json_length(of); m++) {
		const char *name = json_key_at(of, m);
		struct json *value = json_at(of, m);

		(void)snprintf(where, sizeof(where), "%s%s%s", path, *path ? "." : "", name);
		json_set(of, name, wrong(root, value));
		n += refused_at(root, where);
		for (size_t i = 0; json_is(value, JSON_ARRAY) && i < json_length(value); i++) {
			(void)snprintf(element, sizeof(element), "%s[%zu]", where, i);
			json_set(of, name, with_wrong_element(root, value, i));
			n += refused_at(root, element);
			json_set(of, name, value);
			n += refuse_members(root, json_at(value, i), element);
		}
		json_set(of, name, value);
		n += refuse_members(root, value, where);
	}
	return n;
}

static void test_each_member_of_a_wrong_type_is_named_by_its_path(void **state)
{
	AUTO_VALUE(buf_done) struct buf file = {0};
	AUTO(json_free) struct json *root = NULL;
	struct nook_error e = NOOK_ERROR_INIT;

	(void)state;
	must(file_read(AT_FDCWD, FULL, JSON_LIMIT, &file, &e), &e);
	must(json_parse(file.data, file.len, "config.json", STEP_CONFIG, &root, &e), &e);
	assert_true(refuse_members(root, root, "") > 300);
}

static void test_a_text_that_ends_anywhere_is_refused(void **state)
{
	AUTO_VALUE(buf_done) struct buf file = {0};
	struct nook_error e = NOOK_ERROR_INIT;

	(void)state;
	must(file_read(AT_FDCWD, FULL, JSON_LIMIT, &file, &e), &e);
	/* The last byte is the end of the line. */
	for (size_t len = 0; len + 1 < file.len; len++) {
		struct json *root = NULL;

		if (json_parse(file.data, len, "config.json", STEP_CONFIG, &root, &e) != -EINVAL)
			fail_msg("the first %zu bytes are accepted", len);
		if (strncmp(e.object, "config.json", strlen("config.json")) != 0)
			fail_msg("the first %zu bytes: the error is of \"%s\": %s", len, e.object, e.detail);
	}
}

static void test_a_bundle_is_made_ready_for_a_runtime(void **state)
{
	static const char text[] = HEAD
		"\"mounts\":[{\"destination\":\"/a\",\"type\":\"bind\",\"source\":\"src\",\"options\":[\"idmap=uids=@0-5-2;gids=@0-0-1\"]}],"
		"\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"user\"},{\"type\":\"network\"}],"
		"\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":10}],"
		"\"gidMappings\":[{\"containerID\":0,\"hostID\":2000,\"size\":10}],"
		"\"resources\":{\"devices\":[{\"allow\":false}]}}}";
	AUTO(spec_free) struct spec *s = spec_new();
	struct nook_error e = NOOK_ERROR_INIT;
	char dir[] = "/tmp/nook-bundle-XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	auto_close int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	must(file_replace(fd, "config.json", text, strlen(text), 0600, FILE_NO_SYNC, &e), &e);
	must(bundle_load(dir, NULL, s, &e), &e);
	(void)snprintf(path, sizeof(path), "%s/r", dir);
	assert_string_equal(s->root.path, path);
	(void)snprintf(path, sizeof(path), "%s/src", dir);
	assert_string_equal(s->mounts[0].source, path);
	assert_int_equal(s->mounts[0].uid_maps[0].outside, 1005);
	assert_int_equal(s->mounts[0].gid_maps[0].outside, 2000);
	assert_true(s->default_devices);
	assert_true(s->net_loopback_up);
	assert_true(s->resources.n_devices > 8);
	assert_int_equal(s->resources.devices[0].allow, false);
	must(tree_remove(AT_FDCWD, dir, &e), &e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_is_read_and_written_again),
		cmocka_unit_test(test_values_land_where_the_spec_wants_them),
		cmocka_unit_test(test_old_versions_and_what_nobody_knows_are_accepted),
		cmocka_unit_test(test_bad_input_is_named_by_its_path),
		cmocka_unit_test(test_each_member_of_a_wrong_type_is_named_by_its_path),
		cmocka_unit_test(test_a_text_that_ends_anywhere_is_refused),
		cmocka_unit_test(test_a_bundle_is_made_ready_for_a_runtime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
