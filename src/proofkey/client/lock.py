"""One at a time across processes: a lock on a file, which ends with its holder, however that ends (flock(2)).

1. The file is never removed: whoever waits on a removed file and whoever makes it anew would both hold "the" lock.
2. Each taking opens the file anew, so that threads of one process exclude each other, too.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proofkey.client.private_file import open_private
from proofkey.client.refused import StoreRefused
from proofkey.protocol.records import SECOND

PATIENCE_FOR = 60 * SECOND
_LOOK_AGAIN = 0.02

if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def hold_lock(path: Path, *, patience_for: int = PATIENCE_FOR) -> Iterator[None]:
    """Alone among all who lock *path*, once the others are done.

    Raises `StoreRefused` after *patience_for* milliseconds: somebody holds it and does not move.
    """
    descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
    deadline = time.monotonic() + patience_for / SECOND
    try:
        while not try_lock(descriptor):
            if time.monotonic() >= deadline:
                raise StoreRefused(
                    "store_locked", "Another process holds the lock and does not let go", parameters=[str(path)]
                )
            time.sleep(_LOOK_AGAIN)
        yield
    finally:
        os.close(descriptor)
