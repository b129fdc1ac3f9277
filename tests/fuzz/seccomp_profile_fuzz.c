/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A seccomp profile from its text to the filter.  Beyond not crashing: the kernel would take the filter (every jump
 * leads forward into the program and every path ends in a return), and the profile written and read again gives the
 * same one.
 */
#include "security/caps.h"
#include "security/seccomp_profile.h"

#include <linux/seccomp.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct filter {
	struct sock_filter *insns;
	size_t n;
};

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void check_program(const struct filter *f)
{
	must(f->n > 0 && f->n <= BPF_MAXINSNS && BPF_CLASS(f->insns[f->n - 1].code) == BPF_RET);
	for (size_t i = 0; i < f->n; i++) {
		const struct sock_filter *insn = &f->insns[i];
		size_t left = f->n - i - 1;

		switch (BPF_CLASS(insn->code)) {
		case BPF_LD:
			must(insn->k % 4 == 0 && insn->k <= sizeof(struct seccomp_data) - 4);
			break;
		case BPF_JMP:
			if (BPF_OP(insn->code) == BPF_JA)
				must(insn->k < left);
			else
				must(insn->jt < left && insn->jf < left);
			break;
		default:
			must(BPF_CLASS(insn->code) == BPF_RET || BPF_CLASS(insn->code) == BPF_ALU);
		}
	}
}

static bool read_text(struct arena *a, const char *text, size_t len, uint64_t caps, struct spec_seccomp *s)
{
	AUTO(json_free) struct json *root = NULL;

	return json_parse(text, len, "fuzz", STEP_SECCOMP, &root, NULL) == 0 &&
	       seccomp_profile_read(a, root, caps, s, "profile", NULL) == 0;
}

static void check_round_trip(struct arena *a, const struct spec_seccomp *s, const struct filter *f)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct spec_seccomp again = {0};
	struct filter copy = {0};

	seccomp_profile_text(s, JSON_PRETTY, &text);
	must(read_text(a, buf_text(&text), text.len, 0, &again));
	must(seccomp_compile(a, &again, 0, &copy.insns, &copy.n, NULL) == 0);
	must(copy.n == f->n && memcmp(copy.insns, f->insns, f->n * sizeof(f->insns[0])) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	struct spec_seccomp s = {0};
	struct filter f = {0};
	const uint64_t args[SECCOMP_ARGS] = {size};

	if (!read_text(a, (const char *)data, size, size % 2 ? CAPS_ALL : 0, &s))
		return 0;
	if (seccomp_compile(a, &s, 0, &f.insns, &f.n, &e) < 0)
		return 0;
	check_program(&f);
	for (uint32_t nr = 0; nr < 512; nr++)
		(void)seccomp_verdict(f.insns, f.n, 0xc000003e, nr, args);
	check_round_trip(a, &s, &f);
	return 0;
}
