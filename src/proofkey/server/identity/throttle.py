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
    """An IPv4 address, or the /64 an IPv6 address is in: what one subscriber usually has."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped else parsed.exploded[:19]
