# SPDX-License-Identifier: LGPL-2.1-or-later
"""nook pull on a terminal: bars that fit it, whatever its size."""

import re
import threading

import pytest

from depots import pull, serve  # noqa: F401 (pull is a fixture)
from registries import Image, Reply, memory, noise

pytestmark = pytest.mark.anywhere


def test_bars_on_a_terminal(pull):
    pexpect = pytest.importorskip("pexpect")
    with serve(memory()) as server:
        child = pexpect.spawn(str(pull.nook.program), ["pull", f"{server.host}/team/app:1"], env=pull.nook.environment, encoding="utf-8")
        child.expect(pexpect.EOF)
        child.close()
    assert child.exitstatus == 0 and "\x1b[K" in child.before and "pulled" in child.before


class Screen:
    """As much of a terminal as bars need: lines that wrap, cursor up, erase."""

    def __init__(self, rows, columns):
        self.columns, self.lines, self.row, self.column = columns, [""] * rows, 0, 0
        self.wrapped = 0

    def feed(self, text):
        for piece in re.findall(r"\x1b\[(\d*)([A-Z])|([\s\S])", text):
            count, command, letter = piece
            if command == "A":
                self.row = max(0, self.row - int(count or 1))
            elif command == "K":
                self.lines[self.row] = self.lines[self.row][:self.column]
            elif command == "J":
                self.lines[self.row:] = [self.lines[self.row][:self.column]] + [""] * (len(self.lines) - self.row - 1)
            elif letter == "\r":
                self.column = 0
            elif letter == "\n":
                self.down()
            else:
                assert letter.isprintable(), repr(letter)
                if self.column == self.columns:
                    self.column, self.wrapped = 0, self.wrapped + 1
                    self.down()
                self.lines[self.row] = self.lines[self.row][:self.column].ljust(self.column) + letter + self.lines[self.row][self.column + 1:]
                self.column += 1

    def down(self):
        self.row += 1
        if self.row == len(self.lines):
            self.lines, self.row = self.lines[1:] + [""], self.row - 1


@pytest.mark.parametrize("rows, columns, layers", [(24, 80, 3), (24, 20, 3), (24, 40, 3), (5, 80, 12), (3, 13, 4), (50, 200, 30)])
def test_bars_of_any_width(pull, rows, columns, layers):
    """One line a layer, never wrapped, drawn anew in its place."""
    pexpect = pytest.importorskip("pexpect")
    image = Image([{f"f{i}": noise(200000, i)} for i in range(layers)])
    seen = threading.Event()

    def slow(request):
        """The second half of a layer comes when the first was drawn."""
        if "/blobs/" not in request.path or request.path.endswith(image.config["digest"]):
            return None
        data = image.blobs[request.path.rsplit("/", 1)[1]]

        def write(handler):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data[:len(data) // 2])
            handler.wfile.flush()
            seen.wait(20)
            handler.wfile.write(data[len(data) // 2:])
        return Reply(write=write)

    with serve(memory(image, faults=slow)) as server:
        pull.configure(f'[[registry]]\nprefix = "a.b"\nlocation = "{server.host}"\n')
        child = pexpect.spawn(str(pull.nook.program), ["pull", "a.b/team/app:1"], env=pull.nook.environment, encoding="utf-8", dimensions=(rows, columns))
        child.expect(r"\d %|\[=+[> ]+\] \d")
        text = child.before + child.after
        seen.set()
        child.expect(pexpect.EOF)
        text += child.before
        child.close()
    assert child.exitstatus == 0, text
    screen = Screen(rows + layers + 10, columns)
    bars = text[:text.rindex("digest: ")]
    screen.feed(bars[bars.index("\n") + 1:] if columns > 30 else bars[bars.index("\r\x1b[K"):])
    shown = [line for line in screen.lines if line.strip()]
    assert screen.wrapped == 0, shown
    assert len(shown) == min(layers, rows - 1, 16), shown
    assert all("pulled"[:columns - 9] in line for line in shown), shown


def test_a_terminal_that_is_resized(pull):
    """Each redraw asks anew how wide it is."""
    pexpect = pytest.importorskip("pexpect")
    image = Image([{"big": noise(300000)}])
    name = image.layers[0]["digest"]
    resized = threading.Event()

    def slow(request):
        def write(handler):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % image.layers[0]["size"] + image.blobs[name][:100000])
            handler.wfile.flush()
            resized.wait(20)
            handler.wfile.write(image.blobs[name][100000:])
        return Reply(write=write) if name in request.path else None

    with serve(memory(image, faults=slow)) as server:
        child = pexpect.spawn(str(pull.nook.program), ["pull", f"{server.host}/team/app:1"], env=pull.nook.environment, encoding="utf-8", dimensions=(24, 100))
        child.expect(r"\[=+> *\] \d+ kB / \d+ kB")
        child.setwinsize(24, 20)
        child.expect(r"\x1b\[J.*\r\x1b\[K[0-9a-f]{6}  \d+ %\r\n")
        resized.set()
        child.expect(pexpect.EOF)
        child.close()
    assert child.exitstatus == 0
