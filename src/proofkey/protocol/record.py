"""What every fact is made of: a dataclass that the type checker freezes, and that costs the interpreter nothing extra.

At run time a frozen dataclass sets each field through `object.__setattr__`, and one sign-in makes some three hundred
fields: measured, a twentieth of its whole cost. `docs/decisions/2026-11-21-records-frozen-by-types.md` has the numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:
    from dataclasses import dataclass

    def record(*, frozen: bool, slots: bool) -> object:
        """`@record(frozen=True, slots=True)`: slots, equality and hash as a frozen dataclass has; freezing is mypy's."""
        return dataclass(slots=slots, unsafe_hash=frozen)


__all__ = ["record"]
