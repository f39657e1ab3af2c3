"""Sign-ins in the keyring of the operating system: Secret Service, KWallet, macOS Keychain, Windows Credential Manager.

1. A backend that keeps nothing, or keeps it in clear, is no keyring.
2. A value longer than the smallest of them takes (Windows: 1,280 characters) is cut up; its head is written last, so that
   a crash leaves the old value or the new one.
3. A keyring cannot be asked what it holds, so a marker in the directory says of which sign-ins it has one: issuer and
   client, nothing secret.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from proofkey.client.lock import hold_lock
from proofkey.client.private_file import make_private_directory, read_private, write_private
from proofkey.client.refused import StoreRefused
from proofkey.client.token_store.contract import StoredSignIn, decode_sign_in, encode_sign_in, slot_of

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE = "proofkey"
LONGEST = 1_200
_SUFFIX = ".keyring"
_NO_KEYRINGS = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")


def find_keyring() -> KeyringBackend | None:
    """The machine's keyring, where there is one that keeps secrets."""
    import keyring  # takes a tenth of a second

    try:
        backend = keyring.get_keyring()
        usable = backend.priority >= 1 and not type(backend).__module__.startswith(_NO_KEYRINGS)
    except Exception:  # a backend that the person configured may fail in any way
        return None
    return backend if usable else None


class KeyringUnreachable(StoreRefused):
    """There is no keyring, or it does not open."""


class KeyringStore:
    """Keeps each sign-in in *keyring*, and a marker without secrets in *directory*."""

    def __init__(self, directory: Path, keyring: KeyringBackend | None) -> None:
        self._directory = directory
        self._keyring = keyring

    def load(self, issuer: str, client_id: str) -> StoredSignIn | None:
        """The sign-in of *client_id* at *issuer*; None where there is none, or its entry is gone from the keyring."""
        marker = self._marker(issuer, client_id)
        if not marker.is_symlink() and not marker.exists():
            return None
        with self._asking() as keyring:
            text = _read(keyring, slot_of(issuer, client_id))
        kept = None if text is None else text.encode()
        return None if kept is None else decode_sign_in(kept, expected_issuer=issuer, expected_client_id=client_id)

    def save(self, sign_in: StoredSignIn) -> None:
        """Keep *sign_in* in place of the one there was."""
        make_private_directory(self._directory)
        issuer, client_id = sign_in.issuer, sign_in.client_id
        with self._asking() as keyring:
            _write(keyring, slot_of(issuer, client_id), encode_sign_in(sign_in).decode())
        marker = self._marker(issuer, client_id)
        if not marker.exists():
            write_private(marker, msgspec.json.encode((issuer, client_id)), name=os.urandom(8).hex())

    def remove(self, issuer: str, client_id: str) -> None:
        """Forget the sign-in, whether or not there is one."""
        marker = self._marker(issuer, client_id)
        if marker.exists():
            with self._asking() as keyring:
                _delete(keyring, slot_of(issuer, client_id))
            marker.unlink(missing_ok=True)

    def find_all(self) -> Sequence[tuple[str, str]]:
        """Issuer and client of each sign-in that is kept."""
        found = (_read_marker(path) for path in sorted(self._directory.glob(f"*{_SUFFIX}")))
        return tuple(names for names in found if names is not None)

    def lock(self, issuer: str, client_id: str) -> AbstractContextManager[object]:
        """Be alone with one sign-in, among all processes that use this directory."""
        make_private_directory(self._directory)
        return hold_lock(self._directory / f"{slot_of(issuer, client_id)}.lock")

    def _marker(self, issuer: str, client_id: str) -> Path:
        return self._directory / f"{slot_of(issuer, client_id)}{_SUFFIX}"

    @contextmanager
    def _asking(self) -> Iterator[KeyringBackend]:
        """The keyring; what goes wrong with it is a refusal."""
        keyring = self._keyring or find_keyring()
        try:
            if keyring is None:
                raise LookupError("there is none")
            yield keyring
        except StoreRefused:
            raise
        except Exception as failure:  # each backend has failures of its own
            raise KeyringUnreachable(
                "keyring_unreachable", "The keyring that keeps the sign-in does not open", detail=str(failure)
            ) from failure


def _read_marker(path: Path) -> tuple[str, str] | None:
    """Issuer and client; None where somebody removed it a moment ago."""
    marker = read_private(path)
    try:
        return None if marker is None else msgspec.json.decode(marker, type=tuple[str, str])
    except msgspec.MsgspecError:
        raise StoreRefused(
            "store_marker_unreadable",
            "The marker of a sign-in in the keyring is empty or cut short: remove it, and sign in again",
            parameters=[str(path)],
        ) from None


def _read(keyring: KeyringBackend, name: str) -> str | None:
    head = keyring.get_password(SERVICE, name)
    if head is None or not head.startswith("#"):
        return head
    version, _, count = head[1:].partition(":")
    parts = [keyring.get_password(SERVICE, f"{name}#{version}#{number}") for number in range(int(count))]
    if None in parts:
        raise LookupError("a part of the entry is gone")
    return "".join(part for part in parts if part)


def _write(keyring: KeyringBackend, name: str, text: str) -> None:
    old = keyring.get_password(SERVICE, name)
    if len(text) <= LONGEST:
        keyring.set_password(SERVICE, name, text)
    else:
        version = os.urandom(4).hex()
        parts = [text[start : start + LONGEST] for start in range(0, len(text), LONGEST)]
        for number, part in enumerate(parts):
            keyring.set_password(SERVICE, f"{name}#{version}#{number}", part)
        keyring.set_password(SERVICE, name, f"#{version}:{len(parts)}")
    _delete_parts(keyring, name, old)


def _delete(keyring: KeyringBackend, name: str) -> None:
    head = keyring.get_password(SERVICE, name)
    if head is not None:
        keyring.delete_password(SERVICE, name)
    _delete_parts(keyring, name, head)


def _delete_parts(keyring: KeyringBackend, name: str, head: str | None) -> None:
    if head is None or not head.startswith("#"):
        return
    version, _, count = head[1:].partition(":")
    from keyring.errors import PasswordDeleteError

    for number in range(int(count)):
        with suppress(PasswordDeleteError):
            keyring.delete_password(SERVICE, f"{name}#{version}#{number}")
