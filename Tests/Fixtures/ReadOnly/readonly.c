/* Preloaded into a program: while the file that PABAL_TEST_READ_ONLY names exists, the system refuses pwrite, by which
 * SQLite writes, as it does after a disk became read-only because of an error. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_read_only(void) {
  const char *file = getenv("PABAL_TEST_READ_ONLY");
  return file != NULL && access(file, F_OK) == 0;
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
  if (is_read_only()) {
    errno = EROFS;
    return -1;
  }
  return syscall(SYS_pwrite64, file, bytes, count, offset);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
  return pwrite64(file, bytes, count, offset);
}
