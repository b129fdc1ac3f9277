/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "security/landlock.h"

#include "base/text.h"

#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Newer than the headers that nook is built with. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

/* struct landlock_ruleset_attr as of ABI 6; the kernel takes a shorter one too. */
struct ruleset_attr {
	uint64_t handled_fs, handled_net, scoped;
};

/* Which ABI brought which rights. */
static const struct {
	int abi;
	uint64_t fs;
	uint64_t scopes;
} versions[] = {
	{1, (1ULL << 13) - 1, 0}, /* everything from EXECUTE to MAKE_SYM */
	{2, LANDLOCK_ACCESS_FS_REFER, 0},
	{3, LANDLOCK_ACCESS_FS_TRUNCATE, 0},
	{5, LANDLOCK_ACCESS_FS_IOCTL_DEV, 0},
	{6, 0, LANDLOCK_SCOPE_SOCKETS | LANDLOCK_SCOPE_SIGNALS},
};

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* A rule for a file may hold only these; the others are about what is in a directory. */
#define FILE_RIGHTS                                                                                                    \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |                   \
		LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

static const char absent[] = "this kernel has no Landlock (CONFIG_SECURITY_LANDLOCK)";
static const char disabled[] = "Landlock is not enabled: add it to lsm= on the kernel's command line";
static const char no_scopes[] = "this kernel's Landlock has no scopes for signals and sockets (Linux 6.12)";

static const char *why_absent(int errnum)
{
	return errnum == EOPNOTSUPP ? disabled : absent;
}

struct landlock_kernel landlock_kernel_of(int abi)
{
	struct landlock_kernel k = {.abi = abi};

	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		if (versions[i].abi > abi)
			break;
		k.fs |= versions[i].fs;
		k.scopes |= versions[i].scopes;
	}
	return k;
}

struct landlock_kernel landlock_probe(const char **why_not)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi <= 0) {
		if (why_not)
			*why_not = why_absent(errno);
		return (struct landlock_kernel){.error = errno == ENOSYS || errno == EOPNOTSUPP ? 0 : errno};
	}
	return landlock_kernel_of((int)abi);
}

int landlock_parse(struct arena *a, const char *text, struct spec_landlock *l, struct nook_error *e)
{
	char *words = arena_strdup(a, text), *rest = NULL;

	if (!*text)
		return err_why(e, STEP_LANDLOCK, text, EINVAL, "names no path");
	for (char *word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		const char *readable = text_after(word, "ro:"), *writable = text_after(word, "rw:");
		const char *path = readable ? readable : writable;
		struct spec_landlock_rule *rule;

		if (!path || path[0] != '/')
			return err_why(e, STEP_LANDLOCK, word, EINVAL, "a rule is ro:/PATH or rw:/PATH");
		rule = arena_push(a, &l->rules, &l->n_rules);
		rule->path = path;
		rule->write = writable != NULL;
	}
	return 0;
}

int landlock_check(const struct landlock_kernel *k, const struct spec_landlock *l, bool scope, struct nook_error *e)
{
	const char *why = absent;

	if (!l->n_rules && !scope)
		return 1;
	if (!k->abi) {
		if (l->any_reason)
			return 1;
		if (k->error)
			return err_num(e, STEP_LANDLOCK, "probe", k->error);
		if (l->optional)
			return 1;
		(void)landlock_probe(&why);
		return err_why(e, STEP_LANDLOCK, l->n_rules ? l->rules[0].path : "scope", EOPNOTSUPP, why);
	}
	if (scope && !k->scopes && !l->optional)
		return err_why(e, STEP_LANDLOCK, "scope", EOPNOTSUPP, no_scopes);
	return !l->n_rules && !k->scopes;
}

int landlock_ruleset(uint64_t handled_fs, uint64_t scopes, struct nook_error *e)
{
	struct ruleset_attr attr = {.handled_fs = handled_fs, .scoped = scopes};
	size_t size = scopes ? sizeof(attr) : sizeof(attr.handled_fs);
	long fd = syscall(SYS_landlock_create_ruleset, &attr, size, 0);

	if (fd >= 0)
		return (int)fd;
	if (errno == ENOSYS || errno == EOPNOTSUPP)
		return err_why(e, STEP_LANDLOCK, "ruleset", errno, why_absent(errno));
	return err_sys(e, STEP_LANDLOCK, "ruleset");
}

uint64_t landlock_rights(uint64_t handled_fs, bool write)
{
	return write ? handled_fs : handled_fs & READ_RIGHTS;
}

int landlock_allow(int ruleset, int fd, uint64_t rights, const char *path, struct nook_error *e)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, STEP_LANDLOCK, path);
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= FILE_RIGHTS;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return err_sys(e, STEP_LANDLOCK, path);
	return 0;
}

int landlock_enforce(int ruleset, struct nook_error *e)
{
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) == 0)
		return 0;
	if (errno == EPERM)
		return err_why(e, STEP_LANDLOCK, "restrict self", EPERM, "needs no_new_privs or CAP_SYS_ADMIN");
	if (errno == E2BIG)
		return err_why(
			e, STEP_LANDLOCK, "restrict self", E2BIG, "sixteen fences stand one inside the other already");
	return err_sys(e, STEP_LANDLOCK, "restrict self");
}
