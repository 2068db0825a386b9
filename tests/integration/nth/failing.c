/* Makes the n-th call that a process makes to the disk fail, from then on for a while or for ever. Loaded before libc's own.
   Only files whose name holds NTH_FILE count. NTH_CALL: which call, from 1; 0 counts only. NTH_TIMES: how many fail.
   NTH_ERROR: with which errno. The number of calls is written to NTH_COUNT at the end. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static long calls;

static int counted(int fd) {
    char link[64], path[4096];
    const char *wanted = getenv("NTH_FILE");
    if (wanted == NULL || fd < 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, wanted) != NULL;
}

static int fails(void) {
    const char *call = getenv("NTH_CALL"), *times = getenv("NTH_TIMES"), *error = getenv("NTH_ERROR");
    long now = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    long first = call ? atol(call) : 0, many = times ? atol(times) : 1;
    if (first == 0 || now < first || now >= first + many) return 0;
    errno = error ? atoi(error) : EIO;
    return 1;
}

__attribute__((destructor)) static void told(void) {
    const char *path = getenv("NTH_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) { fprintf(file, "%ld\n", calls); fclose(file); }
}

#define REAL(name) __typeof__(name) *real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(pwrite);
    return counted(fd) && fails() ? -1 : real(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(pwrite64);
    return counted(fd) && fails() ? -1 : real(fd, data, size, at);
}
ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    return counted(fd) && fails() ? -1 : real(fd, data, size);
}
ssize_t pread64(int fd, void *data, size_t size, off64_t at) {
    REAL(pread64);
    return counted(fd) && fails() ? -1 : real(fd, data, size, at);
}
ssize_t pread(int fd, void *data, size_t size, off_t at) {
    REAL(pread);
    return counted(fd) && fails() ? -1 : real(fd, data, size, at);
}
int fsync(int fd) {
    REAL(fsync);
    return counted(fd) && fails() ? -1 : real(fd);
}
int fdatasync(int fd) {
    REAL(fdatasync);
    return counted(fd) && fails() ? -1 : real(fd);
}
int ftruncate64(int fd, off64_t size) {
    REAL(ftruncate64);
    return counted(fd) && fails() ? -1 : real(fd, size);
}
