"""The part `server:` of proofkey.yaml → a `Config` and where to listen; mistakes are named with line and column."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from proofkey.server.config import Config, ConfigError, Throttle, parse_master_key
from proofkey.server.tenancy.declaration_file import DeclarationFile
from proofkey.server.tenancy.file_schema import ListenSchema, Secret, ServerSchema, milliseconds

MASTER_KEY = "PROOFKEY_MASTER_KEY"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How to run: the engine's settings, and the socket with its certificate (paths resolved)."""

    config: Config
    listen: ListenSchema
    certificate_file: Path | None
    key_file: Path | None


def read_server_settings(file: DeclarationFile) -> ServerSettings:
    """What *file* says under `server:`. Raises `DeclarationRefused`."""
    server = file.schema.server
    if server is None:
        raise file.refusal((), "the key `server` is required here")
    if server.public_url is None or server.database is None:
        missing = "public_url" if server.public_url is None else "database"
        raise file.refusal(("server",), f"the key `{missing}` is required here")
    listen = server.listen
    if (listen.certificate_file is None) != (listen.key_file is None):
        raise file.refusal(("server", "listen"), "certificate_file and key_file stand together")
    try:
        config = _config(file, server, server.public_url, server.database)
    except ConfigError as wrong:
        setting = "master_key_file" if wrong.setting == "master_key" else wrong.setting
        raise file.refusal(("server", *setting.split(".")), str(wrong)) from None
    return ServerSettings(config, listen, _beside(file, listen.certificate_file), _beside(file, listen.key_file))


def _config(file: DeclarationFile, server: ServerSchema, public_url: str, database: Secret) -> Config:
    try:
        address = file.resolve(database)
    except LookupError as missing:
        raise ConfigError("database", str(missing.args[0])) from None
    return Config(
        public_url=public_url,
        database=address,
        master_key=_master_key(file, server),
        region=server.region,
        throttle=throttle_of(server, Throttle()),
        trusted_proxies=tuple(server.trusted_proxies),
        log_level=server.log_level,
    )


def _master_key(file: DeclarationFile, server: ServerSchema) -> bytes:
    given = os.environ.get(MASTER_KEY)
    if given:
        return parse_master_key(given)
    path = _beside(file, server.master_key_file)
    if path is None:
        raise ConfigError("master_key", f"set {MASTER_KEY}, or master_key_file")
    try:
        return parse_master_key(path.read_text(encoding="ascii", errors="replace"))
    except OSError as failed:
        raise ConfigError("master_key", f"{path} cannot be read: {failed.strerror}") from None


def throttle_of(server: ServerSchema | None, otherwise: Throttle) -> Throttle:
    """The limits that *server* sets, and *otherwise* where it sets none."""
    if server is None:
        return otherwise
    name, address = server.throttle.per_name, server.throttle.per_address
    return Throttle(
        per_name_allowed=name.allowed if name else otherwise.per_name_allowed,
        per_name_for=milliseconds(name.window) if name else otherwise.per_name_for,
        per_address_allowed=address.allowed if address else otherwise.per_address_allowed,
        per_address_for=milliseconds(address.window) if address else otherwise.per_address_for,
    )


def _beside(file: DeclarationFile, path: str | None) -> Path | None:
    """A path of the file, taken from where the file lies."""
    return None if path is None else file.path.parent / path
