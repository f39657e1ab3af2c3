"""A notes API in Flask, for access tokens of one issuer: `gunicorn --workers 2 app:app`.

Beside `proofkey dev`, whose tokens it then takes:

    export PROOFKEY_ISSUER=http://localhost:8400/demo/main PROOFKEY_AUDIENCE=http://127.0.0.1:8402
    export PROOFKEY_PUBLIC_URL=http://127.0.0.1:8000
    export REDIS_URL=redis://localhost:6379/0
    gunicorn --workers 2 app:app
"""

import os
from typing import Any

from flask import Flask

from proofkey.guard import Dpop, RedisReplay, ResourceServer
from proofkey.guard.flask import Guard, current_access

app = Flask("notes")
server = ResourceServer(
    os.environ["PROOFKEY_ISSUER"].split(),  # one, or several
    audience=os.environ["PROOFKEY_AUDIENCE"],
    public_url=os.environ["PROOFKEY_PUBLIC_URL"],  # what goes before a path as clients send it
    scopes_supported=["notes:read", "notes:write"],
    bindings=[Dpop(RedisReplay(os.environ["REDIS_URL"]))],  # proofs are remembered for all workers
)
guard = Guard(server, app)


@app.get("/notes")
@guard.require("notes:read")
def read_notes() -> dict[str, Any]:
    """The caller's notes."""
    return {"of": current_access().subject, "notes": ["Water the plants"]}


@app.post("/notes")
@guard.require("notes:write")
def add_note() -> tuple[dict[str, Any], int]:
    """One more note."""
    return {"of": current_access().subject}, 201
