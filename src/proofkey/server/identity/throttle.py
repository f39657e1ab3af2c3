"""The sign-in throttle: a fixed table of buckets per workspace, counted before the password is checked.

1. Two buckets per attempt: the name as typed, and the prefix of the address it came from.
2. The table has 65,536 rows at most, whatever anybody types; bucket numbers are a keyed hash, so nobody can aim at one.
3. An attempt is counted before the password is looked at, and taken back if it was right: only failures add up.
"""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

from proofkey.server.config import Throttle
from proofkey.server.master_key import MasterKey
from proofkey.server.store.contract import AttemptLimit

MAX_UNKNOWN = 64
"""Characters of an address in no known form."""


def limits_for(
    master_key: MasterKey, throttle: Throttle, workspace_id: str, login_name: str, address: str
) -> tuple[AttemptLimit, ...]:
    """The buckets this attempt counts in."""

    def bucket(kind: str, value: str) -> int:
        mac = master_key.mac("throttle", f"{kind}\0{workspace_id}\0{value}".encode("utf-8", "surrogatepass"))
        return int.from_bytes(mac[:2], "big")

    return (
        AttemptLimit(bucket("name", login_name), throttle.per_name_allowed, throttle.per_name_for),
        AttemptLimit(
            bucket("address", address_prefix(address)), throttle.per_address_allowed, throttle.per_address_for
        ),
    )


def address_prefix(address: str) -> str:
    """An IPv4 address, or the /64 an IPv6 address is in: what one subscriber usually has.

    A port is left out: some proxies forward `192.0.2.1:5678` or `[2001:db8::1]:5678`. What is no address counts as itself.
    """
    try:
        parsed = ip_address(_without_port(address))
    except ValueError:
        return address[:MAX_UNKNOWN]
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped else parsed.exploded[:19]


def _without_port(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address
