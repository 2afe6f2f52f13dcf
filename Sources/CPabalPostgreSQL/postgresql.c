#include "CPabalPostgreSQL.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

/* The functions of libpq that Pabal calls; all exist since version 14. */
static struct {
  __typeof__(&PQconnectdbParams) connect;
  __typeof__(&PQfinish) finish;
  __typeof__(&PQstatus) status;
  __typeof__(&PQerrorMessage) error_message;
  __typeof__(&PQsocket) socket;
  __typeof__(&PQserverVersion) server_version;
  __typeof__(&PQconnectionNeedsPassword) password_needed;
  __typeof__(&PQsetnonblocking) set_nonblocking;
  __typeof__(&PQenterPipelineMode) enter_pipeline;
  __typeof__(&PQsetNoticeProcessor) set_notice_processor;
  __typeof__(&PQsendQueryParams) send;
  __typeof__(&PQpipelineSync) sync;
  __typeof__(&PQflush) flush;
  __typeof__(&PQconsumeInput) consume;
  __typeof__(&PQisBusy) is_busy;
  __typeof__(&PQgetResult) result;
  __typeof__(&PQnotifies) notification;
  __typeof__(&PQfreemem) free;
  __typeof__(&PQresultStatus) result_status;
  __typeof__(&PQresultErrorField) result_field;
  __typeof__(&PQntuples) row_count;
  __typeof__(&PQnfields) column_count;
  __typeof__(&PQgetisnull) is_null;
  __typeof__(&PQgetvalue) value;
  __typeof__(&PQgetlength) length;
  __typeof__(&PQcmdTuples) changed;
  __typeof__(&PQclear) clear;
} pq;

static int is_loaded;

static void load(void) {
  /* RTLD_DEEPBIND: its libraries look up symbols in each other before the host,
   * whose TLS library has the same symbols. */
  void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  if (library == NULL) return;
#define FIND(field, name) \
  if ((*(void **)&pq.field = dlsym(library, name)) == NULL) return
  FIND(connect, "PQconnectdbParams");
  FIND(finish, "PQfinish");
  FIND(status, "PQstatus");
  FIND(error_message, "PQerrorMessage");
  FIND(socket, "PQsocket");
  FIND(server_version, "PQserverVersion");
  FIND(password_needed, "PQconnectionNeedsPassword");
  FIND(set_nonblocking, "PQsetnonblocking");
  FIND(enter_pipeline, "PQenterPipelineMode");
  FIND(set_notice_processor, "PQsetNoticeProcessor");
  FIND(send, "PQsendQueryParams");
  FIND(sync, "PQpipelineSync");
  FIND(flush, "PQflush");
  FIND(consume, "PQconsumeInput");
  FIND(is_busy, "PQisBusy");
  FIND(result, "PQgetResult");
  FIND(notification, "PQnotifies");
  FIND(free, "PQfreemem");
  FIND(result_status, "PQresultStatus");
  FIND(result_field, "PQresultErrorField");
  FIND(row_count, "PQntuples");
  FIND(column_count, "PQnfields");
  FIND(is_null, "PQgetisnull");
  FIND(value, "PQgetvalue");
  FIND(length, "PQgetlength");
  FIND(changed, "PQcmdTuples");
  FIND(clear, "PQclear");
#undef FIND
  is_loaded = 1;
}

int pabal_pq_load(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return is_loaded;
}

static void ignore(void *context, const char *message) {
  (void)context;
  (void)message;
}

PGconn *pabal_pq_connect(const char *const *keywords, const char *const *values) {
  return pq.connect(keywords, values, 1);
}
void pabal_pq_finish(PGconn *connection) { pq.finish(connection); }
ConnStatusType pabal_pq_status(const PGconn *connection) { return pq.status(connection); }
const char *pabal_pq_error_message(const PGconn *connection) { return pq.error_message(connection); }
int pabal_pq_socket(const PGconn *connection) { return pq.socket(connection); }
int pabal_pq_server_version(const PGconn *connection) { return pq.server_version(connection); }
int pabal_pq_password_needed(const PGconn *connection) { return pq.password_needed(connection); }
int pabal_pq_enter_pipeline(PGconn *connection) {
  pq.set_notice_processor(connection, ignore, NULL);
  return pq.set_nonblocking(connection, 1) == 0 && pq.enter_pipeline(connection) == 1;
}
int pabal_pq_send(PGconn *connection, const char *statement, int count, const Oid *types,
                  const char *const *values, const int *lengths) {
  /* All parameters and results are binary. */
  static const int formats[64] = {
      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  if (count > 64) return 0;
  return pq.send(connection, statement, count, types, values, lengths, formats, 1);
}
int pabal_pq_sync(PGconn *connection) { return pq.sync(connection); }
int pabal_pq_flush(PGconn *connection) { return pq.flush(connection); }
int pabal_pq_consume(PGconn *connection) { return pq.consume(connection); }
int pabal_pq_is_busy(PGconn *connection) { return pq.is_busy(connection); }
PGresult *pabal_pq_result(PGconn *connection) { return pq.result(connection); }
PGnotify *pabal_pq_notification(PGconn *connection) { return pq.notification(connection); }
void pabal_pq_free(void *memory) { pq.free(memory); }

ExecStatusType pabal_pq_result_status(const PGresult *result) { return pq.result_status(result); }
const char *pabal_pq_result_code(const PGresult *result) {
  return pq.result_field(result, PG_DIAG_SQLSTATE);
}
const char *pabal_pq_result_message(const PGresult *result) {
  return pq.result_field(result, PG_DIAG_MESSAGE_PRIMARY);
}
int pabal_pq_row_count(const PGresult *result) { return pq.row_count(result); }
int pabal_pq_column_count(const PGresult *result) { return pq.column_count(result); }
int pabal_pq_is_null(const PGresult *result, int row, int column) {
  return pq.is_null(result, row, column);
}
const char *pabal_pq_value(const PGresult *result, int row, int column) {
  return pq.value(result, row, column);
}
int pabal_pq_length(const PGresult *result, int row, int column) {
  return pq.length(result, row, column);
}
const char *pabal_pq_changed(PGresult *result) { return pq.changed(result); }
void pabal_pq_clear(PGresult *result) { pq.clear(result); }
