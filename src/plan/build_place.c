/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a process runs: processors, memory nodes, classes of cache and memory bandwidth. */
#include "plan/compile.h"

#include "base/buf.h"
#include "base/text.h"

enum { WORDS = NUMBERS_MAX / 64 };

static void affinity_step(struct build *b, enum stage stage, const char *name, const uint64_t *bits)
{
	struct refs mask = plan_add_array(b->out, bits, WORDS, sizeof(*bits));

	build_step(b, stage, DO_AFFINITY, name)->mask.paths = mask;
}

/* execCPUAffinity counts for a process that joins a container.  Without it a process may use what its group may, whatever
 * the runtime that started it was bound to. */
int build_affinity(struct build *b, struct nook_error *e)
{
	const struct spec_process *p = &b->spec->process;
	const char *initial = b->joins ? p->cpu_affinity_initial : NULL, *final = b->joins ? p->cpu_affinity_final : NULL;
	uint64_t bits[WORDS];

	if (initial && *initial) {
		if (text_bits(initial, bits, WORDS) < 0)
			return err_num(e, STEP_SCHED, initial, EINVAL);
		affinity_step(b, STAGE_PREPARE, initial, bits);
	}
	if (final && *final) {
		if (text_bits(final, bits, WORDS) < 0)
			return err_num(e, STEP_SCHED, final, EINVAL);
		affinity_step(b, b->identity, final, bits);
	} else if (p->all_processors) {
		memset(bits, 0xff, sizeof(bits));
		affinity_step(b, b->identity, "all", bits);
	}
	return 0;
}

int build_memory_policy(struct build *b, struct nook_error *e)
{
	const struct spec_memory_policy *p = &b->spec->memory_policy;
	uint64_t bits[WORDS];
	struct refs nodes = {0};
	struct step *s;

	if (!p->set)
		return 0;
	if (p->nodes && *p->nodes) {
		if (text_bits(p->nodes, bits, WORDS) < 0)
			return err_num(e, STEP_MEMORY, p->nodes, EINVAL);
		nodes = plan_add_array(b->out, bits, WORDS, sizeof(*bits));
	}
	s = build_step(b, b->identity, DO_MEMPOLICY, "linux.memoryPolicy");
	s->policy.mode = p->mode | p->flags;
	s->policy.nodes = nodes;
	return 0;
}

/* ---- resctrl ----------------------------------------------------------------------------------------------------------- */

static const char *schemata(struct build *b, const struct spec_rdt *rdt)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	if (rdt->l3_schema && *rdt->l3_schema)
		buf_addf(&text, "%s\n", rdt->l3_schema);
	if (rdt->mem_schema && *rdt->mem_schema)
		buf_addf(&text, "%s\n", rdt->mem_schema);
	for (size_t i = 0; rdt->schemata && rdt->schemata[i]; i++)
		buf_addf(&text, "%s\n", rdt->schemata[i]);
	return arena_strdup(b->arena, buf_text(&text));
}

static void rdt_step(struct build *b, const char *group, const char *lines, unsigned flags)
{
	struct ref text = plan_add_str(b->out, *lines ? lines : NULL);
	struct step *s = build_step(b, STAGE_ADOPT, DO_RDT, group);

	s->pair.key = s->object;
	s->pair.value = text;
	s->flags = (uint16_t)flags;
}

const char *plan_rdt_class(const struct spec_rdt *rdt, const char *id)
{
	if (!rdt->clos_id || !*rdt->clos_id)
		return id;
	return text_is(rdt->clos_id, "/") ? "." : rdt->clos_id;
}

void build_rdt(struct build *b)
{
	const struct spec_rdt *rdt = &b->spec->rdt;
	bool own = !rdt->clos_id || !*rdt->clos_id;
	const char *lines = schemata(b, rdt), *class;

	if (!rdt->set || !b->request->id || (own && !*lines && !rdt->monitoring))
		return;
	class = plan_rdt_class(rdt, b->request->id);
	/* To be counted alone takes no class of its own. */
	if (own && !*lines)
		class = ".";
	else
		rdt_step(b, class, lines, own ? RDT_OWN : *lines ? RDT_MAKE : 0);
	if (rdt->monitoring)
		rdt_step(b, arena_printf(b->arena, "%s/mon_groups/%s", class, b->request->id), "", RDT_MONITOR);
}
