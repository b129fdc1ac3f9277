/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * config.json to a plan: what is accepted must be written and read again to the same text, and what a runtime would make
 * of it, by root and by an ordinary user, is a plan that can be handed on.
 */
#include "bundle/bundle.h"
#include "bundle/config.h"
#include "plan/build.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_text(const char *text, size_t len, struct spec *s)
{
	AUTO(json_free) struct json *root = NULL;
	struct nook_error e = NOOK_ERROR_INIT;

	TRY(json_parse(text, len, "config.json", STEP_CONFIG, &root, &e));
	return config_read(root, s, &e);
}

static void check_text(const struct spec *first)
{
	AUTO(spec_free) struct spec *second = spec_new();
	AUTO_VALUE(buf_done) struct buf once = {0}, twice = {0};

	config_text(first, JSON_PLAIN, &once);
	if (read_text(once.data, once.len, second) < 0)
		abort();
	config_text(second, JSON_PLAIN, &twice);
	if (strcmp(once.data, twice.data) != 0)
		abort();
}

static void check_plan(const struct plan *p)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	if (plan_validate(p, p->size) < 0)
		abort();
	plan_print(p, PLAN_JSON, &text);
}

/* A process of the same kind enters what was started. */
static void join(struct arena *a, const struct plan *of, const struct spec_process *process)
{
	const struct plan_join ask = {.of = of, .pid = 1, .process = process, .has_user = true};
	struct nook_error e = NOOK_ERROR_INIT;
	AUTO(plan_free) struct plan *p = NULL;

	if (plan_build_join(a, &ask, &p, &e) == 0)
		check_plan(p);
}

static void make(const struct spec *s, const struct plan_host *host)
{
	static const char state[] = "{\"pid\": %PID%}";
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	struct cgroup_layout layout;
	struct cgroup_want groups;
	struct plan_result result = {0};
	struct plan_request q = {.spec = s, .host = host, .id = "fuzz", .gate_dir = "/run/fuzz", .gate_name = "gate",
		.hook_state = state, .hook_state_created = state, .deny_setgroups = !host->privileged};

	if (cgroup_layout_read(a, AT_FDCWD, &layout, &e) == 0) {
		layout.all_ours = host->privileged;
		if (cgroup_want(a, &layout, &s->resources, s->cgroup_path ? s->cgroup_path : "fuzz", &groups, &e) == 0)
			q.cgroups = &groups;
	}
	if (plan_build(a, &q, &result, &e) < 0)
		return;
	check_plan(result.plan);
	join(a, result.plan, &s->process);
	plan_free(result.plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct plan_host root = {
		.privileged = true, .first_userns = true, .can_mknod = true, .kernel = 6 << 16 | 18 << 8, .permitted = UINT64_MAX};
	static const struct plan_host user = {.kernel = 6 << 16 | 1 << 8, .euid = 1000, .egid = 1000};
	AUTO(spec_free) struct spec *s = spec_new();
	struct nook_error e = NOOK_ERROR_INIT;

	if (read_text((const char *)data, size, s) < 0)
		return 0;
	check_text(s);
	if (bundle_settle("/bundle", s, &e) < 0 || !s->has_process)
		return 0;
	make(s, &root);
	make(s, &user);
	return 0;
}
