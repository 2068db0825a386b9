/* Makes the n-th call of a process to its TCP sockets or its ledger's files fail, as a network, a peer or a disk would make it
   fail, and sets its clocks. Loaded before libc's own. What is to happen is read from the shared page NTH_CONTROL at every
   call, so one process can be asked again and again: `fails` names the kind of call (0: none), `first` which one from 1,
   `many` how many fail then, `how` with which errno; END reads the end of the stream, SHORT moves one byte only, KILLED
   ends the process before the call is made. `calls` counts every kind. Of files, those count whose path holds NTH_FILE.
   `wall_s` is how wrong the clock is that people set; `slept_s` how long the machine has slept, which only the
   monotonic clock does not see. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { NONE, SOCKET, CONNECT, CONNECTED, ACCEPT, READ, WRITE, OPTION, CLOSE, DISK, KINDS };
enum { END = -1, SHORT = -2, KILLED = -3 };

static struct { long fails, first, many, how, failed, wall_s, slept_s, calls[KINDS]; } *control;

__attribute__((constructor)) static void mapped(void) {
    const char *path = getenv("NTH_CONTROL");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    control = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (control == MAP_FAILED) control = NULL;
    close(fd);
}

#define REAL(name) __typeof__(name) *real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int is_tcp(int fd) {
    REAL(getsockopt);
    int before = errno, domain = 0, kind = 0;
    socklen_t size = sizeof(int);
    int found = fd >= 0 && real(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_INET
        && real(fd, SOL_SOCKET, SO_TYPE, &kind, &size) == 0 && kind == SOCK_STREAM;
    errno = before;
    return found;
}

/* Counts the call; returns 0 where it is to be made as it is, else how it fails. */
static long counted(int kind) {
    long now = __atomic_add_fetch(&control->calls[kind], 1, __ATOMIC_SEQ_CST);
    if (control->fails != kind || now < control->first || now >= control->first + control->many) return 0;
    __atomic_add_fetch(&control->failed, 1, __ATOMIC_SEQ_CST);
    if (control->how == KILLED) kill(getpid(), SIGKILL);
    if (control->how > 0) errno = (int)control->how;
    return control->how;
}
static long fate(int kind, int fd) { return control != NULL && is_tcp(fd) ? counted(kind) : 0; }

static int is_file(int fd) {
    char link[64], path[4096];
    const char *wanted = getenv("NTH_FILE");
    if (wanted == NULL || fd < 0) return 0;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, wanted) != NULL;
}
static int disk(int fd) { return control != NULL && is_file(fd) && counted(DISK) > 0; }

int socket(int domain, int type, int protocol) {
    REAL(socket);
    if (control != NULL && domain == AF_INET && (type & 0xf) == SOCK_STREAM && counted(SOCKET)) return -1;
    return real(domain, type, protocol);
}
int connect(int fd, const struct sockaddr *to, socklen_t size) {
    REAL(connect);
    return fate(CONNECT, fd) ? -1 : real(fd, to, size);
}
/* A connection that was begun and comes to nothing says so here. */
int getsockopt(int fd, int level, int name, void *value, socklen_t *size) {
    REAL(getsockopt);
    int done = real(fd, level, name, value, size);
    if (level == SOL_SOCKET && name == SO_ERROR && done == 0) {
        long how = fate(CONNECTED, fd);
        if (how > 0) *(int *)value = (int)how;
    }
    return done;
}
int setsockopt(int fd, int level, int name, const void *value, socklen_t size) {
    REAL(setsockopt);
    return fate(OPTION, fd) ? -1 : real(fd, level, name, value, size);
}
int accept4(int fd, struct sockaddr *from, socklen_t *size, int flags) {
    REAL(accept4);
    return fate(ACCEPT, fd) ? -1 : real(fd, from, size, flags);
}
ssize_t read(int fd, void *data, size_t size) {
    REAL(read);
    long how = fate(READ, fd);
    return how > 0 || disk(fd) ? -1 : how == END ? 0 : real(fd, data, how == SHORT && size ? 1 : size);
}
ssize_t recv(int fd, void *data, size_t size, int flags) {
    REAL(recv);
    long how = fate(READ, fd);
    return how > 0 ? -1 : how == END ? 0 : real(fd, data, how == SHORT && size ? 1 : size, flags);
}
ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    long how = fate(WRITE, fd);
    return how > 0 || disk(fd) ? -1 : real(fd, data, how == SHORT && size ? 1 : size);
}
ssize_t send(int fd, const void *data, size_t size, int flags) {
    REAL(send);
    long how = fate(WRITE, fd);
    return how > 0 ? -1 : real(fd, data, how == SHORT && size ? 1 : size, flags);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    long how = fate(WRITE, fd);
    struct iovec one = {count ? parts[0].iov_base : NULL, count && parts[0].iov_len ? 1 : 0};
    return how > 0 ? -1 : how == SHORT && one.iov_len ? real(fd, &one, 1) : real(fd, parts, count);
}
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    REAL(sendmsg);
    return fate(WRITE, fd) > 0 ? -1 : real(fd, message, flags);
}
/* The socket is closed all the same: a close that fails has still closed, on Linux. */
int close(int fd) {
    REAL(close);
    long how = fate(CLOSE, fd);
    int done = real(fd);
    if (how > 0) { errno = (int)how; return -1; }
    return done;
}
/* libuv closes through here. */
long syscall(long number, ...) {
    REAL(syscall);
    va_list rest;
    va_start(rest, number);
    long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long), d = va_arg(rest, long),
         e = va_arg(rest, long), f = va_arg(rest, long);
    va_end(rest);
    long how = number == SYS_close ? fate(CLOSE, (int)a) : 0, done = real(number, a, b, c, d, e, f);
    if (how > 0) { errno = (int)how; return -1; }
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(pwrite);
    return disk(fd) ? -1 : real(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(pwrite64);
    return disk(fd) ? -1 : real(fd, data, size, at);
}
ssize_t pread(int fd, void *data, size_t size, off_t at) {
    REAL(pread);
    return disk(fd) ? -1 : real(fd, data, size, at);
}
ssize_t pread64(int fd, void *data, size_t size, off64_t at) {
    REAL(pread64);
    return disk(fd) ? -1 : real(fd, data, size, at);
}
int fsync(int fd) {
    REAL(fsync);
    return disk(fd) ? -1 : real(fd);
}
int fdatasync(int fd) {
    REAL(fdatasync);
    return disk(fd) ? -1 : real(fd);
}
int ftruncate64(int fd, off64_t size) {
    REAL(ftruncate64);
    return disk(fd) ? -1 : real(fd, size);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static __typeof__(clock_gettime) *real;
    if (real == NULL) real = (__typeof__(clock_gettime) *)dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(clock, now);
    if (control == NULL || done != 0) return done;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += control->wall_s + control->slept_s;
    if (clock == CLOCK_BOOTTIME) now->tv_sec += control->slept_s;
    return 0;
}
