"""The data directory of `proofkey dev`: its files and their modes, who owns it, and what is remembered between starts.

1. The directory is 0700 and ignored by git; what holds a secret is 0600 from the moment it exists.
2. One process at a time starts on it (`start.lock`); one at a time owns it (`lock`), and with it the sample app and API.
   Both locks end with their process, however it ends.
3. A directory that was neither empty nor made by us is refused; and only files of ours are ever removed.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import msgspec

from proofkey.client.lock import try_lock
from proofkey.client.private_file import sync_directory
from proofkey.demo.seed import DemoSecrets, mint_demo_secrets
from proofkey.server.config import parse_master_key
from proofkey.server.entropy import Entropy

MARK = "# The data directory of `proofkey dev`: keys, passwords and a database, all of them for development.\n*\n"
_OWN_FILES = ("master.key", "dev.json", "proofkey.db", "proofkey.db-wal", "proofkey.db-shm", "proofkey.db-journal")
START_WITHIN = 30.0
"""Seconds to wait for another process that starts on the same directory."""


class DirectoryRefused(Exception):
    """The directory cannot be used as asked. `slug` names the reason."""

    def __init__(self, slug: str, text: str) -> None:
        super().__init__(text)
        self.slug = slug


class Remembered(msgspec.Struct, frozen=True):
    """What `dev.json` holds: the demo's secrets, and where the owner of the directory last listened."""

    secrets: DemoSecrets
    version: int = 1
    public_url: str = ""
    app_url: str = ""
    api_url: str = ""
    ports: tuple[int, int, int] = (0, 0, 0)


class Directory:
    """A data directory, made where there was none. Raises `DirectoryRefused`."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._adopt()
        except OSError as failed:
            raise _unusable(self.path, failed) from None
        self._owner_lock: int | None = None

    def _adopt(self) -> None:
        """Mark an empty directory as ours, and take no other that is not marked: what is in it is somebody's."""
        mark = self.path / ".gitignore"
        is_empty = all(path == mark for path in self.path.iterdir())
        text = mark.read_text(encoding="utf-8", errors="replace") if mark.is_file() else ""
        if is_empty and not text:  # another process may have made the file and not written it yet
            mark.write_text(MARK, encoding="utf-8")
        elif text != MARK:
            raise DirectoryRefused(
                "data_foreign", f"{self.path} is not empty and was not made by proofkey dev: nothing was removed"
            )
        self.path.chmod(0o700)

    @property
    def database(self) -> str:
        """The URL of the directory's own database."""
        return f"sqlite://{quote(str(self.path / 'proofkey.db'))}"

    @property
    def certificates(self) -> Path:
        """Where the local certificate authority lives."""
        return self.path / "tls"

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Keep every other process from starting here. Raises `DirectoryRefused` after half a minute of waiting."""
        descriptor = self._open_lock("start.lock")
        until = time.monotonic() + START_WITHIN
        try:
            while not try_lock(descriptor):
                if time.monotonic() > until:
                    raise DirectoryRefused("data_busy", f"another process has been starting on {self.path} for long")
                time.sleep(0.02)
            yield
        finally:
            os.close(descriptor)

    def own(self) -> bool:
        """Become the owner, for as long as this process lives. False where another process is."""
        descriptor = self._open_lock("lock")
        if not try_lock(descriptor):
            os.close(descriptor)
            return False
        self._owner_lock = descriptor
        return True

    def _open_lock(self, name: str) -> int:
        try:
            return os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as failed:
            raise _unusable(self.path, failed) from None

    def check_may_empty(self) -> None:
        """Raise `DirectoryRefused` for a directory in use by another process."""
        if self._owner_lock is None:
            raise DirectoryRefused("data_in_use", f"{self.path} is in use by another process: stop it first")

    def empty(self) -> None:
        """Remove everything of ours. Raises as `check_may_empty`."""
        self.check_may_empty()
        for name in _OWN_FILES:
            for path in (self.path / name, *self.path.glob(f"{name}.*.new")):
                path.unlink(missing_ok=True)
        shutil.rmtree(self.certificates, ignore_errors=True)

    def master_key(self, entropy: Entropy) -> bytes:
        """The 32 bytes of `master.key`, made at the first start. Raises `ConfigError` for one that is damaged."""
        try:
            return parse_master_key((self.path / "master.key").read_text(encoding="ascii", errors="replace"))
        except FileNotFoundError:
            key = entropy(32)
            write_secret(self.path / "master.key", (key.hex() + "\n").encode("ascii"))
            return key

    def remembered(self, entropy: Entropy) -> Remembered:
        """What `dev.json` holds; where there is none, secrets are made up and kept."""
        try:
            return msgspec.json.decode((self.path / "dev.json").read_bytes(), type=Remembered)
        except FileNotFoundError:
            remembered = Remembered(mint_demo_secrets(entropy))
            self.remember(remembered)
            return remembered
        except msgspec.DecodeError as broken:
            raise DirectoryRefused("dev_json_malformed", f"{self.path / 'dev.json'}: {broken}") from None

    def remember(self, remembered: Remembered) -> None:
        """Replace `dev.json`."""
        text = msgspec.json.format(msgspec.json.encode(remembered), indent=2)
        write_secret(self.path / "dev.json", text + b"\n")


def write_secret(path: Path, content: bytes) -> None:
    """Put *content* at *path*, 0600, at once and durably: never half a file, never readable by others."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
    sync_directory(path.parent)


def _unusable(path: Path, failed: OSError) -> DirectoryRefused:
    return DirectoryRefused("data_unusable", f"{path} cannot be used: {failed.strerror}")
