"""What the pages say, and that nothing they are told to say becomes markup."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from jinja2 import UndefinedError

from proofkey.server.pages.render import (
    ConsentItem,
    ConsentPage,
    ErrorPage,
    ErrorRow,
    FormPostPage,
    IssuerPage,
    LoginPage,
    SignedOutPage,
    SignOutPage,
    render_consent,
    render_error,
    render_form_post,
    render_issuer,
    render_login,
    render_sign_out,
    render_signed_out,
)
from proofkey.server.pages.static_files import STATIC
from tests.pages.samples import (
    CONSENT,
    ERROR,
    ERROR_DEV,
    FORM_POST,
    ISSUER,
    LOGIN,
    LOGIN_CHOSEN,
    LOGIN_PROBLEM,
    SAMPLES,
    SIGN_OUT,
    SIGNED_OUT,
)

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}&amp;\u202e"

Tag = tuple[str, dict[str, str | None]]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[Tag] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(html: str) -> _Tags:
    reader = _Tags()
    reader.feed(html)
    reader.close()
    return reader


def words_of(html: str) -> str:
    return " ".join("".join(parsed(html).words).split())


def forms_of(html: str) -> list[list[Tag]]:
    """Each form with what is in it that is sent."""
    forms: list[list[Tag]] = []
    outside: list[Tag] = []
    for tag in parsed(html).tags:
        if tag[0] == "form":
            forms.append([tag])
        elif tag[0] in {"input", "button"}:
            (outside if "form" in tag[1] else forms[-1]).append(tag)
    for form in forms:
        form += [tag for tag in outside if tag[1]["form"] == form[0][1].get("id")]
    return forms


def sent_by(form: list[Tag]) -> list[tuple[str, str | None]]:
    """(name, value) of the form's fields and buttons, in order."""
    return [(attributes["name"] or "", attributes.get("value")) for _, attributes in form[1:] if "name" in attributes]


def test_the_login_form_has_the_names_that_password_managers_and_scripts_know() -> None:
    [form] = forms_of(render_login(LOGIN))
    fields = {attributes.get("name"): attributes for tag, attributes in form if tag == "input"}

    assert ("form", {"method": "post", "action": "/login"}) == form[0]
    assert ["request", "username", "password"] == list(fields)
    assert (LOGIN.request, "hidden") == (fields["request"]["value"], fields["request"]["type"])
    assert ("username", "text") == (fields["username"]["autocomplete"], fields["username"]["type"])
    assert ("current-password", "password") == (fields["password"]["autocomplete"], fields["password"]["type"])


def test_the_password_is_never_written_back() -> None:
    [form] = forms_of(render_login(LOGIN_PROBLEM))

    assert [("request", LOGIN.request), ("username", "alice@demo.example"), ("password", None)] == sent_by(form)


def test_a_problem_is_announced_and_tied_to_both_fields() -> None:
    tags = parsed(render_login(LOGIN_PROBLEM)).tags
    alert = next(attributes for _, attributes in tags if attributes.get("role") == "alert")
    described = [a.get("aria-describedby") for _, a in tags if a.get("name") in {"username", "password"}]

    assert [alert["id"], alert["id"]] == described
    assert "do not belong together" in words_of(render_login(LOGIN_PROBLEM))
    assert "<title>Problem: Sign in" in render_login(LOGIN_PROBLEM)


def test_without_a_problem_there_is_no_alert() -> None:
    html = render_login(LOGIN)

    assert "alert" not in html
    assert "aria-describedby" not in html


def test_an_account_already_signed_in_is_offered_first_in_a_form_of_its_own() -> None:
    choice, sign_in = forms_of(render_login(LOGIN_CHOSEN))

    assert ("form", {"class": "choice", "method": "post", "action": "/login"}) == choice[0]
    assert [("request", LOGIN.request), ("ticket", LOGIN_CHOSEN.ticket), ("account", "continue")] == sent_by(choice)
    assert "/login" == sign_in[0][1]["action"]
    assert "Continue as Alice Example" in words_of(render_login(LOGIN_CHOSEN))


def test_consent_says_who_wants_what_for_whom_and_where_it_leads() -> None:
    words = words_of(render_consent(CONSENT))

    for said in (
        "Allow access? Field Notes wants to use your account",
        "Signed in as alice@demo.example Not you?",
        "Write and delete your notes notes:write",
        "Notes API",
        "Either way you return to notes.example.com",
        "We remember",
    ):
        assert said in words


