"""`make bench-sdk`: weigh the client libraries, and time them from navigation to tokens against one `proofkey dev --tls`.

1. All bundle the same page with the same bundler; all sign in at the same server, in the same browser, in turns.
2. A run starts where the issuer has a session and the library has none: what it kept of one is deleted before each. The
   browser was here before: scripts and metadata are in its cache, where their headers allow it.
3. The browser's own clock measures, from the click that navigates to the moment the page holds an access token.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import BrowserContext, Page, sync_playwright

from bench.cpu import run_before_others
from bench.sdk.pages_server import Origin, origins

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
CHROMIUM = os.environ.get("PROOFKEY_TEST_CHROMIUM", "/usr/bin/chromium")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
OURS = "proofkey"
LIBRARIES = {
    OURS: "@proofkey/spa",
    "auth0": "auth0-spa-js",
    "oidc_client_ts": "oidc-client-ts",
    "oauth4webapi": "oauth4webapi",
}
SETTLING = 300
"""Milliseconds a page stands before a run begins, as it does before a person clicks."""
SCOPE = "openid profile email notes:read"
PASSWORD = "correct-horse-battery"
API = "https://api.example"


def bundle(folder: Path) -> dict[str, dict[str, int]]:
    """Write each library's script to *folder*; their sizes in bytes."""
    command = [BIN / "node", HERE / "bundle.mjs", folder]
    sizes: dict[str, dict[str, int]] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return sizes


def declaration(opened: dict[str, Origin]) -> str:
    """A workspace with one application for each library, which nobody has to consent to. auth0-spa-js knows only RS256."""
    applications = {
        name: {
            "kind": "spa",
            "trusted": True,
            "redirect_uris": [f"{origin.url}/callback"],
            "scopes": SCOPE.split(),
            "id_token_signed_response_alg": "RS256" if name == "auth0" else "ES256",
        }
        for name, origin in opened.items()
    }
    person = {"email": "alice@demo.example", "email_verified": True, "name": "Alice Adler", "password": PASSWORD}
    apis = [{"audience": API, "scopes": {"notes:read": "Read your notes"}}]
    main = {"apis": apis, "applications": applications, "people": {"alice": person}}
    return json.dumps({"tenants": {"demo": {"workspaces": {"main": main}}}})


@contextmanager
def issuer(folder: Path, file: str) -> Iterator[str]:
    """A `proofkey dev --tls` that serves *file*; its issuer."""
    (folder / "proofkey.yaml").write_text(file, encoding="utf-8")
    command = [BIN / "proofkey", "dev", "--json", "--tls", "--port", "0", "--data", folder / "data"]
    with (
        (folder / "dev.log").open("wb") as log,
        subprocess.Popen([*command, "-c", folder / "proofkey.yaml"], stdout=subprocess.PIPE, stderr=log) as server,
    ):
        assert server.stdout is not None
        try:
            described = server.stdout.readline()
            if not described:
                raise RuntimeError(f"proofkey dev did not start:\n{(folder / 'dev.log').read_text(encoding='utf-8')}")
            yield json.loads(described)["issuer"]
        finally:
            server.terminate()


def trust_flag(data: Path) -> str:
    """Makes Chromium accept this server's key as good: what comes over a merely tolerated one is never cached."""
    certificate = x509.load_pem_x509_certificate(next(data.rglob("server.pem")).read_bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"--ignore-certificate-errors-spki-list={base64.b64encode(hashlib.sha256(key).digest()).decode()}"


def sign_in(context: BrowserContext, origin: Origin) -> None:
    """The first time: a person fills in the issuer's page."""
    page = context.new_page()
    page.goto(f"{origin.url}/start")
    page.evaluate("go()")
    page.get_by_label("Email or username").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_function("globalThis.taken > 0")
    page.close()


def time_once(page: Page, origin: Origin) -> float:
    """Milliseconds from navigation to tokens, by the browser's clock."""
    page.goto(f"{origin.url}/start")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Storage.clearDataForOrigin", {"origin": origin.url, "storageTypes": "indexeddb"})
    devtools.detach()
    page.evaluate("sessionStorage.clear()")
    page.wait_for_timeout(SETTLING)  # else some runs, at random, pay for a process that the browser is still starting
    page.evaluate("void go()")
    page.wait_for_function("globalThis.taken > 0", polling=20)
    taken: float = page.evaluate("taken")
    return taken


def time_all(opened: dict[str, Origin], runs: int, trust: str) -> dict[str, list[float]]:
    """Every library in turn, *runs* times; two rounds before that do not count."""
    taken: dict[str, list[float]] = {name: [] for name in opened}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGS, trust])
        context = chromium.new_context()
        sign_in(context, next(iter(opened.values())))
        pages = {name: context.new_page() for name in opened}
        for turn in range(runs + 2):
            names = list(opened)[turn % len(opened) :] + list(opened)[: turn % len(opened)]
            for name in names:
                milliseconds = time_once(pages[name], opened[name])
                if turn >= 2:
                    taken[name].append(milliseconds)
        chromium.close()
    return taken


def measure(folder: Path, runs: int, only: list[str]) -> Iterator[dict[str, Any]]:
    """One line for each library."""
    sizes = bundle(folder)
    taken: dict[str, list[float]] = {}
    with origins(only, folder) as opened, issuer(folder, declaration(opened)) as address:
        for name, origin in opened.items():
            origin.config = {
                "issuer": address,
                "client_id": name,
                "redirect_uri": f"{origin.url}/callback",
                "scope": SCOPE,
            }
        taken = time_all(opened, runs, trust_flag(folder / "data"))
    yield from (summarize(name, taken, sizes[name]) for name in taken)


def summarize(name: str, taken: dict[str, list[float]], sizes: dict[str, int]) -> dict[str, Any]:
    """One library's line. `ratio_to`: its time divided by another's in the same round, the median of that over all rounds."""
    times = taken[name]
    ratios = {
        LIBRARIES[other]: round(median(mine / theirs for mine, theirs in zip(times, taken[other], strict=True)), 3)
        for other in taken
        if other != name
    }
    line: dict[str, Any] = {"library": LIBRARIES[name], **sizes, "login_ms": round(median(times), 1), "n": len(times)}
    return line | {"lowest": round(min(times), 1), "highest": round(max(times), 1), "ratio_to": ratios}


def main() -> None:
    """Measure, and print one JSON object for each library."""
    parser = argparse.ArgumentParser(prog="make bench-sdk ARGS=…", description=__doc__)
    parser.add_argument("--runs", type=int, default=21, help="sign-ins of each library that count")
    parser.add_argument("--only", nargs="+", choices=LIBRARIES, default=list(LIBRARIES), help="only these libraries")
    asked = parser.parse_args()
    run_before_others()
    with tempfile.TemporaryDirectory(prefix="proofkey-bench-sdk-") as folder:
        for line in measure(Path(folder), asked.runs, asked.only):
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
