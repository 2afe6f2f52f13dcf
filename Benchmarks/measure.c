// measure OUT COMMAND…: runs it and writes wall, user and system seconds and peak memory as JSON.
//
// A parent this small is the point: Linux counts what a process held before exec into its peak memory.
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **words) {
  struct timespec began, ended;
  struct rusage used;
  int status;
  if (count < 3) return 64;
  clock_gettime(CLOCK_MONOTONIC, &began);
  pid_t child = fork();
  if (child == 0) {
    execvp(words[2], words + 2);
    _exit(127);
  }
  if (wait4(child, &status, 0, &used) < 0) return 71;
  clock_gettime(CLOCK_MONOTONIC, &ended);
  FILE *out = fopen(words[1], "w");
  if (out == NULL) return 73;
  fprintf(out, "{\"status\":%d,\"wall\":%.6f,\"cpu\":%.6f,\"peak_kib\":%ld}\n",
          WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status),
          (ended.tv_sec - began.tv_sec) + (ended.tv_nsec - began.tv_nsec) / 1e9,
          used.ru_utime.tv_sec + used.ru_utime.tv_usec / 1e6 + used.ru_stime.tv_sec + used.ru_stime.tv_usec / 1e6,
          used.ru_maxrss);
  return fclose(out) == 0 ? 0 : 74;
}
