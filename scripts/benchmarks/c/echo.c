/* The floor of the server rows: JOB SIZE [CERTIFICATE]; one epoll, the system calls of the job, nothing else. Prints
 * {"port": n}. With -DTLS it speaks TLS.
 *     echo        what comes is sent back; SIZE means nothing
 *     receive     for every SIZE bytes one byte
 *     send        for every byte SIZE bytes
 *     sendfile    the same out of a file
 */
#include "common.h"
#include <poll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

struct connection {
    struct stream stream;
    size_t got;
};

static const char *job;
static size_t size, room;
static char *data;
static int file;

static void wait_for_room(struct connection *c) {
    struct pollfd fd = {.fd = c->stream.fd, .events = POLLOUT};
    poll(&fd, 1, STALL_SECONDS * 1000);
}

/* 0 when the connection is broken. */
static int send_all(struct connection *c, size_t n, int from_file) {
    off_t place = 0;
    for (size_t sent = 0; sent < n;) {
        ssize_t k = from_file ? sendfile(c->stream.fd, file, &place, n - sent)
                              : stream_write(&c->stream, data + sent, n - sent);
        if (k > 0) sent += (size_t)k;
        else if (k < 0 && errno == EAGAIN) wait_for_room(c);
        else if (k == 0 || errno != EINTR) return 0;
    }
    return 1;
}

/* Answer what has come; 0 when the connection is to be closed. */
static int serve(struct connection *c) {
    static char scratch[1 << 16];
    int echoes = *job == 'e', receives = *job == 'r';
    char *place = echoes ? data : receives ? data + 1 + c->got : scratch;
    ssize_t n = stream_read(&c->stream, place, echoes ? room : receives ? size - c->got : 1);
    if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
    if (echoes) return send_all(c, (size_t)n, 0);
    if (!receives) return send_all(c, size, strcmp(job, "sendfile") == 0);
    c->got += (size_t)n;
    if (c->got < size) return 1;
    c->got = 0;
    return send_all(c, 1, 0); /* data[0] is never overwritten */
}

static void open_file(void) {
    file = memfd_create("answer", MFD_CLOEXEC);
    if (file < 0) die("memfd_create: %s", strerror(errno));
    for (size_t written = 0; written < size;) {
        ssize_t n = write(file, data + written, size - written);
        if (n < 0) die("write: %s", strerror(errno));
        written += (size_t)n;
    }
}

int main(int argc, char **argv) {
    static struct epoll_event events[MOST_EVENTS];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    int listener, poller = epoll_create1(EPOLL_CLOEXEC);
    if (argc < 3) die("usage: echo JOB SIZE [CERTIFICATE]");
    job = argv[1];
    size = (size_t)atol(argv[2]);
    room = size > 4096 ? size : 4096;
    data = malloc(room + 1);
    if (data == NULL) die("no memory");
    fill(data, room);
    prepare();
    stream_setup(argc > 3 ? argv[3] : NULL);
    open_file();
    listener = announce();
    if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) != 0) die("epoll: %s", strerror(errno));
    for (;;) {
        int ready = epoll_wait(poller, events, MOST_EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (c != NULL) {
                if (serve(c)) continue;
                stream_close(&c->stream);
                free(c);
                continue;
            }
            int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) continue;
            c = calloc(1, sizeof *c);
            if (c == NULL) die("no memory");
            stream_open(&c->stream, fd, 1);
            event.data.ptr = c;
            if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl: %s", strerror(errno));
        }
    }
}
