"""How far this machine's clock and the issuer's may differ (RFC 7519 §4.1.4; OpenID Connect Core §3.1.3.7)."""

from proofkey.protocol.records import SECOND

LEEWAY_FOR = 60 * SECOND
"""Unless a client is told otherwise, in milliseconds."""
