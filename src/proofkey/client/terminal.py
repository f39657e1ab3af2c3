"""Reading one pasted line from the terminal while something else may happen first (POSIX terminals, pipes, Windows).

1. Nothing is read beyond the line, and nothing once somebody else was faster: the rest is the program's own.
2. A terminal cuts a line at 4,096 characters (macOS: 1,024) unless it is told to hand over what comes; addresses are longer.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

_LONGEST = 65_536
_LOOK_AGAIN = 0.1
_END, _ERASE = b"\x04", (b"\x7f", b"\b")


def is_person_there() -> bool:
    """Whether a person sits at the terminal that this program reads from, with the program in the foreground."""
    try:
        descriptor = sys.stdin.fileno()
        return os.isatty(descriptor) and (os.name == "nt" or os.tcgetpgrp(descriptor) == os.getpgrp())
    except (AttributeError, OSError, ValueError):  # no stdin, a closed one, or none that is a file
        return False


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody reads *stream* at a terminal."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


class PasteReader:
    """Hands a line that is pasted to *take*, and None at the end of the input; the next one only when asked again."""

    def __init__(self, take: Callable[[str | None], None]) -> None:
        self._take = take
        self._closed = threading.Event()
        self._wanted = threading.Semaphore()
        self._thread = threading.Thread(target=self._read_lines, daemon=True)
        self._thread.start()

    def read_again(self) -> None:
        """The last line was not it: read the next one."""
        self._wanted.release()

    def close(self) -> None:
        """Read no more."""
        self._closed.set()
        self._wanted.release()
        if os.name != "nt":  # there a read cannot be given up
            self._thread.join()

    def _read_lines(self) -> None:
        try:
            descriptor = sys.stdin.fileno()
        except (AttributeError, OSError, ValueError):
            self._take(sys.stdin.readline() if sys.stdin else None)
            return
        with _whole_lines(descriptor):
            while self._wanted.acquire() and not self._closed.is_set():
                line = self._read_line(descriptor)
                if not self._closed.is_set():
                    self._take(line)
                if line is None:
                    return

    def _read_line(self, descriptor: int) -> str | None:
        """The next line; None at the end, or where reading was given up."""
        line = bytearray()
        while len(line) < _LONGEST:
            letter = self._read_letter(descriptor)
            if letter in (b"\n", b"\r"):
                break
            if letter in (b"", _END):
                return line.decode("utf-8", "replace") if line and letter == b"" and not self._closed.is_set() else None
            if letter in _ERASE:
                del line[-1:]
            else:
                line += letter
        return line.decode("utf-8", "replace")

    def _read_letter(self, descriptor: int) -> bytes:
        while os.name != "nt" and not select.select([descriptor], [], [], _LOOK_AGAIN)[0]:
            if self._closed.is_set():
                return b""
        try:
            return os.read(descriptor, 1)
        except OSError:  # the terminal is gone
            return b""


@contextmanager
def _whole_lines(descriptor: int) -> Iterator[None]:
    """The terminal hands over each letter as it comes; as it was, afterwards."""
    if os.name == "nt" or not os.isatty(descriptor):
        yield
        return
    import termios

    before: list[Any] = termios.tcgetattr(descriptor)
    changed = [*before[:3], before[3] & ~termios.ICANON, *before[4:]]
    termios.tcsetattr(descriptor, termios.TCSANOW, changed)
    try:
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSANOW, before)
