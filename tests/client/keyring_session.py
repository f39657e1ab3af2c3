"""A session of its own with an unlocked GNOME keyring, for programs that need the machine's keyring for real."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
printf %s "$PASSPHRASE" | gnome-keyring-daemon --unlock --components=secrets >/dev/null
exec "$@"
"""


def run_in_session(
    program: str, *arguments: str, home: Path, unlocked: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run *program* (Python) with *home* as home, in a D-Bus session that ends with it."""
    (home / "run").mkdir(mode=0o700, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHON_KEYRING_BACKEND"}
    places = {
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "share"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "PASSPHRASE": "correct horse",
    }
    inside = [sys.executable, "-c", program, *arguments]
    command = ["bash", "-c", SCRIPT, "session", *inside] if unlocked else inside
    return subprocess.run(
        ["dbus-run-session", "--", *command],
        env={**kept, **places, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
