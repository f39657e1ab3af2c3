"""Sessions in Redis, for processes on several machines (redis.asyncio; install proofkey[redis]).

1. What reads and then writes is one script, which Redis runs alone. All keys share a hash tag: a cluster keeps them together.
2. Redis forgets by itself what ended; its own clock only counts how long that is, and never decides. What finds a person's
   sessions is a sorted set by when they end at the latest: a sign-in drops those that did, and walks none.
3. A process has *connections* at most; who finds all of them taken waits, no longer than for an answer.
4. Nothing is sent a second time by itself: whether the first was done nobody knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from proofkey.client.web.store.contract import StoredSession, StoreUnavailable, unanswered

if TYPE_CHECKING:
    from redis.asyncio import Redis

ANSWER_WITHIN = 10.0
_FIELDS = ("sid_key", "subject_key", "sealed", "idle_until", "until", "version", "claimed_until", "signed_in_at")

_FORGET_IN = """
local function forget_in(key, moment, now) redis.call('PEXPIRE', key, math.max(1, moment - now)) end
"""
_START = (
    _FORGET_IN
    + """
local now, idle_until, lives_until = tonumber(ARGV[1]), tonumber(ARGV[5]), tonumber(ARGV[6])
for number = 2, #KEYS, 2 do
  local signed_in_by = redis.call('GET', KEYS[number])
  if signed_in_by and tonumber(ARGV[9]) <= tonumber(signed_in_by) then return 0 end
end
redis.call('HSET', KEYS[1], 'sid_key', ARGV[2], 'subject_key', ARGV[3], 'sealed', ARGV[4], 'idle_until', ARGV[5],
  'until', ARGV[6], 'version', ARGV[7], 'claimed_until', ARGV[8], 'signed_in_at', ARGV[9])
forget_in(KEYS[1], idle_until, now)
for number = 3, #KEYS, 2 do
  redis.call('ZREMRANGEBYSCORE', KEYS[number], '-inf', now)
  redis.call('ZADD', KEYS[number], lives_until, KEYS[1])
  if redis.call('PTTL', KEYS[number]) < lives_until - now then forget_in(KEYS[number], lives_until, now) end
end
return 1"""
)
_LIVE = """
local found = redis.call('HMGET', KEYS[1], 'idle_until', 'until', 'version', 'claimed_until')
if not found[1] then return 0 end
local now = tonumber(ARGV[1])
local live = now < tonumber(found[1]) and now < tonumber(found[2])
local version, claimed_until = tonumber(found[3]), tonumber(found[4])
"""
_SLIDE = (
    _FORGET_IN
    + _LIVE
    + """
if not live then return 0 end
redis.call('HSET', KEYS[1], 'idle_until', ARGV[2])
forget_in(KEYS[1], tonumber(ARGV[2]), now)
return 1"""
)
_CLAIM = (
    _LIVE
    + """
if version ~= tonumber(ARGV[2]) or now < claimed_until then return 0 end
redis.call('HSET', KEYS[1], 'claimed_until', ARGV[3])
return 1"""
)
_RENEW = (
    _LIVE
    + """
if not live or version ~= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'sealed', ARGV[3], 'version', version + 1, 'claimed_until', 0)
return 1"""
)
_RELEASE = """
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'claimed_until', 0)
return 1"""
_END = """
local found = redis.call('HGETALL', KEYS[1])
redis.call('DEL', KEYS[1])
return found"""
_END_ALL = """
local seen = redis.call('GET', KEYS[1])
local signed_in_by = tonumber(seen or ARGV[1])
if not seen then
  local latest = math.max(signed_in_by, tonumber(redis.call('GET', KEYS[2]) or 0))
  redis.call('SET', KEYS[1], signed_in_by, 'PX', ARGV[2])
  redis.call('SET', KEYS[2], latest, 'PX', ARGV[2])
end
for _, member in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
  local signed_in_at = redis.call('HGET', member, 'signed_in_at')
  if not signed_in_at or tonumber(signed_in_at) <= signed_in_by then
    redis.call('DEL', member)
    redis.call('ZREM', KEYS[3], member)
  end
