"""What the contract demands of workspaces, applications and keys, and of purging."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from proofkey.protocol.records import DAY, HOUR
from proofkey.server.store.contract import AttemptLimit, Store, StoredKey
from tests.store.facts import (
    NOON,
    PLACE,
    SERVICE,
    SESSION,
    SPA,
    WORKSPACE,
    audited,
    code,
    grant,
    read_rows,
    row_id,
    set_scene,
    set_scene_with_grant,
)

KEY = StoredKey(PLACE, "ES256", 1, NOON, NOON + HOUR, b"private", b"public")


class ConfigurationContract:
    """Workspaces, applications and keys."""

    async def test_a_workspace_is_found_as_it_was_kept_its_scopes_in_their_order(self, store: Store) -> None:
        await set_scene(store)
        found = await store.find_workspace("acme", "main")
        assert WORKSPACE == found
        assert ["write", "read"] == list(found.apis[0].scopes)
        for tenant, slug in (("acme", "other"), ("other", "main"), ("acme\0", "main"), ("\udfff", "main")):
            assert await store.find_workspace(tenant, slug) is None
        await store.keep_workspace(replace(WORKSPACE, name="New"), NOON)
        assert replace(WORKSPACE, name="New") == await store.find_workspace("acme", "main")

    async def test_a_client_is_found_while_it_is_enabled(self, store: Store) -> None:
        await set_scene(store)
        assert SPA == await store.find_client(PLACE, "spa")
        assert SERVICE == await store.find_client(PLACE, "service")
        for client_id in ("SPA", "", "spa\0", "\ud800"):
            assert await store.find_client(PLACE, client_id) is None
        await asyncio.gather(*(store.disable_client(PLACE, "spa", NOON) for _ in range(30)))
        assert await store.find_client(PLACE, "spa") is None
        assert [(None, "spa", "")] == list(await audited(store, "client_disabled"))
        await store.keep_client(PLACE, SPA, NOON)
        assert SPA == await store.find_client(PLACE, "spa")

    async def test_origins_and_algorithms_are_those_of_enabled_clients(self, store: Store) -> None:
        await set_scene(store)
        web = replace(SERVICE, id="web", origins=("https://web.example",), id_token_signed_response_alg="RS256")
        await store.keep_client(PLACE, web, NOON)
        await store.keep_client("elsewhere", replace(SPA, origins=("https://elsewhere.example",)), NOON)
        assert frozenset({"https://app.example"}) == await store.list_origins(PLACE)
        assert frozenset({"ES256", "RS256"}) == await store.list_signing_algorithms(PLACE)
        await store.disable_client(PLACE, "spa", NOON)
        await store.disable_client(PLACE, "web", NOON)
        assert frozenset() == await store.list_origins(PLACE)
        assert frozenset({"ES256"}) == await store.list_signing_algorithms(PLACE)

    async def test_of_thirty_keys_of_one_generation_one_stands_for_everybody(self, store: Store) -> None:
        keys = [replace(KEY, private=f"private-{n}".encode()) for n in range(30)]
        stand = await asyncio.gather(*(store.keep_key(key) for key in keys))
        assert 1 == len(set(stand))
        assert (stand[0],) == await store.find_keys(PLACE)

    async def test_keys_come_by_use_and_generation_and_go_one_by_one(self, store: Store) -> None:
        kept = [
            replace(KEY, workspace_id=place, use=use, generation=generation)
            for place in ("", PLACE)
            for use in ("seal", "refresh", "RS256", "ES256")
            for generation in (2, 10, 1)
        ]
        for key in kept:
            assert key == await store.keep_key(key)
        mine = [key for key in kept if key.workspace_id == PLACE]
        assert tuple(sorted(mine, key=lambda key: (key.use, key.generation))) == await store.find_keys(PLACE)
        await store.drop_key(PLACE, "ES256", 2)
        assert 11 == len(await store.find_keys(PLACE))
        assert 12 == len(await store.find_keys(""))

    async def test_thirty_declarations_at_once_leave_one_of_them(self, store: Store) -> None:
        wanted = [replace(SPA, name=f"name-{n}") for n in range(30)]
        await asyncio.gather(*(store.keep_client(PLACE, client, NOON) for client in wanted))
        assert await store.find_client(PLACE, "spa") in wanted
        workspaces = [replace(WORKSPACE, name=f"name-{n}") for n in range(30)]
        await asyncio.gather(*(store.keep_workspace(workspace, NOON) for workspace in workspaces))
        assert await store.find_workspace("acme", "main") in workspaces


async def purged(store: Store, before: int, *, limit: int = 100, workspace_id: str = PLACE) -> int:
    """How many rows go when everything is walked once, *limit* rows at a time."""
    removed, place = 0, None
    while True:
        answer = await store.purge(workspace_id, before, place, limit)
        removed, place = removed + answer.removed, answer.place
        if place is None:
            return removed


class SweepContract:
    """`purge` and `check_integrity`."""

    async def test_only_what_ended_before_is_removed(self, store: Store) -> None:
        await set_scene_with_grant(store)
        short = grant(1, idle_until=NOON + 5, expires_at=NOON + 5)
        await store.redeem_code(code(1), short, NOON)
        await store.revoke_grant(PLACE, row_id(0), "code_replayed", NOON)
        assert 0 == await purged(store, NOON + 5)
        assert 1 == await purged(store, NOON + 6)
        assert [(row_id(0),)] == await read_rows(store, "SELECT id FROM grants")

    async def test_sessions_and_buckets_go_when_they_have_ended(self, store: Store) -> None:
        await set_scene(store)
        await store.count_attempt(PLACE, (AttemptLimit(0, 1, HOUR), AttemptLimit(65_535, 1, DAY)), NOON)
        assert 1 == await purged(store, NOON + HOUR + 1)
        await store.end_session(PLACE, SESSION.id, NOON + HOUR)
        assert 1 == await purged(store, NOON + HOUR + 1)
        assert [(65_535,)] == await read_rows(store, "SELECT bucket FROM attempts")
        assert 1 == await purged(store, NOON + DAY + 1)

    async def test_each_call_looks_at_so_many_rows_and_says_where_to_go_on(self, store: Store) -> None:
        await set_scene(store)
        ended = [grant(n, idle_until=NOON + (DAY if n % 4 else 1)) for n in range(40)]
        await asyncio.gather(*(store.redeem_code(code(n), ended[n], NOON) for n in range(40)))
        removed, place = [], None
        for _ in range(3):
            answer = await store.purge(PLACE, NOON + 2, place, 20)
            place = answer.place
            removed.append(answer.removed)
        assert [5, 5, 0] == removed
        assert 0 == await purged(store, NOON + 2, limit=7)

    async def test_whatever_the_size_of_a_page_everything_over_goes(self, store: Store) -> None:
        await set_scene(store)
        for limit in (1, 2, 13, 39, 40, 41):
            kept = [grant(n, idle_until=NOON + (1 if n >= 30 else DAY)) for n in range(40)]
            await asyncio.gather(*(store.redeem_code(code(n), kept[n], NOON) for n in range(40)))
            assert 10 == await purged(store, NOON + 2, limit=limit)
        assert 0 == await purged(store, NOON + 99 * DAY, workspace_id="elsewhere")
        assert [(30,)] == await read_rows(store, "SELECT COUNT(*) FROM grants")

    async def test_a_purge_beside_redemptions_loses_none(self, store: Store) -> None:
        await set_scene(store)
        redeem = [store.redeem_code(code(n), grant(n), NOON) for n in range(30)]
        await asyncio.gather(*redeem, *(purged(store, NOON + 1, limit=10) for _ in range(5)))
        assert [(30,)] == await read_rows(store, "SELECT COUNT(*) FROM grants")

    async def test_thirty_purges_at_once_remove_each_row_once(self, store: Store) -> None:
        await set_scene(store)
        ended = [grant(n, idle_until=NOON + 1) for n in range(40)]
        await asyncio.gather(*(store.redeem_code(code(n), ended[n], NOON) for n in range(40)))
        assert 40 == sum(await asyncio.gather(*(purged(store, NOON + 2, limit=15) for _ in range(30))))

    async def test_a_sound_database_has_nothing_to_find(self, store: Store) -> None:
        await set_scene_with_grant(store)
        assert () == await store.check_integrity()
