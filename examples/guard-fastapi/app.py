"""A notes API in FastAPI, for access tokens of one issuer: `uvicorn app:app`.

Beside `proofkey dev`, whose tokens it then takes:

    export PROOFKEY_ISSUER=http://localhost:8400/demo/main PROOFKEY_AUDIENCE=http://127.0.0.1:8402
    export PROOFKEY_PUBLIC_URL=http://127.0.0.1:8000
    uvicorn app:app
"""

import os
from typing import Annotated, Any

from fastapi import Depends, FastAPI

from proofkey.guard import Access, Dpop, ResourceServer
from proofkey.guard.fastapi import Guard

app = FastAPI(title="Notes")
server = ResourceServer(
    os.environ["PROOFKEY_ISSUER"].split(),  # one, or several
    audience=os.environ["PROOFKEY_AUDIENCE"],
    public_url=os.environ["PROOFKEY_PUBLIC_URL"],  # what goes before a path as clients send it
    scopes_supported=["notes:read", "notes:write"],
    bindings=[Dpop()],  # tokens bound to a key are welcome; their proofs are remembered in this process
)
guard = Guard(server, app)

Reader = Annotated[Access, Depends(guard.require("notes:read"))]
Writer = Annotated[Access, Depends(guard.require("notes:write"))]


@app.get("/notes")
def read_notes(caller: Reader) -> dict[str, Any]:
    """The caller's notes."""
    return {"of": caller.subject, "notes": ["Water the plants"]}


@app.post("/notes", status_code=201)
async def add_note(caller: Writer) -> dict[str, Any]:
    """One more note."""
    return {"of": caller.subject}
