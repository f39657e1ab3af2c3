"""What django-oauth-toolkit says about a person in tests: name and e-mail where their scopes were granted."""

from __future__ import annotations

from typing import Any, ClassVar

from oauth2_provider.oauth2_validators import OAuth2Validator


class WithClaims(OAuth2Validator):  # type: ignore[misc]
    """Adds `preferred_username`, `name` and `email`, in ID tokens and at userinfo."""

    oidc_claim_scope: ClassVar[dict[str, str]] = OAuth2Validator.oidc_claim_scope | {"preferred_username": "profile"}

    def get_additional_claims(self) -> dict[str, Any]:
        """Each claim, and how it is read from the request's user."""
        return {
            "preferred_username": lambda request: request.user.username,
            "name": lambda request: request.user.get_full_name(),
            "email": lambda request: request.user.email,
        }
