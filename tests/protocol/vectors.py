"""The cases under vectors/ that the Python and the TypeScript code both pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).resolve().parents[2] / "vectors"


def cases(file: str, section: str) -> list[Any]:
    """One parameter per case of a section, named by why it is there."""
    listed = json.loads((VECTORS / file).read_text(encoding="utf-8"))[section]
    return [pytest.param(case, id=case["why"]) for case in listed]
