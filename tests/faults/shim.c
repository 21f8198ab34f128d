/* Makes system calls of the process it is preloaded into fail or fall short, at random but repeatably.

   FAULTS="seed=1 short=30 eintr=20 ..." gives the seed and, in per cent of the calls, how often:
     short    reads and writes of stream sockets and pipes move less than they could: 1 byte up to all but 1. More is
              done than the kernel may do: data that was left is not waited for, and no edge will tell of it; a write to
              a pipe is cut below PIPE_BUF.
     eintr    the same calls, poll and epoll_wait return EINTR before anything has happened. More than the kernel does:
              what is ready is not asked for, and CPython takes an interrupted poll with timeout 0 for an empty one.
     accept   accept returns ECONNABORTED, or EMFILE several times in a row; the connection stays in the queue.
     epoll    epoll_ctl that adds a socket or a pipe returns ENOSPC or ENOMEM.
     nobufs   sends return ENOBUFS before anything has happened.
     connect  connect returns EINTR before it has begun, when it is under way, or (unlike the kernel) when it is done.
   FAULTS_LOG names a file to which each process appends, at its end, how many of each there were.

   Never done: EAGAIN that the kernel did not say. No event would follow it, and every edge-triggered program would
   wait for ever. Datagrams and calls with MSG_PEEK are not shortened: what was cut off could not be had again. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

enum { SHORT, EINTR_, ACCEPT, EPOLL, NOBUFS, CONNECT, KINDS };
static const char *const names[KINDS] = {"short", "eintr", "accept", "epoll", "nobufs", "connect"};
static unsigned percent[KINDS];
static atomic_uint done[KINDS];
static atomic_uint_fast64_t steps;
static atomic_int without_descriptors;

__attribute__((constructor)) static void
begin(void)
{
    const char *wish = getenv("FAULTS");
    const char *seed = wish == NULL ? NULL : strstr(wish, "seed=");
    if (seed != NULL)
        steps = strtoull(seed + 5, NULL, 10) << 32;
    for (int kind = 0; wish != NULL && kind < KINDS; kind++) {
        char key[16];
        snprintf(key, sizeof key, "%s=", names[kind]);
        const char *found = strstr(wish, key);
        percent[kind] = found == NULL ? 0 : (unsigned)atoi(found + strlen(key));
    }
}

__attribute__((destructor)) static void
end(void)
{
    const char *path = getenv("FAULTS_LOG");
    FILE *log = path == NULL ? NULL : fopen(path, "a");
    if (log == NULL)
        return;
    for (int kind = 0; kind < KINDS; kind++)
        fprintf(log, "%s %u\n", names[kind], done[kind]);
    fclose(log);
}

/* splitmix64 */
static uint64_t
dice(void)
{
    uint64_t z = atomic_fetch_add(&steps, 1) * 0x9e3779b97f4a7c15ULL + 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static int
strikes(int kind)
{
    if (percent[kind] == 0 || dice() % 100 >= percent[kind])
        return 0;
    done[kind]++;
    return 1;
}

static int
fails(int kind, int error)
{
    if (!strikes(kind))
        return 0;
    errno = error;
    return 1;
}

/* Whether `fd` carries a stream of bytes, in which a short count loses nothing. */
static int
is_stream(int fd)
{
    int before = errno, type = 0;
    struct stat found;
    socklen_t size = sizeof type;
    int answer = fstat(fd, &found) == 0 &&
                 (S_ISFIFO(found.st_mode) || (S_ISSOCK(found.st_mode) &&
                                              getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM));
    errno = before;
    return answer;
}

static size_t
some(size_t size)
{
    return size > 1 && strikes(SHORT) ? 1 + dice() % (size - 1) : size;
}

/* At most `limit` buffers, the last one cut, in `into`; returns how many there are. */
static int
some_of(const struct iovec *from, int count, struct iovec *into, int limit)
{
    size_t size = 0;
    if (count > limit)
        count = limit;
    for (int i = 0; i < count; i++)
        size += from[i].iov_len;
    size_t left = some(size);
    for (int i = 0; i < count; i++) {
        into[i] = from[i];
        if (into[i].iov_len >= left) {
            into[i].iov_len = left;
            return i + 1;
        }
        left -= into[i].iov_len;
    }
    return count;
}

enum { BUFFERS = 64 };

#define REAL(name) \
    static __typeof__(name) *real; \
    if (real == NULL) \
        real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

ssize_t
read(int fd, void *buffer, size_t size)
{
    REAL(read);
    if (is_stream(fd)) {
        if (fails(EINTR_, EINTR))
            return -1;
        size = some(size);
    }
    return real(fd, buffer, size);
}

ssize_t
write(int fd, const void *buffer, size_t size)
{
    REAL(write);
    if (is_stream(fd)) {
        if (fails(EINTR_, EINTR))
            return -1;
        size = some(size);
    }
    return real(fd, buffer, size);
}

ssize_t
recv(int fd, void *buffer, size_t size, int flags)
{
    REAL(recv);
    if (is_stream(fd)) {
        if (fails(EINTR_, EINTR))
            return -1;
        if (!(flags & MSG_PEEK))
            size = some(size);
    }
    return real(fd, buffer, size, flags);
}

ssize_t
recvfrom(int fd, void *buffer, size_t size, int flags, __SOCKADDR_ARG address, socklen_t *length)
{
    REAL(recvfrom);
    if (is_stream(fd)) {
        if (fails(EINTR_, EINTR))
            return -1;
        if (!(flags & MSG_PEEK))
            size = some(size);
    }
    return real(fd, buffer, size, flags, address, length);
}

ssize_t
send(int fd, const void *buffer, size_t size, int flags)
{
    REAL(send);
    if (is_stream(fd)) {
        if (fails(EINTR_, EINTR) || fails(NOBUFS, ENOBUFS))
            return -1;
        size = some(size);
    }
    return real(fd, buffer, size, flags);
}

ssize_t
sendto(int fd, const void *buffer, size_t size, int flags, __CONST_SOCKADDR_ARG address, socklen_t length)
{
    REAL(sendto);
    if (is_stream(fd)) {
        if (fails(EINTR_, EINTR) || fails(NOBUFS, ENOBUFS))
            return -1;
        size = some(size);
    }
    return real(fd, buffer, size, flags, address, length);
}

ssize_t
recvmsg(int fd, struct msghdr *message, int flags)
{
    REAL(recvmsg);
    struct iovec buffers[BUFFERS], *before = message->msg_iov;
    size_t count = message->msg_iovlen;
    if (!is_stream(fd) || (flags & MSG_PEEK))
        return real(fd, message, flags);
    if (fails(EINTR_, EINTR))
        return -1;
    message->msg_iovlen = (size_t)some_of(before, (int)count, buffers, BUFFERS);
    message->msg_iov = buffers;
    ssize_t got = real(fd, message, flags);
    message->msg_iov = before;
    message->msg_iovlen = count;
    return got;
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
    REAL(sendmsg);
    struct iovec buffers[BUFFERS];
    struct msghdr changed = *message;
    if (!is_stream(fd))
        return real(fd, message, flags);
    if (fails(EINTR_, EINTR) || fails(NOBUFS, ENOBUFS))
        return -1;
    changed.msg_iovlen = (size_t)some_of(message->msg_iov, (int)message->msg_iovlen, buffers, BUFFERS);
    changed.msg_iov = buffers;
    return real(fd, &changed, flags);
}

#define VECTORS(name, arguments, pass) \
    ssize_t name arguments \
    { \
        REAL(name); \
        struct iovec buffers[BUFFERS]; \
        if (is_stream(fd)) { \
            if (fails(EINTR_, EINTR)) \
                return -1; \
            count = some_of(vector, count, buffers, BUFFERS); \
            vector = buffers; \
        } \
        return real pass; \
    }

VECTORS(readv, (int fd, const struct iovec *vector, int count), (fd, vector, count))
VECTORS(writev, (int fd, const struct iovec *vector, int count), (fd, vector, count))
VECTORS(preadv2, (int fd, const struct iovec *vector, int count, off_t offset, int flags), (fd, vector, count, offset, flags))
VECTORS(pwritev2, (int fd, const struct iovec *vector, int count, off_t offset, int flags), (fd, vector, count, offset, flags))
VECTORS(preadv64v2, (int fd, const struct iovec *vector, int count, off64_t offset, int flags),
        (fd, vector, count, offset, flags))
VECTORS(pwritev64v2, (int fd, const struct iovec *vector, int count, off64_t offset, int flags),
        (fd, vector, count, offset, flags))

#define SENDFILE(name, offset_type) \
    ssize_t name(int out, int in, offset_type *offset, size_t size) \
    { \
        REAL(name); \
        if (is_stream(out)) { \
            if (fails(EINTR_, EINTR) || fails(NOBUFS, ENOBUFS)) \
                return -1; \
            size = some(size); \
        } \
        return real(out, in, offset, size); \
    }
#undef sendfile
ssize_t sendfile(int, int, off_t *, size_t);
ssize_t sendfile64(int, int, off64_t *, size_t);
SENDFILE(sendfile, off_t)
SENDFILE(sendfile64, off64_t)

ssize_t
splice(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t size, unsigned flags)
{
    REAL(splice);
    if (fails(EINTR_, EINTR))
        return -1;
    return real(in, in_offset, out, out_offset, some(size), flags);
}

/* No descriptors are left, for the next few calls, or this connection was given up by the other end. */
static int
refuses(void)
{
    if (without_descriptors > 0) {
        without_descriptors--;
        errno = EMFILE;
        return 1;
    }
    if (!fails(ACCEPT, ECONNABORTED))
        return 0;
    if (dice() % 2) {
        without_descriptors = (int)(dice() % 3);
        errno = EMFILE;
    }
    return 1;
}

int
accept(int fd, __SOCKADDR_ARG address, socklen_t *length)
{
    REAL(accept);
    return fails(EINTR_, EINTR) || refuses() ? -1 : real(fd, address, length);
}

int
accept4(int fd, __SOCKADDR_ARG address, socklen_t *length, int flags)
{
    REAL(accept4);
    return fails(EINTR_, EINTR) || refuses() ? -1 : real(fd, address, length, flags);
}

int
connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t length)
{
    REAL(connect);
    if (dice() % 2)
        return fails(CONNECT, EINTR) ? -1 : real(fd, address, length);
    int result = real(fd, address, length);
    return (result == 0 || errno == EINPROGRESS) && fails(CONNECT, EINTR) ? -1 : result;
}

int
epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
    REAL(epoll_ctl);
    int result = real(set, operation, fd, event);
    if (result == 0 && operation == EPOLL_CTL_ADD && is_stream(fd) && strikes(EPOLL)) {
        real(set, EPOLL_CTL_DEL, fd, NULL);
        errno = dice() % 2 ? ENOSPC : ENOMEM;
        return -1;
    }
    return result;
}

int
epoll_wait(int set, struct epoll_event *events, int room, int timeout)
{
    REAL(epoll_wait);
    return fails(EINTR_, EINTR) ? -1 : real(set, events, room, timeout);
}

int
poll(struct pollfd *fds, nfds_t count, int timeout)
{
    REAL(poll);
    return fails(EINTR_, EINTR) ? -1 : real(fds, count, timeout);
}

/* What the headers make of some of these calls in programs that were compiled with _FORTIFY_SOURCE. */
ssize_t
__read_chk(int fd, void *buffer, size_t size, size_t room)
{
    (void)room;
    return read(fd, buffer, size);
}

ssize_t
__recv_chk(int fd, void *buffer, size_t size, size_t room, int flags)
{
    (void)room;
    return recv(fd, buffer, size, flags);
}

int
__poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room)
{
    (void)room;
    return poll(fds, count, timeout);
}
