"""Writing a file that is one account's alone, where somebody prepared the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from proofkey.client import StoreRefused
from proofkey.client.private_file import make_private_directory, write_private


def test_nothing_is_written_into_a_file_that_somebody_prepared(tmp_path: Path) -> None:
    """Whoever made it may have it open still, and would read along."""
    path = make_private_directory(tmp_path / "tokens") / "sign-in"
    prepared = path.with_name(f".{path.name}.unique")
    with prepared.open("w+", encoding="utf-8") as opened:
        with pytest.raises(StoreRefused, match="store_unwritable"):
            write_private(path, b"the tokens", name="unique")
        assert "" == opened.read()
    assert not path.exists()
