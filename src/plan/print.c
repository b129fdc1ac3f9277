/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plan as text: what `--explain` shows and the golden tests compare. */
#include "plan/plan.h"

#include "base/fd.h"
#include "base/plain.h"
#include "security/caps.h"
#include "spec/spec.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mount.h>

static const char *const stage_titles[STAGE_COUNT] = {
	[STAGE_PREPARE] = "before the clone, with the caller's rights",
	[STAGE_JOIN] = "in between: enter existing namespaces",
	[STAGE_EARLY] = "the new process, first",
	[STAGE_ADOPT] = "meanwhile, from outside",
	[STAGE_BUILD] = "the new process: its file system",
	[STAGE_HOOKS] = "from outside, before the root changes",
	[STAGE_ENTER] = "the new process: enter the root",
	[STAGE_FINAL] = "the new process: who it is, and exec",
};
static const char *const stage_names[STAGE_COUNT] = {
	[STAGE_PREPARE] = "prepare", [STAGE_JOIN] = "join",   [STAGE_EARLY] = "early", [STAGE_ADOPT] = "adopt",
	[STAGE_BUILD] = "build",     [STAGE_HOOKS] = "hooks", [STAGE_ENTER] = "enter", [STAGE_FINAL] = "final",
};

struct bit_name {
	uint64_t bit;
	const char *name;
};