def test_the_consent_form_carries_request_ticket_and_three_decisions() -> None:
    [form] = forms_of(render_consent(CONSENT))

    assert ("form", {"id": "decision", "method": "post", "action": "/consent"}) == form[0]
    assert [
        ("request", CONSENT.request),
        ("ticket", CONSENT.ticket),
        ("decision", "allow"),
        ("decision", "deny"),
        ("decision", "switch"),
    ] == sent_by(form)


def test_consent_to_nothing_but_sign_in_says_so() -> None:
    assert "nothing but to know that you signed in" in words_of(render_consent(replace(CONSENT, items=())))


def test_consent_says_when_it_will_be_asked_every_time() -> None:
    words = words_of(render_consent(replace(CONSENT, asks_every_time=True)))

    assert "We ask every time" in words
    assert "We remember" not in words


def test_items_of_one_api_stand_under_its_name_in_the_order_asked() -> None:
    items = (ConsentItem("b", "Second", "B"), ConsentItem("a", "First", "A"), ConsentItem("a2", "Also", "A"))
    html = render_consent(replace(CONSENT, items=items))

    shown = [first or second for first, second in re.findall(r'<h3><bdi[^>]*>(\w+)|class="words">(\w+)', html)]
    assert ["B", "Second", "A", "First", "Also"] == shown


def test_the_sign_out_form_carries_its_ticket_and_two_decisions() -> None:
    [form] = forms_of(render_sign_out(SIGN_OUT))

    assert [("ticket", SIGN_OUT.ticket), ("decision", "sign_out"), ("decision", "stay")] == sent_by(form)
    assert "Sign out of Northwind?" in words_of(render_sign_out(SIGN_OUT))
    assert "asks you to sign out" not in words_of(render_sign_out(replace(SIGN_OUT, client="")))


def test_signed_out_leads_back_only_where_there_is_a_way() -> None:
    assert 'href="https://notes.example.com/goodbye"' in render_signed_out(SIGNED_OUT)
    assert "Return to Field Notes" in words_of(render_signed_out(SIGNED_OUT))
    assert "Return to" not in words_of(render_signed_out(replace(SIGNED_OUT, return_url="")))


