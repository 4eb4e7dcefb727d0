/* A load generator for HTTP on loopback that costs little itself: one thread, epoll.

   Usage: http_load PORT REQUESTS CONNECTIONS SECONDS RATE close|keep plain|tls

   REQUESTS is a file of whole requests, each behind its length (32 bits, this machine's byte
   order); they are sent in turn. RATE 0 sends the next request as soon as an answer is in, on
   each of CONNECTIONS at once; `once` does so too, but ends when each request has been sent, or
   after SECONDS. Any other RATE sends so many a second whatever the server does,
   CONNECTIONS of them at once at most: a request's time is counted from when it was due, so that
   a server that stalls is not asked less. `close` takes a new connection for each request; with
   `tls` each is TLS 1.3 with a full handshake, and the certificate is not looked at.

   Prints one JSON object: answers with a 2xx status, failures (any other status, or no answer),
   seconds, the percentiles of the answers' times in microseconds, and this program's own processor
   seconds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

enum { MOST_TIMES = 20000000, MOST = 4096, HEAD = 16384, EVENTS = 256, SOURCES = 200, PATIENCE_S = 5 };

struct connection {
    int fd;          /* -1: none */
    SSL *ssl;        /* 0: plain */
    uint32_t wants;  /* EPOLLIN or EPOLLOUT, before the rest can be sent */
    int waiting;     /* for an answer */
    const char *request;
    uint32_t length, sent;
    double due;
    char head[HEAD]; /* of the answer */
    size_t got;
    long body_left;  /* -1: the head is not complete */
    int status;
};

static struct connection connections[MOST];
static int poll_fd, port, count, keep, once;
static const char *requests, *requests_end, *next_request;
static SSL_CTX *tls;
static double ends, *times;
static size_t answered, failed, room;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void watch(struct connection *c, uint32_t events, int how) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(poll_fd, how, c->fd, &event)) die("epoll_ctl");
}

/* Source addresses in turn, so that ports in TIME_WAIT are not the limit. */
static void connect_to_server(struct connection *c) {
    static uint32_t turn;
    int one = 1;
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(0x7f010001 + turn++ % SOURCES);
    to.sin_port = htons((uint16_t)port), to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) die("socket");
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(c->fd, (struct sockaddr *)&from, sizeof from)) die("bind");
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) die("connect");
    if (tls) {
        c->ssl = SSL_new(tls);
        if (!c->ssl || !SSL_set_fd(c->ssl, c->fd)) die("SSL_new");
        SSL_set_connect_state(c->ssl);
    }
    watch(c, EPOLLOUT, EPOLL_CTL_ADD);
}

static void hang_up(struct connection *c) {
    SSL_free(c->ssl);
    c->ssl = 0;
    close(c->fd);
    c->fd = -1;
}

/* Of SSL_read and SSL_write, as recv and send have it. */
static ssize_t outcome(struct connection *c, int done) {
    if (done > 0) return done;
    int error = SSL_get_error(c->ssl, done);
    c->wants = error == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT;
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
    return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static void end(struct connection *c, int good);

static void send_rest(struct connection *c) {
    const char *rest = c->request + c->sent;
    uint32_t left = c->length - c->sent;
    c->wants = EPOLLOUT;
    ssize_t done = c->ssl ? outcome(c, SSL_write(c->ssl, rest, (int)left))
                          : send(c->fd, rest, left, MSG_NOSIGNAL);
    if (done < 0 && errno != EAGAIN && errno != EINTR) {
        end(c, 0);
        return;
    }
    if (done > 0) c->sent += (uint32_t)done;
    watch(c, c->sent < c->length ? c->wants : EPOLLIN, EPOLL_CTL_MOD);
}

static void begin(struct connection *c, double due) {
    if (next_request >= requests_end) next_request = requests;
    memcpy(&c->length, next_request, 4);
    c->request = next_request + 4;
    next_request = c->request + c->length;
    c->sent = 0, c->got = 0, c->body_left = -1, c->waiting = 1, c->due = due;
    if (c->fd < 0) connect_to_server(c);
    else send_rest(c);
}

static void end(struct connection *c, int good) {
    c->waiting = 0;
    if (good && answered < room) times[answered++] = now() - c->due;
    else failed++;
    if (!keep || !good) hang_up(c);
}

/* The head's end, status and Content-Length, once they are there. */
static void read_head(struct connection *c) {
    c->head[c->got] = 0;
    char *body = strstr(c->head, "\r\n\r\n");
    if (!body) return;
    char *length = strcasestr(c->head, "\r\ncontent-length:");
    c->status = atoi(c->head + 9);
    c->body_left = length && length < body ? atol(length + 17) : 0;
    c->body_left -= (long)(c->got - (size_t)(body + 4 - c->head));
}

static void take(struct connection *c) {
    char rest[65536];
    int in_head = c->body_left < 0;
    char *to = in_head ? c->head + c->got : rest;
    size_t most = in_head ? HEAD - 1 - c->got : sizeof rest;
    ssize_t got = c->ssl ? outcome(c, SSL_read(c->ssl, to, (int)most)) : recv(c->fd, to, most, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        if (c->waiting) end(c, 0);
        else hang_up(c);
        return;
    }
    if (in_head) {
        c->got += (size_t)got;
        read_head(c);
    } else {
        c->body_left -= got;
    }
    if (c->body_left == 0) end(c, c->status / 100 == 2);
    else if (c->ssl && SSL_pending(c->ssl)) take(c);
}

static void turn(int timeout_ms) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(poll_fd, events, EVENTS, timeout_ms);
    for (int i = 0; i < ready; i++) {
        struct connection *c = events[i].data.ptr;
        if (c->waiting && c->sent < c->length && !(events[i].events & (EPOLLERR | EPOLLHUP)))
            send_rest(c);
        else
            take(c);
    }
}

