"""Many processes with one sign-in: one refresh, lost answers, a process that dies in the middle, a sign-in that ended."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from proofkey.client import (
    MemoryStore,
    NotSignedIn,
    ResponseRefused,
    SealedFileStore,
    SignedIn,
    SignIn,
    StoredSignIn,
    Tokens,
    find_sign_in,
    login,
)
from proofkey.client.sign_in import renewed_by
from tests.client.dropping_proxy import DroppingProxy, dropping_proxy
from tests.dev_server import DevServer, StartDev
from tests.visitor import sign_in as visit

ROOT = Path(__file__).parents[2]
ASKS = """
import json, sys
from pathlib import Path
from proofkey.client import SealedFileStore, find_sign_in
issuer, folder, rejected, times = sys.argv[1:]
me = find_sign_in(issuer, "native", store=SealedFileStore(Path(folder)))
told = []
for _ in range(int(times)):
    rejected = me.access_token(rejected=rejected)
    told.append(rejected)
print(json.dumps(told))
"""


class Behind:
    """An issuer behind the proxy, and alice's sign-in there, kept in *folder*."""

    def __init__(self, proxy: DroppingProxy, server: DevServer, folder: Path) -> None:
        self.proxy, self.server, self.folder = proxy, server, folder
        self.store = SealedFileStore(folder)
        password = server.password_of("alice")
        self.me = login(
            server.issuer,
            "native",
            scope="openid offline_access",
            store=self.store,
            browser=lambda url: visit(url, "alice", password),
        )

    def ask(self, rejected: str, times: int = 1) -> subprocess.Popen[str]:
        """A process that asks for a token other than *rejected*, so many times."""
        command = [sys.executable, "-c", ASKS, self.server.issuer, str(self.folder), rejected, str(times)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)

    def find(self) -> SignIn:
        found = find_sign_in(self.server.issuer, "native", store=self.store)
        assert found is not None
        return found


def told_by(process: subprocess.Popen[str]) -> list[str]:
    out, err = process.communicate(timeout=240)
    assert 0 == process.returncode, err
    told: list[str] = json.loads(out)
    return told


@pytest.fixture
def behind(start_dev: StartDev, tmp_path: Path) -> Iterator[Behind]:
    with dropping_proxy() as proxy:
        server = start_dev("--public-url", f"http://localhost:{proxy.port}")
        proxy.upstream = f"http://127.0.0.1:{server.port}"
        yield Behind(proxy, server, tmp_path / "tokens")


def test_twenty_processes_that_need_a_token_at_once_make_one_refresh(behind: Behind) -> None:
    first = behind.me.access_token()
    told = [told_by(process) for process in [behind.ask(first) for _ in range(20)]]
    assert 1 == len({token for [token] in told})
    assert first not in told[0]
    assert 1 == behind.proxy.refreshed


def test_lost_answers_sign_nobody_out(behind: Behind) -> None:
    behind.proxy.drops = lambda number: number % 20 == 3
    first = behind.me.access_token()
    told = [told_by(process) for process in [behind.ask(first, times=12) for _ in range(4)]]
    assert 2 <= behind.proxy.dropped
    assert all(len(tokens) == 12 for tokens in told)
    assert behind.find().access_token(rejected=told[-1][-1])


def test_a_process_that_is_killed_in_the_middle_blocks_nobody(behind: Behind) -> None:
    """The server has rotated, the answer is on its way, and the process is gone: the next one repeats the refresh."""
    first = behind.me.access_token()
    victims: list[subprocess.Popen[str]] = []

    def kill_and_lose(number: int) -> bool:
        if number == 1:
            victims[0].send_signal(signal.SIGKILL)
            victims[0].wait()
        return number == 1

    behind.proxy.drops = kill_and_lose
    victims.append(behind.ask(first))
    victims[0].communicate()
    [token] = told_by(behind.ask(first))
    assert (-signal.SIGKILL, 2, True) == (victims[0].returncode, behind.proxy.refreshed, token != first)


def test_who_cannot_keep_what_comes_does_not_ask(behind: Behind) -> None:
    """As on a full disk: the issuer would have rotated, and the successor be lost."""
    full = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    full += "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); "
    first, before = behind.me.access_token(), behind.proxy.refreshed
    command = [sys.executable, "-c", full + ASKS, behind.server.issuer, str(behind.folder), first, "1"]
    process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (1, True) == (process.returncode, "StoreRefused" in process.stderr), process.stderr
    assert before == behind.proxy.refreshed
    assert [first] != told_by(behind.ask(first))


