"""Files that are one account's alone: mode 0600 in a directory of mode 0700, replaced whole and on disk when done.

1. What is a link, somebody else's, or open to others is refused, not mended: somebody may have read or planted it.
2. A file is replaced by renaming a finished one over it: a crash leaves the old one or the new one, and perhaps an
   unfinished one, which `remove_unfinished` takes away.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from proofkey.client.refused import StoreRefused

_BINARY = getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | _BINARY
_HAS_OWNERS = hasattr(os, "geteuid")


def make_private_directory(path: Path) -> Path:
    """*path*, made where it is missing. Raises `StoreRefused` unless it is a directory of ours that is closed to others."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as failure:
        raise _unwritable(path, failure) from None
    why = "is no directory" if not stat.S_ISDIR((found := path.lstat()).st_mode) else _exposed(found)
    if why:
        raise StoreRefused(
            "store_directory_exposed",
            "The directory of tokens must be a directory of this account, mode 0700",
            parameters=[f"{path} {why}"],
        )
    return path


def open_private(path: Path, flags: int) -> int:
    """A descriptor of *path*. Raises `FileNotFoundError`, and `StoreRefused` for what is not a closed file of ours."""
    try:
        descriptor = os.open(path, flags | _NO_LINK, 0o600)
    except FileNotFoundError:
        raise
    except OSError as failure:
        if path.is_symlink():
            raise _exposed_file(path, "is a link") from None
        raise _unwritable(path, failure) from None
    found = os.fstat(descriptor)
    why = "is no plain file" if not stat.S_ISREG(found.st_mode) else _exposed(found)
    if why:
        os.close(descriptor)
        raise _exposed_file(path, why)
    return descriptor


def read_private(path: Path) -> bytes | None:
    """What *path* holds; None where there is no such file. Raises `StoreRefused`."""
    try:
        descriptor = open_private(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def write_private(path: Path, content: bytes, *, name: str) -> None:
    """Replace *path* by *content*; *name* is unique to this writing. Raises `StoreRefused`, and leaves what was."""
    unfinished = path.with_name(f".{path.name}.{name}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        sync_directory(path.parent)
    except OSError as failure:
        unfinished.unlink(missing_ok=True)
        raise _unwritable(path, failure) from None


def remove_unfinished(path: Path) -> None:
    """Take away what writers of *path* left who were killed; for whoever is alone with it."""
    for unfinished in path.parent.glob(f".{path.name}.*"):
        unfinished.unlink(missing_ok=True)


def sync_directory(path: Path) -> None:
    """See to it that what was renamed into *path* is on disk."""
    if not _HAS_OWNERS:  # Windows cannot open a directory
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exposed(found: os.stat_result) -> str:
    if not _HAS_OWNERS:
        return ""
    if found.st_uid != os.geteuid():
        return "belongs to another account"
    return f"has mode {stat.S_IMODE(found.st_mode):04o}" if found.st_mode & 0o077 else ""


def _exposed_file(path: Path, why: str) -> StoreRefused:
    return StoreRefused(
        "store_file_exposed",
        "A file of tokens must be a plain file of this account, mode 0600",
        parameters=[f"{path} {why}"],
    )


def _unwritable(path: Path, failure: OSError) -> StoreRefused:
    return StoreRefused(
        "store_unwritable", "The file cannot be written or read", parameters=[f"{path}: {failure.strerror}"]
    )
