/* The floor of a chat: all that one turn read is joined, and each receiver is written once, by a writev
 * around its own bytes. No labels, no bounds; what a receiver does not take is lost.
 *
 *   cc -O2 -o batch batch.c && ./batch PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_MAX 65536
#define EVENTS_MAX 64
#define SLICES_MAX 64

/* As many events a turn as the buffer has room for. */
static char buf[EVENTS_MAX * READ_MAX];
static int fds[1 << 16], count;
static struct {
    int fd, from, to;
} said[1024];

static void forget(int fd) {
    close(fd);
    for (int i = 0; i < count; i++)
        if (fds[i] == fd) {
            fds[i] = fds[--count];
            break;
        }
}

static void tell(int fd, int pieces, int used) {
    struct iovec slices[SLICES_MAX];
    int n = 0, at = 0;
    for (int i = 0; i < pieces && n < SLICES_MAX - 2; i++) {
        if (said[i].fd != fd) continue;
        if (said[i].from > at) slices[n++] = (struct iovec){buf + at, said[i].from - at};
        at = said[i].to;
    }
    if (at < used) slices[n++] = (struct iovec){buf + at, used - at};
    if (n && writev(fd, slices, n) < 0) return;
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 4096)) {
        perror("bind");
        return 1;
    }
    int poller = epoll_create1(0);
    struct epoll_event interest = {.events = EPOLLIN, .data.fd = listener}, events[1024];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &interest);
    for (;;) {
        int ready = epoll_wait(poller, events, 1024, -1), used = 0, pieces = 0;
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    interest.events = EPOLLIN | EPOLLET | EPOLLRDHUP;
                    interest.data.fd = fd;
                    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &interest);
                    fds[count++] = fd;
                }
                continue;
            }
            int room = sizeof buf - used;
            if (!room) continue;
            ssize_t got = read(fd, buf + used, room < READ_MAX ? room : READ_MAX);
            if (got > 0) {
                said[pieces].fd = fd;
                said[pieces].from = used;
                said[pieces++].to = used += got;
            } else if (got == 0 || errno != EAGAIN) {
                forget(fd);
            }
        }
        for (int i = 0; used && i < count; i++) tell(fds[i], pieces, used);
    }
}
