"""Runs relying-party plans of a conformance suite against `proofkey.client.web`, and prints how each module ended.

    python -m tests.conformance --suite https://localhost:8443 --suite-ca ca.pem basic config

One line per module: its name, the suite's status and result, and what was seen last. The exit status is 1 where one failed.
`docs/conformance/relying-party.md` says how a suite is had, and what was last seen.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conformance.plans import CLIENT_ID, PLANS, SECRET, Attempt, Plan, play
from tests.conformance.relying_party import Place, open_place
from tests.conformance.suite import Outcome, Suite

GOOD = frozenset({"PASSED", "SKIPPED"})


def configuration_of(plan: Plan, place: Place) -> dict[str, Any]:
    """What the suite is told of the client; one that registers tells the rest itself."""
    client = {
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
        "redirect_uri": place.redirect_uri,
        "post_logout_redirect_uri": place.post_logout_redirect_uri,
        "backchannel_logout_uri": place.backchannel_logout_uri,
    }
    named = {"client_name": "Proofkey"} if plan.registers else client
    return {"alias": CLIENT_ID, "description": plan.name, "waitTimeoutSeconds": 2, "client": named}


def run_plan(suite: Suite, plan: Plan, suite_ca: Path, only: str) -> Iterator[Outcome]:
    """Play the modules of *plan* whose name holds *only*, in its order."""
    with open_place() as place:
        created = suite.create_plan(plan.name, plan.variant, configuration_of(plan, place))
        for module in created["modules"]:
            name = module["testModule"]
            if only in name:
                started = suite.start(created["id"], module)
                seen = play(Attempt(plan, name, suite.issuer_of(started), place, suite_ca))
                outcome = suite.outcome(started)
                print(f"{name} | {outcome.status} {outcome.result} | {seen[:160]}", flush=True)
                print("".join(f"    {complaint}\n" for complaint in outcome.complaints), end="", flush=True)
                yield outcome


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--suite", default="https://localhost:8443", help="where the suite listens")
    parser.add_argument("--suite-ca", type=Path, required=True, help="who vouches for its certificate (PEM)")
    parser.add_argument("--only", default="", help="modules with this in their name")
    parser.add_argument("plans", nargs="+", choices=sorted(PLANS))
    given = parser.parse_args()
    for name in ("proofkey", "uvicorn"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    suite = Suite(given.suite, given.suite_ca)
    print(f"suite {suite.version()}")
    failed = 0
    for name in given.plans:
        print(f"\n{PLANS[name].name}")
        outcomes = list(run_plan(suite, PLANS[name], given.suite_ca, given.only))
        failed += sum(outcome.result not in GOOD for outcome in outcomes)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
