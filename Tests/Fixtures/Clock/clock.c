/* Preloaded into a program: shifts CLOCK_REALTIME by PABAL_TEST_CLOCK seconds,
 * which may be negative. Other clocks are unchanged. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
  int failed = (int)syscall(SYS_clock_gettime, clock, time);
  const char *ahead = getenv("PABAL_TEST_CLOCK");
  if (failed == 0 && clock == CLOCK_REALTIME && ahead != NULL) time->tv_sec += atol(ahead);
  return failed;
}
