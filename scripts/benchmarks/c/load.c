/* Load generator: PORT CONNECTIONS ASK ANSWER [TEXT BEGINNING [OPENING SIZE]]. Loopback only; with -DTLS it speaks TLS.
 *
 * Opens the connections, AT_ONCE at a time (so a backlog never fills), with one exchange on each, prints
 * {"ready": CONNECTIONS}, then obeys lines on standard input until it ends:
 *     run SECONDS    every connection sends ASK bytes, waits for ANSWER bytes, and again, until the time is up;
 *                    prints {"requests": n, "seconds": elapsed, "cpu": user + system seconds of this process}
 * With a TEXT that is what is asked, and ASK its length; an answer has to begin with BEGINNING then.
 * An OPENING is asked once on each connection, before all else: the handshake of WebSocket, answered with SIZE bytes.
 * Answers are compared byte by byte. STALL_SECONDS without an answer, or a wrong one, end the program with status 1.
 */
#include "common.h"

enum { AT_ONCE = 64 };

/* What is asked, and what the answer has to be: its length, and as much of it as is known. */
struct exchange {
    const char *message, *beginning;
    size_t ask_size, answer_size, beginning_size;
};

struct connection {
    struct stream stream;
    const struct exchange *exchange;
    size_t sent, got;
};

static struct exchange usual, opening;
static struct connection *connections;
static int count, poller;
static char *answer;

/* Send what there is room for. */
static void push(struct connection *c) {
    const struct exchange *e = c->exchange;
    while (c->sent < e->ask_size) {
        ssize_t n = stream_write(&c->stream, e->message + c->sent, e->ask_size - c->sent);
        if (n > 0) c->sent += (size_t)n;
        else if (errno == EAGAIN) return;
        else if (errno != EINTR) die("send: %s", strerror(errno));
    }
}

/* Read what there is; 1 when the answer is whole. */
static int pull(struct connection *c) {
    const struct exchange *e = c->exchange;
    while (c->got < e->answer_size) {
        ssize_t n = stream_read(&c->stream, answer, e->answer_size - c->got);
        if (n == 0) die("the server closed a connection");
        if (n < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) return 0;
            die("recv: %s", strerror(errno));
        }
        if (c->got < e->beginning_size) {
            size_t known = e->beginning_size - c->got;
            if (memcmp(answer, e->beginning + c->got, known < (size_t)n ? known : (size_t)n) != 0)
                die("a wrong answer");
        }
        c->got += (size_t)n;
    }
    return 1;
}

static void ask(struct connection *c) {
    c->sent = c->got = 0;
    push(c);
}

/* Connect; the descriptor is still blocking. */
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
}

/* One exchange on each of these connections, which are still blocking. */
static void exchange_all(struct connection *first, struct connection *end, const struct exchange *e) {
    for (struct connection *c = first; c < end; c++) {
        c->exchange = e;
        ask(c);
        if (c->sent < e->ask_size) die("no room for a message in time");
    }
    for (struct connection *c = first; c < end; c++)
        if (!pull(c)) die("no answer in time");
}

static void open_all(int port) {
    for (int done = 0; done < count; done += AT_ONCE) {
        struct connection *first = &connections[done];
        struct connection *end = &connections[done + AT_ONCE < count ? done + AT_ONCE : count];
        for (struct connection *c = first; c < end; c++) open_one(c, port);
        if (opening.message != NULL) exchange_all(first, end, &opening);
        exchange_all(first, end, &usual);
        for (struct connection *c = first; c < end; c++) {
            /* Edge-triggered: a message that does not fit goes on when there is room; small ones need no epoll_ctl. */
            struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
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
            if (c->got == usual.answer_size) continue; /* it has stopped, and this is the edge of its last send */
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

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

/* What the arguments say about the exchanges, and memory for them. */
static void plan(int argc, char **argv) {
    usual = (struct exchange){.ask_size = (size_t)atol(argv[3]), .answer_size = (size_t)atol(argv[4])};
    if (argc > 5) {
        usual.message = argv[5];
        usual.ask_size = strlen(argv[5]);
        usual.beginning = argv[6];
        usual.beginning_size = strlen(argv[6]);
    } else {
        size_t largest = larger(usual.ask_size, usual.answer_size);
        char *text = malloc(largest);
        if (text == NULL) die("load: no memory");
        fill(text, largest);
        usual.message = usual.beginning = text;
        usual.beginning_size = usual.answer_size;
    }
    if (argc > 7) {
        opening = (struct exchange){.message = argv[7], .beginning = "HTTP/1.1 101 "};
        opening.ask_size = strlen(argv[7]);
        opening.answer_size = (size_t)atol(argv[8]);
        opening.beginning_size = strlen(opening.beginning);
    }
    if (count < 1 || usual.ask_size < 1 || usual.answer_size < 1) die("load: nothing to do");
    answer = malloc(larger(usual.answer_size, opening.answer_size));
    connections = calloc((size_t)count, sizeof *connections);
    if (answer == NULL || connections == NULL) die("load: no memory");
}

int main(int argc, char **argv) {
    char line[80];
    double length;
    if (argc != 5 && argc != 7 && argc != 9)
        die("usage: load PORT CONNECTIONS ASK ANSWER [TEXT BEGINNING [OPENING SIZE]]");
    count = atoi(argv[2]);
    prepare();
    stream_setup(NULL);
    plan(argc, argv);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) die("epoll_create1: %s", strerror(errno));
    open_all(atoi(argv[1]));
    printf("{\"ready\": %d}\n", count);
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "run %lf", &length) != 1) die("load: unknown command: %s", line);
        run(length);
    }
    return 0;
}