def test_processes_killed_at_random_moments_leave_a_sign_in_that_works(behind: Behind) -> None:
    token = behind.me.access_token()
    for number in range(12):
        process = behind.ask(token, times=50)
        time.sleep(0.35 + number * 0.05)
        process.kill()
        process.communicate()
        token = behind.find().access_token(rejected=token)
    leftovers = [path.name for path in behind.folder.iterdir() if path.name.endswith(".sealed")]
    assert 1 == len(leftovers)


def test_an_issuer_that_cannot_be_reached_leaves_the_sign_in(behind: Behind) -> None:
    before = behind.find()
    behind.server.process.send_signal(signal.SIGSTOP)
    behind.proxy.upstream = "http://127.0.0.1:9"
    try:
        with pytest.raises(ResponseRefused, match=r"metadata_not_found|server_unreachable"):
            before.access_token(rejected=before.access_token())
    finally:
        behind.server.process.send_signal(signal.SIGCONT)
    behind.proxy.upstream = f"http://127.0.0.1:{behind.server.port}"
    assert behind.find().access_token(rejected=before.access_token())


def test_an_issuer_that_comes_back_in_a_moment_is_asked_again(behind: Behind) -> None:
    me, upstream = behind.find(), behind.proxy.upstream
    first = me.access_token()
    behind.proxy.upstream = "http://127.0.0.1:9"
    back = threading.Timer(0.3, setattr, (behind.proxy, "upstream", upstream))
    back.start()
    try:
        assert first != me.access_token(rejected=first)
    finally:
        back.join()


def test_nonce_and_moment_of_the_sign_in_outlive_a_renewed_id_token() -> None:
    def claims_after(**renewed: object) -> object:
        tokens = Tokens("at", None, "rt", None, None)
        kept = StoredSignIn("https://issuer.example", "cli", "openid", None, None, "Bearer", "", None, None, NOON)
        begun = renewed_by(kept, SignedIn(tokens, {"sub": "alice", "nonce": "n", "auth_time": 7, "name": "A"}), NOON)
        return renewed_by(begun, SignedIn(tokens, renewed), NOON).claims

    assert {"sub": "alice", "nonce": "n", "auth_time": 7} == claims_after(sub="alice")
    assert {"sub": "alice", "nonce": "n", "auth_time": 7} == claims_after(sub="alice", auth_time=8)


def test_a_sign_in_that_the_issuer_ended_is_over_here_too(behind: Behind) -> None:
    other = behind.find()
    token = other.access_token()
    replayed = behind.store.load(behind.server.issuer, "native")
    assert replayed is not None
    second = other.access_token(rejected=token)
    third = other.access_token(rejected=second)
    behind.store.save(replayed)  # an old copy of the file: its refresh token was used, and its successor, too
    with pytest.raises(NotSignedIn) as ended:
        behind.find().access_token(rejected=replayed.access_token)
    assert "sign_in_ended" == ended.value.reason
    assert find_sign_in(behind.server.issuer, "native", store=behind.store) is None
    with pytest.raises(NotSignedIn) as removed:
        other.access_token(rejected=third)
    assert "sign_in_removed" == removed.value.reason


def test_a_token_of_the_disk_is_used_before_any_is_asked_for(behind: Behind) -> None:
    stale = behind.find()
    newer = behind.find().access_token(rejected=stale.access_token())
    assert newer == stale.access_token(rejected=stale.access_token())
    assert 1 == behind.proxy.refreshed


NOON = 1_795_262_400_000


@pytest.mark.parametrize(
    ("lives_for", "left_for", "usable"),
    [
        (300_000, 31_000, True),
        (300_000, 30_000, False),
        (6_000, 2_001, True),
        (6_000, 2_000, False),
        (6_000, -1, False),
    ],
)
def test_a_token_is_renewed_half_a_minute_or_a_third_of_its_life_before_it_ends(
    lives_for: int, left_for: int, usable: bool
) -> None:
    kept = StoredSignIn(
        issuer="http://127.0.0.1:9",
        client_id="cli",
        scope="openid",
        resource=None,
        claims=None,
        token_type="Bearer",
        access_token="at",
        access_token_at=NOON - lives_for,
        access_token_until=NOON,
        refresh_token=None,
        signed_in_at=0,
    )
    me = SignIn(kept, MemoryStore(), clock=lambda: NOON - left_for)
    if usable:
        assert "at" == me.access_token()
    else:
        with pytest.raises(NotSignedIn):
            me.access_token()


def test_threads_of_one_process_make_one_refresh_too(behind: Behind) -> None:
    from concurrent.futures import ThreadPoolExecutor

    first = behind.me.access_token()
    with ThreadPoolExecutor(16) as pool:
        told = set(pool.map(lambda _: behind.me.access_token(rejected=first), range(16)))
    assert (1, 1) == (len(told), behind.proxy.refreshed)
