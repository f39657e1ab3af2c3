"""One frozen Config: what a deployment is told before it starts. A mistake stops the start and names the setting."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_network
from urllib.parse import urlsplit

from proofkey.protocol.base64url import decode_base64url
from proofkey.protocol.issuer import is_loopback
from proofkey.protocol.records import MINUTE, SECOND

RESERVED_TENANTS = frozenset({"api", "console", "healthz", "readyz", "metrics", "static", "oauth2", ".well-known"})
LOG_LEVELS = ("debug", "info", "warning", "error")
DATABASES = ("sqlite:///", "postgresql://", "postgres://")
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class ConfigError(Exception):
    """A setting that cannot be worked with. `setting` is its name, the message says what was expected."""

    def __init__(self, setting: str, expected: str) -> None:
        super().__init__(f"{setting}: {expected}")
        self.setting = setting


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many sign-ins may be tried per name and per address prefix in a window of that many milliseconds."""

    per_name_allowed: int = 10
    per_name_for: int = 5 * MINUTE
    per_address_allowed: int = 100
    per_address_for: int = 5 * MINUTE


DEVELOPMENT_THROTTLE = Throttle(100, MINUTE, 1_000, MINUTE)
"""Wide enough for a test suite that signs in all day, narrow enough to be seen at work."""


def parse_master_key(text: str) -> bytes:
    """The 32 bytes of a master key written as 64 hex digits or 43 characters of base64url. Raises `ConfigError`."""
    text = text.strip().rstrip("=")
    try:
        if len(text) == 64:
            return bytes.fromhex(text)
        if len(text) == 43:
            return decode_base64url(text)
    except ValueError:
        pass
    raise ConfigError("master_key", "must be 32 bytes, written as 64 hex digits or as 43 characters of base64url")


def is_slug(name: str) -> bool:
    """Whether *name* can be a tenant or a workspace: one DNS label in lower case (RFC 1035 §2.3.1)."""
    return _SLUG.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of one deployment.

    `public_url` is where browsers reach it, and may hold `{tenant}` and `{region}` in its host name.
    `database` is `sqlite:///PATH` or `postgresql://…`; `master_key` is 32 bytes.
    `region` is the cell this process belongs to, "" where there is only one.
    `trusted_proxies` are the networks whose `X-Forwarded-For` is believed; by default nobody's.
    Raises `ConfigError`.
    """

    public_url: str
    database: str
    master_key: bytes = field(repr=False)
    development: bool = False
    region: str = ""
    throttle: Throttle = field(default_factory=Throttle)
    trusted_proxies: tuple[str, ...] = ()
    log_level: str = "info"

    def __post_init__(self) -> None:
        check_public_url(self.public_url)
        if not self.database.startswith(DATABASES):
            raise ConfigError("database", "must be sqlite:///ABSOLUTE/PATH or postgresql://…")
        if len(self.master_key) != 32:
            raise ConfigError("master_key", "must be 32 bytes")
        if self.region and not is_slug(self.region):
            raise ConfigError("region", "must be one lower-case DNS label")
        if self.log_level not in LOG_LEVELS:
            raise ConfigError("log_level", f"must be one of {', '.join(LOG_LEVELS)}")
        _check_throttle(self.throttle)
        for network in self.trusted_proxies:
            _check_network(network)

    def issuer_for(self, tenant: str, slug: str) -> str:
        """The issuer of a workspace (RFC 8414 §2): `{public_url}/{tenant}/{slug}`, placeholders filled in.

        Without a region its place is left out, together with the dot after it.
        """
        url = self.public_url.replace("{tenant}", tenant)
        if self.region:
            url = url.replace("{region}", self.region)
        else:
            url = url.replace("{region}.", "").replace(".{region}", "")
        return f"{url}/{tenant}/{slug}"


def check_public_url(url: str, *, setting: str = "public_url") -> None:
    """Refuse what cannot be the start of an issuer (RFC 8414 §2), or would send passwords over the network in clear."""
    if set(_PLACEHOLDER.findall(url)) - {"tenant", "region"}:
        raise ConfigError(setting, "may hold {tenant} and {region}, and no other placeholder")
    try:
        parts = urlsplit(url.replace("{tenant}", "t").replace("{region}", "r"))
        port_is_sound = parts.port != 0
    except ValueError:
        raise ConfigError(setting, "must be a URL such as https://auth.example") from None
    if parts.scheme not in ("https", "http") or not parts.hostname or not port_is_sound or not url.isascii():
        raise ConfigError(setting, "must be an absolute URL such as https://auth.example")
    if parts.username is not None or parts.query or parts.fragment or "?" in url or "#" in url:
        raise ConfigError(setting, "must have no user, query or fragment")
    if url.endswith("/") or "{" in urlsplit(url).path or any(character.isspace() for character in url):
        raise ConfigError(setting, "must not end in a slash, and placeholders stand in the host name only")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ConfigError(setting, "must be https: over http everybody on the way reads the passwords")


def _check_throttle(throttle: Throttle) -> None:
    for name in ("per_name", "per_address"):
        if getattr(throttle, f"{name}_allowed") < 1:
            raise ConfigError(f"throttle.{name}", "must allow at least one attempt")
        if getattr(throttle, f"{name}_for") < SECOND:
            raise ConfigError(f"throttle.{name}", "must count over at least one second")


def _check_network(network: str) -> None:
    try:
        ip_network(network)
    except ValueError:
        raise ConfigError("trusted_proxies", f"{network!r} is not an address or network") from None
