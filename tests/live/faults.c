/* What disks and clocks do at their worst: preloaded into the processes of a post, steered by files in $FAULTS.
 *
 * eio         fsync and fdatasync of the journal fail
 * read-only   nothing can be written to the journal, nor made
 * hours       the system's clock is so many hours ahead (a number, which may be negative)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int path_of(char *out, size_t room, const char *name) {
    const char *folder = getenv("FAULTS");
    return folder && snprintf(out, room, "%s/%s", folder, name) < (int)room;
}

static int is_on(const char *name) {
    char path[4096];
    return path_of(path, sizeof path, name) && access(path, F_OK) == 0;
}

static int is_journal(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return strstr(path, "journal.sqlite") != NULL;
}

static int fails(int fd, const char *fault, int error) {
    if (!is_on(fault) || !is_journal(fd)) return 0;
    errno = error;
    return 1;
}

int fsync(int fd) { return fails(fd, "eio", EIO) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return fails(fd, "eio", EIO) ? -1 : REAL(fdatasync)(fd); }

ssize_t write(int fd, const void *data, size_t n) {
    return fails(fd, "read-only", EROFS) ? -1 : REAL(write)(fd, data, n);
}
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
    return fails(fd, "read-only", EROFS) ? -1 : REAL(pwrite)(fd, data, n, at);
}
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
    return fails(fd, "read-only", EROFS) ? -1 : REAL(pwrite64)(fd, data, n, at);
}

static int opened(__typeof__(&open) real, const char *path, int flags, mode_t mode) {
    if ((flags & (O_WRONLY | O_RDWR)) && strstr(path, "journal.sqlite") && is_on("read-only")) {
        errno = EROFS;
        return -1;
    }
    return real(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return opened(REAL(open), path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return opened(REAL(open64), path, flags, mode);
}

int clock_gettime(clockid_t which, struct timespec *out) {
    int failed = REAL(clock_gettime)(which, out);
    char path[4096];
    if (failed || which != CLOCK_REALTIME || !path_of(path, sizeof path, "hours")) return failed;
    FILE *file = fopen(path, "r");
    double hours = 0;
    if (file) {
        if (fscanf(file, "%lf", &hours) == 1) out->tv_sec += (time_t)(hours * 3600);
        fclose(file);
    }
    return 0;
}