static const struct bit_name clone_names[] = {
	{0x10000000, "user"}, {0x00020000, "mnt"}, {0x20000000, "pid"},    {0x40000000, "net"},
	{0x04000000, "uts"},  {0x08000000, "ipc"}, {0x02000000, "cgroup"}, {0x00000080, "time"},
};
static const struct bit_name attr_names[] = {
	{MOUNT_ATTR_RDONLY, "ro"},   {MOUNT_ATTR_NOSUID, "nosuid"},      {MOUNT_ATTR_NODEV, "nodev"},
	{MOUNT_ATTR_NOEXEC, "noexec"}, {MOUNT_ATTR_NOATIME, "noatime"}, {MOUNT_ATTR_STRICTATIME, "strictatime"},
	{MOUNT_ATTR_NODIRATIME, "nodiratime"}, {MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"}, {MOUNT_ATTR_IDMAP, "idmap"},
};
static const struct bit_name propagation_names[] = {
	{MS_PRIVATE, "private"}, {MS_SLAVE, "slave"}, {MS_SHARED, "shared"}, {MS_UNBINDABLE, "unbindable"},
};

static void put_bits(struct buf *out, const struct bit_name *names, size_t n, uint64_t bits, const char *prefix)
{
	for (size_t i = 0; i < n; i++)
		if (bits & names[i].bit)
			buf_addf(out, " %s%s", prefix, names[i].name);
}
#define PUT_BITS(out, names, bits, prefix) put_bits((out), (names), sizeof(names) / sizeof((names)[0]), (bits), (prefix))

static void put_list(struct buf *out, const struct plan *p, struct refs r)
{
	const char *s = plan_at(p, r.at);

	for (uint32_t i = 0; i < r.n; i++, s = plan_next(s))
		buf_addf(out, " %s", s);
}

static void put_params(struct buf *out, const struct plan *p, struct refs r)
{
	const char *key = plan_at(p, r.at);

	for (uint32_t i = 0; i < r.n; i += 2) {
		const char *value = plan_next(key);

		buf_addf(out, " %s%s%s", key, *value ? "=" : "", value);
		key = plan_next(value);
	}
}

static void put_mount(struct buf *out, const struct plan *p, const struct step *s)
{
	if (s->mount.fstype.at)
		buf_addf(out, " type=%s", plan_str(p, s->mount.fstype));
	if ((s->kind == DO_BIND || s->kind == DO_SHOW) && s->mount.source.at)
		buf_addf(out, " from %s", plan_str(p, s->mount.source));
	put_params(out, p, s->mount.params);
	PUT_BITS(out, attr_names, s->mount.attr_set, "");
	PUT_BITS(out, attr_names, s->mount.attr_clear, "-");
	PUT_BITS(out, attr_names, s->mount.rec_attr_set, "r");
	PUT_BITS(out, attr_names, s->mount.rec_attr_clear, "-r");
	PUT_BITS(out, propagation_names, s->mount.propagation, s->mount.propagation & MS_REC ? "r" : "");
	if (s->flags & PATH_RECURSIVE)
		buf_adds(out, " (with submounts)");
	if (s->flags & OVERLAY_USERXATTR)
		buf_adds(out, " userxattr");
}

static void put_map(struct buf *out, const char *name, const char *map)
{
	buf_addf(out, " %s ", name);
	for (; *map; map++) {
		if (*map != '\n')
			buf_addc(out, *map);
		else if (map[1])
			buf_adds(out, ", ");
	}
}

static void put_caps(struct buf *out, uint64_t caps)
{
	if (!caps)
		buf_adds(out, " none");
	for (unsigned cap = 0; cap < 64; cap++)
		if (caps & (UINT64_C(1) << cap) && caps_name(cap))
			buf_addf(out, " %s", caps_name(cap) + 4);
}

static void put_make(struct buf *out, const struct plan *p, const struct step *s)
{
	static const char *const words[] = {
		[MAKE_DIR] = "directory", [MAKE_FILE] = "file", [MAKE_DATA] = "mounted file", [MAKE_LINK] = "link to",
		[MAKE_MODE] = "mode", [MAKE_READONLY] = "read-only",
	};

	buf_addf(out, " %s", s->make.kind <= MAKE_READONLY ? words[s->make.kind] : "?");
	if (s->make.kind == MAKE_LINK)
		buf_addf(out, " %s", plan_str(p, s->make.text));
	else if (s->make.kind != MAKE_READONLY)
		buf_addf(out, " %04o%s", s->make.mode, s->make.readonly ? " read-only" : "");
}

/* The details of one step, each with a space in front. */
static void put_details(struct buf *out, const struct plan *p, const struct step *s)
{
	switch ((enum step_kind)s->kind) {
	case DO_DEV_TREE:
		put_params(out, p, s->mount.params);
		PUT_BITS(out, attr_names, s->mount.attr_set, "");
		for (uint32_t i = 0; i < s->mount.nodes.n; i++)
			buf_addf(out, " %s", ((const struct plan_node *)plan_at(p, s->mount.nodes.at))[i].name);
		break;
	case DO_OPEN_TREE:
	case DO_DISK:
	case DO_BIND:
	case DO_SHOW:
	case DO_MOUNT:
	case DO_ROOT_ATTACH:
	case DO_ROOT_OVERLAY:
	case DO_ROOT_TMPFS:
	case DO_OVERLAY:
	case DO_PROPAGATION:
	case DO_ROOT_PROPAGATION:
		put_mount(out, p, s);
		break;
	case DO_CGROUP_WRITE:
		buf_addf(out, " %s = %s", plan_str(p, s->cgroup.file), plan_str(p, s->cgroup.value));
		break;
	case DO_CGROUP_BPF:
		buf_addf(out, " %u instructions", s->cgroup.insns.n);
		break;
	case DO_JOIN_NS:
	case DO_UNSHARE:
		PUT_BITS(out, clone_names, s->ns.flags, "");
		break;
	case DO_IDMAP:
	case DO_OWN_MAP:
		put_map(out, "uid", plan_str(p, s->idmap.uid_map));
		put_map(out, "gid", plan_str(p, s->idmap.gid_map));
		buf_adds(out, s->idmap.helper ? " by newuidmap" : "");
		buf_adds(out, s->idmap.deny_setgroups ? " setgroups denied" : "");
		break;
	case DO_TIME:
		if (s->time.set[0])
			buf_addf(out, " monotonic %+" PRId64 "s", s->time.secs[0]);
		if (s->time.set[1])
			buf_addf(out, " boottime %+" PRId64 "s", s->time.secs[1]);
		break;
	case DO_RLIMIT:
		if (s->flags & RLIMIT_RAISE)
			buf_addf(out, " hard limit at least %" PRIu64, s->rlimit.hard);
		else
			buf_addf(out, " %" PRIu64 ":%" PRIu64 "%s", s->rlimit.soft, s->rlimit.hard, s->rlimit.clamp ? " at most" : "");
		break;
	case DO_OOM_SCORE:
	case DO_PERSONALITY:
		buf_addf(out, " %" PRId64, s->value.number);
		break;
	case DO_UMASK:
		buf_addf(out, " %04" PRIo64, (uint64_t)s->value.number);
		break;
	case DO_MASK:
	case DO_READONLY:
		put_list(out, p, s->mask.paths);
		break;
	case DO_MAKE:
		put_make(out, p, s);
		break;
	case DO_SYMLINK:
	case DO_SYSCTL:
		buf_addf(out, " = %s", plan_str(p, s->pair.value));
		break;
	case DO_CAPS:
		buf_adds(out, s->flags & CAPS_BOUNDING_ONLY ? " bounding:" : " permitted:");
		put_caps(out, s->caps.sets[s->flags & CAPS_BOUNDING_ONLY ? 0 : 2]);
		break;
	case DO_LANDLOCK:
		put_list(out, p, s->landlock.rules);
		break;
	case DO_SECCOMP:
		buf_addf(out, " %u instructions", s->seccomp.filter.n);
		break;
	case DO_FDS:
		buf_adds(out, s->flags & FDS_MARK ? " none is passed on yet" : "");
		break;
	case DO_EXEC:
		put_list(out, p, s->exec.argv);
		break;
	case DO_SESSION:
		buf_adds(out, s->flags & SESSION_TERMINAL ? " on its own terminal" : "");
		break;
	default:
		break;
	}
}

static void put_json_string(struct buf *out, const char *s)
{
	buf_addc(out, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_addf(out, "\\%c", *s);
		else if (plain_is_c1((const unsigned char *)s))
			buf_addf(out, "\\u%04x", (unsigned)(unsigned char)*++s);
		else if ((unsigned char)*s < 0x20 || *s == 0x7f)
			buf_addf(out, "\\u%04x", (unsigned)(unsigned char)*s);
		else
			buf_addc(out, *s);
	}
	buf_addc(out, '"');
}

static void put_json(const struct plan *p, struct buf *out)
{
	buf_adds(out, "{\"steps\":[");
	for (uint32_t i = 0; i < p->n_steps; i++) {
		const struct step *s = &p->steps[i];
		struct buf details = {0};

		put_details(&details, p, s);
		buf_addf(out, "%s\n{\"number\":%u,\"stage\":\"%s\",\"step\":\"%s\",\"object\":", i ? "," : "", i + 1,
			stage_names[s->stage], step_kinds[s->kind].word);
		put_json_string(out, plan_str(p, s->object));
		buf_adds(out, ",\"details\":");
		put_json_string(out, details.len ? buf_text(&details) + 1 : "");
		buf_adds(out, ",\"why\":");
		put_json_string(out, step_kinds[s->kind].why);
		buf_addc(out, '}');
		buf_done(&details);
	}
	buf_adds(out, "\n]}\n");
}

static void put_clone(const struct plan *p, struct buf *out)
{
	buf_adds(out, "   clone3");
	PUT_BITS(out, clone_names, p->clone_flags, "+");
	buf_adds(out, p->cgroup_slot >= 0 ? " into its cgroup\n" : "\n");
}

/* Words in it are an image's. */
static void put_line(struct buf *out, const struct plan *p, const struct step *s, uint32_t number)
{
	AUTO_VALUE(buf_done) struct buf line = {0};

	buf_addf(&line, "%3u %-12s %s", number, step_kinds[s->kind].word, plan_str(p, s->object));
	put_details(&line, p, s);
	plain_add(buf_text(&line), out);
	buf_addc(out, '\n');
}

void plan_print(const struct plan *p, enum plan_format format, struct buf *out)
{
	int stage = -1;

	if (format == PLAN_JSON) {
		put_json(p, out);
		return;
	}
	for (uint32_t i = 0; i < p->n_steps; i++) {
		const struct step *s = &p->steps[i];

		if (s->stage != stage) {
			/* The clone stands between what is prepared and what follows. */
			if (stage <= STAGE_JOIN && s->stage > STAGE_JOIN)
				put_clone(p, out);
			stage = s->stage;
			buf_addf(out, "%s:\n", stage_titles[stage]);
		}
		put_line(out, p, s, i + 1);
		if (format == PLAN_WHY)
			buf_addf(out, "    %-12s   %s\n", "", step_kinds[s->kind].why);
	}
}

int plan_explain(const struct plan *p, const char *format, int fd, struct nook_error *e)
{
	static const struct {
		const char *word;
		enum plan_format format;
	} formats[] = {{"", PLAN_WHY}, {"why", PLAN_WHY}, {"text", PLAN_TEXT}, {"json", PLAN_JSON}};
	struct buf text = {0};
	int r;

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(format, formats[i].word) != 0)
			continue;
		plan_print(p, formats[i].format, &text);
		r = fd_write(fd, buf_text(&text), text.len);
		buf_done(&text);
		return r < 0 ? err_num(e, STEP_FILE, "stdout", r) : 0;
	}
	return err_why(e, STEP_OPTION, "--explain", EINVAL, "it is text, why or json");
}
