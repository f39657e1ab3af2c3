"""The guard in Django where no running site is needed; the example runs as ASGI and as WSGI in test_guard_adapters.py."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings

from proofkey.guard import Access, require
from proofkey.guard.django import GuardMiddleware, _bring, _read_paths, _required
from proofkey.guard.django import require as required


def test_the_longest_path_counts() -> None:
    paths = _read_paths({"/": "", "/api/admin/": "notes:write", "/api/": "notes:read"})
    assert [
        ("/api/admin/", require("notes:write")),
        ("/api/", require("notes:read")),
        ("/", require()),
    ] == paths


@pytest.mark.parametrize("path", ["api/", "/api", "", "https://api.example/"])
def test_a_path_that_could_mean_its_neighbour_stops_the_start(path: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="begin and end with a slash"):
        _read_paths({path: "notes:read"})


def test_an_ageing_nonce_is_answered_with_the_next_one() -> None:
    access = Access("https://issuer.example", "alice", None, frozenset(), 0, {}, (("dpop-nonce", "next"),))
    assert {"dpop-nonce": "next"} == _bring(access, {})
    assert {} == _bring(None, {})


@pytest.fixture(autouse=True)
def configured() -> None:
    if not settings.configured:
        settings.configure()  # Django's defaults


def answer(_: HttpRequest) -> HttpResponse:
    return HttpResponse("open")


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        (
            {"issuer": "https://issuer.example", "audience": "notes"},
            "'issuer'.* It takes issuers, audience, resource, ",
        ),
        ({"issuers": "https://issuer.example"}, "'audience'"),
        ({"issuers": "http://issuer.example", "audience": "notes"}, "issuer must be an https URL"),
        ("https://issuer.example", "PROOFKEY_GUARD must be a dict"),
        (None, "PROOFKEY_GUARD must be a dict"),
    ],
)
def test_a_setting_that_cannot_work_stops_the_start_and_says_what_to_mend(setting: Any, told: str) -> None:
    with override_settings(PROOFKEY_GUARD=setting), pytest.raises(ImproperlyConfigured, match=told):
        GuardMiddleware(answer)


def test_a_setting_that_is_missing_stops_the_start() -> None:
    told = r'PROOFKEY_GUARD must be a dict: \{"issuers": …, "audience": …\}'
    with override_settings(), pytest.raises(ImproperlyConfigured, match=told):
        GuardMiddleware(answer)


@pytest.mark.parametrize(
    ("paths", "mounted", "path", "status"),
    [
        ({"/api/": ""}, "/api", "/about", 401),
        ({"/api/": ""}, "/v1", "/api/notes", 401),
        ({"/api/": ""}, "/v1", "/about", 200),
        ({"/api/": ""}, "", "/apiary", 200),
        ({"/api/": ""}, "", "/api", 401),
    ],
)
def test_a_path_is_guarded_with_and_without_what_the_application_is_mounted_at(
    paths: dict[str, str], mounted: str, path: str, status: int
) -> None:
    setting = {"issuers": "https://issuer.example", "audience": "notes"}
    with override_settings(PROOFKEY_GUARD=setting, PROOFKEY_GUARD_PATHS=paths):
        request = RequestFactory(SCRIPT_NAME=mounted).get(path)
        assert (mounted + path, path) == (request.path, request.path_info)
        assert status == GuardMiddleware(answer)(request).status_code


def test_the_path_within_the_application_chooses_the_scopes() -> None:
    paths = _read_paths({"/": "admin", "/api/": "notes:read"})
    assert require("admin") == _required(paths, "/about", "/api/about")
    assert require("notes:read") == _required(paths, "/api/notes", "/api/api/notes")
    assert require() == _required(_read_paths({"/": "", "/api/admin/": "admin"}), "/admin/x", "/api/admin/x")


def test_paths_that_cannot_work_stop_the_start() -> None:
    setting = {"issuers": "https://issuer.example", "audience": "notes"}
    with (
        override_settings(PROOFKEY_GUARD=setting, PROOFKEY_GUARD_PATHS={"api/": "notes:read"}),
        pytest.raises(ImproperlyConfigured, match="begin and end with a slash"),
    ):
        GuardMiddleware(answer)


def test_a_decorator_without_parentheses_says_so() -> None:
    with pytest.raises(TypeError, match="parentheses"):
        required(answer)  # type: ignore[arg-type]
