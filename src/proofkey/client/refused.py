"""How a sign-in at a person's own machine comes to nothing."""

from __future__ import annotations

from proofkey.protocol.errors import Refusal


class NotSignedIn(Refusal):
    """Nobody is signed in, or not any more: the person has to sign in (again).

    >>> try:
    ...     raise NotSignedIn("sign_in_ended", "The sign-in has ended")
    ... except NotSignedIn as refused:
    ...     refused.error_description
    'The sign-in has ended [sign_in_ended]'
    """

    code = "not_signed_in"


class LoginAbandoned(Refusal):
    """No answer of the person came back, or no way to get one was there.

    >>> try:
    ...     raise LoginAbandoned("login_timeout", "Nobody came back")
    ... except LoginAbandoned as refused:
    ...     refused.reason
    'login_timeout'
    """

    code = "login_abandoned"


class StoreRefused(Refusal):
    """Tokens cannot be kept or read as they must be. Nothing that is stored was changed.

    >>> try:
    ...     raise StoreRefused("store_key_wrong", "The sign-in is sealed under another key")
    ... except StoreRefused as refused:
    ...     refused.code
    'store_refused'
    """

    code = "store_refused"
