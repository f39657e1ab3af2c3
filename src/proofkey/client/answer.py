"""Waiting for the answer of a login from wherever it comes first: the listener, the terminal, or whoever opened the browser.

1. An address that is not this login's answer never ends the wait, wherever it comes from; the person is told why.
2. A refusal of the server, and an answer of this login that must not be believed, do.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Literal, TypeAlias
from urllib.parse import parse_qs

from proofkey.client.loopback import LoopbackListener
from proofkey.client.protocol import Callback, NotThisLogin, PendingLogin, read_callback
from proofkey.client.refused import LoginAbandoned
from proofkey.client.terminal import PasteReader
from proofkey.protocol.records import SECOND

Browser: TypeAlias = Callable[[str], object]
Say: TypeAlias = Callable[[str], None]
_LOOK_AGAIN = 0.5


@dataclass(frozen=True, slots=True)
class Arrival:
    """Something that happened while waiting, and what came with it; `opened` is whether a browser was."""

    kind: Literal["came_back", "pasted", "paste_ended", "opened", "cancelled"]
    url: str = field(default="", repr=False)
    opened: bool = True


@dataclass(slots=True)
class AnswerWait:
    """One wait for one answer. *listener* and *browser* are None where there is none; *reads_paste* reads stdin."""

    pending: PendingLogin
    listener: LoopbackListener | None
    browser: Browser | None
    reads_paste: bool
    say: Say
    arrivals: SimpleQueue[Arrival]
    read_again: Callable[[], None] = lambda: None

    def wait(self, patience_for: int) -> Callback:
        """The answer. Raises `LoginAbandoned` after *patience_for* milliseconds, and as `read_callback` does."""
        with ExitStack() as sources:
            self._open_sources(sources)
            for arrival in self._arrivals_until(time.monotonic() + patience_for / SECOND):
                callback = self._take(arrival)
                if callback is not None:
                    return callback
        raise LoginAbandoned("login_timeout", "Nobody came back in time: start again")

    def _open_sources(self, sources: ExitStack) -> None:
        if self.listener is not None:
            self.listener.start(self._is_ours, lambda url: self.arrivals.put(Arrival("came_back", url)))
        if self.reads_paste:
            reader = PasteReader(self._take_line)
            sources.callback(reader.close)
            self.read_again = reader.read_again
        if self.browser is not None:
            Thread(target=self._open_browser, args=(self.browser,), daemon=True).start()

    def _is_ours(self, query: str) -> bool:
        try:
            states = parse_qs(query, keep_blank_values=True, max_num_fields=64).get("state", [])
        except ValueError:  # too many
            return False
        return len(states) == 1 and hmac.compare_digest(states[0].encode(), self.pending.state.encode())

    def _take_line(self, line: str | None) -> None:
        self.arrivals.put(Arrival("paste_ended") if line is None else Arrival("pasted", line))

    def _open_browser(self, browser: Browser) -> None:
        """A browser may be a function that comes back with the answer itself."""
        try:
            found = browser(self.pending.url)
        except Exception:  # whatever it is, the person can still open the address
            found = False
        came_back = isinstance(found, str)
        self.arrivals.put(
            Arrival("came_back", str(found)) if came_back else Arrival("opened", opened=found is not False)
        )

    def _arrivals_until(self, deadline: float) -> Iterator[Arrival]:
        while (left := deadline - time.monotonic()) > 0:
            try:
                yield self.arrivals.get(timeout=min(left, _LOOK_AGAIN))
            except Empty:
                continue

    def _take(self, arrival: Arrival) -> Callback | None:
        match arrival.kind:
            case "came_back":
                return self._read(arrival.url)
            case "pasted":
                url = read_pasted(arrival.url, self.pending.registration.redirect_uri)
                callback = self._read(url, " Paste the whole address.") if url else None
                if callback is None:
                    self.read_again()
                return callback
            case "paste_ended" if self.listener is None:
                raise LoginAbandoned("callback_not_pasted", "No address was pasted")
            case "opened" if not arrival.opened:
                self.say("No browser has opened: open the address yourself.")
            case "cancelled":
                raise called_off()
        return None

    def _read(self, url: str, advice: str = "") -> Callback | None:
        try:
            return read_callback(url, self.pending)
        except NotThisLogin as refused:
            self.say(f"That is not the answer of this login ({refused.error_description}).{advice}")
            return None


def called_off() -> LoginAbandoned:
    """The refusal of a login that the program itself gave up."""
    return LoginAbandoned("login_called_off", "The login was called off")


def read_pasted(line: str, redirect_uri: str) -> str:
    """The address in what was pasted: the whole of it, without its scheme, or its query alone; empty for nothing."""
    text = line.replace("\x1b[200~", "").replace("\x1b[201~", "").strip().strip("'\"<>`").strip()
    scheme, _, rest = redirect_uri.partition("?")[0].partition("://")
    if rest and text.startswith(rest):
        return f"{scheme}://{text}"
    is_query = text.startswith("?") or ("state=" in text and ":" not in text.partition("=")[0])
    return f"{redirect_uri.partition('?')[0]}?{text.removeprefix('?')}" if text and is_query else text
