"""What the authorization endpoint shows a person when nothing may be redirected."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from tests.engine import APP, ISSUER, PUBLIC_URL, Deployment, attempt_of, reasons
from tests.pages.test_render import words_of

UNPROVEN = [
    ({"client_id": None}, "authorize_client_id_missing"),
    ({"client_id": "nobody"}, "authorize_client_unknown"),
    ({"client_id": "x" * 2049}, "authorize_parameter_faulty"),
    ({"redirect_uri": None}, "redirect_uri_required"),
    ({"redirect_uri": "https://evil.example/"}, "redirect_uri_mismatch"),
    ({"redirect_uri": f"{APP}/callback/"}, "redirect_uri_mismatch"),
    ({"redirect_uri": f"{APP}/callback?x=1"}, "redirect_uri_mismatch"),
    ({"redirect_uri": f"{APP}/callback#x"}, "redirect_uri_mismatch"),
    ({"redirect_uri": f"{APP}/callback\u00e9"}, "redirect_uri_mismatch"),
    ({"redirect_uri": "javascript:alert(1)"}, "redirect_uri_mismatch"),
    ({"redirect_uri": "\"><script>alert('x')</script>"}, "redirect_uri_mismatch"),
    ({"redirect_uri": f"{APP}/callback\n"}, "authorize_parameter_faulty"),
    ({"redirect_uri": f"{APP}/{'x' * 2048}"}, "authorize_parameter_faulty"),
    ({"client_id": "native", "redirect_uri": "http://localhost:8000/callback"}, "redirect_uri_mismatch"),
    ({"client_id": "native", "redirect_uri": "http://127.0.0.1:0/callback"}, "redirect_uri_mismatch"),
    ({"client_id": "native", "redirect_uri": "http://127.0.0.1:8000@evil.example/callback"}, "redirect_uri_mismatch"),
    ({"client_id": "plain", "redirect_uri": None}, "redirect_uri_required_openid"),
]


def is_page(answer: httpx2.Response, slug: str, status: int = 400) -> None:
    """An error page for a person: nothing redirected, nothing stored, nothing scripted."""
    assert (status, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert slug in answer.text
    assert "location" not in answer.headers
    assert ("no-store", "no-referrer", "DENY") == (
        answer.headers["cache-control"],
        answer.headers["referrer-policy"],
        answer.headers["x-frame-options"],
    )
    policy = answer.headers["content-security-policy"]
    assert "script-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script" not in answer.text


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("changed", "slug"), UNPROVEN)
async def test_nothing_is_redirected_before_the_address_is_proven(
    deployment: Deployment, log: list[Any], changed: dict[str, str | None], slug: str, method: str
) -> None:
    query = {name: value for name, value in {**attempt_of().query, **changed}.items() if value is not None}
    browser = deployment.browser()
    if method == "GET":
        answer = await browser.ask(query)
    else:
        await browser.ask(attempt_of().query)
        log.clear()
        answer = await browser.http.post("oauth2/authorize", data=query)
    is_page(answer, slug)
    assert [slug] == reasons(log)


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
async def test_what_names_the_address_must_be_sent_once(deployment: Deployment, name: str) -> None:
    query = "&".join(f"{name}={quote(value)}" for name, value in attempt_of().query.items())
    for more in (f"{name}=x", f"{name}=%ff", f"{name}={quote(attempt_of().query[name])}"):
        is_page(await deployment.browser().ask(f"{query}&{more}"), "authorize_parameter_faulty")


async def test_too_many_parameters_are_refused(deployment: Deployment) -> None:
    is_page(await deployment.browser().ask("a=1&" * 300), "authorize_unreadable")


async def test_a_posted_form_that_could_not_stand_in_an_address_is_refused(deployment: Deployment) -> None:
    for raw in (b"a=\r\nLocation: https://evil.example", b"a=b c", b"a=\xff", b"a=1#x", b"a=\x00"):
        is_page(await deployment.post("oauth2/authorize", raw), "form_not_encoded")


async def test_query_and_body_are_never_merged(deployment: Deployment) -> None:
    browser = deployment.browser()
    await browser.ask(attempt_of().query)
    answer = await browser.http.post("oauth2/authorize", params=attempt_of().query, data={"state": "x"})
    is_page(answer, "authorize_client_id_missing")


@pytest.mark.parametrize("deployment", [{"development": True}], indirect=True, ids=["development"])
async def test_in_development_the_page_shows_what_differs(deployment: Deployment) -> None:
    sent = "http://app.example:8443/callbacks"
    answer = await deployment.browser().ask({**attempt_of().query, "redirect_uri": sent})
    for part in ("8443", "/callbacks", "/callback", "https", f'<dd><code translate="no">{sent}</code></dd>'):
        assert part in answer.text


@pytest.mark.parametrize("deployment", [{"development": True}], indirect=True, ids=["development"])
async def test_in_development_a_native_client_s_port_is_not_accused(deployment: Deployment) -> None:
    query = {**attempt_of("native").query, "redirect_uri": "http://127.0.0.1:4711/other"}
    words = words_of((await deployment.browser().ask(query)).text)
    assert "port4711anysame" in words
    assert "path/other/callbackdiffers" in words


async def test_in_production_the_page_shows_no_registered_address(deployment: Deployment, log: list[Any]) -> None:
    answer = await deployment.browser().ask({**attempt_of().query, "redirect_uri": "https://evil.example/callbacks"})
    assert "app.example" not in answer.text
    assert "requested 'evil.example', registered 'app.example'" in log[-1]["detail"]


async def test_one_browser_has_one_cookie_and_it_is_host_only(deployment: Deployment) -> None:
    browser = deployment.browser()
    first, second = await browser.ask(attempt_of().query), await browser.ask(attempt_of().query)
    [cookie] = first.headers.get_list("set-cookie")
    name, _, rest = cookie.partition("=")
    assert name.startswith("__Host-proofkey_browser_")
    assert {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"} == set(rest.split("; ")[1:])
    assert [] == second.headers.get_list("set-cookie")


@pytest.mark.parametrize("deployment", [{"public_url": "http://localhost:8400"}], indirect=True, ids=["http"])
async def test_over_http_the_cookie_has_neither_prefix_nor_secure(deployment: Deployment) -> None:
    answer = await deployment.client(issuer="http://localhost:8400/demo/main").get("oauth2/authorize?client_id=spa")
    assert "set-cookie" not in answer.headers
    query = {**attempt_of().query}
    answer = await deployment.client(issuer="http://localhost:8400/demo/main").get("oauth2/authorize", params=query)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("proofkey_browser_")
    assert "Secure" not in cookie


async def test_the_page_names_the_return_address_in_its_policy_and_no_other(deployment: Deployment) -> None:
    for client_id, source in (("spa", APP), ("native", "http://127.0.0.1:49152")):
        page = await deployment.browser().ask(attempt_of(client_id).query)
        assert f"form-action 'self' {source};" in page.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["login", "consent"])
async def test_a_form_s_address_opened_by_hand_says_so(deployment: Deployment, path: str) -> None:
    is_page(await deployment.client().get(path), "page_opened_directly")


@pytest.mark.parametrize("path", ["login", "consent"])
async def test_a_form_that_no_page_made_is_refused(deployment: Deployment, path: str) -> None:
    is_page(await deployment.post(path, {"username": "alice"}), "request_missing")
    is_page(await deployment.post(path, b"request=a&request=b"), "page_form_malformed")
    is_page(await deployment.post(path, b"request=%00"), "page_form_malformed")
    is_page(await deployment.post(path, {"request": "x"}), "request_not_ours")


HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize("path", ["", "/", "/demo", "/demo/main", "/demo/main/", "/demo/main/nothing", "/nobody/main"])
async def test_a_browser_is_shown_a_page_where_nothing_is_which_names_no_workspace(
    deployment: Deployment, path: str
) -> None:
    answer = await deployment.client().get(f"{PUBLIC_URL}{path}", headers=HTML)
    is_page(answer, "not_found", 404)
    assert "Proofkey demo" not in answer.text


@pytest.mark.parametrize("deployment", [{"development": True}], indirect=True, ids=["development"])
async def test_in_development_an_issuer_says_what_it_is_to_a_browser_alone(deployment: Deployment) -> None:
    for address in (ISSUER, f"{ISSUER}/"):
        answer = await deployment.client().get(address, headers=HTML)
        is_page(answer, "This is an issuer", 200)
        assert f'href="{ISSUER}/.well-known/openid-configuration"' in answer.text
        assert (404, "not_found") == (
            (bare := await deployment.client().get(address)).status_code,
            bare.json()["error"],
        )
    for address in (f"{PUBLIC_URL}/demo", f"{PUBLIC_URL}/demo/nobody", f"{PUBLIC_URL}/nobody/main", f"{ISSUER}/more"):
        is_page(await deployment.client().get(address, headers=HTML), "not_found", 404)


async def test_the_error_page_comes_from_the_issuer_and_links_nowhere_foreign(deployment: Deployment) -> None:
    answer = await deployment.browser().ask({})
    assert "http" not in answer.text.replace(ISSUER, "").replace("http://www.w3.org", "")
