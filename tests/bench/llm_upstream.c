/* A provider of models that costs next to nothing: one process, epoll(7), finished answers. A yardstick, no server.
 *
 *     llm_upstream EVENT_MILLIS      prints its port
 *
 * Every request needs an `x-api-key` or gets a 401. One whose body says `"stream":true` is answered by 200 server-sent
 * events, each a chunk of its own in a write(2) of its own; all others by a message of Anthropic's API. A body that
 * names `paced` near its beginning or end gets an event each EVENT_MILLIS, all others theirs at once. What an event
 * says is when it was sent: `@MICROS@` of CLOCK_MONOTONIC, sixteen digits.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 200, MOST_FDS = 4096, REQUEST_BYTES = 256 << 10, LOOKED_AT = 1024, EVENT_BYTES = 512 };

struct conn {
    int fd, streaming, paced, next, length, sent; /* of the event under way: its length, and how much of it went out */
    long long due;                                /* when a paced one is to send its next event */
    size_t used;
    char out[EVENT_BYTES], in[REQUEST_BYTES];
};

static struct conn *conns[MOST_FDS];
static int poll_fd, event_micros;

static const char MESSAGE[] =
    "{\"id\":\"msg_01XFDUDYJgAACzvnptvVoYEL\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-opus-4-8\","
    "\"content\":[{\"type\":\"text\",\"text\":\"Hello! How can I help you today?\"}],\"stop_reason\":\"end_turn\","
    "\"stop_sequence\":null,\"usage\":{\"input_tokens\":12,\"cache_creation_input_tokens\":0,"
    "\"cache_read_input_tokens\":0,\"output_tokens\":9,\"service_tier\":\"standard\"}}";
static const char START[] =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01XFDUDYJgAACzvnptvVoYEL\","
    "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-opus-4-8\",\"content\":[],\"stop_reason\":null,"
    "\"stop_sequence\":null,\"usage\":{\"input_tokens\":12,\"output_tokens\":1}}}\n\n";
static const char BLOCK[] = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
                            "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
static const char BLOCK_END[] = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n";
static const char DELTA_END[] = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
                                "\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":195}}\n\n";
