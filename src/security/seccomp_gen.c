/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs while nook is built: writes seccomp_numbers.h, so that no start has to look up a name in libseccomp.
 *
 *     abis[]        the native architecture and those that its kernel also runs
 *     call_names    every known name, sorted, in one string; call_at[] is where each begins
 *     call_numbers  its numbers
 *     call_order    for each ABI the calls by number, -1 behind the last
 *     default_nrs_* nook's own profile: (number, row of default_rows), sorted by number, then by row
 */
#include "security/seccomp_default_table.h"
#include "security/seccomp_newer.h"

#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ABIS = 3, MAX_CALLS = 1024, MAX_NR = 8192, X32_BIT = 0x40000000 };

struct abi {
	const char *name; /* as OCI spells it */
	uint32_t token;   /* SCMP_ARCH_* */
	uint32_t audit;   /* AUDIT_ARCH_* */
	int base;         /* what the architecture adds to every number */
	int narrow;       /* arguments of 32 bits */
};

static const struct family {
	const char *cpu; /* meson's cpu_family-endian */
	struct abi abis[MAX_ABIS];
} families[] = {
	{"x86_64-little", {{"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64, 0, 0},
				  {"SCMP_ARCH_X86", SCMP_ARCH_X86, AUDIT_ARCH_I386, 0, 1},
				  {"SCMP_ARCH_X32", SCMP_ARCH_X32, AUDIT_ARCH_X86_64, X32_BIT, 1}}},
	{"x86-little", {{"SCMP_ARCH_X86", SCMP_ARCH_X86, AUDIT_ARCH_I386, 0, 1}}},
	{"aarch64-little", {{"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64, 0, 0},
				   {"SCMP_ARCH_ARM", SCMP_ARCH_ARM, AUDIT_ARCH_ARM, 0, 1}}},
	{"arm-little", {{"SCMP_ARCH_ARM", SCMP_ARCH_ARM, AUDIT_ARCH_ARM, 0, 1}}},
	{"riscv64-little", {{"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64, AUDIT_ARCH_RISCV64, 0, 0}}},
	{"ppc64-little", {{"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE, AUDIT_ARCH_PPC64LE, 0, 0}}},
	{"ppc64-big", {{"SCMP_ARCH_PPC64", SCMP_ARCH_PPC64, AUDIT_ARCH_PPC64, 0, 0},
			      {"SCMP_ARCH_PPC", SCMP_ARCH_PPC, AUDIT_ARCH_PPC, 0, 1}}},
	{"s390x-big", {{"SCMP_ARCH_S390X", SCMP_ARCH_S390X, AUDIT_ARCH_S390X, 0, 0},
			      {"SCMP_ARCH_S390", SCMP_ARCH_S390, AUDIT_ARCH_S390, 0, 1}}},
	{"mips64-little", {{"SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64, AUDIT_ARCH_MIPSEL64, 5000, 0},
				  {"SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL, AUDIT_ARCH_MIPSEL, 4000, 1},
				  {"SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32, AUDIT_ARCH_MIPSEL64N32, 6000, 1}}},
#ifdef SCMP_ARCH_LOONGARCH64
	{"loongarch64-little", {{"SCMP_ARCH_LOONGARCH64", SCMP_ARCH_LOONGARCH64, AUDIT_ARCH_LOONGARCH64, 0, 0}}},
#endif
};

struct call {
	char name[64];
	int nrs[MAX_ABIS];
	int socketcall, ipc;
};

static struct call calls[MAX_CALLS];
static size_t n_calls;

static void die(const char *what, const char *name)
{
	(void)fprintf(stderr, "seccomp_gen: %s: %s\n", name, what);
	exit(1);
}

static struct call *find_call(const char *name)
{
	for (size_t i = 0; i < n_calls; i++)
		if (strcmp(calls[i].name, name) == 0)
			return &calls[i];
	return NULL;
}

static struct call *add_call(const char *name)
{
	struct call *call = find_call(name);

	if (call)
		return call;
	if (n_calls == MAX_CALLS || strlen(name) >= sizeof(call->name))
		die("does not fit", name);
	call = &calls[n_calls++];
	(void)snprintf(call->name, sizeof(call->name), "%s", name);
	for (size_t i = 0; i < MAX_ABIS; i++)
		call->nrs[i] = -1;
	return call;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct call *)a)->name, ((const struct call *)b)->name);
}

/* From numbers to names: the other way, libseccomp gives no number for calls that also have an old form behind
 * socketcall(2) or ipc(2). */
static void collect_known(const struct family *family)
{
	for (size_t i = 0; i < MAX_ABIS && family->abis[i].name; i++) {
		const struct abi *abi = &family->abis[i];

		for (int nr = abi->base; nr < abi->base + MAX_NR; nr++) {
			char *name = seccomp_syscall_resolve_num_arch(abi->token, nr);

			if (name)
				add_call(name)->nrs[i] = nr;
			free(name);
		}
	}
}

/* Calls with numbers out of the ordinary (ARM's private ones) are found by their names in the profile. */
static void collect_private(const struct family *family)
{
	for (size_t row = 0; row < N_DEFAULT_ROWS; row++) {
		char *names = strdup(default_rows[row].names), *rest = NULL;

		for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
			for (size_t i = 0; i < MAX_ABIS && family->abis[i].name; i++) {
				int nr = seccomp_syscall_resolve_name_arch(family->abis[i].token, name);

				if (nr >= family->abis[i].base + MAX_NR)
					add_call(name)->nrs[i] = nr;
			}
		free(names);
	}
}

/* libseccomp's own numbers for calls behind socketcall(2) and ipc(2): -100 and -200 less the first argument. */
static void collect_multiplexed(void)
{
	enum { SOCKETCALL = 100, IPC = 200, LAST = 30 };

	for (int i = 1; i < LAST; i++) {
		char *socketcall = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86, -SOCKETCALL - i);
		char *ipc = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86, -IPC - i);

		if (socketcall)
			add_call(socketcall)->socketcall = i;
		if (ipc)
			add_call(ipc)->ipc = i;
		free(socketcall);
		free(ipc);
	}
}

static void collect_newer(const struct family *family)
{
	for (size_t k = 0; k < sizeof(newer_calls) / sizeof(newer_calls[0]); k++) {
		struct call *call;

		if (seccomp_syscall_resolve_name(newer_calls[k].name) != __NR_SCMP_ERROR)
			continue;
		call = add_call(newer_calls[k].name);
		for (size_t i = 0; i < MAX_ABIS && family->abis[i].name; i++)
			if (!newer_calls[k].only || newer_calls[k].only == family->abis[i].token)
				call->nrs[i] = newer_calls[k].nr + family->abis[i].base;
	}
}

/* A name that no architecture has is a slip of the pen. */
static void check_spelling(const char *name)
{
	for (size_t i = 0; i < sizeof(newer_calls) / sizeof(newer_calls[0]); i++)
		if (strcmp(newer_calls[i].name, name) == 0)
			return;
	if (seccomp_syscall_resolve_name(name) == __NR_SCMP_ERROR)
		die("no such system call", name);
}

static size_t sort_abi; /* qsort(3) takes no argument for its function */

static int by_abi_number(const void *a, const void *b)
{
	int x = calls[*(const int *)a].nrs[sort_abi], y = calls[*(const int *)b].nrs[sort_abi];

	return (x > y) - (x < y);
}

static void print_order(const struct family *family)
{
	printf("static const int16_t call_order[][%zu] = {\n", n_calls);
	for (size_t abi = 0; abi < MAX_ABIS && family->abis[abi].name; abi++) {
		int order[MAX_CALLS], n = 0;

		for (size_t i = 0; i < n_calls; i++)
			if (calls[i].nrs[abi] >= 0)
				order[n++] = (int)i;
		sort_abi = abi;
		qsort(order, (size_t)n, sizeof(order[0]), by_abi_number);
		printf("\t{\n");
		for (size_t i = 0; i < n_calls; i++)
			printf("\t\t%d,\n", (int)i < n ? order[i] : -1);
		printf("\t},\n");
	}
	printf("};\n");
}

static void print_names(const struct family *family)
{
	size_t at = 0;

	printf("static const struct seccomp_abi abis[] = {\n");
	for (size_t i = 0; i < MAX_ABIS && family->abis[i].name; i++)
		printf("\t{\"%s\", 0x%xu, 0x%xu, %d},\n", family->abis[i].name, family->abis[i].audit,
			(unsigned)family->abis[i].base, family->abis[i].narrow);
	printf("};\n\nstatic const char call_names[] =\n");
	for (size_t i = 0; i < n_calls; i++)
		printf("\t\"%s\\0\"\n", calls[i].name);
	printf("\t;\n\nstatic const uint16_t call_at[] = {\n");
	for (size_t i = 0; i < n_calls; i++) {
		printf("\t%zu,\n", at);
		at += strlen(calls[i].name) + 1;
	}
	printf("};\n\nstatic const struct seccomp_numbers call_numbers[] = {\n");
	for (size_t i = 0; i < n_calls; i++)
		printf("\t{{%d, %d, %d}, %d, %d},\n", calls[i].nrs[0], calls[i].nrs[1], calls[i].nrs[2],
			calls[i].socketcall, calls[i].ipc);
	printf("};\n\n");
}

struct entry {
	int nr;
	size_t row;
};

static int by_number(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->nr != y->nr ? (x->nr > y->nr) - (x->nr < y->nr) : (x->row > y->row) - (x->row < y->row);
}

static void print_default(const struct family *family, size_t abi)
{
	static struct entry entries[MAX_CALLS * 2];
	size_t n = 0;

	for (size_t row = 0; row < N_DEFAULT_ROWS && family->abis[abi].name; row++) {
		char *names = strdup(default_rows[row].names), *rest = NULL;

		for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
			const struct call *call = find_call(name);

			check_spelling(name);
			if (!call || call->nrs[abi] < 0)
				continue;
			if (n == MAX_CALLS * 2)
				die("does not fit", name);
			entries[n++] = (struct entry){call->nrs[abi], row};
		}
		free(names);
	}
	qsort(entries, n, sizeof(entries[0]), by_number);
	printf("static const struct default_nr default_nrs_%zu[] = {\n", abi);
	for (size_t i = 0; i < n; i++)
		printf("\t{0x%xu, %zu},\n", (unsigned)entries[i].nr, entries[i].row);
	printf("\t{0, 0},\n};\n#define N_DEFAULT_NRS_%zu %zu\n\n", abi, n);
}

int main(int argc, char **argv)
{
	const char *what = argc == 3 ? argv[1] : "";
	const char *cpu = argc == 3 ? argv[2] : "";

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		if (strcmp(families[i].cpu, cpu) != 0)
			continue;
		printf("/* Written by seccomp_gen for %s. */\n", cpu);
		collect_known(&families[i]);
		collect_private(&families[i]);
		collect_multiplexed();
		collect_newer(&families[i]);
		qsort(calls, n_calls, sizeof(calls[0]), by_name);
		if (strcmp(what, "names") == 0) {
			print_names(&families[i]);
			print_order(&families[i]);
		} else {
			for (size_t abi = 0; abi < MAX_ABIS; abi++)
				print_default(&families[i], abi);
		}
		return 0;
	}
	die("no such architecture", cpu);
}
