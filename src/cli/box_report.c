/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/box_report.h"

#include "base/fd.h"
#include "base/text.h"
#include "json/out.h"

#include <stdio.h>
#include <string.h>

const char *const box_limit_names[] = {[NOOK_LIMIT_NONE] = NULL, [NOOK_LIMIT_MEMORY] = "mem", [NOOK_LIMIT_TIME] = "time",
	[NOOK_LIMIT_WALL] = "wall", [NOOK_LIMIT_OUTPUT] = "output"};

const char *box_refusal_text(const struct box_refusal *r, char buf[BOX_REFUSAL_TEXT])
{
	const char *host = r->address[0] ? r->address : r->host;

	(void)snprintf(buf, BOX_REFUSAL_TEXT, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, r->port);
	return buf;
}

static void network_text(const struct box_links *l, struct json_out *o)
{
	char text[BOX_REFUSAL_TEXT];

	if (!l->asked_proxy)
		return;
	json_out_u64(o, "refused", l->refused);
	json_out_array(o, "refusedHosts");
	for (size_t i = 0; i < l->n_list; i++)
		json_out_string(o, NULL, box_refusal_text(&l->list[i], text));
	json_out_array_end(o);
}

void box_report_result(const struct nook_result *r, int status, const struct box_links *l, struct buf *text)
{
	struct json_out o = {.text = text, .style = JSON_PRETTY};

	json_out_object(&o, NULL);
	json_out_i64(&o, "status", status);
	if (r->exit_code >= 0)
		json_out_i64(&o, "exitCode", r->exit_code);
	if (r->term_signal >= 0)
		json_out_i64(&o, "signal", r->term_signal);
	json_out_string(&o, "limit", box_limit_names[r->limit]);
	json_out_u64(&o, "wallUs", r->wall_us);
	if (r->have & NOOK_HAS_CPU) {
		json_out_u64(&o, "userUs", r->user_us);
		json_out_u64(&o, "systemUs", r->system_us);
	}
	if (r->have & NOOK_HAS_MAX_RSS)
		json_out_u64(&o, "maxRss", r->max_rss);
	if (r->have & NOOK_HAS_PEAK_MEMORY)
		json_out_u64(&o, "peakMemory", r->peak_memory);
	if (r->have & NOOK_HAS_PIDS)
		json_out_u64(&o, "processes", r->pids);
	if (r->have & NOOK_HAS_IO) {
		json_out_u64(&o, "readBytes", r->read_bytes);
		json_out_u64(&o, "writtenBytes", r->written_bytes);
	}
	network_text(l, &o);
	json_out_object_end(&o);
	buf_addc(text, '\n');
}

void box_report_error(const struct nook_error *error, int status, struct buf *text)
{
	struct json_out o = {.text = text, .style = JSON_PRETTY};

	json_out_object(&o, NULL);
	json_out_i64(&o, "status", status);
	json_out_object(&o, "error");
	json_out_string(&o, "step", nook_step_name(error->step));
	json_out_string(&o, "object", error->object);
	json_out_string(&o, "detail", error->detail);
	json_out_i64(&o, "errno", error->sys_errno);
	json_out_i64(&o, "rule", error->rule);
	json_out_string(&o, "hint", nook_error_hint(error));
	json_out_object_end(&o);
	json_out_object_end(&o);
	buf_addc(text, '\n');
}

int box_report_open(const char *where, struct nook_error *e)
{
	const char *number = text_after(where, "fd:");
	uint64_t n = 0;
	int fd;

	if (number && text_u64(number, &n) < 0)
		return err_why(e, STEP_OPTION, "--json", EINVAL, "it is a file or fd:N");
	fd = number ? fcntl((int)n, F_DUPFD_CLOEXEC, 3) : open(where, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return fd < 0 ? err_sys(e, STEP_FILE, where) : fd;
}

int box_report_write(int fd, const struct buf *text, struct nook_error *e)
{
	int r = fd_write(fd, buf_text(text), text->len);

	return r < 0 ? err_num(e, STEP_FILE, "--json", r) : 0;
}
