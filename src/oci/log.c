/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/log.h"

#include "base/fd.h"
#include "base/text.h"
#include "json/out.h"
#include "oci/sockets.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>

static const char *const levels[] = {[OCI_LOG_ERROR] = "error", [OCI_LOG_WARNING] = "warning", [OCI_LOG_DEBUG] = "debug"};
static const int priorities[] = {[OCI_LOG_ERROR] = LOG_ERR, [OCI_LOG_WARNING] = LOG_WARNING, [OCI_LOG_DEBUG] = LOG_DEBUG};

/* The logging daemons' datagram socket. */
static int open_socket(const char *path, const char *target, struct nook_error *e)
{
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	if (fd < 0)
		return err_sys(e, STEP_OPTION, "--log");
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return err_sys(e, STEP_OPTION, target);
	return take_fd(&fd);
}

int oci_log_open(struct oci_log *log, const char *target, struct nook_error *e)
{
	const char *file, *name = text_after(target ? target : "", "syslog:");
	int r;

	if (!target || !*target)
		return 0;
	if (!name)
		name = text_after(target, "journald:");
	if (name) {
		log->fd = TRY(open_socket("/dev/log", target, e));
		log->identity = *name ? name : "nook-oci";
		return 0;
	}
	file = text_after(target, "file:");
	r = oci_open_file(file ? file : target, O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (r < 0)
		return err_num(e, STEP_OPTION, target, r);
	log->fd = r;
	return 0;
}

static void add_json(struct buf *line, const char *level, const char *message, const struct nook_error *why, const char *time)
{
	struct json_out o = {.text = line};

	json_out_object(&o, NULL);
	json_out_string(&o, "level", level);
	json_out_string(&o, "msg", message);
	json_out_string(&o, "time", time);
	if (why) {
		json_out_string(&o, "step", nook_step_name(why->step));
		json_out_string(&o, "object", why->object);
		json_out_i64(&o, "errno", why->sys_errno);
	}
	json_out_object_end(&o);
	buf_addc(line, '\n');
}

/* logfmt: what is between quotes has its own quotes escaped. */
static void add_text(struct buf *line, const char *level, const char *message, const char *time)
{
	buf_addf(line, "time=\"%s\" level=%s msg=\"", time, level);
	for (; *message; message++) {
		if (*message == '"' || *message == '\\')
			buf_addc(line, '\\');
		buf_addc(line, (char)(*message == '\n' ? ' ' : *message));
	}
	buf_addf(line, "\"\n");
}

void oci_log_write(const struct oci_log *log, enum oci_log_level level, const char *message, const struct nook_error *why)
{
	bool json_alone = log->fd < 0 && log->format == OCI_LOG_JSON;
	AUTO_VALUE(buf_done) struct buf line = {0};
	char when[64] = "";
	struct timespec now;
	struct tm tm;

	if (level > log->level)
		return;
	if ((level == OCI_LOG_ERROR || log->fd < 0) && !json_alone)
		(void)dprintf(STDERR_FILENO, "nook-oci: %s%s\n", level == OCI_LOG_WARNING ? "warning: " : "", message);
	if (log->fd < 0 && !json_alone)
		return;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (gmtime_r(&now.tv_sec, &tm))
		(void)snprintf(when, sizeof(when), "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ", tm.tm_year + 1900, tm.tm_mon + 1,
			tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec);
	/* As syslog(3) sends it. */
	if (log->identity)
		buf_addf(&line, "<%d>%s: ", LOG_USER | priorities[level], log->identity);
	if (log->format == OCI_LOG_JSON)
		add_json(&line, levels[level], message, why, when);
	else
		add_text(&line, levels[level], message, when);
	(void)fd_write(log->fd < 0 ? STDERR_FILENO : log->fd, line.data, line.len);
}
