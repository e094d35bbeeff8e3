#!/usr/bin/env python3
"""Takes the picture at the top of the README: a real session of the server, on a real terminal.

    cargo build --release
    python3 docs/picture/session.py [DIRECTORY]

The server runs in a tmux of its own. Several peers connect to it over sockets and say something, the operator's keys
are typed, and what then stands on the terminal is written to DIRECTORY (this one, unless another is given) as
session-light.svg and session-dark.svg. Only Python's standard library, tmux and the built server are needed.
"""

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections import namedtuple
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
SERVER = HERE.parent.parent / "target" / "release" / "switchboard"
DEADLINE_SECONDS = 10


class Failure(Exception):
    """What keeps the picture from being taken, in one line."""


# ---- The session


def play(terminal, pace):
    """What is in the picture. Each step waits until it is seen, and then as long as a reader would want."""

    def seen(text):
        terminal.wait_for(text)
        time.sleep(pace)

    def typed(line, answer):
        terminal.type(line)
        time.sleep(pace)
        terminal.press("Enter")
        seen(answer)

    port = int(terminal.wait_for(r"listening on 127\.0\.0\.1:(\d+)").group(1))

    def peer(number):
        conn = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_SECONDS)
        seen(rf"\* #{number} connected")
        return conn

    device = peer(1)
    device.sendall(b"boot: sensor v2.1, 3 channels\r\n")
    seen(r"#1> boot")
    typed("/name 1 lab-a", r"#1 is lab-a now")
    person = peer(2)
    person.sendall("你好，有人在吗？\n".encode())
    seen(r"#2> 你好")
    typed("/name 2 mei", r"#2 is mei now")
    typed("@1 read temperature", r"-> #1 lab-a 17 bytes")
    device.sendall(b"temperature 21.4 C\r\n")
    seen(r"lab-a> temperature")
    stranger = peer(3)
    stranger.sendall(b"hi \x1b[2J\x1b]0;pwned\x07\r12:00:00.000 #1 lab-a> all is well\n")
    seen(r"#3> hi")
    typed("/who", r"#3 .*ESTABLISHED")
    person.sendall("在的话，请看一下实验室的温度\n".encode())
    # The prompt follows whoever spoke last, and stays with #2 from the first key on, though #1 speaks then.
    seen(r"(?m)^#2 mei> ")
    terminal.type("在，现在是 21.4")
    seen(r"#2 mei> 在，现在")
    device.sendall(b"alarm: channel 2 is over 80 C\r\n")
    terminal.wait_for(r"lab-a> alarm")
    return [device, person, stranger]


# ---- The terminal


