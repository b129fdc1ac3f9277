/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bundle/config.h"

#include "base/fd.h"
#include "base/text.h"
#include "bundle/tables.h"
#include "security/seccomp_profile.h"
#include "spec/mount_words.h"

#include <sys/personality.h>

/* ---- version -------------------------------------------------------------------------------------------------------- */

/* Within one major version the specification keeps what it has, in both directions. */
static int read_version(struct bind_reader *r, struct json *value, void *member, struct nook_error *e)
{
	const char **version = member;

	TRY(bind_read_string(r, value, version, e));
	if (!text_after(*version, "1."))
		return bind_refuse(r, e, "\"%s\" is no version 1.x", *version);
	return 0;
}

static void write_version(struct json_out *o, const char *key, const void *member)
{
	const char *version = *(const char *const *)member;

	json_out_string(o, key, version ? version : CONFIG_OCI_VERSION);
}

static const struct bind_custom version_custom = {read_version, write_version};

/* ---- mounts --------------------------------------------------------------------------------------------------------- */

static const struct bind idmap_table[] = {
	{AT(struct spec_idmap, inside), BIND_UINT, "containerID", .flags = BIND_REQUIRED},
	{AT(struct spec_idmap, outside), BIND_UINT, "hostID", .flags = BIND_REQUIRED},
	{AT(struct spec_idmap, count), BIND_UINT, "size", .flags = BIND_REQUIRED},
	{0},
};

static const struct bind mount_table[] = {
	{AT(struct spec_mount, target), BIND_STRING, "destination", .flags = BIND_REQUIRED},
	{AT(struct spec_mount, type), BIND_STRING, "type"},
	{AT(struct spec_mount, source), BIND_STRING, "source"},
	{AT(struct spec_mount, options), BIND_STRINGS, "options"},
	{LIST(struct spec_mount, uid_maps, n_uid_maps), BIND_ARRAY, "uidMappings", .table = idmap_table},
	{LIST(struct spec_mount, gid_maps, n_gid_maps), BIND_ARRAY, "gidMappings", .table = idmap_table},
	{0},
};

static const char *none_if_empty(const char *s)
{
	return s && *s ? s : NULL;
}

static int read_mounts(struct bind_reader *r, struct json *value, void *member, struct nook_error *e)
{
	struct spec *s = member;

	TRY(bind_expect(r, value, JSON_ARRAY, e));
	for (size_t i = 0; i < json_length(value); i++) {
		struct nook_error why = NOOK_ERROR_INIT;
		struct spec_mount *m = arena_push(r->arena, &s->mounts, &s->n_mounts);

		TRY(bind_enter(r, NULL, i, e));
		TRY(bind_read_table(r, json_at(value, i), mount_table, m, e));
		m->type = none_if_empty(m->type);
		m->source = none_if_empty(m->source);
		if (mount_words_parse(r->arena, m, &why) < 0)
			return bind_refuse(r, e, "%s: %s", m->target, why.detail);
		bind_leave(r);
	}
	return 0;
}

/* Maps that came in an option word are written as that word. */
static void write_mounts(struct json_out *o, const char *key, const void *member)
{
	const struct spec *s = member;

	if (!s->n_mounts)
		return;
	json_out_array(o, key);
	for (size_t i = 0; i < s->n_mounts; i++) {
		struct spec_mount m = s->mounts[i];

		for (const char *const *word = m.options; word && *word; word++)
			if (text_after(*word, "idmap=") || text_after(*word, "ridmap="))
				m.n_uid_maps = m.n_gid_maps = 0;
		json_out_object(o, NULL);
		bind_write_table(o, mount_table, &m);
		json_out_object_end(o);
	}
	json_out_array_end(o);
}

static const struct bind_custom mounts_custom = {read_mounts, write_mounts};

/* ---- namespaces: a list of the kinds that are not the caller's ------------------------------------------------------- */

struct namespace {
	const char *type, *path;
};

static const struct bind namespace_table[] = {
	{AT(struct namespace, type), BIND_STRING, "type", .flags = BIND_REQUIRED},
	{AT(struct namespace, path), BIND_STRING, "path"},
	{0},
};

static const char *namespace_word(int kind)
{
	return kind == NS_MNT ? "mount" : kind == NS_NET ? "network" : ns_names[kind];
}

