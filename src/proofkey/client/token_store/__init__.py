"""Where a person's sign-ins are kept between two runs of a program: keyring, sealed file, or memory."""

from __future__ import annotations

from proofkey.client.token_store.contract import StoredSignIn, TokenStore
from proofkey.client.token_store.memory import MemoryStore
from proofkey.client.token_store.own_store import OwnStore
from proofkey.client.token_store.sealed_file import SealedFileStore

__all__ = ["MemoryStore", "OwnStore", "SealedFileStore", "StoredSignIn", "TokenStore"]
