/* Load generator of short connections: PORT SLOTS SIZE. Prints {"ready": SLOTS}, then obeys lines on its input:
 *     run SECONDS    in every slot: connect, send SIZE bytes and read them back (SIZE 0: nothing), say that no more
 *                    will come, wait until the server closes, and again, until the time is up;
 *                    prints {"requests": connections, "seconds": elapsed, "cpu": user + system seconds of this process}
 * A connection counts when the server has closed it, so nothing is left over for the next run.
 */
#include "common.h"

enum { LARGEST = 4096, SOURCES = 200 };

struct slot {
    int fd;
    size_t got;
};

static struct slot *slots;
static size_t size;
static int count, poller, port;
static char message[LARGEST], answer[LARGEST];

static void start(struct slot *s) {
    static unsigned next;
    struct sockaddr_in server = loopback(port), self = loopback(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
    int one = 1;
    s->got = 0;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0) die("socket: %s", strerror(errno));
    /* The side that closes first keeps the port for a minute. Many source addresses: the ports do not run out. */
    self.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + next++ % SOURCES);
    setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(s->fd, (struct sockaddr *)&self, sizeof self) != 0) die("bind: %s", strerror(errno));
    if (connect(s->fd, (struct sockaddr *)&server, sizeof server) != 0) die("connect: %s", strerror(errno));
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (size > 0 && send(s->fd, message, size, 0) != (ssize_t)size) die("send: %s", strerror(errno));
    if (size == 0) shutdown(s->fd, SHUT_WR);
    if (epoll_ctl(poller, EPOLL_CTL_ADD, s->fd, &event) != 0) die("epoll_ctl: %s", strerror(errno));
}

/* One read; 1 when the server has closed after its whole answer. */
static int finished(struct slot *s) {
    ssize_t n = recv(s->fd, answer, sizeof answer, MSG_DONTWAIT);
    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR) return 0;
        die("recv: %s", strerror(errno));
    }
    if (n == 0) {
        if (s->got != size) die("the server closed before it had answered");
        close(s->fd);
        return 1;
    }
    if (s->got + (size_t)n > size || memcmp(answer, message + s->got, (size_t)n) != 0) die("a wrong answer");
    s->got += (size_t)n;
    if (s->got == size) shutdown(s->fd, SHUT_WR);
    return 0;
}

static void run(double length) {
    static struct epoll_event events[MOST_EVENTS];
    double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID), begin = seconds_of(CLOCK_MONOTONIC);
    long done = 0;
    int outstanding = count;
    for (int i = 0; i < count; i++) start(&slots[i]);
    while (outstanding > 0) {
        int ready = epoll_wait(poller, events, MOST_EVENTS, STALL_SECONDS * 1000);
        int stop = seconds_of(CLOCK_MONOTONIC) - begin >= length;
        if (ready == 0) die("%d connections were not closed within %d seconds", outstanding, STALL_SECONDS);
        if (ready < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
        for (int i = 0; i < ready; i++) {
            if (!finished(events[i].data.ptr)) continue;
            done++;
            if (stop) outstanding--;
            else start(events[i].data.ptr);
        }
    }
    printf("{\"requests\": %ld, \"seconds\": %.6f, \"cpu\": %.6f}\n", done, seconds_of(CLOCK_MONOTONIC) - begin,
           seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

int main(int argc, char **argv) {
    char line[80];
    double length;
    if (argc != 4) die("usage: churn PORT SLOTS SIZE");
    port = atoi(argv[1]);
    count = atoi(argv[2]);
    size = (size_t)atol(argv[3]);
    if (count < 1 || size > LARGEST) die("churn: SLOTS >= 1 and SIZE <= %d", LARGEST);
    prepare();
    fill(message, size);
    slots = calloc((size_t)count, sizeof *slots);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (slots == NULL || poller < 0) die("churn: %s", strerror(errno));
    printf("{\"ready\": %d}\n", count);
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "run %lf", &length) != 1) die("churn: unknown command: %s", line);
        run(length);
    }
    return 0;
}