static int read_namespaces(struct bind_reader *r, struct json *value, void *member, struct nook_error *e)
{
	struct spec_ns *ns = member;

	TRY(bind_expect(r, value, JSON_ARRAY, e));
	for (size_t i = 0; i < json_length(value); i++) {
		struct namespace n = {0};
		int kind;

		TRY(bind_enter(r, NULL, i, e));
		TRY(bind_read_table(r, json_at(value, i), namespace_table, &n, e));
		kind = ns_kind_find(n.type);
		if (kind < 0)
			TRY(bind_enter(r, "type", 0, e));
		if (kind < 0)
			return bind_refuse(r, e, "unknown namespace type \"%s\"", n.type);
		if (ns[kind].mode != NS_HOST)
			return bind_refuse(r, e, "the namespace type \"%s\" stands there twice", n.type);
		n.path = none_if_empty(n.path);
		ns[kind] = (struct spec_ns){n.path ? NS_PATH : NS_PRIVATE, n.path};
		bind_leave(r);
	}
	return 0;
}

static void write_namespaces(struct json_out *o, const char *key, const void *member)
{
	const struct spec_ns *ns = member;

	json_out_array(o, key);
	for (int kind = 0; kind < NS_COUNT; kind++) {
		struct namespace n = {namespace_word(kind), ns[kind].path};

		if (ns[kind].mode == NS_HOST)
			continue;
		json_out_object(o, NULL);
		bind_write_table(o, namespace_table, &n);
		json_out_object_end(o);
	}
	json_out_array_end(o);
}

static const struct bind_custom namespaces_custom = {read_namespaces, write_namespaces};

/* ---- personality ------------------------------------------------------------------------------------------------------ */

struct personality_words {
	uint64_t domain;
	const char *const *flags;
};

static const struct bind_word domain_words[] = {{"LINUX", PER_LINUX}, {"LINUX32", PER_LINUX32}, {0}};

static const struct bind personality_table[] = {
	{AT(struct personality_words, domain), BIND_WORD, "domain", .words = domain_words, .flags = BIND_REQUIRED},
	{AT(struct personality_words, flags), BIND_STRINGS, "flags"},
	{0},
};

static int read_personality(struct bind_reader *r, struct json *value, void *member, struct nook_error *e)
{
	struct personality_words p = {0};

	TRY(bind_read_table(r, value, personality_table, &p, e));
	if (p.flags && p.flags[0]) {
		TRY(bind_enter(r, "flags", 0, e));
		return bind_refuse(r, e, "no flag is supported, found \"%s\"", p.flags[0]);
	}
	*(struct opt_u64 *)member = (struct opt_u64){p.domain, true};
	return 0;
}

static void write_personality(struct json_out *o, const char *key, const void *member)
{
	const struct opt_u64 *number = member;
	struct personality_words p = {.domain = number->value};

	if (!number->set)
		return;
	json_out_object(o, key);
	bind_write_table(o, personality_table, &p);
	json_out_object_end(o);
}

static const struct bind_custom personality_custom = {read_personality, write_personality};

/* ---- the rest is rows ------------------------------------------------------------------------------------------------- */

/* Two older words for monitoring: either turns it on. */
static int read_monitoring(struct bind_reader *r, struct json *value, void *member, struct nook_error *e)
{
	TRY(bind_expect(r, value, JSON_BOOL, e));
	*(bool *)member |= json_bool(value);
	return 0;
}

static const struct bind_custom monitoring_custom = {read_monitoring, NULL};

static const struct bind rdt_table[] = {
	{AT(struct spec_rdt, clos_id), BIND_STRING, "closID"},
	{AT(struct spec_rdt, schemata), BIND_STRINGS, "schemata"},
	{AT(struct spec_rdt, l3_schema), BIND_STRING, "l3CacheSchema"},
	{AT(struct spec_rdt, mem_schema), BIND_STRING, "memBwSchema"},
	{AT(struct spec_rdt, monitoring), BIND_BOOL, "enableMonitoring"},
	{AT(struct spec_rdt, monitoring), BIND_CUSTOM, "enableCMT", .custom = &monitoring_custom},
	{AT(struct spec_rdt, monitoring), BIND_CUSTOM, "enableMBM", .custom = &monitoring_custom},
	{0},
};

