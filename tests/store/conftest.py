"""The contract lies in modules of its own; its assertions shall speak as those of test modules do."""

import pytest

for _part in ("grants", "liveness", "people", "configuration", "lost_answers", "two_stores"):
    pytest.register_assert_rewrite(f"tests.store.contract_{_part}")
