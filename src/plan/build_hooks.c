/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/compile.h"

int build_hook_log(struct build *b, const char *path)
{
	int slot;

	if (!path)
		return SLOT_NONE;
	slot = plan_add_slot(b->out);
	build_step(b, STAGE_PREPARE, DO_HOOK_LOG, path)->slot = (int16_t)slot;
	return slot;
}

void build_hooks(struct build *b, enum stage stage, enum hook_kind kind)
{
	for (size_t i = 0; i < b->spec->n_hooks[kind]; i++) {
		const struct spec_hook *h = &b->spec->hooks[kind][i];
		struct step *s = build_step(b, stage, DO_HOOK, h->path);

		s->hook.path = s->object;
		s->hook.argv = plan_add_strs(b->out, h->args);
		s->hook.env = plan_add_strs(b->out, h->env);
		s->hook.state = plan_add_str(b->out, b->request->hook_state);
		s->hook.timeout_ms = spec_hook_ms(h);
		s->hook.out_slot = (int16_t)b->hook_out;
		s->hook.err_slot = (int16_t)b->hook_err;
		s->hook.kind = kind;
	}
}

void build_hooks_inside(struct build *b, enum stage stage, enum hook_kind kind, const char *state)
{
	for (size_t i = 0; i < b->spec->n_hooks[kind]; i++) {
		const struct spec_hook *h = &b->spec->hooks[kind][i];
		const char *const alone[] = {h->path, NULL};
		struct refs argv = plan_add_strs(b->out, h->args && h->args[0] ? h->args : alone);
		struct refs env = plan_add_strs(b->out, h->env);
		const void *zeros = arena_alloc(b->arena, (argv.n + env.n + 2) * sizeof(char *));
		struct refs argv_room = plan_add_array(b->out, zeros, argv.n + 1, sizeof(char *));
		struct refs env_room = plan_add_array(b->out, zeros, env.n + 1, sizeof(char *));
		struct ref text = plan_add_str(b->out, state);
		struct step *s = build_step(b, stage, DO_HOOK_INSIDE, h->path);

		s->flags = stage == STAGE_ENTER ? HOOK_IN_ROOT : 0;
		s->hook.path = s->object;
		s->hook.argv = argv;
		s->hook.env = env;
		s->hook.argv_room = argv_room;
		s->hook.env_room = env_room;
		s->hook.state = text;
		s->hook.timeout_ms = spec_hook_ms(h);
		s->hook.out_slot = (int16_t)b->hook_out;
		s->hook.err_slot = (int16_t)b->hook_err;
		s->hook.kind = kind;
	}
}