static const struct bind memory_policy_table[] = {
	{AT(struct spec_memory_policy, mode), BIND_WORD, "mode", .words = memory_policy_words, .flags = BIND_REQUIRED},
	{AT(struct spec_memory_policy, nodes), BIND_STRING, "nodes"},
	{AT(struct spec_memory_policy, flags), BIND_WORDS, "flags", .words = memory_policy_flag_words},
	{0},
};

static const struct bind net_device_table[] = {
	{AT(struct spec_net_device, name), BIND_STRING, "name"},
	{0},
};

static const struct bind time_offset_table[] = {
	{AT(struct spec_time_offset, secs), BIND_INT, "secs"},
	{AT(struct spec_time_offset, nanosecs), BIND_UINT, "nanosecs"},
	{0},
};

static const struct bind time_table[] = {
	{HAS(struct spec, time_boottime, time_boottime.set), BIND_STRUCT, "boottime", .table = time_offset_table},
	{HAS(struct spec, time_monotonic, time_monotonic.set), BIND_STRUCT, "monotonic", .table = time_offset_table},
	{0},
};

static const struct bind device_table[] = {
	{AT(struct spec_device, path), BIND_STRING, "path", .flags = BIND_REQUIRED},
	{AT(struct spec_device, type), BIND_WORD, "type", .words = device_words, .flags = BIND_REQUIRED},
	{AT(struct spec_device, major), BIND_INT, "major"},
	{AT(struct spec_device, minor), BIND_INT, "minor"},
	{HAS(struct spec_device, mode, has_mode), BIND_UINT, "fileMode"},
	{HAS(struct spec_device, uid, has_uid), BIND_UINT, "uid"},
	{HAS(struct spec_device, gid, has_gid), BIND_UINT, "gid"},
	{0},
};

static const struct bind hook_table[] = {
	{AT(struct spec_hook, path), BIND_STRING, "path", .flags = BIND_REQUIRED},
	{AT(struct spec_hook, args), BIND_STRINGS, "args"},
	{AT(struct spec_hook, env), BIND_STRINGS, "env"},
	{AT(struct spec_hook, timeout), BIND_OPT_INT, "timeout"},
	{0},
};

#define HOOKS(kind) LIST(struct spec, hooks[kind], n_hooks[kind]), BIND_ARRAY

static const struct bind hooks_table[] = {
	{HOOKS(HOOK_PRESTART), "prestart", .table = hook_table},
	{HOOKS(HOOK_CREATE_RUNTIME), "createRuntime", .table = hook_table},
	{HOOKS(HOOK_CREATE_CONTAINER), "createContainer", .table = hook_table},
	{HOOKS(HOOK_START_CONTAINER), "startContainer", .table = hook_table},
	{HOOKS(HOOK_POSTSTART), "poststart", .table = hook_table},
	{HOOKS(HOOK_POSTSTOP), "poststop", .table = hook_table},
	{0},
};

/* What is run after the start is kept by a runtime until then. */
static const struct bind later_hooks_table[] = {
	{HOOKS(HOOK_POSTSTART), "poststart", .table = hook_table},
	{HOOKS(HOOK_POSTSTOP), "poststop", .table = hook_table},
	{0},
};

static const struct bind root_table[] = {
	{AT(struct spec_root, path), BIND_STRING, "path", .flags = BIND_REQUIRED},
	{AT(struct spec_root, readonly), BIND_BOOL, "readonly"},
	{0},
};

