"""The comparison of client libraries: what a line says, and that a wrong token ends it."""

from __future__ import annotations

from pathlib import Path

import httpx2

from bench.sdk.__main__ import LIBRARIES, declaration, summarize
from bench.sdk.pages_server import origins


def test_a_ratio_is_taken_within_each_round_so_that_a_busy_minute_disturbs_all_alike() -> None:
    taken = {"proofkey": [100.0, 1_000.0, 90.0], "auth0": [200.0, 2_000.0, 60.0]}
    line = summarize("proofkey", taken, {"gzip": 1})
    assert ({"auth0-spa-js": 0.5}, 100.0, 3) == (line["ratio_to"], line["login_ms"], line["n"])


def test_every_library_has_a_page_an_origin_and_an_application(tmp_path: Path) -> None:
    pages = Path(__file__).parents[2] / "bench" / "sdk" / "pages"
    assert set(LIBRARIES) == {page.stem for page in pages.glob("*.mjs")}
    (tmp_path / "auth0.js").write_text("// nothing", encoding="utf-8")
    with origins(list(LIBRARIES), tmp_path) as opened:
        assert len(LIBRARIES) == len({origin.url for origin in opened.values()})
        assert all(f"{origin.url}/callback" in declaration(opened) for origin in opened.values())
        answers = [httpx2.get(opened["auth0"].url + path, trust_env=False) for path in ("/?code=1", "/auth0.js")]
        assert ["no-store", "max-age=3600"] == [answer.headers["cache-control"] for answer in answers]
        assert '<script type="module" src="/auth0.js">' in answers[0].text
