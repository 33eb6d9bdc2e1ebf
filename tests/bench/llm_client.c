/* A client that costs next to nothing: connections that send one finished request again and again, epoll(7).
 *
 *     llm_client PORT REQUEST_FILE CONNECTIONS SECONDS [once SPREAD_MILLIS]
 *
 * Each connection is kept and asks again as soon as it is answered, until SECONDS are over. With `once` each asks once
 * only, the first at once and the last SPREAD_MILLIS later, and SECONDS is the longest it may take. Prints JSON:
 * `answers` of status 200, `others`, `broken` connections, `seconds` it took, `micros` of each answer from its first
 * byte asked to its last byte read, `marks` seen (see llm_upstream.c) and `delays`, micros from each mark to its
 * arrival, a sample of at most a million each.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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

enum { HEAD_BYTES = 16384, MOST = 1000000, MARK_DIGITS = 16 };
enum state { HEAD, SIZED, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER, DONE };

struct conn {
    int fd, busy, status, digits; /* digits: of a mark under way, -1 outside of one */
    enum state state;
    size_t sent, used, left;
    long long begun, due, mark;
    char head[HEAD_BYTES];
};

static struct conn *conns;
static char *request;
static size_t request_bytes;
static int poll_fd, port, once, open_conns;
static long long until, others, broken, marks;
static unsigned micros_of[MOST], delays[MOST];
static size_t answers, delayed;

static long long micros(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void watch(struct conn *conn, int operation, unsigned events) {
    struct epoll_event wanted = {.events = events, .data.ptr = conn};
    epoll_ctl(poll_fd, operation, conn->fd, &wanted);
}

static void dial(struct conn *conn) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    conn->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(conn->fd, (void *)&address, sizeof address)) {
        perror("connect");
        exit(1);
    }
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(conn->fd, F_SETFL, O_NONBLOCK);
    watch(conn, EPOLL_CTL_ADD, EPOLLIN);
}

static void hang_up(struct conn *conn) {
    close(conn->fd);
    conn->fd = -1;
    conn->busy = 0;
}

static void send_on(struct conn *conn) {
    while (conn->sent < request_bytes) {
        ssize_t wrote = write(conn->fd, request + conn->sent, request_bytes - conn->sent);
        if (wrote < 0) {
            /* What broke shows when it is read. */
            watch(conn, EPOLL_CTL_MOD, errno == EAGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN);
            return;
        }
        conn->sent += wrote;
    }
    watch(conn, EPOLL_CTL_MOD, EPOLLIN);
}

static void ask(struct conn *conn) {
    conn->busy = 1;
    conn->state = HEAD;
    conn->sent = conn->used = 0;
    conn->digits = -1;
    conn->begun = micros();
    send_on(conn);
}

static void answered(struct conn *conn) {
    long long now = micros();
    if (conn->status != 200)
        others++;
    else if (answers < MOST)
        micros_of[answers++] = now - conn->begun;
    conn->busy = 0;
    if (once || now >= until) {
        hang_up(conn);
        open_conns--;
    } else
        ask(conn);
}

static void look(struct conn *conn, const char *bytes, size_t count, long long now) {
    for (size_t each = 0; each < count; each++) {
        char byte = bytes[each];
        if (conn->digits >= 0 && byte >= '0' && byte <= '9') {
            conn->mark = conn->mark * 10 + byte - '0';
            conn->digits++;
        } else if (conn->digits == MARK_DIGITS && byte == '@') {
            marks++;
            if (delayed < MOST)
                delays[delayed++] = now - conn->mark;
            conn->digits = -1;
        } else {
            conn->digits = byte == '@' ? 0 : -1;
            conn->mark = 0;
        }
    }
}

