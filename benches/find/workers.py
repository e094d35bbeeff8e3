"""A server of known capacity: each line is answered by one of a fixed number of workers, each of which takes a fixed
time for it. Prints its port. Usage: workers.py [WORKERS] [MILLISECONDS]"""

import collections
import queue
import socket
import sys
import threading
import time

WORKERS = int(sys.argv[1]) if len(sys.argv) > 1 else 8
SERVICE = float(sys.argv[2]) / 1000 if len(sys.argv) > 2 else 0.005

jobs = queue.SimpleQueue()


class Connection:
    """Answers leave in the order in which the lines came, whichever worker is done first."""

    def __init__(self, socket):
        self.socket = socket
        self.lock = threading.Lock()
        self.waiting = collections.deque()

    def take(self, line):
        answer = [line, False]
        self.waiting.append(answer)
        jobs.put((self, answer))

    def done(self, answer):
        with self.lock:
            answer[1] = True
            ready = []
            while self.waiting and self.waiting[0][1]:
                ready.append(self.waiting.popleft()[0])
            try:
                self.socket.sendall(b"".join(ready))
            except OSError:
                pass


def work():
    while True:
        connection, answer = jobs.get()
        time.sleep(SERVICE)
        connection.done(answer)


def listen_to(accepted):
    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = Connection(accepted)
    rest = b""
    while True:
        try:
            data = accepted.recv(65536)
        except OSError:
            data = b""
        if not data:
            accepted.close()
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            connection.take(line + b"\n")


for _ in range(WORKERS):
    threading.Thread(target=work, daemon=True).start()
listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
print(listener.getsockname()[1], flush=True)
while True:
    accepted, _ = listener.accept()
    threading.Thread(target=listen_to, args=(accepted,), daemon=True).start()