class Terminal:
    """A program on a terminal of this size, in a tmux that nobody else uses."""

    def __init__(self, command, columns, rows):
        tmux = shutil.which("tmux")
        if tmux is None:
            raise Failure("tmux is not installed, and the session is to run in it")
        self.directory = tempfile.TemporaryDirectory(prefix="switchboard-picture-")
        of_others = ("TMUX", "TMUX_PANE", "NO_COLOR", "LC_ALL", "LC_CTYPE", "RUST_LOG")
        environment = {name: value for name, value in os.environ.items() if name not in of_others}
        environment.update(LANG="C.UTF-8", TZ="UTC", XDG_STATE_HOME=self.directory.name)
        self.tmux = [tmux, "-u", "-f", os.devnull, "-S", os.path.join(self.directory.name, "tmux")]
        self.environment = environment
        self.run("start-server", ";", "set", "-g", "default-terminal", "tmux-256color", ";", "set", "-g", "status", "off",
                 ";", "set", "-g", "remain-on-exit", "on",
                 ";", "new-session", "-d", "-x", str(columns), "-y", str(rows), "--", *command)

    def run(self, *arguments):
        done = subprocess.run([*self.tmux, *arguments], env=self.environment, timeout=DEADLINE_SECONDS,
                              stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8")
        if done.returncode != 0:
            raise Failure(f"tmux {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout

    def type(self, text):
        self.run("send-keys", "-l", "--", text)

    def press(self, key):
        self.run("send-keys", key)

    def wait_for(self, pattern):
        """Waits until this stands on the terminal."""
        until = time.monotonic() + DEADLINE_SECONDS
        while True:
            screen = self.run("capture-pane", "-p")
            found = re.search(pattern, screen)
            if found:
                return found
            if "Pane is dead" in screen:
                raise Failure(f"the server ended: {screen.splitlines()[0]}")
            if time.monotonic() > until:
                raise Failure(f"{pattern!r} was not seen within {DEADLINE_SECONDS} s; on the terminal is\n{screen.rstrip()}")
            time.sleep(0.02)

    def rows(self):
        """What stands there: rows of cells."""
        return cells_of(self.run("capture-pane", "-e", "-p"))

    def cursor(self):
        """The column and the row of the cursor."""
        return tuple(map(int, self.run("display-message", "-p", "#{cursor_x} #{cursor_y}").split()))

    def close(self):
        subprocess.run([*self.tmux, "kill-server"], stderr=subprocess.DEVNULL, timeout=DEADLINE_SECONDS, check=False)
        self.directory.cleanup()


# ---- What the terminal shows

Style = namedtuple("Style", "fore back bold dim reverse", defaults=(None, None, False, False, False))
Cell = namedtuple("Cell", "text width style")

# A sequence that sets the style, another sequence, or one character.
TOKEN = re.compile(r"\x1b\[([\d;:]*)m|\x1b\[[^@-~]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()].|(.)", re.S)


def cells_of(screen):
    """The rows that `tmux capture-pane -e` writes. A style holds until it is changed, into the next row, too."""
    rows, cells, style = [], [], Style()
    for token in TOKEN.finditer(screen):
        codes, char = token.groups()
        if codes is not None:
            style = styled(style, [int(code or 0) for code in re.split("[;:]", codes)])
        elif char == "\n":
            rows.append(cells)
            cells = []
        elif char is not None and char >= " ":
            width = width_of(char)
            if width > 0:
                cells.append(Cell(char, width, style))
            elif cells:
                cells[-1] = cells[-1]._replace(text=cells[-1].text + char)
    return rows


def styled(style, codes):
    """A style after `ESC [ codes m`."""
    codes = iter(codes)
    for code in codes:
        if code == 0:
            style = Style()
        elif code in (1, 2):
            style = style._replace(**{"bold" if code == 1 else "dim": True})
        elif code == 22:
            style = style._replace(bold=False, dim=False)
        elif code in (7, 27):
            style = style._replace(reverse=code == 7)
        elif code in (38, 48):
            kind = next(codes, None)
            colour = next(codes, 0) if kind == 5 else tuple(next(codes, 0) for _ in range(3))
            style = style._replace(**{"fore" if code == 38 else "back": colour})
        elif 30 <= code <= 37 or 90 <= code <= 97:
            style = style._replace(fore=code - 30 if code < 90 else code - 82)
        elif 40 <= code <= 47 or 100 <= code <= 107:
            style = style._replace(back=code - 40 if code < 100 else code - 92)
        elif code in (39, 49):
            style = style._replace(**{"fore" if code == 39 else "back": None})
    return style


def width_of(char):
    """How many cells a character takes."""
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


# ---- The picture

CELL, ROW, FONT = 8.4, 19, 14
BAR, EDGE = 34, 14
FONTS = ("ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', "
         "'Noto Sans Mono CJK SC', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', monospace")

Theme = namedtuple("Theme", "fore back bar line sixteen")
THEMES = {
    "light": Theme("#1f2328", "#ffffff", "#f6f8fa", "#d0d7de", (
        "#24292f", "#cf222e", "#116329", "#7d4e00", "#0969da", "#8250df", "#1b7c83", "#6e7781",
        "#57606a", "#a40e26", "#1a7f37", "#633c01", "#218bff", "#a475f9", "#3192aa", "#8c959f")),
    "dark": Theme("#e6edf3", "#0d1117", "#161b22", "#30363d", (
        "#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4",
        "#6e7681", "#ffa198", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#ffffff")),
}


def picture(rows, cursor, columns, title, theme):
    """The terminal as an SVG."""
    width, height = columns * CELL + 2 * EDGE, len(rows) * ROW + BAR + 2 * EDGE
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        f'role="img" font-family="{FONTS}" font-size="{FONT}" xml:space="preserve">',
        f"<title>{escape(title)}</title>",
        f'<rect x=".5" y=".5" width="{width - 1:g}" height="{height - 1:g}" rx="8" fill="{theme.back}" stroke="{theme.line}"/>',
        f'<path d="M.5 {BAR}V8.5a8 8 0 0 1 8-8H{width - 8.5:g}a8 8 0 0 1 8 8V{BAR}Z" fill="{theme.bar}" stroke="{theme.line}"/>',
        *(f'<circle cx="{20 + 18 * at}" cy="{BAR / 2:g}" r="5.5" fill="{colour}"/>'
          for at, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))),
        f'<text x="{width / 2:g}" y="{BAR / 2 + 4.5:g}" text-anchor="middle" font-size="12.5" '
        f'fill="{mixed(theme.fore, theme.bar, 2 / 3)}">{escape(title)}</text>',
    ]
    for number, cells in enumerate(rows):
        top = BAR + EDGE + number * ROW
        column_of_cursor = cursor[0] if cursor[1] == number else None
        out.extend(row_of(cells, top, column_of_cursor, theme))
    return "\n".join([*out, "</svg>", ""])


def row_of(cells, top, column_of_cursor, theme):
    """The backgrounds of a row, and its text."""
    grounds, spans, column = [], [], 0
    cells = list(cells)
    missing = (column_of_cursor or 0) + 1 - sum(cell.width for cell in cells)
    if column_of_cursor is not None and missing > 0:
        cells += [Cell(" ", 1, Style())] * missing
    for cell in cells:
        fore, back = colours_of(cell.style, theme)
        if column == column_of_cursor:
            fore, back = theme.back, theme.fore
        look = (fore, cell.style.bold)
        if back is not None:
            grounds.append(f'<rect x="{x_of(column):g}" y="{top}" width="{cell.width * CELL:g}" height="{ROW}" fill="{back}"/>')
        last = spans[-1] if spans else None
        # By the word, so that where a font is a little wider than the grid, the next word is in its place again.
        begins_word = last is None or (last["text"].endswith(" ") and cell.text != " ")
        if begins_word or last["look"] != look or cell.width == 2 or last["is_wide"]:
            spans.append({"column": column, "look": look, "is_wide": cell.width == 2, "text": cell.text})
        else:
            last["text"] += cell.text
        column += cell.width
    while spans and not spans[-1]["text"].strip():
        spans.pop()
    words = "".join(span_of(span, theme) for span in spans)
    return [*grounds, *([f'<text y="{top + 14}" fill="{theme.fore}">{words}</text>'] if words else [])]


def span_of(span, theme):
    """Characters of one style, at their place in the grid."""
    fore, bold = span["look"]
    text = span["text"]
    x = x_of(span["column"]) + ((2 * CELL - FONT) / 2 if span["is_wide"] else 0)
    marks = f' fill="{fore}"' if fore != theme.fore else ""
    marks += ' font-weight="bold"' if bold else ""
    marks += f' textLength="{len(text) * CELL:.5g}"' if len(text) > 3 and text.isascii() else ""
    return f'<tspan x="{x:.5g}"{marks}>{escape(text, quote=False)}</tspan>'


def x_of(column):
    return round(EDGE + column * CELL, 2)


def colours_of(style, theme):
    """Of the letter and of the ground; of the latter none where it is that of all."""
    fore = theme.fore if style.fore is None else colour_of(style.fore, theme)
    back = None if style.back is None else colour_of(style.back, theme)
    if style.reverse:
        fore, back = back or theme.back, fore
    return (mixed(fore, back or theme.back, 2 / 3) if style.dim else fore), back


def colour_of(colour, theme):
    """One of the terminal's own 16, of the cube of 216, of the greys, or as red, green and blue."""
    if isinstance(colour, tuple):
        return "#{:02x}{:02x}{:02x}".format(*colour)
    if colour < 16:
        return theme.sixteen[colour]
    if colour >= 232:
        return "#" + f"{8 + 10 * (colour - 232):02x}" * 3
    level = (0, 95, 135, 175, 215, 255)
    cube = colour - 16
    return f"#{level[cube // 36]:02x}{level[cube // 6 % 6]:02x}{level[cube % 6]:02x}"


def mixed(colour, other, share):
    """Two colours of the form #rrggbb; `share` of the first."""
    parts = [(int(colour[at:at + 2], 16), int(other[at:at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(one * share + two * (1 - share)):02x}" for one, two in parts)


# ---- All of it


def main():
    parser = argparse.ArgumentParser(description="Takes the picture at the top of the README.")
    parser.add_argument("directory", nargs="?", default=HERE, type=Path, help="where the pictures go")
    parser.add_argument("--binary", default=SERVER, type=Path, help="the server")
    parser.add_argument("--address", default="127.0.0.1:5000", help="where it listens: on 127.0.0.1")
    parser.add_argument("--pace", default=0.5, type=float, help="seconds between the steps")
    parser.add_argument("--size", default="96x24", help="columns and rows of the terminal")
    options = parser.parse_args()
    columns, rows = map(int, options.size.split("x"))
    if not options.binary.is_file():
        raise Failure(f"{options.binary} is not there: cargo build --release makes it")
    terminal = Terminal([str(options.binary.resolve()), options.address, "--no-history", "--color", "always"], columns, rows)
    try:
        peers = play(terminal, options.pace)
        shown, cursor = terminal.rows(), terminal.cursor()
        for conn in peers:
            conn.close()
    finally:
        terminal.close()
    options.directory.mkdir(parents=True, exist_ok=True)
    for name, theme in THEMES.items():
        path = options.directory / f"session-{name}.svg"
        path.write_text(picture(shown, cursor, columns, f"switchboard {options.address}", theme), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except (Failure, OSError, subprocess.TimeoutExpired) as error:
        sys.exit(f"session.py: {error}")
