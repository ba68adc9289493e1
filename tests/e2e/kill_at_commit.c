/* Loaded into a process by LD_PRELOAD: kills it at one commit of its SQLite file. The file
 * $KILL_AT_COMMIT holds MOMENT COUNT: the process dies at the COUNT-th commit from now on, `before`
 * its first write to the write-ahead log, `within` it (the log is written and not yet synced), or
 * `after` the sync. The file is removed first: it happens once. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_in_commit; /* the log was written since the last sync; SQLite runs on one thread */

static int is_log(int descriptor) {
  char link[64], path[4096];
  const char ending[] = "/state.db-wal";
  ssize_t size;
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  size = readlink(link, path, sizeof path - 1);
  if (size < (ssize_t)sizeof ending) return 0;
  path[size] = 0;
  return strcmp(path + size - (sizeof ending - 1), ending) == 0;
}

/* Counts the commit down if `moment` is the one of the file. */
static void pass(const char* moment) {
  const char* name = getenv("KILL_AT_COMMIT");
  char wanted[16] = "";
  int count = 0;
  FILE* file = name ? fopen(name, "r+") : NULL;
  if (!file) return;
  if (fscanf(file, "%15s %d", wanted, &count) != 2 || strcmp(wanted, moment) != 0) {
    fclose(file);
    return;
  }
  if (count > 1) {
    rewind(file);
    fprintf(file, "%s %d \n", moment, count - 1);
    fclose(file);
    return;
  }
  fclose(file);
  unlink(name);
  kill(getpid(), SIGKILL);
}

static void begin(int descriptor) {
  if (is_in_commit || !is_log(descriptor)) return;
  pass("before");
  is_in_commit = 1;
}

ssize_t pwrite64(int descriptor, const void* bytes, size_t size, off64_t at) {
  ssize_t (*next)(int, const void*, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
  begin(descriptor);
  return next(descriptor, bytes, size, at);
}

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t at) {
  return pwrite64(descriptor, bytes, size, at);
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
  ssize_t (*next)(int, const void*, size_t) = dlsym(RTLD_NEXT, "write");
  begin(descriptor);
  return next(descriptor, bytes, size);
}

static int sync_by(const char* name, int descriptor) {
  int (*next)(int) = dlsym(RTLD_NEXT, name);
  int is_commit = is_in_commit && is_log(descriptor), result;
  if (is_commit) pass("within");
  result = next(descriptor);
  if (is_commit) {
    is_in_commit = 0;
    pass("after");
  }
  return result;
}

int fsync(int descriptor) {
  return sync_by("fsync", descriptor);
}
int fdatasync(int descriptor) {
  return sync_by("fdatasync", descriptor);
}
