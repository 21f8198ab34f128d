/* Load generator: PORT CONNECTIONS SIZE. Loopback only.
 *
 * Opens the connections one after the other, with one exchange on each (so a backlog never fills, and every connection
 * has been served once), prints {"ready": CONNECTIONS}, then obeys lines on standard input until it ends:
 *     run SECONDS    every connection sends SIZE bytes, waits for their echo, and again, until the time is up;
 *                    prints {"requests": n, "seconds": elapsed, "cpu": user + system seconds of this process}
 * Answers are compared byte by byte. Ten seconds without an answer, or a wrong one, end the program with status 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_EVENTS = 1024, LARGEST = 16384, STALL_SECONDS = 10 };

struct connection { int fd; int got; };

static struct connection *connections;
static int count, size, poller;
static char message[LARGEST], answer[LARGEST];

static void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static double seconds_of(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void ask(struct connection *c) {
    c->got = 0;
    if (send(c->fd, message, (size_t)size, MSG_NOSIGNAL) != size) die("send: %s", strerror(errno));
}

/* One read; 1 when the answer is whole. */
static int answered(struct connection *c) {
    ssize_t n = recv(c->fd, answer, (size_t)(size - c->got), 0);
    if (n == 0) die("the server closed a connection");
    if (n < 0) {
        if (errno == EINTR) return 0;
        die("recv: %s", errno == EAGAIN ? "no answer in time" : strerror(errno));
    }
    if (memcmp(answer, message + c->got, (size_t)n) != 0) die("the answer is not an echo");
    c->got += (int)n;
    return c->got == size;
}

static void open_all(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    struct timeval patience = {.tv_sec = STALL_SECONDS};
    int one = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < count; i++) {
        struct connection *c = &connections[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0) die("socket %d of %d: %s", i + 1, count, strerror(errno));
        if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0) die("connect: %s", strerror(errno));
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        ask(c);
        while (!answered(c)) continue;
        if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0) die("fcntl: %s", strerror(errno));
        if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event) != 0) die("epoll_ctl: %s", strerror(errno));
    }
}

static void run(double length) {
    static struct epoll_event events[MOST_EVENTS];
    double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID), start = seconds_of(CLOCK_MONOTONIC);
    long done = 0;
    int outstanding = count;
    for (int i = 0; i < count; i++) ask(&connections[i]);
    while (outstanding > 0) {
        int ready = epoll_wait(poller, events, MOST_EVENTS, STALL_SECONDS * 1000);
        int stop = seconds_of(CLOCK_MONOTONIC) - start >= length;
        if (ready == 0) die("%d answers did not come within %d seconds", outstanding, STALL_SECONDS);
        if (ready < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (!answered(c)) continue;
            done++;
            if (stop) outstanding--;
            else ask(c);
        }
    }
    printf("{\"requests\": %ld, \"seconds\": %.6f, \"cpu\": %.6f}\n", done, seconds_of(CLOCK_MONOTONIC) - start,
           seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

int main(int argc, char **argv) {
    struct rlimit files;
    char line[80];
    double length;
    if (argc != 4) die("usage: load PORT CONNECTIONS SIZE");
    count = atoi(argv[2]);
    size = atoi(argv[3]);
    if (count < 1 || size < 1 || size > LARGEST) die("load: CONNECTIONS >= 1 and 1 <= SIZE <= %d", LARGEST);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    for (int i = 0; i < size; i++) message[i] = (char)('!' + i % 90);
    connections = calloc((size_t)count, sizeof *connections);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || poller < 0) die("load: %s", strerror(errno));
    setvbuf(stdout, NULL, _IOLBF, 0);
    open_all(atoi(argv[1]));
    printf("{\"ready\": %d}\n", count);
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "run %lf", &length) != 1) die("load: unknown command: %s", line);
        run(length);
    }
    return 0;
}
