"""The driver of the conformance suite starts without one, and its relying party is a client that a person can use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.conformance.plans import PLANS
from tests.conformance.relying_party import open_place, relying_party
from tests.dev_server import StartDev


def test_it_says_which_plans_it_knows() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tests.conformance", "--help"], capture_output=True, text=True, check=True
    )
    assert all(name in told.stdout for name in PLANS)


def test_its_browser_begins_to_sign_in_at_a_real_issuer(start_dev: StartDev, tmp_path: Path) -> None:
    with open_place() as place:
        web = {"kind": "web", "client_secret": "s" * 40, "redirect_uris": [place.redirect_uri], "scopes": ["openid"]}
        workspace = {"applications": {"web": web}, "people": {"alice": {"password": "correct-horse-battery"}}}
        declared = {"tenants": {"demo": {"workspaces": {"main": workspace}}}}
        (tmp_path / "proofkey.yaml").write_text(json.dumps(declared), encoding="utf-8")
        dev = start_dev("--config", str(tmp_path / "proofkey.yaml"))
        client = {"client_id": dev.application("web")["client_id"], "client_secret": "s" * 40}
        with relying_party(place, place.authority.ca_file, issuer=dev.issuer, scope="openid", **client) as browser:
            assert browser.begin().startswith(f"{dev.issuer}/oauth2/authorize?")
            assert not browser.is_signed_in()
            assert "Sign in" in browser.sign_in()
