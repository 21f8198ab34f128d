/* What the C programs share: errors that end them, clocks, limits, a listener on loopback, and streams that are plain
 * or, compiled with -DTLS, OpenSSL's. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifdef TLS
#include <openssl/ssl.h>
#endif

#define UNUSED __attribute__((unused))

enum { MOST_EVENTS = 1024, STALL_SECONDS = 20 };

UNUSED static void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

UNUSED static double seconds_of(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* As many descriptors as may be, lines on standard output at once, no SIGPIPE. */
UNUSED static void prepare(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
}

UNUSED static struct sockaddr_in loopback(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* A non-blocking listener on a free port, which is printed as {"port": n}. The program ends with its parent. */
UNUSED static int announce(void) {
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (listener < 0) die("socket: %s", strerror(errno));
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0) die("bind: %s", strerror(errno));
    if (listen(listener, 1024) != 0) die("listen: %s", strerror(errno));
    if (getsockname(listener, (struct sockaddr *)&address, &length) != 0) die("getsockname: %s", strerror(errno));
    printf("{\"port\": %d}\n", ntohs(address.sin_port));
    return listener;
}

/* The text of all messages: '!' to 'z', over and over. */
UNUSED static void fill(char *text, size_t size) {
    for (size_t i = 0; i < size; i++) text[i] = (char)('!' + i % 90);
}

struct stream {
    int fd;
    void *tls;
};

#ifdef TLS
static SSL_CTX *context;

/* `certificate` is a PEM file with its key: this is a server. NULL: a client, which believes every server. */
static void stream_setup(const char *certificate) {
    context = SSL_CTX_new(certificate ? TLS_server_method() : TLS_client_method());
    if (context == NULL) die("SSL_CTX_new");
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (certificate && (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
                        SSL_CTX_use_PrivateKey_file(context, certificate, SSL_FILETYPE_PEM) != 1))
        die("no certificate and key in %s", certificate);
}

/* The handshake is part of the first read or write. */
static void stream_open(struct stream *s, int fd, int server) {
    SSL *tls = SSL_new(context);
    s->fd = fd;
    s->tls = tls;
    if (tls == NULL || SSL_set_fd(tls, fd) != 1) die("SSL_new");
    if (server) SSL_set_accept_state(tls);
    else SSL_set_connect_state(tls);
}

static ssize_t stream_result(struct stream *s, int n) {
    if (n > 0) return n;
    switch (SSL_get_error(s->tls, n)) {
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: errno = EAGAIN; return -1;
    default: errno = errno ? errno : EPROTO; return -1;
    }
}

static ssize_t stream_read(struct stream *s, void *data, size_t n) {
    return stream_result(s, SSL_read(s->tls, data, (int)n));
}

static ssize_t stream_write(struct stream *s, const void *data, size_t n) {
    return stream_result(s, SSL_write(s->tls, data, (int)n));
}

UNUSED static void stream_close(struct stream *s) {
    SSL_free(s->tls);
    close(s->fd);
}
#else

UNUSED static void stream_setup(const char *certificate) {
    if (certificate) die("compiled without TLS");
}

UNUSED static void stream_open(struct stream *s, int fd, int server) {
    (void)server;
    s->fd = fd;
}

UNUSED static ssize_t stream_read(struct stream *s, void *data, size_t n) {
    return recv(s->fd, data, n, 0);
}

UNUSED static ssize_t stream_write(struct stream *s, const void *data, size_t n) {
    return send(s->fd, data, n, MSG_NOSIGNAL);
}

UNUSED static void stream_close(struct stream *s) {
    close(s->fd);
}
#endif
