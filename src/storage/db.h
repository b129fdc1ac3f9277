/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thin hand over SQLite: statements with their values, rows, short transactions that wait for each other. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct db;
struct query;

/* Opens the database PATH.  When it has not VERSION yet, SCHEMA is run first (the caller holds a lock).  Another version
 * than that is refused. */
int db_open(const char *path, int version, const char *schema, struct db **ret, struct nook_error *e);
/* Reads all of it: 0, or -EBADMSG when it is damaged, as every function here that meets the damage. */
int db_check(struct db *db, struct nook_error *e);
void db_close(struct db *db);
CLEANUP_DEFINE(struct db *, db_close)

/* A statement with values for its "?": TYPES has "s" for a const char * (NULL is NULL), "i" for an int64_t. */
int db_run(struct db *db, struct nook_error *e, const char *sql, const char *types, ...);
int db_query(struct db *db, struct query **ret, struct nook_error *e, const char *sql, const char *types, ...);
/* 1: there is a row; 0: no more. */
int query_next(struct query *q, struct nook_error *e);
/* Of the row; borrowed until the next.  NULL is "". */
const char *query_text(struct query *q, int column);
int64_t query_int(struct query *q, int column);
void query_free(struct query *q);
CLEANUP_DEFINE(struct query *, query_free)

/* BEGIN IMMEDIATE: waits for other writers.  db_commit() ends it; without it db_rollback(), which is harmless after it. */
int db_begin(struct db *db, struct nook_error *e);
int db_commit(struct db *db, struct nook_error *e);
void db_rollback(struct db *db);
CLEANUP_DEFINE(struct db *, db_rollback)
/* Questions that belong together see the same state: DB, for db_read_end(), or NULL when a transaction is open already. */
struct db *db_read_begin(struct db *db);
void db_read_end(struct db *db);
CLEANUP_DEFINE(struct db *, db_read_end)
