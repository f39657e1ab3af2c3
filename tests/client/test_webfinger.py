"""Finding the issuer of what a person typed: what is asked, of whom, and what is believed of the answer."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from proofkey.client import HttpResponse, ResponseRefused
from proofkey.client.conversation import Done, advance
from proofkey.client.webfinger import REL, find_issuer, read_identifier, read_webfinger, webfinger_request
from tests.protocol.refusals import refused

JOE = "acct:joe@example.com"
LINK = {"rel": REL, "href": "https://login.example.com"}


@pytest.mark.parametrize(
    ("typed", "resource", "host"),
    [
        ("joe@example.com", "acct:joe@example.com", "example.com"),
        (" joe@example.com ", "acct:joe@example.com", "example.com"),
        ("acct:joe@example.com:8443", "acct:joe@example.com:8443", "example.com:8443"),
        (
            "juliet%40capulet.example@shopping.example",
            "acct:juliet%40capulet.example@shopping.example",
            "shopping.example",
        ),
        ("https://example.com/joe", "https://example.com/joe", "example.com"),
        ("example.com:8080", "https://example.com:8080", "example.com:8080"),
        ("example.com/joe@home#me", "https://example.com/joe@home", "example.com"),
    ],
)
def test_what_is_typed_becomes_a_resource_at_a_host(typed: str, resource: str, host: str) -> None:
    assert resource == read_identifier(typed)
    url = urlsplit(webfinger_request(resource).url)
    assert ("https", host, "/.well-known/webfinger") == (url.scheme, url.netloc, url.path)
    assert {"resource": [resource], "rel": [REL]} == parse_qs(url.query)


@pytest.mark.parametrize(
    "resource", ["acct:joe@", "https:///joe", "acct:joe@host/elsewhere", "acct:a@b?c", "acct:a@b c"]
)
def test_an_identifier_without_a_host_asks_nobody(resource: str) -> None:
    with refused(ResponseRefused, "identifier_without_host"):
        webfinger_request(resource)


def read(**told: Any) -> str:
    return read_webfinger(200, json.dumps(told).encode(), expected_resource=JOE)


def test_the_issuer_is_the_link_with_the_right_relation() -> None:
    other = {"rel": "http://webfinger.net/rel/avatar", "href": "https://example.com/joe.png"}
    assert "https://login.example.com" == read(subject=JOE, links=[other, LINK])
    assert "https://login.example.com" == read(links=[LINK])


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("webfinger_subject_differs", {"subject": "acct:ann@example.com", "links": [LINK]}),
        ("webfinger_without_issuer", {"subject": JOE}),
        ("webfinger_without_issuer", {"links": []}),
        ("webfinger_without_issuer", {"links": "https://login.example.com"}),
        ("webfinger_without_issuer", {"links": [{"rel": REL}]}),
        ("webfinger_without_issuer", {"links": [{"rel": REL, "href": "http://login.example.com"}]}),
        ("webfinger_without_issuer", {"links": [{"rel": REL, "href": "https://login.example.com?a=b"}]}),
    ],
)
def test_an_answer_that_names_no_issuer_is_refused(reason: str, told: dict[str, Any]) -> None:
    with refused(ResponseRefused, reason):
        read(**told)


def test_the_whole_conversation_is_one_question() -> None:
    conversation = find_issuer("joe@example.com")
    asked = next(conversation)
    assert asked.url.startswith("https://example.com/.well-known/webfinger?")
    answer = HttpResponse(200, {}, json.dumps({"subject": JOE, "links": [LINK]}).encode())
    assert Done("https://login.example.com") == advance(conversation, answer)


def test_a_host_that_does_not_answer_says_so() -> None:
    with refused(ResponseRefused, "response_unreadable"):
        read_webfinger(404, b"<html>", expected_resource=JOE)
