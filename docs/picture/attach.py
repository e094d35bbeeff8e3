#!/usr/bin/env python3
"""Takes the picture of two terminals that are attached to one server, one above the other.

    cargo build --release
    python3 docs/picture/attach.py [DIRECTORY]

The server runs in the background with a control socket; the two terminals are real ones, each in a tmux of its own. A device
connects and says something, both operators type, and what then stands on their terminals is written to DIRECTORY (this one,
unless another is given) as attach-ann-light.svg and so on.
"""

import argparse
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from session import HERE, SERVER, THEMES, Failure, Terminal, picture

COLUMNS, ROWS = 88, 10


def start(binary, directory):
    """The server, and where its peers connect."""
    command = [binary, "127.0.0.1:0", f"--desk={directory}/desk", "--on-stdin-eof", "keep"]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        found = re.search(r"listening on 127\.0\.0\.1:(\d+)", line)
        if found:
            return server, int(found.group(1))
    raise Failure("the server did not start")


def play(ann, bob, port):
    """What happens, each thing once the one before is seen."""
    device = socket.create_connection(("127.0.0.1", port))
    device.sendall(b"boot: sensor v2.1, 3 channels\n")
    for desk in (ann, bob):
        desk.wait_for("3 channels")
    enter(ann, "/name 1 lab-a")
    bob.wait_for("lab-a")
    enter(ann, "read temperature")
    bob.wait_for("read temperature")
    device.sendall(b"temperature 21.4 C\n")
    bob.wait_for("21.4 C")
    enter(bob, "@lab-a set limit 80")
    ann.wait_for("set limit 80")
    bob.type("@lab-a and now the alarm")
    ann.wait_for("types to")
    return device


def attach(binary, path, name):
    """A terminal that is attached."""
    desk = Terminal([binary, "attach", "--name", name, "--no-history", "--color", "always", path], COLUMNS, ROWS)
    desk.wait_for("attached to")
    return desk


def enter(desk, line):
    """Types a line."""
    desk.type(line)
    desk.press("Enter")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", nargs="?", default=HERE, type=Path, help="where the pictures go")
    parser.add_argument("--binary", default=SERVER, type=Path, help="the server")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="switchboard-picture-") as directory:
        binary = str(options.binary.resolve())
        server, port = start(binary, directory)
        try:
            ann = attach(binary, f"{directory}/desk", "ann")
            bob = attach(binary, f"{directory}/desk", "bob")
            device = play(ann, bob, port)
            shown = [(desk.rows(), desk.cursor()) for desk in (ann, bob)]
            device.close()
            ann.close()
            bob.close()
        finally:
            server.terminate()
            server.wait(timeout=20)
    for theme_name, theme in THEMES.items():
        for name, (rows, cursor) in zip(("ann", "bob"), shown):
            path = options.directory / f"attach-{name}-{theme_name}.svg"
            path.write_text(picture(rows, cursor, COLUMNS, f"switchboard attach --name {name}", theme), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except (Failure, OSError, subprocess.TimeoutExpired) as error:
        sys.exit(f"attach.py: {error}")
