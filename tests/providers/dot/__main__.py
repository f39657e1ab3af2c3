"""Runs the provider: `python -m tests.providers.dot FOLDER`. Prints one JSON line once it listens; ends with its stdin."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import django
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.asgi import get_asgi_application
from django.core.management import call_command

from tests.listening import bind, url_of

WEB = {
    "redirect_uris": ["http://127.0.0.1:9/callback"],
    "post_logout_redirect_uris": ["http://127.0.0.1:9/"],
    "grant_types": ["authorization_code", "refresh_token"],
}
CLIENTS: tuple[dict[str, Any], ...] = (
    {**WEB, "client_id": "spa", "token_endpoint_auth_method": "none"},
    {**WEB, "client_id": "web"},
    {
        "client_id": "native",
        "token_endpoint_auth_method": "none",
        "redirect_uris": ["http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
    },
    {"client_id": "api", "grant_types": ["client_credentials"]},
)


def write_key(folder: Path) -> None:
    """A new RSA key for this run."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(pem)


def fill() -> dict[str, Any]:
    """Tables, two people, and the clients that stand from the start."""
    call_command("migrate", verbosity=0)
    from django.contrib.auth.models import User
    from django.test import RequestFactory

    from tests.providers.dot.urls import add_client

    for name in ("alice", "bob"):
        User.objects.create_user(name, f"{name}@example.test", "password", first_name=name.title(), last_name="Example")
    requests = RequestFactory()
    asked = (requests.post("/add-client/", json.dumps(each), content_type="application/json") for each in CLIENTS)
    registered = [json.loads(add_client(request).content) for request in asked]
    return {each["client_id"]: each for each in registered}


def main() -> None:
    """Listen until stdin closes."""
    folder = Path(sys.argv[1])
    listener = bind()
    issuer = url_of(listener)
    write_key(folder)
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "tests.providers.dot.settings",
        "DOT_FOLDER": str(folder),
        "DOT_ISSUER": issuer,
    }
    django.setup()
    clients = fill()
    server = uvicorn.Server(uvicorn.Config(get_asgi_application(), lifespan="off", log_level="warning"))

    def stop_with_stdin() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=stop_with_stdin, daemon=True).start()
    listener.listen(128)
    print(json.dumps({"issuer": issuer, "clients": clients}), flush=True)
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
