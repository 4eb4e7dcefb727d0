/* An older kernel or a poor network card, for one process: LD_PRELOAD this and name in
   NRS_TEST_FAULT the call that fails. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { TUNSETOFFLOAD = 0x400454d0, LEVEL_UDP = 17, UDP_SEGMENT = 103, UDP_GRO = 104 };
enum { ANY = 0x7f, TSO = 0x06, USO = 0x60, GSO_UDP = 5 };

static int tun = -1;

static int fault(const char *name) {
    const char *wanted = getenv("NRS_TEST_FAULT");
    return wanted && !strcmp(wanted, name);
}

static int refuse(int error) {
    errno = error;
    return -1;
}

int ioctl(int fd, unsigned long request, ...) {
    int (*next)(int, unsigned long, unsigned long) = dlsym(RTLD_NEXT, "ioctl");
    va_list list;
    va_start(list, request);
    unsigned long argument = va_arg(list, unsigned long);
    va_end(list);
    if ((request & 0xffffffff) == TUNSETOFFLOAD) tun = fd;
    if ((request & 0xffffffff) == TUNSETOFFLOAD &&
        ((fault("no-uso") && argument & USO) || (fault("no-tso") && argument & (TSO | USO)) ||
         (fault("no-csum") && argument & ANY)))
        return refuse(EINVAL);
    return next(fd, request, argument);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
    int (*next)(int, int, int, const void *, socklen_t) = dlsym(RTLD_NEXT, "setsockopt");
    if (level == LEVEL_UDP && name == UDP_GRO && fault("no-gro")) return refuse(ENOPROTOOPT);
    return next(fd, level, name, value, length);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    ssize_t (*next)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
    struct cmsghdr *c = message->msg_control ? CMSG_FIRSTHDR(message) : NULL;
    for (; c; c = CMSG_NXTHDR((struct msghdr *)message, c))
        if (c->cmsg_level == LEVEL_UDP && c->cmsg_type == UDP_SEGMENT) {
            if (fault("segment-eio")) return refuse(EIO);
            if (fault("segment-eopnotsupp")) return refuse(EOPNOTSUPP);
        }
    return next(fd, message, flags);
}

/* A kernel without USO refuses a UDP super-packet. */
static int refused(int fd, const void *frame, size_t length) {
    return fd == tun && length > 1 && ((const unsigned char *)frame)[1] == GSO_UDP &&
           (fault("no-uso") || fault("no-tso") || fault("no-csum"));
}

ssize_t write(int fd, const void *data, size_t length) {
    ssize_t (*next)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    return refused(fd, data, length) ? refuse(EINVAL) : next(fd, data, length);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    ssize_t (*next)(int, const struct iovec *, int) = dlsym(RTLD_NEXT, "writev");
    return count && refused(fd, parts->iov_base, parts->iov_len) ? refuse(EINVAL) : next(fd, parts, count);
}
