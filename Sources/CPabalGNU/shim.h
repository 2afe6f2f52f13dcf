// glibc declares these only with _GNU_SOURCE, without which Swift's Glibc module is built.
#include <link.h>
#include <stdlib.h>
#include <string.h>

extern char *secure_getenv(const char *name);
extern int renameat2(int from_directory, const char *from, int to_directory, const char *to,
                     unsigned int flags);
static const unsigned int pabal_rename_noreplace = 1; // RENAME_NOREPLACE, <linux/fs.h>
extern int pipe2(int ends[2], int flags);
// `actions` is a posix_spawn_file_actions_t; since glibc 2.34 and 2.29.
extern int posix_spawn_file_actions_addclosefrom_np(void *actions, int from);
extern int posix_spawn_file_actions_addchdir_np(void *actions, const char *path);
extern int dlinfo(void *library, int request, void *argument);
// Renames a library for debuggers and backtraces, which show the name that it was opened with.
static inline void pabal_rename_library(void *library, const char *from, const char *to) {
  struct link_map *map = NULL;
  if (dlinfo(library, 2 /* RTLD_DI_LINKMAP */, &map) != 0 || map == NULL) return;
  char *name = strcmp(map->l_name, from) == 0 ? strdup(to) : NULL;
  if (name != NULL) map->l_name = name;
}
extern int malloc_trim(size_t pad); // <malloc.h>, which Swift's Glibc module doesn't include
extern int memfd_create(const char *name, unsigned int flags); // <sys/mman.h>, since glibc 2.27
