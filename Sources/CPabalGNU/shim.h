// glibc shows these under _GNU_SOURCE only, and Swift's Glibc module is built without it.
#include <stdlib.h>

extern char *secure_getenv(const char *name);
extern int renameat2(int from_directory, const char *from, int to_directory, const char *to,
                     unsigned int flags);
static const unsigned int pabal_rename_noreplace = 1; // RENAME_NOREPLACE, <linux/fs.h>