@pytest.mark.parametrize("address", ["javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "/here", "//x"])
def test_an_address_that_would_run_script_is_no_way_back(address: str) -> None:
    assert "Return to" not in words_of(render_signed_out(replace(SIGNED_OUT, return_url=address)))
    with pytest.raises(ValueError, match="action"):
        render_form_post(replace(FORM_POST, action=address))


def test_an_error_shows_its_slug_and_compares_only_when_given_rows() -> None:
    assert "For support: redirect_uri_unregistered" in words_of(render_error(ERROR))
    assert "<table" not in render_error(ERROR)


def test_an_error_tells_the_person_what_to_try_and_whoever_runs_the_application_what_is_wrong() -> None:
    assert "Go back to the application and try again. If it happens again, tell whoever runs it:" in words_of(
        render_error(ERROR)
    )
    assert f"<code>{ERROR.description}</code>" in render_error(ERROR)


TURNING = [chr(code) for code in (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))]


@pytest.mark.parametrize("character", TURNING, ids=[f"{ord(character):04X}" for character in TURNING])
def test_no_name_turns_the_direction_of_a_sentence(character: str) -> None:
    name = f"{character}Field{character} Notes"
    page = replace(LOGIN_CHOSEN, workspace=name, client=name, client_host=name, chosen=name)
    html = render_login(page)
    assert character not in html
    assert "Continue as Field Notes" in words_of(html)
    assert 2 == html.count('aria-hidden="true">F</span>')


def test_what_is_sent_on_is_sent_on_to_the_letter() -> None:
    fields = (("state", "".join(TURNING)),)
    assert list(fields) == sent_by(forms_of(render_form_post(replace(FORM_POST, fields=fields)))[0])
    asked = sent_by(forms_of(render_sign_out(replace(SIGN_OUT, asked=fields)))[0])
    assert fields[0] in asked


def test_the_comparison_says_in_words_what_differs() -> None:
    words = words_of(render_error(ERROR_DEV))

    assert "PartRequestedRegisteredResult schemehttphttpsdiffers" in words
    assert "port8401nonediffers" in words
    assert "hostnotes.example.comnotes.example.comsame" in words


def test_form_post_carries_every_field_as_it_is_and_has_a_button_for_people() -> None:
    [form] = forms_of(render_form_post(FORM_POST))

    assert ("form", {"method": "post", "action": FORM_POST.action}) == form[0]
    assert list(FORM_POST.fields) == sent_by(form)
    assert "button" == form[-1][0]
    assert "name" not in form[-1][1]


HOSTILE: list[Callable[[], str]] = [
    lambda: render_login(LoginPage(EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL)),
    lambda: render_consent(
        ConsentPage(EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, (ConsentItem(EVIL, EVIL, EVIL),), True)
    ),
    lambda: render_sign_out(SignOutPage(EVIL, EVIL, EVIL, EVIL, EVIL)),
    lambda: render_signed_out(SignedOutPage(EVIL, EVIL, "https://x/" + EVIL)),
    lambda: render_error(ErrorPage(EVIL, EVIL, EVIL, EVIL, EVIL, (ErrorRow(EVIL, EVIL, EVIL, False),), EVIL, EVIL)),
    lambda: render_form_post(FormPostPage("https://x/" + EVIL, ((EVIL, EVIL),), EVIL)),
    lambda: render_issuer(IssuerPage(EVIL, EVIL)),
]
TAME = [
    lambda: render_login(replace(LOGIN_CHOSEN, problem="x")),
    lambda: render_consent(replace(CONSENT, items=CONSENT.items[-1:])),
    lambda: render_sign_out(SIGN_OUT),
    lambda: render_signed_out(SIGNED_OUT),
    lambda: render_error(replace(ERROR_DEV, rows=ERROR_DEV.rows[:1])),
    lambda: render_form_post(replace(FORM_POST, fields=FORM_POST.fields[:1])),
    lambda: render_issuer(ISSUER),
]


@pytest.mark.parametrize(("hostile", "tame"), list(zip(HOSTILE, TAME, strict=True)))
def test_hostile_names_add_no_tag_and_no_attribute(hostile: Callable[[], str], tame: Callable[[], str]) -> None:
    def shape(html: str) -> list[tuple[str, list[str]]]:
        return [(tag, sorted(set(attributes) - {"autofocus"})) for tag, attributes in parsed(html).tags]

    assert shape(tame()) == shape(hostile())
    assert EVIL[:20] not in hostile()
    assert "{{ 7*7 }}" in words_of(hostile()) or "form_post" in hostile()


@pytest.mark.parametrize("name", SAMPLES)
def test_a_page_has_no_inline_script_style_or_event(name: str) -> None:
    for tag, attributes in parsed(SAMPLES[name]).tags:
        assert tag not in {"style", "iframe", "object", "embed", "base"}
        assert not [attribute for attribute in attributes if attribute == "style" or attribute.startswith("on")]
        assert tag != "script" or attributes.get("src")
    assert re.search(r"<script[^>]*>[^<]", SAMPLES[name]) is None


def loaded_by(html: str) -> Iterator[str]:
    for tag, attributes in parsed(html).tags:
        loads = {"link": "href", "script": "src", "img": "src"}.get(tag)
        if loads:
            yield attributes[loads] or ""


@pytest.mark.parametrize("name", SAMPLES)
def test_a_page_loads_only_our_own_files_and_all_of_them_exist(name: str) -> None:
    loaded = list(loaded_by(SAMPLES[name]))

    assert loaded
    assert [] == [address for address in loaded if address not in STATIC]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_page_says_its_language_title_landmarks_and_one_heading(name: str) -> None:
    html = SAMPLES[name]
    tags = parsed(html).tags
    count: dict[str, int] = {}
    for tag, _ in tags:
        count[tag] = count.get(tag, 0) + 1

    assert ("html", {"lang": "en"}) in tags
    assert re.search(r"<title>\S[^<]+</title>", html)
    assert {"h1": 1, "main": 1, "header": 1, "footer": 1} == {
        tag: count.get(tag, 0) for tag in ("h1", "main", "header", "footer")
    }


def test_a_value_that_is_missing_is_a_mistake_and_not_a_gap_in_the_page() -> None:
    broken: Any = object()

    with pytest.raises(UndefinedError, match="problem"):
        render_login(broken)
