"""What a browser gets for a refusal: a page where a person is looking, JSON where a script asked."""

from __future__ import annotations

from proofkey.client.id_token import IdTokenRefused
from proofkey.client.logout_token import LogoutTokenRefused
from proofkey.client.messages import ServerRefused
from proofkey.client.web.addresses import Addresses
from proofkey.client.web.callback import LoginRefused
from proofkey.client.web.csrf import CsrfRefused
from proofkey.client.web.logout import NotPosted
from proofkey.client.web.message import Request, Response, answer_json, page
from proofkey.client.web.refresh import RefreshTokenMissing
from proofkey.client.web.request_body import BodyTooLarge, LengthRequired
from proofkey.client.web.words import ELSEWHERE, UNAVAILABLE, support_line, words_for
from proofkey.protocol.errors import InvalidRequest, Refusal


def refused(refusal: Refusal, request: Request, addresses: Addresses) -> Response:
    """The answer to a request that is refused."""
    if request.path == addresses.path("backchannel-logout") and not isinstance(refusal, LengthRequired):
        return _to_issuer(refusal)
    status = _status(refusal)
    response = _page(refusal, status, request, addresses) if request.is_navigation else _json(refusal, status)
    told = {503: (b"retry-after", b"5"), 405: (b"allow", b"POST")}
    return response.adding(told[status]) if status in told else response


def _to_issuer(refusal: Refusal) -> Response:
    """400 for a logout token that is none (Back-Channel Logout §2.8); 503 where that cannot be told now: it may come again."""
    if isinstance(refusal, LogoutTokenRefused | IdTokenRefused):
        return answer_json(400, {"error": "invalid_request", "error_description": refusal.error_description})
    told = {"error": "temporarily_unavailable", "error_description": refusal.error_description}
    return answer_json(503, told).adding((b"retry-after", b"5"))


def _page(refusal: Refusal, status: int, request: Request, addresses: Addresses) -> Response:
    is_own = request.path.startswith(f"{addresses.folder}/")
    words = words_for(refusal) if is_own else ELSEWHERE
    onward = {"sign_in": (addresses.path("login"), "Sign in"), "start": ("/", "To the application")}.get(words.onward)
    return page(status, words.title, words.text, onward, support=support_line(refusal))


def _json(refusal: Refusal, status: int) -> Response:
    code = getattr(refusal, "code", "invalid_request")
    return answer_json(status, {"error": code, "error_description": refusal.error_description})


def _status(refusal: Refusal) -> int:
    if isinstance(refusal, BodyTooLarge | LengthRequired):
        return 413 if isinstance(refusal, BodyTooLarge) else 411
    if isinstance(refusal, NotPosted):
        return 405
    if isinstance(refusal, CsrfRefused | ServerRefused | RefreshTokenMissing):
        return 403
    if isinstance(refusal, LoginRefused | InvalidRequest | LogoutTokenRefused):
        return 400
    return 503 if getattr(refusal, "code", "") == "temporarily_unavailable" else 502


def store_unavailable(request: Request) -> Response:
    """503: nothing is known of who is there."""
    told = "Sessions cannot be looked up now"
    if request.is_navigation:
        answer = page(503, UNAVAILABLE.title, UNAVAILABLE.text, support=told)
    else:
        answer = answer_json(503, {"error": "temporarily_unavailable", "error_description": told})
    return answer.adding((b"retry-after", b"5"))
