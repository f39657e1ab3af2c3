"""A declaration for `proofkey dev --config`: the demo's applications with lifetimes of the test's own choice."""

from __future__ import annotations

from pathlib import Path

SCOPES = "openid profile email notes:read notes:write"
_FILE = """
tenants:
  demo:
    workspaces:
      main:
        lifetimes: {lifetimes}
        apis:
          - audience: http://127.0.0.1:1
            scopes: {{"notes:read": Read notes, "notes:write": Write notes}}
        applications:
          spa:
            kind: spa
            redirect_uris: ["http://127.0.0.1:1/callback"]
            scopes: &scopes
          native:
            kind: native
            redirect_uris: ["http://127.0.0.1/callback"]
            scopes: &scopes
          web:
            kind: web
            client_secret: the-secret-of-web-has-more-than-32-characters
            redirect_uris: ["http://127.0.0.1:1/web/callback"]
            scopes: &scopes
          service:
            kind: service
            client_secret: the-secret-of-service-has-more-than-32-characters
            scopes: ["notes:read"]
            introspects: ["http://127.0.0.1:1"]
        people:
          alice: {{password: correct-horse-battery, email: alice@demo.example, email_verified: true, name: Alice}}
          bob: {{password: staple-battery-horse}}
"""


def write_declaration(folder: Path, **lifetimes: str) -> Path:
    """A file with these lifetimes, each a text such as `2s`."""
    said = ", ".join(f"{name}: {duration}" for name, duration in lifetimes.items())
    quoted = ", ".join(f'"{scope}"' for scope in [*SCOPES.split(), "offline_access"])
    file = folder / "proofkey.yaml"
    file.write_text(_FILE.format(lifetimes=f"{{{said}}}").replace("&scopes", f"[{quoted}]"), encoding="utf-8")
    return file