/* Read the head, once it is here whole: what is kept begins at the first line that is not finished. */
static void read_head(struct conn *conn) {
    conn->head[conn->used] = 0;
    conn->status = atoi(conn->head + 9);
    conn->state = SIZED;
    conn->left = 0;
    for (char *line = strstr(conn->head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (!strncasecmp(line + 2, "content-length:", 15))
            conn->left = strtoul(line + 17, NULL, 10);
        if (!strncasecmp(line + 2, "transfer-encoding:", 18))
            conn->state = CHUNK_SIZE;
    }
    conn->used = 0;
    if (conn->state == SIZED && !conn->left)
        conn->state = DONE;
}

/* Take a byte of a line; whether the line is whole. */
static int line_byte(struct conn *conn, char byte) {
    if (conn->used < HEAD_BYTES - 1)
        conn->head[conn->used++] = byte;
    return byte == '\n';
}

static void read_bytes(struct conn *conn, const char *bytes, size_t count, long long now) {
    size_t at = 0;
    while (at < count && conn->state != DONE) {
        if (conn->state == SIZED || conn->state == CHUNK) {
            size_t part = count - at < conn->left ? count - at : conn->left;
            look(conn, bytes + at, part, now);
            at += part;
            conn->left -= part;
            if (!conn->left)
                conn->state = conn->state == SIZED ? DONE : CHUNK_END;
            continue;
        }
        if (!line_byte(conn, bytes[at++]))
            continue;
        if (conn->state == HEAD) {
            if (conn->used >= 4 && !memcmp(conn->head + conn->used - 4, "\r\n\r\n", 4))
                read_head(conn);
            continue;
        }
        conn->head[conn->used] = 0;
        if (conn->state == CHUNK_SIZE) {
            conn->left = strtoul(conn->head, NULL, 16);
            conn->state = conn->left ? CHUNK : TRAILER;
        } else if (conn->state == CHUNK_END)
            conn->state = CHUNK_SIZE;
        else if (conn->used == 2)
            conn->state = DONE;
        conn->used = 0;
    }
}

static void take_in(struct conn *conn) {
    static char buffer[256 << 10];
    ssize_t got = read(conn->fd, buffer, sizeof buffer);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0 || !conn->busy) {
        broken++;
        hang_up(conn);
        if (once || micros() >= until)
            open_conns--;
        else {
            dial(conn);
            ask(conn);
        }
        return;
    }
    read_bytes(conn, buffer, got, micros());
    if (conn->state == DONE)
        answered(conn);
}

static void print_all(const char *name, const unsigned *values, size_t count) {
    printf(",\"%s\":[", name);
    for (size_t each = 0; each < count; each++)
        printf("%s%u", each ? "," : "", values[each]);
    printf("]");
}

static void load(const char *path) {
    FILE *file = fopen(path, "r");
    request = malloc(1 << 24);
    request_bytes = file ? fread(request, 1, 1 << 24, file) : 0;
    if (!request_bytes) {
        perror(path);
        exit(1);
    }
}

int main(int count, char **arguments) {
    if (count < 5)
        return 2;
    port = atoi(arguments[1]);
    load(arguments[2]);
    open_conns = atoi(arguments[3]);
    once = count > 6;
    struct rlimit most = {4096, 4096};
    setrlimit(RLIMIT_NOFILE, &most);
    poll_fd = epoll_create1(0);
    conns = calloc(open_conns, sizeof *conns);
    int all = open_conns, asked = 0;
    for (int each = 0; each < all; each++)
        dial(&conns[each]);
    long long start = micros(), spread = once ? atoll(arguments[6]) * 1000 : 0;
    until = start + (long long)(atof(arguments[4]) * 1e6);
    struct epoll_event found[256];
    while (open_conns && micros() < until + (once ? 0 : 30000000)) {
        for (; asked < all && micros() >= start + spread * asked / all; asked++)
            ask(&conns[asked]);
        int ready = epoll_wait(poll_fd, found, 256, asked < all ? 1 : 100);
        for (int each = 0; each < ready; each++) {
            struct conn *conn = found[each].data.ptr;
            if (conn->fd >= 0 && found[each].events & EPOLLOUT)
                send_on(conn);
            if (conn->fd >= 0 && found[each].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                take_in(conn);
        }
    }
    printf("{\"answers\":%zu,\"others\":%lld,\"broken\":%lld,\"unanswered\":%d,\"seconds\":%.6f,\"marks\":%lld", answers,
           others, broken, open_conns, (micros() - start) / 1e6, marks);
    print_all("micros", micros_of, answers);
    print_all("delays", delays, delayed);
    printf("}\n");
    return 0;
}
