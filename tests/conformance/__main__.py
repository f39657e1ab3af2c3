"""Runs relying-party plans of a conformance suite against `proofkey.client.web`, and prints how each module ended.

    python -m tests.conformance --suite https://localhost:8443 --suite-ca ca.pem basic config

One line per module: its name, the suite's result, what the browser saw last. The exit status is 1 where one failed.
`docs/conformance/relying-party.md` says how a suite is had, and what was last seen.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.relying_party import SCOPE, Browser, Place, open_place, relying_party
from tests.conformance.suite import Outcome, Suite

GOOD = frozenset({"PASSED", "SKIPPED", "REVIEW"})
SECRET = "a-secret-of-more-than-thirty-two-characters"
COOL_DOWN = 31.0
"""Seconds after which the client asks for the issuer's keys once more because it meets one it does not know."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One of the suite's plans, with the choices it leaves open, and what is asked of the client beside."""

    name: str
    variant: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)


STATIC = {"client_registration": "static_client", "request_type": "plain_http_request"}
OPEN = {**STATIC, "client_auth_type": "client_secret_basic", "response_mode": "default"}
PLANS = {
    "basic": Plan("oidcc-client-basic-certification-test-plan", STATIC),
    "config": Plan("oidcc-client-config-certification-test-plan", OPEN),
    "form-post": Plan("oidcc-client-formpost-basic-certification-test-plan", STATIC, {"response_mode": "form_post"}),
    "rp-initiated-logout": Plan("oidcc-client-rp-initiated-logout-rp-basic", OPEN),
    "back-channel-logout": Plan("oidcc-client-back-channel-logout-rp-basic", OPEN),
}


def twice(browser: Browser) -> str:
    """Sign in before and after the keys change."""
    first = browser.sign_in()
    time.sleep(COOL_DOWN)
    return f"{first}, then {browser.sign_in()}"


def in_and_out(browser: Browser) -> str:
    """Sign in, then out."""
    return f"{browser.sign_in()}, then {browser.sign_out()}, signed in: {browser.is_signed_in()}"


STEPS: Mapping[str, Callable[[Browser], str]] = {
    "oidcc-client-test-discovery-openid-config": Browser.begin,
    "oidcc-client-test-signing-key-rotation": twice,
}
"""What is done in a module, where it is more or less than signing in."""


def steps_of(module: str) -> Callable[[Browser], str]:
    """What the browser does in *module*."""
    return STEPS.get(module, in_and_out if "logout" in module else Browser.sign_in)


def run_module(
    suite: Suite, plan: Plan, place: Place, suite_ca: Path, plan_id: str, module: Mapping[str, Any]
) -> Outcome:
    """Play one module with a client that knows nothing of those before."""
    name = module["testModule"]
    started = suite.start(plan_id, module)
    client = {"issuer": suite.issuer_of(started), "client_id": "proofkey", "client_secret": SECRET}
    asked = {"scope": SCOPE, "userinfo": True, "id_token_signed_response_alg": "RS256", **plan.options}
    with relying_party(place, suite_ca, **client, **asked) as browser:
        seen = steps_of(name)(browser)
        outcome = suite.outcome(started)
    print(f"{name} | {outcome.status} {outcome.result} | {seen[:200]}", flush=True)
    for complaint in outcome.complaints:
        print(f"    {complaint}", flush=True)
    return outcome


def run_plan(suite: Suite, plan: Plan, suite_ca: Path, only: str) -> list[Outcome]:
    """All modules of *plan* whose name holds *only*, in its order."""
    with open_place() as place:
        client = {
            "client_id": "proofkey",
            "client_secret": SECRET,
            "redirect_uri": place.redirect_uri,
            "post_logout_redirect_uri": place.post_logout_redirect_uri,
            "backchannel_logout_uri": place.backchannel_logout_uri,
        }
        configuration = {"alias": "proofkey", "description": plan.name, "waitTimeoutSeconds": 2, "client": client}
        created = suite.create_plan(plan.name, plan.variant, configuration)
        modules = [module for module in created["modules"] if only in module["testModule"]]
        return [run_module(suite, plan, place, suite_ca, created["id"], module) for module in modules]


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--suite", default="https://localhost:8443", help="where the suite listens")
    parser.add_argument("--suite-ca", type=Path, required=True, help="who vouches for its certificate (PEM)")
    parser.add_argument("--only", default="", help="modules with this in their name")
    parser.add_argument("plans", nargs="+", choices=sorted(PLANS))
    given = parser.parse_args()
    suite = Suite(given.suite, given.suite_ca)
    print(f"suite {suite.version()}")
    failed = 0
    for name in given.plans:
        plan = PLANS[name]
        print(f"\n{plan.name}")
        outcomes = run_plan(suite, plan, given.suite_ca, given.only)
        failed += sum(outcome.result not in GOOD for outcome in outcomes)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
