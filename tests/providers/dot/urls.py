"""The provider at the root, Django's own sign-in view, and one view by which tests add clients."""

from __future__ import annotations

import json

from django.contrib.auth.views import LoginView
from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from oauth2_provider.models import Application


@csrf_exempt
def add_client(request: HttpRequest) -> JsonResponse:
    """RFC 7591 metadata in, what was registered out: django-oauth-toolkit's own registration sets no ID token algorithm."""
    asked = json.loads(request.body)
    grant = asked.get("grant_types", ["authorization_code"])[0]
    application = Application(
        name=asked.get("client_name", ""),
        client_type="public" if asked.get("token_endpoint_auth_method") == "none" else "confidential",
        authorization_grant_type=grant.replace("_", "-"),
        redirect_uris=" ".join(asked.get("redirect_uris", [])),
        post_logout_redirect_uris=" ".join(asked.get("post_logout_redirect_uris", [])),
        algorithm="RS256",
    )
    if "client_id" in asked:
        application.client_id = asked["client_id"]
    secret = application.client_secret
    application.full_clean(exclude=["user"])
    application.save()
    told = {**asked, "client_id": application.client_id}
    if application.client_type == "confidential":
        told["client_secret"] = secret
    return JsonResponse(told, status=201)


urlpatterns = [
    path("login/", LoginView.as_view(template_name="login.html")),
    path("add-client/", add_client),
    path("", include("oauth2_provider.urls", namespace="oauth2_provider")),
]
