/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bundle/bundle.h"

#include "base/fd.h"
#include "base/text.h"
#include "bundle/config.h"
#include "bundle/tables.h"
#include "spec/spec_defaults.h"

#include <stdio.h>
#include <sys/stat.h>

static const char *from_bundle(struct arena *a, const char *bundle, const char *path)
{
	return path[0] == '/' ? path : arena_printf(a, "%s/%s", bundle, path);
}

/* Ids on the right of a relative map are the container's: put the host's in their place. */
static int resolve_maps(struct spec_idmap *maps, size_t n, const struct spec_idmap *ns, size_t n_ns)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < n_ns && (maps[i].outside < ns[k].inside || maps[i].outside - ns[k].inside >= ns[k].count ||
			ns[k].count - (maps[i].outside - ns[k].inside) < maps[i].count))
			k++;
		if (k == n_ns)
			return -EINVAL;
		maps[i].outside = ns[k].outside + (maps[i].outside - ns[k].inside);
	}
	return 0;
}

int bundle_settle_mounts(const char *bundle, struct spec *s, struct nook_error *e)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		struct spec_mount *m = &s->mounts[i];

		if ((m->words.bind || m->words.rbind) && m->source)
			m->source = from_bundle(s->arena, bundle, m->source);
		if (m->words.relative_maps && (resolve_maps(m->uid_maps, m->n_uid_maps, s->uid_maps, s->n_uid_maps) < 0 ||
			resolve_maps(m->gid_maps, m->n_gid_maps, s->gid_maps, s->n_gid_maps) < 0)) {
			char where[32];

			(void)snprintf(where, sizeof(where), "mounts[%zu]", i);
			return err_why(e, STEP_CONFIG, where, EINVAL, "a relative id map names ids that the container does not have");
		}
		m->words.relative_maps = false;
	}
	return 0;
}

/* The devices that every container must be able to use, behind the rules that there are.  Who has CAP_MKNOD may make
 * any node; to open it is another matter. */
static void add_device_rules(struct arena *a, struct spec_resources *r)
{
	if (!r->n_devices)
		return;
	*arena_push(a, &r->devices, &r->n_devices) = (struct spec_device_rule){true, 'c', -1, -1, DEV_MKNOD};
	*arena_push(a, &r->devices, &r->n_devices) = (struct spec_device_rule){true, 'b', -1, -1, DEV_MKNOD};
	spec_default_device_rules(a, r);
}

/* "1", "true", "yes": what annotations say for on. */
static bool is_on(const char *value)
{
	return value && (text_is(value, "1") || text_is(value, "true") || text_is(value, "yes"));
}

/* "net.ipv4.conf.eth0/100.x" names a device with a dot in it: spelt as a path, so that nobody has to guess below. */
static void respell_sysctls(struct spec *s)
{
	for (size_t i = 0; i < s->n_sysctls; i++) {
		const char *key = s->sysctls[i].key;
		char *path;

		if (!strchr(key, '/') || key[strcspn(key, "./")] == '/')
			continue;
		path = arena_strdup(s->arena, key);
		for (char *c = path; *c; c++) {
			if (*c == '.')
				*c = '/';
			else if (*c == '/')
				*c = '.';
		}
		s->sysctls[i].key = path;
	}
}

/* Engines write the limits of their own machine into a configuration; where the runtime may not raise a limit, the highest
 * that it may is taken. */
static void clamp_limits(struct spec_process *p)
{
	for (size_t i = 0; i < p->n_rlimits; i++)
		p->rlimits[i].clamp = true;
	p->oom_score_adj_clamp = true;
}

/* "/usr:/etc": what Landlock lets be read, or written, beside nothing else. */
static void add_landlock(struct spec *s, const char *key, bool write)
{
	const char *list = spec_annotation(s, key);

	while (list && *list) {
		size_t len = strcspn(list, ":");

		if (len)
			*arena_push(s->arena, &s->landlock.rules, &s->landlock.n_rules) =
				(struct spec_landlock_rule){.path = arena_strndup(s->arena, list, len), .write = write};
		list += len + (list[len] == ':');
	}
}

static void add_demands_of_process(struct spec *s)
{
	clamp_limits(&s->process);
	s->process.new_keyring = true;
	s->process.all_processors = true;
	s->process.user.keep_groups = is_on(spec_annotation(s, "run.oci.keep_original_groups"));
}

