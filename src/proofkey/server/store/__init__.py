"""Where everything lasting lies: one contract, one SQL text, two databases."""

from proofkey.server.store.open import open_store

__all__ = ["open_store"]
