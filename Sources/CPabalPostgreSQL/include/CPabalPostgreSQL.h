#ifndef CPABAL_POSTGRESQL_H
#define CPABAL_POSTGRESQL_H

#include <postgresql/libpq-fe.h>

/* libpq for Swift, loaded on first use because only installations with
 * PostgreSQL need it. Each function is the one of libpq with the same name. */

/* Loads libpq, once; must return 1 before the other functions are called. */
int pabal_pq_load(void);

PGconn *pabal_pq_connect(const char *const *keywords, const char *const *values);
void pabal_pq_finish(PGconn *connection);
ConnStatusType pabal_pq_status(const PGconn *connection);
const char *pabal_pq_error_message(const PGconn *connection);
int pabal_pq_socket(const PGconn *connection);
int pabal_pq_server_version(const PGconn *connection);
int pabal_pq_password_needed(const PGconn *connection);
/* Puts the connection into the non-blocking mode and the pipeline mode, and
 * drops notices, which would go to standard error. Returns 1 on success. */
int pabal_pq_enter_pipeline(PGconn *connection);
int pabal_pq_send(PGconn *connection, const char *statement, int count, const Oid *types,
                  const char *const *values, const int *lengths);
int pabal_pq_sync(PGconn *connection);
int pabal_pq_flush(PGconn *connection);
int pabal_pq_consume(PGconn *connection);
int pabal_pq_is_busy(PGconn *connection);
PGresult *pabal_pq_result(PGconn *connection);
PGnotify *pabal_pq_notification(PGconn *connection);
void pabal_pq_free(void *memory);

ExecStatusType pabal_pq_result_status(const PGresult *result);
/* The field PG_DIAG_SQLSTATE, or a null pointer. */
const char *pabal_pq_result_code(const PGresult *result);
/* The field PG_DIAG_MESSAGE_PRIMARY, or a null pointer. */
const char *pabal_pq_result_message(const PGresult *result);
int pabal_pq_row_count(const PGresult *result);
int pabal_pq_column_count(const PGresult *result);
int pabal_pq_is_null(const PGresult *result, int row, int column);
const char *pabal_pq_value(const PGresult *result, int row, int column);
int pabal_pq_length(const PGresult *result, int row, int column);
const char *pabal_pq_changed(PGresult *result);
void pabal_pq_clear(PGresult *result);

#endif
