/* The floor: the least that a single-threaded epoll program can do, with no features, no bounds and no
 * safety. It spins on a peer that does not read. One read and one write call an event.
 *
 *   cc -O2 -o epoll epoll.c && ./epoll PORT echo|fanout
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static char buf[1 << 16];
static int fds[1 << 21], count;

static void forget(int fd) {
    close(fd);
    for (int i = 0; i < count; i++)
        if (fds[i] == fd) {
            fds[i] = fds[--count];
            break;
        }
}

static void serve(int fd, int fanout) {
    ssize_t got;
    while ((got = read(fd, buf, sizeof buf)) > 0) {
        if (fanout) {
            for (int i = 0; i < count; i++)
                if (fds[i] != fd && write(fds[i], buf, got) < 0) continue;
        } else {
            for (ssize_t at = 0; at < got;) {
                ssize_t put = write(fd, buf + at, got - at);
                if (put > 0)
                    at += put;
                else if (errno != EAGAIN)
                    break;
            }
        }
        if (got < (ssize_t)sizeof buf) return;
    }
    if (got == 0 || errno != EAGAIN) forget(fd);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    int fanout = !strcmp(argv[2], "fanout"), one = 1;
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
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
        int ready = epoll_wait(poller, events, 1024, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                serve(fd, fanout);
                continue;
            }
            while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                interest.events = EPOLLIN | EPOLLET | EPOLLRDHUP;
                interest.data.fd = fd;
                epoll_ctl(poller, EPOLL_CTL_ADD, fd, &interest);
                fds[count++] = fd;
            }
        }
    }
}
