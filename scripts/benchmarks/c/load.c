/* Load generator: PORT CONNECTIONS ASK ANSWER [TEXT]. Loopback only; with -DTLS it speaks TLS.
 *
 * Opens the connections, AT_ONCE at a time (so a backlog never fills), with one exchange on each, prints
 * {"ready": CONNECTIONS}, then obeys lines on standard input until it ends:
 *     run SECONDS    every connection sends ASK bytes, waits for ANSWER bytes, and again, until the time is up;
 *                    prints {"requests": n, "seconds": elapsed, "cpu": user + system seconds of this process}
 * With a TEXT that is what is asked, and ASK its length; of an answer only the first line is looked at then.
 * Answers are compared byte by byte. STALL_SECONDS without an answer, or a wrong one, end the program with status 1.
 */
#include "common.h"

enum { AT_ONCE = 64 };

struct connection {
    struct stream stream;
    size_t sent, got;
};

static struct connection *connections;
static size_t ask_size, answer_size;
static int count, poller;
static char *message, *answer, *text;

/* Send what there is room for. */
static void push(struct connection *c) {
    while (c->sent < ask_size) {
        ssize_t n = stream_write(&c->stream, message + c->sent, ask_size - c->sent);
        if (n > 0) c->sent += (size_t)n;
        else if (errno == EAGAIN) return;
        else if (errno != EINTR) die("send: %s", strerror(errno));
    }
}

/* Read what there is; 1 when the answer is whole. */
static int pull(struct connection *c) {
    while (c->got < answer_size) {
        ssize_t n = stream_read(&c->stream, answer, answer_size - c->got);
        if (n == 0) die("the server closed a connection");
        if (n < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) return 0;
            die("recv: %s", strerror(errno));
        }
        if (text == NULL ? memcmp(answer, message + c->got, (size_t)n) != 0
                         : c->got == 0 && (n < 12 || memcmp(answer, "HTTP/1.1 200", 12) != 0))
            die("a wrong answer");
        c->got += (size_t)n;
    }
    return 1;
}

static void ask(struct connection *c) {
    c->sent = c->got = 0;
    push(c);
}

/* Connect, still blocking, and ask. */
static void open_one(struct connection *c, int port) {
    struct sockaddr_in address = loopback(port);
    struct timeval patience = {.tv_sec = STALL_SECONDS};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket: %s", strerror(errno));
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) die("connect: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    stream_open(&c->stream, fd, 0);
    ask(c);
    if (c->sent < ask_size) die("no room for a message in time");
}

static void open_all(int port) {
    for (int first = 0; first < count; first += AT_ONCE) {
        int end = first + AT_ONCE < count ? first + AT_ONCE : count;
        for (int i = first; i < end; i++) open_one(&connections[i], port);
        for (int i = first; i < end; i++) {
            struct connection *c = &connections[i];
            /* Edge-triggered: a message that does not fit goes on when there is room; small ones need no epoll_ctl. */
            struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
            if (!pull(c)) die("no answer in time");
            if (fcntl(c->stream.fd, F_SETFL, O_NONBLOCK) != 0) die("fcntl: %s", strerror(errno));
            if (epoll_ctl(poller, EPOLL_CTL_ADD, c->stream.fd, &event) != 0) die("epoll_ctl: %s", strerror(errno));
        }
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
            if (c->got == answer_size) continue; /* it has stopped, and this is the edge of its last send */
            push(c);
            if (!pull(c)) continue;
            done++;
            if (stop) outstanding--;
            else ask(c);
        }
    }
    printf("{\"requests\": %ld, \"seconds\": %.6f, \"cpu\": %.6f}\n", done, seconds_of(CLOCK_MONOTONIC) - start,
           seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

int main(int argc, char **argv) {
    char line[80];
    double length;
    size_t largest;
    if (argc != 5 && argc != 6) die("usage: load PORT CONNECTIONS ASK ANSWER [TEXT]");
    text = argc == 6 ? argv[5] : NULL;
    count = atoi(argv[2]);
    ask_size = text == NULL ? (size_t)atol(argv[3]) : strlen(text);
    answer_size = (size_t)atol(argv[4]);
    largest = ask_size > answer_size ? ask_size : answer_size;
    if (count < 1 || ask_size < 1 || answer_size < 1) die("load: nothing to do");
    prepare();
    stream_setup(NULL);
    message = malloc(largest);
    answer = malloc(largest);
    connections = calloc((size_t)count, sizeof *connections);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (message == NULL || answer == NULL || connections == NULL || poller < 0) die("load: %s", strerror(errno));
    fill(message, largest);
    if (text != NULL) memcpy(message, text, ask_size);
    open_all(atoi(argv[1]));
    printf("{\"ready\": %d}\n", count);
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "run %lf", &length) != 1) die("load: unknown command: %s", line);
        run(length);
    }
    return 0;
}
