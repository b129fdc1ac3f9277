/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "security/caps.h"
#include "spec/mount_words.h"
#include "spec/spec_defaults.h"
#include "tests.h"

#include <sys/mount.h>

static struct spec_mount parsed(struct arena *a, const char *type, const char *const *options)
{
	struct spec_mount m = {.target = "/t", .type = type, .source = "src", .options = options};
	struct nook_error e = NOOK_ERROR_INIT;

	if (mount_words_parse(a, &m, &e) < 0)
		fail_msg("%s: %s", e.object, e.detail);
	return m;
}

static void test_words_are_apart_from_the_file_systems_own_options(void **state)
{
	static const char *const options[] = {"nosuid", "size=64m", "noexec", "", "mode=1777", "relatime", "ro", NULL};
	AUTO(arena_free) struct arena *a = arena_new();
	struct spec_mount m = parsed(a, "tmpfs", options);

	(void)state;
	assert_string_equal(m.data, "size=64m,mode=1777");
	assert_int_equal(m.words.set, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY);
	assert_int_equal(m.words.clear, MOUNT_ATTR__ATIME);
	assert_int_equal(m.words.sb_flags, 0);
}

static void test_the_last_of_contradicting_words_counts(void **state)
{
	static const char *const options[] = {
		"ro", "rw", "noexec", "exec", "nodev", "noatime", "strictatime", "private", "rslave", "rro", "sync", "async", NULL};
	AUTO(arena_free) struct arena *a = arena_new();
	struct spec_mount m = parsed(a, "ext4", options);

	(void)state;
	assert_int_equal(m.words.set, MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME);
	assert_int_equal(m.words.clear, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC | MOUNT_ATTR__ATIME);
	assert_int_equal(m.words.rec_set, MOUNT_ATTR_RDONLY);
	assert_int_equal(m.words.propagation, MS_SLAVE | MS_REC);
	assert_int_equal(m.words.sb_flags, 0);
}

static void test_bind_is_told_by_type_or_word(void **state)
{
	static const char *const none[] = {NULL};
	static const char *const rbind[] = {"rbind", "defaults", "rprivate", NULL};
	AUTO(arena_free) struct arena *a = arena_new();

	(void)state;
	assert_true(parsed(a, "bind", none).words.bind);
	assert_true(parsed(a, NULL, rbind).words.rbind);
	assert_false(parsed(a, "bind", rbind).words.bind);
	assert_true(parsed(a, "none", rbind).words.rbind);
}

static void test_a_device_mounted_read_only_is_opened_so(void **state)
{
	static const char *const ro[] = {"ro", NULL};
	AUTO(arena_free) struct arena *a = arena_new();
	struct spec_mount m = {.target = "/t", .type = "ext4", .source = "/dev/sda1", .options = ro};

	(void)state;
	assert_int_equal(mount_words_parse(a, &m, NULL), 0);
	assert_int_equal(m.words.sb_flags, MS_RDONLY);
}

static void test_idmap_words_carry_maps(void **state)
{
	static const char *const options[] = {"bind", "ridmap=uids=@0-1000-10#@10-5000-5;gids=@0-0-1", NULL};
	AUTO(arena_free) struct arena *a = arena_new();
	struct spec_mount m = parsed(a, "bind", options);

	(void)state;
	assert_true(m.words.ridmap);
	assert_false(m.words.idmap);
	assert_true(m.words.relative_maps);
	assert_int_equal(m.n_uid_maps, 2);
	assert_int_equal(m.uid_maps[1].inside, 10);
	assert_int_equal(m.uid_maps[1].outside, 5000);
	assert_int_equal(m.uid_maps[1].count, 5);
	assert_int_equal(m.n_gid_maps, 1);
}

static void test_what_no_mount_can_have_is_refused(void **state)
{
	const struct {
		const char *type;
		const char *const *options;
		const char *why;
	} rows[] = {
		{"bind", (const char *const[]){"size=1m", "foo", NULL}, "a bind mount takes no option \"size=1m,foo\""},
		{"bind", (const char *const[]){"sync", NULL},
			"a bind mount cannot change options of the file system behind it (sync, dirsync, lazytime ...)"},
		{NULL, (const char *const[]){"ro", NULL}, "the mount has neither a type nor the option bind"},
		{"bind", (const char *const[]){"idmap=uids=@0-1-1#0-1-1", NULL},
			"\"idmap=uids=@0-1-1#0-1-1\" is not uids=ID-HOST-COUNT[#...];gids=..."},
		{"bind", (const char *const[]){"idmap=uids=0-1", NULL},
			"\"idmap=uids=0-1\" is not uids=ID-HOST-COUNT[#...];gids=..."},
		{"bind", (const char *const[]){"idmap=uids=0-1-99999999999", NULL},
			"\"idmap=uids=0-1-99999999999\" is not uids=ID-HOST-COUNT[#...];gids=..."},
	};
	AUTO(arena_free) struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct spec_mount m = {.target = "/t", .type = rows[i].type, .options = rows[i].options};
		struct nook_error e = NOOK_ERROR_INIT;

		assert_int_equal(mount_words_parse(a, &m, &e), -EINVAL);
		assert_string_equal(e.detail, rows[i].why);
		assert_string_equal(e.object, "/t");
	}
}

