"""Opening the person's browser, and knowing when there is none to open (RFC 8252 §6).

1. `BROWSER` is the person's word and comes first, also over SSH: editors that forward addresses set it.
2. Over SSH, in a container and without a display no browser is started: it would open where nobody looks, or in the terminal.
3. The browser gets this program's environment without `PROOFKEY_TOKEN_KEY`.
4. In the Windows Subsystem for Linux it is the browser of Windows; the address never passes through a Windows shell.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from proofkey.client.token_store.own_store import without_token_key

_OPENS = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"
_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))


def find_obstacle(environment: Mapping[str, str]) -> str | None:
    """Why no browser can be opened here, in words for the person; None where one can."""
    if environment.get("BROWSER"):
        return None
    if environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"):
        return "this is an SSH session"
    if _is_wsl(environment):
        return None if _windows_command("") else "Windows programs cannot be started from here"
    if any(mark.exists() for mark in _CONTAINER_MARKS) or environment.get("container"):
        return "this is a container"
    if sys.platform not in {"darwin", "win32"} and not (
        environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
    ):
        return "there is no display"
    return None


def open_browser(url: str) -> bool:
    """Send the person to *url* with the browser of this machine; False where none was started.

    >>> open_browser("about:blank") in (True, False)
    True
    """
    environment = os.environ
    if find_obstacle(environment) is not None:
        return False
    command = None if environment.get("BROWSER") or not _is_wsl(environment) else _windows_command(url)
    if command is None:
        return send_browser(url)
    return _runs(command, stdin=subprocess.DEVNULL, capture_output=True)


def send_browser(url: str) -> bool:
    """`webbrowser.open`, which cannot be told an environment: where there is something to hide, a process of its own calls it."""
    has_key = without_token_key(os.environ) != dict(os.environ)
    if not has_key or getattr(sys, "frozen", False) or not sys.executable:
        return webbrowser.open(url)
    return _runs([sys.executable, "-I", "-c", _OPENS, url])


def _runs(command: Sequence[str], **more: Any) -> bool:
    ran = subprocess.run(command, env=without_token_key(os.environ), check=False, **more)  # noqa: S603 - no shell
    return ran.returncode == 0


def _is_wsl(environment: Mapping[str, str]) -> bool:
    return bool(environment.get("WSL_DISTRO_NAME")) or "microsoft" in platform.release().lower()


def _windows_command(url: str) -> list[str] | None:
    """What opens *url* in Windows: wslu's command, else the system's own opener of addresses."""
    viewer = shutil.which("wslview")
    if viewer:
        return [viewer, url]
    opener = shutil.which("rundll32.exe")
    return [opener, "url.dll,FileProtocolHandler", url] if opener else None
