"""Sign-ins in files of their own, sealed with AES-256-GCM-SIV under a key beside them, or one the caller brings.

1. Without the key a file tells nothing, to whoever looks at it or gets a copy of it.
2. The key lies beside it unless it is brought: whatever runs as this account, or copies the directory, can open it.
3. A file under another key is refused and stays as it is; only signing in again replaces it.
4. Whoever takes the lock, or removes, takes away what a writer left who was killed: a sign-out leaves nothing that opens.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from proofkey.client.lock import hold_lock
from proofkey.client.private_file import make_private_directory, read_private, remove_unfinished, write_private
from proofkey.client.refused import StoreRefused
from proofkey.client.token_store.contract import StoredSignIn, decode_sign_in, encode_sign_in, read_sign_in, slot_of
from proofkey.protocol.base64url import decode_base64url, encode_base64url
from proofkey.seal import Seal, SealBroken

_PURPOSE = "proofkey client sign-in"
_SHORTEST_KEY = 43
_KEY = re.compile(rb"[A-Za-z0-9_-]{43}")
"""What `_make_key` makes: of an emptied file, or one that was cut, everybody knows what it seals under."""
_SUFFIX = ".sealed"


class SealedFileStore:
    """Keeps each sign-in in one file of *directory* (mode 0700), sealed under *key*, else under a key file made there.

    *key* is text of at least 43 characters, as `secrets.token_urlsafe(32)` makes them. Raises `StoreRefused`
    where the directory or a file is not this account's alone.

    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> store = SealedFileStore(Path(mkdtemp()) / "tokens")
    >>> store.find_all()
    ()
    """

    def __init__(self, directory: Path, *, key: str | None = None) -> None:
        if key is not None and len(key) < _SHORTEST_KEY:
            raise StoreRefused("store_key_weak", f"The key must have at least {_SHORTEST_KEY} characters")
        self._directory = directory
        self._brought = key

    def load(self, issuer: str, client_id: str) -> StoredSignIn | None:
        """The sign-in of *client_id* at *issuer*, None where there is none."""
        kept = self._open(self._path(issuer, client_id))
        return None if kept is None else decode_sign_in(kept, expected_issuer=issuer, expected_client_id=client_id)

    def save(self, sign_in: StoredSignIn) -> None:
        """Seal *sign_in* and replace the file there was."""
        make_private_directory(self._directory)
        seal = _seal_under(self._brought or self._make_key())
        sealed = seal.close(encode_sign_in(sign_in), os.urandom(12))
        path = self._path(sign_in.issuer, sign_in.client_id)
        write_private(path, sealed.encode("ascii"), name=os.urandom(8).hex())

    def remove(self, issuer: str, client_id: str) -> None:
        """Remove the file, whether or not there is one."""
        path = self._path(issuer, client_id)
        path.unlink(missing_ok=True)
        remove_unfinished(path)

    def find_all(self) -> Sequence[tuple[str, str]]:
        """Issuer and client of each sign-in that is kept. Raises `StoreRefused` where one of them cannot be opened."""
        return tuple(self._read_names())

    @contextmanager
    def lock(self, issuer: str, client_id: str) -> Iterator[None]:
        """Be alone with one sign-in, among all processes that use this directory."""
        make_private_directory(self._directory)
        with hold_lock(self._directory / f"{slot_of(issuer, client_id)}.lock"):
            remove_unfinished(self._path(issuer, client_id))
            yield

    def holds(self, issuer: str, client_id: str) -> bool:
        """Whether there is a file of this sign-in, whatever is in it."""
        path = self._path(issuer, client_id)
        return path.is_symlink() or path.exists()

    def _path(self, issuer: str, client_id: str) -> Path:
        return self._directory / f"{slot_of(issuer, client_id)}{_SUFFIX}"

    def _read_names(self) -> Iterator[tuple[str, str]]:
        for path in sorted(self._directory.glob(f"*{_SUFFIX}")):
            kept = self._open(path)
            if kept is not None:  # removed a moment ago
                sign_in = read_sign_in(kept)
                yield sign_in.issuer, sign_in.client_id

    def _open(self, path: Path) -> bytes | None:
        if not path.is_symlink() and not path.exists():
            return None
        make_private_directory(self._directory)
        sealed = read_private(path)
        if sealed is None:
            return None
        key = self._brought or self._read_key()
        if key is None or _generation_of(sealed) != _generation(key):
            raise StoreRefused(
                "store_key_wrong",
                "The sign-in is sealed under another key: bring that one back, or sign in again",
                parameters=[str(path)],
            )
        try:
            opened = _seal_under(key).open(sealed.decode("ascii", "replace"))
        except SealBroken:
            raise StoreRefused(
                "store_file_altered", "The file was altered or is cut short: sign in again", parameters=[str(path)]
            ) from None
        return msgspec.msgpack.decode(opened, type=bytes)

    def _read_key(self) -> str | None:
        path = self._directory / "key"
        kept = read_private(path)
        if kept is not None and not _KEY.fullmatch(kept):
            raise StoreRefused(
                "store_key_cut",
                "The key of the sign-ins is none any more: bring it back, or remove it and sign in again",
                parameters=[str(path)],
            )
        return None if kept is None else kept.decode("ascii")

    def _make_key(self) -> str:
        """The key beside the files; the first process that needs one makes it."""
        path = self._directory / "key"
        with hold_lock(self._directory / "key.lock"):
            remove_unfinished(path)
            key = self._read_key()
            if key is None:
                key = encode_base64url(os.urandom(32))
                write_private(path, key.encode("ascii"), name=os.urandom(8).hex())
        return key


def _seal_under(key: str) -> Seal:
    generation = _generation(key)
    return Seal({generation: key.encode()}, generation, _PURPOSE)


def _generation(key: str) -> int:
    """What tells one key from another in a seal's head, and nothing of the key itself."""
    return int.from_bytes(hashlib.sha256(b"proofkey token key\n" + key.encode()).digest()[:4], "big")


def _generation_of(sealed: bytes) -> int | None:
    try:
        return int.from_bytes(decode_base64url(sealed[:8].decode("ascii"))[1:5], "big")
    except ValueError:
        return None