static const char END[] = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
static const char EVENT_HEAD[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                                 "Cache-Control: no-cache\r\nrequest-id: req_bench\r\nTransfer-Encoding: chunked\r\n\r\n";

static long long micros(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void drop(struct conn *conn) {
    close(conn->fd);
    conns[conn->fd] = NULL;
    free(conn);
}

static void watch(struct conn *conn, int operation, unsigned events) {
    struct epoll_event wanted = {.events = events, .data.fd = conn->fd};
    epoll_ctl(poll_fd, operation, conn->fd, &wanted);
}

/* Put the next event into `out`, as one chunk, the last together with the end of the body. */
static void make_event(struct conn *conn) {
    char delta[256];
    const char *event = conn->next == 0            ? START
                        : conn->next == 1          ? BLOCK
                        : conn->next == EVENTS - 3 ? BLOCK_END
                        : conn->next == EVENTS - 2 ? DELTA_END
                        : conn->next == EVENTS - 1 ? END
                                                   : delta;
    if (event == delta)
        snprintf(delta, sizeof delta,
                 "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
                 "\"delta\":{\"type\":\"text_delta\",\"text\":\"@%016lld@ \"}}\n\n",
                 micros());
    conn->length = snprintf(conn->out, sizeof conn->out, "%zx\r\n%s\r\n%s", strlen(event), event,
                            conn->next == EVENTS - 1 ? "0\r\n\r\n" : "");
    conn->sent = 0;
    conn->next++;
}

/* Write what is due; 0 when the connection is gone. */
static int pump(struct conn *conn) {
    while (conn->streaming) {
        if (conn->sent == conn->length) {
            if (conn->next == EVENTS) {
                conn->streaming = 0;
                break;
            }
            if (conn->paced && micros() < conn->due)
                break;
            conn->due += event_micros;
            make_event(conn);
        }
        ssize_t wrote = write(conn->fd, conn->out + conn->sent, conn->length - conn->sent);
        if (wrote < 0 && errno == EAGAIN) {
            watch(conn, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            return 1;
        }
        if (wrote < 0) {
            drop(conn);
            return 0;
        }
        conn->sent += wrote;
    }
    return 1;
}

/* Whether the beginning or the end of a body says something. */
static int says(const char *body, size_t length, const char *what) {
    size_t part = length < LOOKED_AT ? length : LOOKED_AT;
    return memmem(body, part, what, strlen(what)) || memmem(body + length - part, part, what, strlen(what));
}

/* Answer a request that is here whole; 0 when the connection is gone. */
static int answer(struct conn *conn, int has_key, const char *body, size_t length) {
    char whole[2048];
    if (has_key && (says(body, length, "\"stream\":true") || says(body, length, "\"stream\": true"))) {
        conn->streaming = 1;
        conn->paced = says(body, length, "paced");
        conn->next = conn->length = conn->sent = 0;
        conn->due = micros();
        return write(conn->fd, EVENT_HEAD, sizeof EVENT_HEAD - 1) > 0 ? pump(conn) : (drop(conn), 0);
    }
    int size = snprintf(whole, sizeof whole,
                        "HTTP/1.1 %s\r\nContent-Type: application/json\r\nrequest-id: req_bench\r\n"
                        "Content-Length: %zu\r\n\r\n%s",
                        has_key ? "200 OK" : "401 Unauthorized", has_key ? sizeof MESSAGE - 1 : 2,
                        has_key ? MESSAGE : "{}");
    return write(conn->fd, whole, size) == size ? 1 : (drop(conn), 0);
}

/* Answer all requests that are here whole; 0 when the connection is gone. */
static int serve(struct conn *conn) {
    while (!conn->streaming) {
        conn->in[conn->used] = 0;
        char *end = memmem(conn->in, conn->used, "\r\n\r\n", 4);
        if (!end)
            return 1;
        size_t length = 0, head = end + 4 - conn->in;
        int has_key = 0;
        for (char *line = strstr(conn->in, "\r\n"); line && line < end; line = strstr(line + 2, "\r\n")) {
            if (!strncasecmp(line + 2, "content-length:", 15))
                length = strtoul(line + 17, NULL, 10);
            has_key |= !strncasecmp(line + 2, "x-api-key:", 10);
        }
        if (head + length >= REQUEST_BYTES) {
            drop(conn);
            return 0;
        }
        if (conn->used < head + length)
            return 1;
        if (!answer(conn, has_key, end + 4, length))
            return 0;
        memmove(conn->in, conn->in + head + length, conn->used - head - length);
        conn->used -= head + length;
    }
    return 1;
}

static void take_in(struct conn *conn) {
    ssize_t got = read(conn->fd, conn->in + conn->used, REQUEST_BYTES - 1 - conn->used);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        drop(conn);
        return;
    }
    conn->used += got;
    serve(conn);
}

static void take_on(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;
    if (fd < 0)
        return;
    if (fd >= MOST_FDS) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    conns[fd] = calloc(1, sizeof **conns);
    conns[fd]->fd = fd;
    watch(conns[fd], EPOLL_CTL_ADD, EPOLLIN);
}

/* Send the paced events that are due; return how many streams are under way. */
static int tick(void) {
    int under_way = 0;
    long long now = micros();
    for (int fd = 0; fd < MOST_FDS; fd++) {
        struct conn *conn = conns[fd];
        if (!conn || !conn->streaming || !conn->paced)
            continue;
        under_way++;
        if (conn->due <= now && pump(conn))
            serve(conn);
    }
    return under_way;
}

int main(int count, char **arguments) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct rlimit most = {MOST_FDS, MOST_FDS};
    int listener = socket(AF_INET, SOCK_STREAM, 0), under_way = 0;
    event_micros = (count > 1 ? atoi(arguments[1]) : 0) * 1000;
    setrlimit(RLIMIT_NOFILE, &most);
    if (bind(listener, (void *)&address, size) || listen(listener, 1024))
        return 1;
    getsockname(listener, (void *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    poll_fd = epoll_create1(0);
    struct epoll_event found[256], wanted = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &wanted);
    for (;;) {
        int ready = epoll_wait(poll_fd, found, 256, under_way ? 1 : 100);
        for (int each = 0; each < ready; each++) {
            int fd = found[each].data.fd;
            if (fd == listener) {
                take_on(listener);
                continue;
            }
            if (conns[fd] && found[each].events & EPOLLOUT) {
                watch(conns[fd], EPOLL_CTL_MOD, EPOLLIN);
                if (pump(conns[fd]))
                    serve(conns[fd]);
            }
            if (conns[fd] && found[each].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                take_in(conns[fd]);
        }
        under_way = tick();
    }
}