static void test_words_are_sorted_and_all_listed(void **state)
{
	size_t n = 0;

	(void)state;
	for (; mount_word_name(n + 1); n++)
		assert_true(strcmp(mount_word_name(n), mount_word_name(n + 1)) < 0);
	assert_true(n > 60);
}

static void test_defaults_are_what_security_promises(void **state)
{
	AUTO(spec_free) struct spec *s = spec_new();

	(void)state;
	spec_defaults(s);
	assert_int_equal(s->process.caps[CAPS_BOUNDING], CAPS_DEFAULT);
	assert_int_equal(s->process.caps[CAPS_INHERITABLE], 0);
	assert_int_equal(s->process.caps[CAPS_AMBIENT], 0);
	assert_true(s->process.no_new_privs);
	assert_int_equal(s->seccomp.source, SECCOMP_DEFAULT);
	assert_int_equal(s->ns[NS_USER].mode, NS_PRIVATE);
	assert_int_equal(s->ns[NS_TIME].mode, NS_HOST);
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct spec_mount *m = &s->mounts[i];

		assert_true(m->standard);
		if (!strcmp(m->type, "tmpfs"))
			assert_non_null(strstr(m->data, "nr_inodes="));
		if (!strcmp(m->target, "/dev/shm"))
			assert_string_equal(m->data, "mode=1777,size=67108864,nr_inodes=16384");
	}
	assert_int_equal(s->resources.devices[0].allow, false);
	for (size_t i = 1; i < s->resources.n_devices; i++)
		assert_false(s->resources.devices[i].major == 5 && s->resources.devices[i].minor == 1);
}

static void test_finish_follows_the_id_maps(void **state)
{
	static struct spec_idmap whole = {0, 100000, 65536}, single = {0, 1000, 1};
	AUTO(spec_free) struct spec *s = spec_new(), *t = spec_new();

	(void)state;
	spec_defaults(s);
	s->gid_maps = &whole;
	s->n_gid_maps = 1;
	s->resources.memory_limit = (struct opt_i64){1 << 20, true};
	spec_defaults_finish(s);
	assert_string_equal(s->sysctls[1].key, "net.ipv4.ping_group_range");
	assert_string_equal(s->sysctls[1].value, "0 65535");
	assert_string_equal(s->mounts[2].data, "newinstance,ptmxmode=0666,mode=0620,max=1024,gid=5");
	assert_int_equal(s->resources.memory_swap.value, 1 << 20);
	spec_defaults(t);
	t->gid_maps = &single;
	t->n_gid_maps = 1;
	spec_defaults_finish(t);
	assert_null(strstr(t->mounts[2].data, "gid="));
	assert_string_equal(t->sysctls[1].value, "0 0");
}

static void test_pairs_stay_sorted(void **state)
{
	AUTO(spec_free) struct spec *s = spec_new();

	(void)state;
	spec_pair_set(s->arena, &s->annotations, &s->n_annotations, "m", "1");
	spec_pair_set(s->arena, &s->annotations, &s->n_annotations, "z", "2");
	spec_pair_set(s->arena, &s->annotations, &s->n_annotations, "a", "3");
	spec_pair_set(s->arena, &s->annotations, &s->n_annotations, "m", "4");
	assert_int_equal(s->n_annotations, 3);
	assert_string_equal(s->annotations[0].key, "a");
	assert_string_equal(spec_annotation(s, "m"), "4");
	assert_null(spec_annotation(s, "b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_are_apart_from_the_file_systems_own_options),
		cmocka_unit_test(test_the_last_of_contradicting_words_counts),
		cmocka_unit_test(test_bind_is_told_by_type_or_word),
		cmocka_unit_test(test_a_device_mounted_read_only_is_opened_so),
		cmocka_unit_test(test_idmap_words_carry_maps),
		cmocka_unit_test(test_what_no_mount_can_have_is_refused),
		cmocka_unit_test(test_words_are_sorted_and_all_listed),
		cmocka_unit_test(test_defaults_are_what_security_promises),
		cmocka_unit_test(test_finish_follows_the_id_maps),
		cmocka_unit_test(test_pairs_stay_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
