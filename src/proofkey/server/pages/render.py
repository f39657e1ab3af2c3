"""What a person sees: one frozen record per page, the function that renders it, and the headers it travels with.

1. Everything shown is data and escaped; there is no inline script or style, so that the policy can forbid them.
2. Nothing foreign is loaded: a page's only neighbours are the files of `static_files`.
3. What turns the direction of writing is taken out of everything shown, so that no name can rearrange a sentence.
4. Every page works without JavaScript; the single script only presses a button that is there for people, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from proofkey.server.pages.pattern import pattern_of
from proofkey.server.pages.static_files import static_address


@dataclass(frozen=True, slots=True)
class LoginPage:
    """Asks who is there. `chosen` names the account already signed in; `ticket` binds going on with it to that very account."""

    action: str
    request: str
    workspace: str
    client: str
    client_host: str
    username: str
    problem: str
    chosen: str
    ticket: str = ""


@dataclass(frozen=True, slots=True)
class ConsentItem:
    """One thing the application may do, in words. `api` is empty for what concerns the person themselves."""

    scope: str
    words: str
    api: str


@dataclass(frozen=True, slots=True)
class ConsentPage:
    """Asks whether the application may have what it wants."""

    action: str
    request: str
    ticket: str
    workspace: str
    client: str
    client_host: str
    person: str
    items: tuple[ConsentItem, ...]
    asks_every_time: bool


@dataclass(frozen=True, slots=True)
class SignOutPage:
    """Asks whether to sign out, where no id_token_hint proved who asks (RP-Initiated Logout §2). `asked` is sent again."""

    action: str
    ticket: str
    workspace: str
    person: str
    client: str = ""
    asked: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class StillSignedInPage:
    """Says that nothing happened, to who would rather stay."""

    workspace: str
    person: str


@dataclass(frozen=True, slots=True)
class SignedOutPage:
    """Says that it is done. `return_url` is a registered post-logout address or empty."""

    workspace: str
    client: str = ""
    return_url: str = ""


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One part of an address: what was requested beside what is registered."""

    part: str
    requested: str
    registered: str
    same: bool


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """Shows what must not be redirected: *advice* to the person, *description* to whoever runs the application.

    `rows` and the two whole addresses they compare are for development only.
    """

    title: str
    advice: str
    description: str
    slug: str
    workspace: str
    rows: tuple[ErrorRow, ...] = ()
    requested: str = ""
    registered: str = ""


@dataclass(frozen=True, slots=True)
class IssuerPage:
    """Says what an issuer's own address is, to a developer who opened it."""

    workspace: str
    issuer: str


@dataclass(frozen=True, slots=True)
class FormPostPage:
    """Carries the response to the application (OAuth 2.0 Form Post Response Mode §2)."""

    action: str
    fields: tuple[tuple[str, str], ...]
    workspace: str = ""


_TURNING = dict.fromkeys([0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])


class _Exact(str):
    """Text that is sent on rather than read."""

    __slots__ = ()


def _shown(value: object) -> object:
    """*value* without the characters that turn the direction of writing (UAX #9 §2), unless it is sent on."""
    return value.translate(_TURNING) if isinstance(value, str) and not isinstance(value, _Exact | Markup) else value


def _initial(name: str) -> str:
    return name.translate(_TURNING).strip()[:1].upper()


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("proofkey.server.pages", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals.update(static=static_address, pattern_of=pattern_of)
    templates.filters.update(exactly=_Exact, initial=_initial)
    return templates


def render_login(page: LoginPage) -> str:
    """The sign-in page; a second, smaller form above it only where somebody is signed in already."""
    return _templates().get_template("login.html").render(page=page)


def render_consent(page: ConsentPage) -> str:
    """The consent page, its items grouped by API in the order they came."""
    groups = [(api, list(items)) for api, items in groupby(page.items, key=lambda item: item.api)]
    return _templates().get_template("consent.html").render(page=page, groups=groups)


def render_sign_out(page: SignOutPage) -> str:
    """The question before signing out."""
    return _templates().get_template("sign_out.html").render(page=page)


def render_still_signed_in(page: StillSignedInPage) -> str:
    """The page for who was asked and stays."""
    return _templates().get_template("still_signed_in.html").render(page=page)


def render_signed_out(page: SignedOutPage) -> str:
    """The last page; links back only to an address that a click may open."""
    return _templates().get_template("signed_out.html").render(page=page, link=_link(page.return_url))


def render_error(page: ErrorPage) -> str:
    """The page for what must not be redirected."""
    return _templates().get_template("error.html").render(page=page)


def render_issuer(page: IssuerPage) -> str:
    """The page at an issuer's own address."""
    return _templates().get_template("issuer.html").render(page=page)


def render_form_post(page: FormPostPage) -> str:
    """The form that submits itself; send it with `page_headers(script=True)`. ValueError: action runs script."""
    if not _link(page.action):
        raise ValueError("action is not an address that a form may be sent to")
    return _templates().get_template("form_post.html").render(page=page)


_SCRIPTING = frozenset({"javascript", "data", "vbscript", "blob", "filesystem", "about", "view-source"})


def _link(address: str) -> str:
    """*address*, or nothing where opening it would run or show something of this origin's."""
    scheme = re.match(r"([a-z][a-z0-9+.-]*):", address, re.IGNORECASE)
    return address if scheme and scheme[1].lower() not in _SCRIPTING else ""


_SOURCE = re.compile(r"[a-z][a-z0-9+.-]*:(//(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?)?", re.IGNORECASE)


def page_headers(*, form_action: str = "", script: bool = False) -> list[tuple[bytes, bytes]]:
    """The headers of every page, names in lower case.

    *form_action* is one CSP source: the origin or `scheme:` of the proven return address, because a browser that
    follows the redirect after a form checks it, too. CSP has no words for an IPv6 literal (Level 3, host-source), so that
    one becomes any host on its port. *script* is for `render_form_post` alone. ValueError: more or
    other than one source.

    There is no Cross-Origin-Opener-Policy on purpose: with any value, `same-origin-allow-popups` included, a page
    that an application opened in a popup leaves the opener's group for good, so that the application's own
    callback has no `window.opener` to post its result to, and the opener takes the popup for closed.
    """
    if form_action and not _SOURCE.fullmatch(form_action):
        raise ValueError("form_action is not one origin or scheme")
    policy = "; ".join(_policy(re.sub(r"\[.+\]", "*", form_action), script))
    return [(b"content-security-policy", policy.encode("ascii")), *_FIXED]


def _policy(form_action: str, script: bool) -> Iterable[str]:
    yield "default-src 'none'"
    yield f"script-src {'self' if script else 'none'!r}"
    yield "style-src 'self'"
    yield "img-src 'self'"
    yield "font-src 'self'"
    yield f"form-action 'self' {form_action}".rstrip()
    yield "frame-ancestors 'none'"
    yield "base-uri 'none'"


_FIXED = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
]
