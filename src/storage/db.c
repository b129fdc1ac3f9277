/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "storage/db.h"

#include "base/alloc.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>

enum { BUSY_MS = 60000 };

struct db {
	sqlite3 *handle;
	const char *path; /* for messages */
	bool wrote;
};

struct query {
	sqlite3_stmt *statement;
	struct db *db;
};

static int failed(struct db *db, struct nook_error *e)
{
	int code = sqlite3_errcode(db->handle), errnum = EIO, system = sqlite3_system_errno(db->handle);

	/* "disk I/O error" may be a full disk: what the kernel said is better. */
	if ((code == SQLITE_IOERR || code == SQLITE_CANTOPEN) && system)
		return err_num(e, STEP_IMAGE, db->path, system);
	if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
		return err_fmt(e, STEP_IMAGE, db->path, EBADMSG, "%s; nook system check --repair makes it anew", sqlite3_errmsg(db->handle));
	if (code == SQLITE_FULL)
		errnum = ENOSPC;
	else if (code == SQLITE_READONLY || code == SQLITE_PERM)
		errnum = EACCES;
	else if (code == SQLITE_BUSY)
		errnum = EBUSY;
	return err_fmt(e, STEP_IMAGE, db->path, errnum, "%s", sqlite3_errmsg(db->handle));
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

static int prepare(struct db *db, struct query **ret, const char *sql, const char *types, va_list values, struct nook_error *e)
{
	struct query *q = xcalloc(1, sizeof(*q));

	q->db = db;
	if (sqlite3_prepare_v2(db->handle, sql, -1, &q->statement, NULL) != SQLITE_OK) {
		query_free(q);
		return failed(db, e);
	}
	for (int i = 1; types && *types; types++, i++) {
		if (*types == 'i') {
			(void)sqlite3_bind_int64(q->statement, i, va_arg(values, int64_t));
		} else {
			const char *text = va_arg(values, const char *);

			(void)sqlite3_bind_text(q->statement, i, text, -1, SQLITE_TRANSIENT);
		}
	}
	*ret = q;
	return 0;
}

int db_query(struct db *db, struct query **ret, struct nook_error *e, const char *sql, const char *types, ...)
{
	va_list values;
	int r;

	va_start(values, types);
	r = prepare(db, ret, sql, types, values, e);
	va_end(values);
	return r;
}

int db_run(struct db *db, struct nook_error *e, const char *sql, const char *types, ...)
{
	AUTO(query_free) struct query *q = NULL;
	va_list values;
	int r;

	va_start(values, types);
	r = prepare(db, &q, sql, types, values, e);
	va_end(values);
	db->wrote = true;
	while (r >= 0 && (r = query_next(q, e)) > 0)
		;
	return r;
}

int query_next(struct query *q, struct nook_error *e)
{
	switch (sqlite3_step(q->statement)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return failed(q->db, e);
	}
}

const char *query_text(struct query *q, int column)
{
	const unsigned char *text = sqlite3_column_text(q->statement, column);

	return text ? (const char *)text : "";
}

int64_t query_int(struct query *q, int column)
{
	return sqlite3_column_int64(q->statement, column);
}

void query_free(struct query *q)
{
	if (!q)
		return;
	(void)sqlite3_finalize(q->statement);
	free(q);
}

/* ---- transactions ---------------------------------------------------------------------------------------------------- */

int db_begin(struct db *db, struct nook_error *e)
{
	return db_run(db, e, "BEGIN IMMEDIATE", NULL);
}

int db_commit(struct db *db, struct nook_error *e)
{
	return db_run(db, e, "COMMIT", NULL);
}

void db_rollback(struct db *db)
{
	if (db && !sqlite3_get_autocommit(db->handle))
		(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

struct db *db_read_begin(struct db *db)
{
	if (!sqlite3_get_autocommit(db->handle))
		return NULL;
	return sqlite3_exec(db->handle, "BEGIN", NULL, NULL, NULL) == SQLITE_OK ? db : NULL;
}

void db_read_end(struct db *db)
{
	if (db)
		(void)sqlite3_exec(db->handle, "COMMIT", NULL, NULL, NULL);
}

/* ---- opening --------------------------------------------------------------------------------------------------------- */

static int read_version(struct db *db, int *ret, struct nook_error *e)
{
	AUTO(query_free) struct query *q = NULL;

	TRY(db_query(db, &q, e, "PRAGMA user_version", NULL));
	*ret = TRY(query_next(q, e)) ? (int)query_int(q, 0) : 0;
	return 0;
}

static int make_schema(struct db *db, int version, const char *schema, struct nook_error *e)
{
	char number[48];

	TRY(db_run(db, e, "PRAGMA journal_mode=WAL", NULL));
	TRY(db_begin(db, e));
	AUTO(db_rollback) struct db *open = db;

	if (sqlite3_exec(db->handle, schema, NULL, NULL, NULL) != SQLITE_OK)
		return failed(db, e);
	(void)sqlite3_snprintf(sizeof(number), number, "PRAGMA user_version=%d", version);
	TRY(db_run(db, e, number, NULL));
	return db_commit(open, e);
}

int db_open(const char *path, int version, const char *schema, struct db **ret, struct nook_error *e)
{
	AUTO(db_close) struct db *db = xcalloc(1, sizeof(*db));
	int found = 0, keep = 1;

	db->path = path;
	if (sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return failed(db, e);
	(void)sqlite3_busy_timeout(db->handle, BUSY_MS);
	/* The log stays when the last one closes, and who only asked leaves it as it is: making and removing files, and waiting
	 * for the disk, would be most of the cost of a short question. */
	(void)sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
	(void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	TRY(read_version(db, &found, e));
	if (found == 0)
		TRY(make_schema(db, version, schema, e));
	else if (found != version)
		return err_fmt(e, STEP_IMAGE, path, EPROTO, "is of version %d; this nook reads version %d", found, version);
	*ret = take_ptr(&db);
	return 0;
}

int db_check(struct db *db, struct nook_error *e)
{
	AUTO(query_free) struct query *q = NULL;

	TRY(db_query(db, &q, e, "PRAGMA quick_check(1)", NULL));
	if (TRY(query_next(q, e)) && strcmp(query_text(q, 0), "ok") != 0)
		return err_fmt(e, STEP_IMAGE, db->path, EBADMSG, "%.120s", query_text(q, 0));
	return 0;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	/* Who wrote empties the log, so that the next to ask finds nothing to read in it. */
	if (db->wrote)
		(void)sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	(void)sqlite3_close_v2(db->handle);
	free(db);
}
