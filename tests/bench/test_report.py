"""bench/report.py: ratios are taken within each round, budgets bind Proofkey alone."""

from __future__ import annotations

import json

from bench.report import Line, summarize


def test_a_ratio_is_the_median_of_the_ratios_of_each_round() -> None:
    disturbed = {"proofkey": [100.0, 300.0, 100.0], "peer": [200.0, 600.0, 200.0]}
    ours, theirs = summarize("flow", {"proofkey": 10, "peer": 5}, disturbed)
    assert {"peer": 0.5} == ours.ratio_to
    assert {"proofkey": 2.0} == theirs.ratio_to
    assert (100.0, 30, 15) == (ours.cpu_us, ours.n, theirs.n)


def test_a_line_says_what_was_measured_and_nothing_else() -> None:
    line = Line("flow", "proofkey", 199.96, 3_000, ratio_to={"peer": 0.3333})
    expected = {"figure": "flow", "subject": "proofkey", "cpu_us": 200.0, "n": 3_000, "ratio_to": {"peer": 0.333}}
    assert expected == json.loads(line.as_json())


def test_the_budget_binds_proofkey_on_sqlite_alone() -> None:
    assert True is Line("flow", "proofkey", 280.0, 1).within_budget
    assert False is Line("flow", "proofkey", 280.1, 1).within_budget
    assert False is Line("rss", "proofkey", 200.0, 1, rss_mb=91.0).within_budget
    assert False is Line("growth", "proofkey", 200.0, 1, ratio_to={"100 grants": 1.31}).within_budget
    assert None is Line("flow", "authlib-flask", 2_000.0, 1).within_budget
    assert None is Line("flow", "proofkey on postgresql", 2_000.0, 1).within_budget
    assert None is Line("introspection", "proofkey", 2_000.0, 1).within_budget