static const struct bind linux_table[] = {
	{LIST(struct spec, uid_maps, n_uid_maps), BIND_ARRAY, "uidMappings", .table = idmap_table},
	{LIST(struct spec, gid_maps, n_gid_maps), BIND_ARRAY, "gidMappings", .table = idmap_table},
	{LIST(struct spec, sysctls, n_sysctls), BIND_MAP, "sysctl"},
	{AT(struct spec, resources), BIND_STRUCT, "resources", .table = resources_table},
	{AT(struct spec, cgroup_path), BIND_STRING, "cgroupsPath"},
	{AT(struct spec, ns), BIND_CUSTOM, "namespaces", .custom = &namespaces_custom},
	{LIST(struct spec, devices, n_devices), BIND_ARRAY, "devices", .table = device_table},
	{LIST(struct spec, net_devices, n_net_devices), BIND_OBJECTS, "netDevices", .table = net_device_table},
	{AT(struct spec, seccomp), BIND_CUSTOM, "seccomp", .custom = &seccomp_profile_bind},
	{AT(struct spec, root.propagation), BIND_WORD, "rootfsPropagation", .words = propagation_words},
	{AT(struct spec, masked), BIND_STRINGS, "maskedPaths"},
	{AT(struct spec, readonly), BIND_STRINGS, "readonlyPaths"},
	{AT(struct spec, mount_label), BIND_STRING, "mountLabel"},
	{HAS(struct spec, rdt, rdt.set), BIND_STRUCT, "intelRdt", .table = rdt_table},
	{HAS(struct spec, memory_policy, memory_policy.set), BIND_STRUCT, "memoryPolicy", .table = memory_policy_table},
	{AT(struct spec, personality), BIND_CUSTOM, "personality", .custom = &personality_custom},
	{.type = BIND_STRUCT, .name = "timeOffsets", .table = time_table},
	{0},
};

static const struct bind config_table[] = {
	{AT(struct spec, oci_version), BIND_CUSTOM, "ociVersion", .custom = &version_custom, .flags = BIND_REQUIRED},
	{HAS(struct spec, process, has_process), BIND_STRUCT, "process", .table = process_table},
	{AT(struct spec, root), BIND_STRUCT, "root", .table = root_table},
	{AT(struct spec, hostname), BIND_STRING, "hostname"},
	{AT(struct spec, domainname), BIND_STRING, "domainname"},
	{.type = BIND_CUSTOM, .name = "mounts", .custom = &mounts_custom},
	{.type = BIND_STRUCT, .name = "hooks", .table = hooks_table},
	{LIST(struct spec, annotations, n_annotations), BIND_MAP, "annotations"},
	{.type = BIND_STRUCT, .name = "linux", .table = linux_table, .flags = BIND_ALWAYS},
	{0},
};

/* ---- reading and writing ------------------------------------------------------------------------------------------------ */

int config_read(struct json *root, struct spec *s, struct nook_error *e)
{
	return bind_read(root, config_table, s, s->arena, NULL, STEP_CONFIG, e);
}

int config_load(int dir, const char *name, struct spec *s, struct nook_error *e)
{
	AUTO(json_free) struct json *root = NULL;

	TRY(json_load(dir, name, JSON_LIMIT, STEP_CONFIG, &root, e));
	return config_read(root, s, e);
}

int config_load_process(int dir, const char *name, struct spec *s, struct nook_error *e)
{
	static const struct bind table[] = {
		{HAS(struct spec, process, has_process), BIND_STRUCT, "process", .table = process_table},
		{LIST(struct spec, annotations, n_annotations), BIND_MAP, "annotations"},
		{0},
	};

	return bind_load(dir, name, JSON_LIMIT, table, s, s->arena, STEP_CONFIG, e);
}

int config_load_mounts(int dir, const char *name, struct spec *s, struct nook_error *e)
{
	static const struct bind table[] = {
		{.type = BIND_CUSTOM, .name = "mounts", .custom = &mounts_custom, .flags = BIND_REQUIRED},
		{0},
	};
	AUTO(json_free) struct json *root = NULL;

	TRY(json_load(dir, name, JSON_LIMIT, STEP_CONFIG, &root, e));
	if (json_is(root, JSON_ARRAY))
		root = json_wrap(root, "mounts");
	return bind_read(root, table, s, s->arena, NULL, STEP_CONFIG, e);
}

int config_load_hooks(int dir, const char *name, struct spec *s, struct nook_error *e)
{
	return bind_load(dir, name, JSON_LIMIT, later_hooks_table, s, s->arena, STEP_STATE, e);
}

int config_save_hooks(int dir, const char *name, const struct spec *s, struct nook_error *e)
{
	return bind_save(dir, name, later_hooks_table, s, JSON_PLAIN, 0600, FILE_NO_SYNC, e);
}

void config_text(const struct spec *s, enum json_style style, struct buf *text)
{
	bind_text(config_table, s, style, text);
}