/* What config-linux.md demands without a member for it, and what annotations ask for. */
static void add_demands(struct spec *s)
{
	s->default_devices = true;
	s->net_loopback_up = s->ns[NS_NET].mode == NS_PRIVATE;
	add_demands_of_process(s);
	s->seccomp.only_known = is_on(spec_annotation(s, "run.oci.seccomp_fail_unknown_syscall"));
	if (!s->seccomp.listener_path || !*s->seccomp.listener_path)
		s->seccomp.listener_path = spec_annotation(s, "run.oci.seccomp.receiver");
	s->hooks_stdout = spec_annotation(s, "run.oci.hooks.stdout");
	s->hooks_stderr = spec_annotation(s, "run.oci.hooks.stderr");
	s->cgroup_delegate = spec_annotation(s, "run.oci.delegate-cgroup");
	s->mount_context = spec_annotation(s, "run.oci.mount_context_type");
	for (size_t i = 0; i < s->resources.n_hugepages; i++)
		s->resources.hugepages[i].rsvd_too = true;
	add_landlock(s, "run.nook.landlock.ro", false);
	add_landlock(s, "run.nook.landlock.rw", true);
	s->new_core_sched = is_on(spec_annotation(s, "run.nook.core_sched"));
	add_device_rules(s->arena, &s->resources);
	respell_sysctls(s);
}

int bundle_load_process(int dir, const char *name, struct spec *s, struct nook_error *e)
{
	struct spec_process p = {.all_processors = true, .new_keyring = s->process.new_keyring};

	TRY(bind_load(dir, name, JSON_LIMIT, process_table, &p, s->arena, STEP_CONFIG, e));
	clamp_limits(&p);
	s->process = p;
	s->has_process = true;
	return 0;
}

/* "user" as a value: it is a key, of process, in every configuration. */
static bool has_user_value(const char *text)
{
	static const char word[] = "\"user\"";

	for (const char *at = text; (at = strstr(at, word)); at += sizeof(word) - 1) {
		const char *before = at;

		while (before > text && strchr(" \t\r\n", before[-1]))
			before--;
		if (before > text && before[-1] == ':')
			return true;
	}
	return false;
}

bool bundle_may_have_userns(const char *bundle, const char *file)
{
	AUTO_VALUE(buf_done) struct buf path = {0};
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct stat st;

	buf_addf(&path, "%s%s", file ? file : bundle, file ? "" : "/config.json");
	if (stat(buf_text(&path), &st) < 0 || !S_ISREG(st.st_mode) ||
		file_read_piece(AT_FDCWD, buf_text(&path), JSON_LIMIT, &text, NULL) < 0)
		return true;
	return has_user_value(buf_text(&text));
}

int bundle_settle(const char *bundle, struct spec *s, struct nook_error *e)
{
	if (!s->root.path)
		return err_why(e, STEP_CONFIG, "root", EINVAL, "missing");
	s->root.path = from_bundle(s->arena, bundle, s->root.path);
	TRY(bundle_settle_mounts(bundle, s, e));
	add_demands(s);
	return spec_check(s, e);
}

static const char *config_path(struct arena *a, const char *bundle, const char *file)
{
	return file ? file : arena_printf(a, "%s/config.json", bundle);
}

int bundle_load(const char *bundle, const char *file, struct spec *s, struct nook_error *e)
{
	TRY(config_load(AT_FDCWD, config_path(s->arena, bundle, file), s, e));
	return bundle_settle(bundle, s, e);
}

int bundle_load_own_process(const char *bundle, const char *file, struct spec *s, struct nook_error *e)
{
	TRY(config_load_process(AT_FDCWD, config_path(s->arena, bundle, file), s, e));
	add_demands_of_process(s);
	return 0;
}

int bundle_read_resources(int fd, const char *name, struct arena *a, struct spec_resources *r, struct nook_error *e)
{
	AUTO(json_free) struct json *root = NULL;

	TRY(json_read(fd, name, JSON_LIMIT, STEP_CONFIG, &root, e));
	TRY(bind_read(root, resources_table, r, a, NULL, STEP_CONFIG, e));
	for (size_t i = 0; i < r->n_hugepages; i++)
		r->hugepages[i].rsvd_too = true;
	add_device_rules(a, r);
	return 0;
}
