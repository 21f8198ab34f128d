/* A web server for the client rows, on epoll: every request is answered with the same kilobyte. Prints {"port": n}.
 *
 * It is as fast as it needs to be for any client in Python to be the bottleneck, and no more: requests have no body,
 * and a client sends the next one when it has the answer.
 */
#include "common.h"

enum { LARGEST = 8192, BODY = 1024 };

struct request {
    int fd;
    size_t got;
    char text[LARGEST];
};

static int poller;
static char kept[BODY + 200], closing[BODY + 200];
static size_t kept_size, closing_size;

static size_t compose(char *to, const char *connection) {
    const char *form = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n";
    int head = sprintf(to, form, BODY, connection);
    fill(to + head, BODY);
    return (size_t)head + BODY;
}

static void drop(struct request *r) {
    close(r->fd);
    free(r);
}

static void serve(struct request *r) {
    ssize_t n = recv(r->fd, r->text + r->got, sizeof r->text - 1 - r->got, 0);
    int last;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        drop(r);
        return;
    }
    r->got += (size_t)n;
    r->text[r->got] = '\0';
    if (strstr(r->text, "\r\n\r\n") == NULL) {
        if (r->got == sizeof r->text - 1) drop(r);
        return;
    }
    last = strcasestr(r->text, "connection: close") != NULL;
    r->got = 0;
    /* The answer fits the buffer of a socket whose last answer was read. */
    if (send(r->fd, last ? closing : kept, last ? closing_size : kept_size, MSG_NOSIGNAL) < 0 || last) drop(r);
}

int main(void) {
    static struct epoll_event events[MOST_EVENTS];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    int listener;
    prepare();
    kept_size = compose(kept, "keep-alive");
    closing_size = compose(closing, "close");
    listener = announce();
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) != 0) die("epoll: %s", strerror(errno));
    for (;;) {
        int ready = epoll_wait(poller, events, MOST_EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            struct request *r = events[i].data.ptr;
            if (r != NULL) {
                serve(r);
                continue;
            }
            int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) continue;
            r = malloc(sizeof *r);
            if (r == NULL) die("no memory");
            r->fd = fd;
            r->got = 0;
            event.data.ptr = r;
            if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) drop(r);
        }
    }
}
