/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What this build can do, whatever machine it runs on (features.md, features-linux.md). */
#include "base/fd.h"
#include "bundle/config.h"
#include "bundle/tables.h"
#include "json/out.h"
#include "oci/commands.h"
#include "security/caps.h"
#include "security/seccomp.h"
#include "spec/mount_words.h"

#include <sys/syscall.h>

static const char *const hooks[] = {
	"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop", NULL};
static const char *const namespaces[] = {"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts", NULL};
static const char *const actions[] = {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS",
	"SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP", NULL};
static const char *const operators[] = {"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT",
	"SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE", NULL};
static const char *const archs[] = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K",
	"SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64",
	"SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64", "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64",
	"SCMP_ARCH_PPC64LE", "SCMP_ARCH_RISCV64", "SCMP_ARCH_S390", "SCMP_ARCH_S390X", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB",
	"SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64", NULL};
static const struct {
	const char *word;
	unsigned flag;
} seccomp_flags[] = {
	{"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
	{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
	{"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
	{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
};
/* Annotations that change what a container may do, or name files of the host: an engine that takes them from images is
 * warned.  A dot at the end stands for all that begin so. */
static const char *const unsafe[] = {"org.criu.config", "org.systemd.property.", "run.nook.", "run.oci.", NULL};

static void write_words(struct json_out *o, const char *key, const struct bind_word *words)
{
	json_out_array(o, key);
	for (; words->word; words++)
		json_out_string(o, NULL, words->word);
	json_out_array_end(o);
}

static void write_enabled(struct json_out *o, const char *key)
{
	json_out_object(o, key);
	json_out_bool(o, "enabled", true);
	json_out_object_end(o);
}

static void write_cgroup(struct json_out *o)
{
	json_out_object(o, "cgroup");
	json_out_bool(o, "v1", true);
	json_out_bool(o, "v2", true);
	json_out_bool(o, "systemd", true);
	json_out_bool(o, "systemdUser", true);
	json_out_bool(o, "rdma", true);
	json_out_object_end(o);
}

/* The kernel judges the flags before it looks for a filter: EFAULT means that it knows them. */
static bool kernel_knows(unsigned flag)
{
	if (flag == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
		flag |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, NULL) < 0 && errno == EFAULT;
}

static void write_seccomp_flags(struct json_out *o, const char *key, bool by_kernel)
{
	json_out_array(o, key);
	for (size_t i = 0; i < sizeof(seccomp_flags) / sizeof(seccomp_flags[0]); i++)
		if (!by_kernel || kernel_knows(seccomp_flags[i].flag))
			json_out_string(o, NULL, seccomp_flags[i].word);
	json_out_array_end(o);
}

static void write_linux(struct json_out *o)
{
	json_out_object(o, "linux");
	json_out_strings(o, "namespaces", namespaces);
	json_out_array(o, "capabilities");
	for (unsigned cap = 0; caps_name(cap); cap++)
		json_out_string(o, NULL, caps_name(cap));
	json_out_array_end(o);
	write_cgroup(o);
	json_out_object(o, "seccomp");
	json_out_bool(o, "enabled", true);
	json_out_strings(o, "actions", actions);
	json_out_strings(o, "operators", operators);
	json_out_strings(o, "archs", archs);
	write_seccomp_flags(o, "knownFlags", false);
	write_seccomp_flags(o, "supportedFlags", true);
	json_out_object_end(o);
	write_enabled(o, "apparmor");
	write_enabled(o, "selinux");
	json_out_object(o, "intelRdt");
	json_out_bool(o, "enabled", true);
	json_out_bool(o, "schemata", true);
	json_out_bool(o, "monitoring", true);
	json_out_object_end(o);
	json_out_object(o, "memoryPolicy");
	write_words(o, "modes", memory_policy_words);
	write_words(o, "flags", memory_policy_flag_words);
	json_out_object_end(o);
	json_out_object(o, "mountExtensions");
	write_enabled(o, "idmap");
	json_out_object_end(o);
	write_enabled(o, "netDevices");
	json_out_object_end(o);
}

static int run(struct oci *oci, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct json_out o = {.text = &text, .style = JSON_PRETTY};
	int r;

	json_out_object(&o, NULL);
	json_out_string(&o, "ociVersionMin", "1.0.0");
	json_out_string(&o, "ociVersionMax", CONFIG_OCI_VERSION);
	json_out_strings(&o, "hooks", hooks);
	json_out_array(&o, "mountOptions");
	for (size_t i = 0; mount_word_name(i); i++)
		json_out_string(&o, NULL, mount_word_name(i));
	json_out_array_end(&o);
	write_linux(&o);
	json_out_object(&o, "annotations");
	json_out_string(&o, "run.nook.version", NOOK_VERSION);
	json_out_string(&o, "run.nook.checkpoint.enabled", "true");
	json_out_object_end(&o);
	json_out_strings(&o, "potentiallyUnsafeConfigAnnotations", unsafe);
	json_out_object_end(&o);
	buf_addc(&text, '\n');
	r = fd_write(STDOUT_FILENO, text.data, text.len);
	return r < 0 ? err_num(e, STEP_STDIO, "stdout", r) : 0;
}

const struct oci_command cmd_features = {
	.name = "features",
	.usage = "",
	.summary = "print what this runtime can do, as JSON",
	.run = run,
};
