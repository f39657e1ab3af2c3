"""Where this account keeps its sign-ins: the machine's keyring, else sealed files in `$XDG_STATE_HOME/proofkey`.

1. With `PROOFKEY_TOKEN_KEY` it is always the sealed files, under that key: who brings a key means them.
2. A sign-in is where it was saved: one in a keyring that does not open is refused, never taken for none.
3. Where both have it, the file is newer: it is written only once, when the keyring did not take it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from proofkey.client.token_store.contract import StoredSignIn
from proofkey.client.token_store.keyring_store import KeyringStore, KeyringUnreachable, find_keyring
from proofkey.client.token_store.sealed_file import SealedFileStore

_TOKEN_KEY = "PROOFKEY_TOKEN_KEY"


def without_token_key(environment: Mapping[str, str]) -> dict[str, str]:
    """*environment* for programs that this one starts: they have no business with the key of its tokens."""
    return {name: value for name, value in environment.items() if name != _TOKEN_KEY}


def state_directory(environment: Mapping[str, str]) -> Path:
    """`$XDG_STATE_HOME/proofkey`, which is `~/.local/state/proofkey` where that is not set to an absolute path."""
    state_home = Path(environment.get("XDG_STATE_HOME", ""))
    if state_home.is_absolute():
        return state_home / "proofkey"
    if os.name == "nt" and environment.get("LOCALAPPDATA"):
        return Path(environment["LOCALAPPDATA"]) / "proofkey"
    return Path.home() / ".local" / "state" / "proofkey"


class OwnStore:
    """The account's own sign-ins, as *environment* says where; what `login` uses unless it is told another store.

    >>> from tempfile import mkdtemp
    >>> store = OwnStore({"XDG_STATE_HOME": mkdtemp()})
    >>> store.find_all()
    ()
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        directory = state_directory(environment)
        key = environment.get(_TOKEN_KEY) or None
        self._files = SealedFileStore(directory, key=key)
        self._keyring = KeyringStore(directory, None)
        self._wants_keyring = key is None

    def load(self, issuer: str, client_id: str) -> StoredSignIn | None:
        """The sign-in of *client_id* at *issuer*, None where there is none."""
        return self._files.load(issuer, client_id) or self._keyring.load(issuer, client_id)

    def save(self, sign_in: StoredSignIn) -> None:
        """Keep *sign_in*: in the keyring where there is one that opens, unless it is in a file already."""
        if not self._saves_to_keyring(sign_in):
            self._files.save(sign_in)

    def _saves_to_keyring(self, sign_in: StoredSignIn) -> bool:
        if not self._wants_keyring or self._files.holds(sign_in.issuer, sign_in.client_id) or find_keyring() is None:
            return False
        try:
            self._keyring.save(sign_in)
        except KeyringUnreachable:
            return False
        return True

    def remove(self, issuer: str, client_id: str) -> None:
        """Forget the sign-in, wherever it is."""
        self._files.remove(issuer, client_id)
        self._keyring.remove(issuer, client_id)

    def find_all(self) -> Sequence[tuple[str, str]]:
        """Issuer and client of each sign-in that is kept."""
        return tuple(dict.fromkeys((*self._files.find_all(), *self._keyring.find_all())))

    def lock(self, issuer: str, client_id: str) -> AbstractContextManager[object]:
        """Be alone with one sign-in, among all processes of this account."""
        return self._files.lock(issuer, client_id)
