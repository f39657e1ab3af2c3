"""Sign-ins that end with the process."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from threading import Lock

from proofkey.client.token_store.contract import StoredSignIn


class MemoryStore:
    """Keeps sign-ins for as long as it lives itself; for programs that must leave nothing behind.

    >>> store = MemoryStore()
    >>> store.load(ISSUER, CLIENT_ID) is None
    True
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], StoredSignIn] = {}
        self._locks: dict[tuple[str, str], Lock] = {}

    def load(self, issuer: str, client_id: str) -> StoredSignIn | None:
        """The sign-in of *client_id* at *issuer*, None where there is none."""
        return self._kept.get((issuer, client_id))

    def save(self, sign_in: StoredSignIn) -> None:
        """Keep *sign_in* in place of the one there was."""
        self._kept[sign_in.issuer, sign_in.client_id] = sign_in

    def remove(self, issuer: str, client_id: str) -> None:
        """Forget the sign-in, whether or not there is one."""
        self._kept.pop((issuer, client_id), None)

    def find_all(self) -> Sequence[tuple[str, str]]:
        """Issuer and client of each sign-in that is kept."""
        return tuple(self._kept)

    def lock(self, issuer: str, client_id: str) -> AbstractContextManager[object]:
        """Be alone with one sign-in, among the threads of this process."""
        return self._locks.setdefault((issuer, client_id), Lock())
