"""What the flows work with: the store, the directory, the clock, the entropy, and what this process remembers."""

from __future__ import annotations

from dataclasses import dataclass, field

from proofkey.clock import Clock
from proofkey.server.config import Config
from proofkey.server.entropy import Entropy
from proofkey.server.flows.access_token import KnownSignatures
from proofkey.server.issuer import Directory
from proofkey.server.master_key import MasterKey
from proofkey.server.store.contract import Store


@dataclass(frozen=True, slots=True)
class Engine:
    """One process's view of a deployment; the impurities are injected (law 11)."""

    config: Config
    store: Store
    directory: Directory
    master_key: MasterKey
    clock: Clock
    entropy: Entropy
    known: KnownSignatures = field(default_factory=KnownSignatures)