static void as_fast_as_answered(void) {
    while (now() < ends) {
        for (int i = 0; i < count; i++) {
            if (once && next_request >= requests_end) return;
            if (!connections[i].waiting) begin(&connections[i], now());
        }
        turn(100);
    }
}

static void at_rate(double rate) {
    double due = now();
    int free_one = 0;
    for (;;) {
        double present = now();
        if (present >= ends) return;
        for (; due <= present; due += 1 / rate) {
            int tried = 0;
            while (tried < count && connections[free_one].waiting) free_one = (free_one + 1) % count, tried++;
            if (tried == count) break; /* stays due */
            begin(&connections[free_one], due);
        }
        turn(due - present > 0.002 ? 1 : 0);
    }
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(double share) {
    return answered ? 1e6 * times[(size_t)(share * (double)(answered - 1))] : 0;
}

int main(int argc, char **argv) {
    if (argc != 8) {
        fprintf(stderr, "usage: http_load PORT REQUESTS CONNECTIONS SECONDS RATE close|keep plain|tls\n");
        return 2;
    }
    struct stat info;
    int file = open(argv[2], O_RDONLY);
    if (file < 0 || fstat(file, &info)) die(argv[2]);
    requests = mmap(0, (size_t)info.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    if (requests == MAP_FAILED) die("mmap");
    close(file);
    next_request = requests, requests_end = requests + info.st_size;
    port = atoi(argv[1]), count = atoi(argv[3]), keep = !strcmp(argv[6], "keep");
    once = !strcmp(argv[5], "once");
    if (!strcmp(argv[7], "tls")) {
        tls = SSL_CTX_new(TLS_client_method());
        if (!tls || !SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION)) die("SSL_CTX_new");
        SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    }
    double seconds = atof(argv[4]), rate = atof(argv[5]);
    if (count < 1 || count > MOST || seconds <= 0) return 2;
    room = seconds < 100 ? (size_t)(seconds * 200000) : MOST_TIMES;
    times = malloc(room * sizeof *times);
    poll_fd = epoll_create1(0);
    if (!times || poll_fd < 0) die("setting up");
    for (int i = 0; i < count; i++) connections[i].fd = -1;
    double began = now();
    ends = began + seconds;
    if (rate > 0) at_rate(rate);
    else as_fast_as_answered();
    double passed = now() - began;
    size_t in_time = answered;
    for (double last = now() + PATIENCE_S; now() < last;) {
        int waiting = 0;
        for (int i = 0; i < count; i++) waiting += connections[i].waiting;
        if (!waiting) break;
        turn(100);
    }
    for (int i = 0; i < count; i++) failed += (size_t)connections[i].waiting;
    struct rusage own;
    getrusage(RUSAGE_SELF, &own);
    qsort(times, answered, sizeof *times, by_size);
    printf("{\"answered\": %zu, \"failed\": %zu, \"seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": %.1f,"
           " \"max_us\": %.1f, \"cpu_seconds\": %.3f}\n",
           in_time, failed, passed, percentile(0.5), percentile(0.99), percentile(1),
           (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) +
               (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6);
    return 0;
}
