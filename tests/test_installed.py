"""What `pip install` brings: the wheel of this source, with the extras that clients and APIs take, in a fresh environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UV = [sys.executable, "-m", "uv"]
SERVER = {"apsw", "argon2-cffi", "asyncpg", "httptools", "jinja2", "pyyaml", "structlog", "uvicorn", "uvloop"}
FRAMEWORKS = {"aiohttp", "asgiref", "django", "fastapi", "flask", "pydantic", "starlette", "werkzeug"}
NOTES = """
import sys
{imports}
unwelcome = {unwelcome!r} & {{name.partition(".")[0] for name in sys.modules}}
assert not unwelcome, unwelcome
"""


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=240, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source as it stands."""
    folder = tmp_path_factory.mktemp("wheel")
    run(*UV, "build", "--wheel", "--quiet", "--no-build-isolation", "--python", sys.executable, "-o", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


def installed(wheel: Path, extra: str, folder: Path) -> tuple[Path, set[str]]:
    """A new environment with the wheel and one extra, at locked versions; its bin directory and what is in it."""
    run(*UV, "venv", "--quiet", "--python", sys.executable, folder)
    python = folder / "bin" / "python"
    target = f"proofkey[{extra}] @ {wheel.as_uri()}" if extra else f"proofkey @ {wheel.as_uri()}"
    constraints = [word for line in (ROOT / "requirements" / "dev.txt").read_text().splitlines() if (word := pin(line))]
    locked = folder / "constraints.txt"
    locked.write_text("\n".join(constraints), encoding="utf-8")
    run(*UV, "pip", "install", "--quiet", "--python", python, "-c", locked, target)
    listed = run(*UV, "pip", "list", "--python", python, "--format", "freeze")
    return folder / "bin", {re.split("[=@ ]", line)[0].lower() for line in listed.splitlines() if line}


def pin(line: str) -> str | None:
    """The pin of a lock's line, without its hashes."""
    found = re.match(r"[A-Za-z0-9._-]+==[^\\]+", line)
    return found[0].strip() if found else None


@pytest.mark.parametrize(
    ("extra", "imports"),
    [
        ("client", "import proofkey.client, proofkey.client.web"),
        ("guard", "import proofkey.guard"),
        ("", "import proofkey"),
    ],
)
def test_an_extra_brings_neither_server_nor_web_framework(
    wheel: Path, tmp_path: Path, extra: str, imports: str
) -> None:
    bin_folder, names = installed(wheel, extra, tmp_path / "env")
    assert set() == names & (SERVER | FRAMEWORKS)
    run(bin_folder / "python", "-c", NOTES.format(imports=imports, unwelcome=SERVER | FRAMEWORKS), PYTHONPATH="")


def test_the_client_brings_its_commands(wheel: Path, tmp_path: Path) -> None:
    bin_folder, _ = installed(wheel, "client", tmp_path / "env")
    proofkey = bin_folder / "proofkey"
    assert run(proofkey, "--version").startswith("proofkey ")
    for command in ("login", "logout", "token", "whoami", "curl"):
        assert "--issuer" in run(proofkey, command, "--help")
    listed = run(proofkey, "--help")
    assert ("  whoami ", True) == (re.findall("  whoami ", listed)[0], "Traceback" not in listed)
    for command in (["dev", "--port", "0"], ["serve"], ["dev", "--help"]):
        refused = refused_by(proofkey, *command)
        assert re.search(
            r"\Aerror: failed: this needs pip install 'proofkey\[server\]': \w+ is not installed \[extra_missing\]\n\Z",
            refused,
        )


def test_a_guard_alone_has_no_command_and_says_so(wheel: Path, tmp_path: Path) -> None:
    bin_folder, _ = installed(wheel, "guard", tmp_path / "env")
    assert (
        "error: failed: the command needs pip install 'proofkey[server]', or 'proofkey[client]' [extra_missing]\n"
        == refused_by(bin_folder / "proofkey", "login")
        == refused_by(bin_folder / "python", "-m", "proofkey")
    )


def refused_by(*command: str | Path) -> str:
    """What a command that ends with status 1 says."""
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/")
    assert (1, "") == (ran.returncode, ran.stdout)
    return ran.stderr