end
return seen and 0 or 1"""


class RedisStore:
    """Sessions in the Redis at *url*, under keys that begin with *prefix* in braces. Who finds no connection free waits for one.

    >>> from proofkey.client.web import RedisStore
    >>> RedisStore("redis://127.0.0.1/0").prefix
    'proofkey'
    """

    def __init__(self, url: str, *, prefix: str = "proofkey", connections: int = 20) -> None:
        parts = urlsplit(url)
        if not (parts.netloc if parts.scheme in {"redis", "rediss"} else parts.scheme == "unix" and parts.path):
            raise ValueError("url must be redis://host:port/number, rediss:// likewise, or unix:///path")
        self._url = url
        self.prefix = prefix
        self.connections = connections
        self._redis: Redis | None = None

    async def open(self) -> None:
        """Connect. Raises `StoreUnavailable`."""
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError

        self._failures = (RedisError, OSError, TimeoutError)
        pool = BlockingConnectionPool.from_url(
            self._url,
            max_connections=self.connections,
            timeout=ANSWER_WITHIN,
            socket_timeout=ANSWER_WITHIN,
            socket_connect_timeout=ANSWER_WITHIN,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis = Redis.from_pool(pool)
        try:
            await self._ask("PING")
        except StoreUnavailable:
            await self.close()
            raise

    async def close(self) -> None:
        """Hang up."""
        opened, self._redis = self._redis, None
        if opened is not None:
            await opened.aclose()

    async def _ask(self, *command: Any) -> Any:
        if self._redis is None:
            raise StoreUnavailable("the store is not open")
        try:
            return await self._redis.execute_command(*command)  # type: ignore[no-untyped-call]
        except self._failures as failure:
            raise unanswered(self._url, failure) from failure

    async def _script(self, script: str, keys: list[str], *arguments: Any) -> Any:
        return await self._ask("EVAL", script, len(keys), *keys, *arguments)

    def _key(self, kind: str, key: bytes) -> str:
        return f"{{{self.prefix}}}:{kind}:{key.hex()}"

    async def keep_transaction(self, key: bytes, sealed: str, *, until: int, now: int) -> None:
        """Keep a begun login."""
        kept = f"{until} {sealed}"
        await self._ask("SET", self._key("transaction", key), kept, "PX", max(1, until - now))

    async def take_transaction(self, key: bytes, *, now: int) -> str | None:
        """The begun login, once."""
        kept = await self._ask("GETDEL", self._key("transaction", key))
        until, _, sealed = (kept or b"0 ").decode("ascii").partition(" ")
        return sealed if now < int(until) else None

    async def start_session(self, session: StoredSession, *, now: int) -> bool:
        """Keep a new session that has not ended already."""
        keys = [self._key("session", session.key)]
        for about in filter(None, (session.subject_key, session.sid_key)):
            keys += [self._key("signed_out", about), self._key("sessions", about)]
        values = (session.sid_key or b"", session.subject_key, session.sealed, session.idle_until, session.until)
        counts = (session.version, session.claimed_until, session.signed_in_at)
        return bool(await self._script(_START, keys, now, *values, *counts))

    async def find_session(self, key: bytes) -> StoredSession | None:
        """The session as it is now."""
        values = await self._ask("HMGET", self._key("session", key), *_FIELDS)
        return None if values[1] is None else _session(key, values)

    async def slide_session(self, key: bytes, *, idle_until: int, now: int) -> bool:
        """Move on when an idle session ends."""
        return bool(await self._script(_SLIDE, [self._key("session", key)], now, idle_until))

    async def claim_refresh(self, key: bytes, *, expected_version: int, claimed_until: int, now: int) -> bool:
        """Be the one who renews the tokens."""
        return bool(await self._script(_CLAIM, [self._key("session", key)], now, expected_version, claimed_until))

    async def renew_session(self, key: bytes, *, expected_version: int, sealed: str, now: int) -> bool:
        """Keep renewed contents."""
        return bool(await self._script(_RENEW, [self._key("session", key)], now, expected_version, sealed))

    async def release_refresh(self, key: bytes, *, expected_version: int) -> None:
        """Give up the claim."""
        await self._script(_RELEASE, [self._key("session", key)], expected_version)

    async def end_session(self, key: bytes) -> StoredSession | None:
        """The session, once."""
        flat = await self._script(_END, [self._key("session", key)])
        found = dict(zip(flat[::2], flat[1::2], strict=True))
        return _session(key, [found[name.encode()] for name in _FIELDS]) if found else None

    async def end_sessions(self, about: bytes, *, notice: bytes, signed_in_by: int, until: int, now: int) -> bool:
        """End those it is about."""
        keys = [self._key("notice", notice), self._key("signed_out", about), self._key("sessions", about)]
        return bool(await self._script(_END_ALL, keys, signed_in_by, max(1, until - now)))

    async def purge(self, before: int, limit: int) -> int:  # noqa: ARG002
        """Nothing: Redis forgets by itself."""
        return 0


def _session(key: bytes, values: list[bytes]) -> StoredSession:
    sid_key, subject_key, sealed, *numbers = values
    return StoredSession(key, sid_key or None, subject_key, sealed.decode("ascii"), *map(int, numbers))
