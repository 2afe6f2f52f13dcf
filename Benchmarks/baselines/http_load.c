/* http_load PORT CONNECTIONS SECONDS start PREFIX IDS | check IDS
 *
 * CONNECTIONS concurrent callers, each of which waits for a response before its next request. `start` writes the
 * returned ids to the file IDS, from which `check` reads them. Prints JSON: requests per second, and the median and
 * the 99th percentile in milliseconds. An unexpected response ends it with status 1. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

struct caller {
  int fd;
  size_t held;
  double began;
  char reply[4096];
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static char (*ids)[27];
static size_t id_count, next_id, started;
static FILE *out;

static void ask(struct caller *c, int port, const char *prefix) {
  char body[128], request[512];
  int length, total;
  if (prefix) {
    length = snprintf(body, sizeof body, "{\"to\":\"%s%zu@example.com\"}", prefix, started++);
    total = snprintf(request, sizeof request,
                     "POST /v1/verifications HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                     "Content-Length: %d\r\n\r\n%s",
                     port, length, body);
  } else {
    length = snprintf(body, sizeof body, "{\"code\":\"000000\"}");
    total = snprintf(request, sizeof request,
                     "POST /v1/verifications/%s/check HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: "
                     "application/json\r\nContent-Length: %d\r\n\r\n%s",
                     ids[next_id++ % id_count], port, length, body);
  }
  c->held = 0;
  c->began = now();
  if (write(c->fd, request, (size_t)total) != total) perror("write"), exit(1);
}

/* Whether the response is complete; exits if it isn't the expected one. */
static int whole(struct caller *c, int starting) {
  c->reply[c->held] = 0;
  char *end = strstr(c->reply, "\r\n\r\n"), *length = strcasestr(c->reply, "content-length: ");
  if (!end || !length) return 0;
  if ((size_t)(end + 4 - c->reply) + (size_t)atoi(length + 16) > c->held) return 0;
  if (strncmp(c->reply + 9, starting ? "202" : "200", 3) != 0) fprintf(stderr, "%s\n", c->reply), exit(1);
  if (starting && out) {
    char *id = strstr(end, "\"id\":\"");
    if (!id) fprintf(stderr, "%s\n", c->reply), exit(1);
    fprintf(out, "%.26s\n", id + 6);
  }
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 6) return fprintf(stderr, "usage: http_load PORT CONNECTIONS SECONDS start PREFIX IDS | check IDS\n"), 64;
  int port = atoi(argv[1]), count = atoi(argv[2]), starting = strcmp(argv[4], "start") == 0;
  double seconds = atof(argv[3]);
  const char *prefix = starting ? argv[5] : NULL;
  FILE *file = fopen(argv[starting ? 6 : 5], starting ? "w" : "r");
  if (!file) return perror("the ids"), 1;
  if (starting) {
    out = file;
  } else {
    ids = calloc(1u << 22, sizeof *ids);
    while (id_count < 1u << 22 && fscanf(file, "%26s", ids[id_count]) == 1) id_count++;
    if (!id_count) return fprintf(stderr, "no ids\n"), 1;
  }
  struct caller *callers = calloc((size_t)count, sizeof *callers);
  double *times = malloc(sizeof(double) << 22);
  size_t done = 0;
  int poll = epoll_create1(0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  double began = now();
  for (int i = 0; i < count; i++) {
    callers[i].fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(callers[i].fd, (struct sockaddr *)&address, sizeof address) != 0) return perror("connect"), 1;
    int on = 1;
    setsockopt(callers[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &callers[i]};
    epoll_ctl(poll, EPOLL_CTL_ADD, callers[i].fd, &event);
    ask(&callers[i], port, prefix);
  }
  while (now() - began < seconds && done < 1u << 22) {
    struct epoll_event events[64];
    int ready = epoll_wait(poll, events, 64, 1000);
    for (int i = 0; i < ready; i++) {
      struct caller *c = events[i].data.ptr;
      ssize_t got = read(c->fd, c->reply + c->held, sizeof c->reply - 1 - c->held);
      if (got <= 0) return fprintf(stderr, "a connection ended: %s\n", strerror(errno)), 1;
      c->held += (size_t)got;
      if (!whole(c, starting)) continue;
      times[done++] = now() - c->began;
      ask(c, port, prefix);
    }
  }
  double took = now() - began;
  if (!done) return fprintf(stderr, "no response\n"), 1;
  qsort(times, done, sizeof *times, by_size);
  printf("{\"a_second\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n", (double)done / took, times[done / 2] * 1000,
         times[done * 99 / 100] * 1000);
  return out ? fclose(out) : 0;
}
