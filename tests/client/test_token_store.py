"""Where sign-ins are kept: what every store does, and what a store of files refuses."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from proofkey.client import MemoryStore, OwnStore, SealedFileStore, StoredSignIn, StoreRefused, TokenStore
from proofkey.client.lock import hold_lock
from proofkey.client.private_file import make_private_directory, write_private
from proofkey.client.token_store.contract import slot_of

NOON = 1_795_262_400_000
KEY = "k" * 43
ISSUER, CLIENT = "https://issuer.example/demo", "cli"
SIGN_IN = StoredSignIn(
    issuer=ISSUER,
    client_id=CLIENT,
    scope="openid notes:read",
    resource="https://api.example",
    claims={"sub": "alice", "name": "Ålice", "groups": ["a", "b"], "deep": {"more": 1}},
    token_type="DPoP",
    access_token="access-secret",
    access_token_until=NOON,
    refresh_token="refresh-secret",
    signed_in_at=NOON - 1,
    dpop_key=b"\x00\x01key",
    ca_file="/etc/ca.pem",
    client_secret="client-secret",
)
Make = Callable[[Path], TokenStore]


def files(folder: Path) -> SealedFileStore:
    return SealedFileStore(folder / "proofkey")


def own(folder: Path) -> OwnStore:
    return OwnStore({"XDG_STATE_HOME": str(folder), "PROOFKEY_TOKEN_KEY": KEY})


def memory(_folder: Path) -> MemoryStore:
    return MemoryStore()


def reason(store: TokenStore) -> str:
    """Why *store* refuses to load."""
    with pytest.raises(StoreRefused) as refused:
        store.load(ISSUER, CLIENT)
    return refused.value.reason


@pytest.mark.parametrize("make", [files, own, memory])
class TestEveryStore:
    def test_what_is_kept_comes_back_as_it_was(self, make: Make, tmp_path: Path) -> None:
        store = make(tmp_path)
        assert store.load(ISSUER, CLIENT) is None
        store.save(SIGN_IN)
        assert store.load(ISSUER, CLIENT) == SIGN_IN

    def test_a_later_one_replaces_it_and_others_stay(self, make: Make, tmp_path: Path) -> None:
        store = make(tmp_path)
        other = replace(SIGN_IN, client_id="other", refresh_token=None, claims=None, dpop_key=None)
        later = replace(SIGN_IN, access_token="later")
        for each in (SIGN_IN, other, later):
            store.save(each)
        assert (later, other) == (store.load(ISSUER, CLIENT), store.load(ISSUER, "other"))
        assert {(ISSUER, CLIENT), (ISSUER, "other")} == set(store.find_all())

    def test_what_is_removed_is_gone_and_removing_twice_is_nothing(self, make: Make, tmp_path: Path) -> None:
        store = make(tmp_path)
        store.save(SIGN_IN)
        store.remove(ISSUER, CLIENT)
        store.remove(ISSUER, CLIENT)
        assert (None, ()) == (store.load(ISSUER, CLIENT), store.find_all())

    def test_one_at_a_time_holds_a_sign_in(self, make: Make, tmp_path: Path) -> None:
        store = make(tmp_path)
        inside, most = [0], [0]

        def enter() -> None:
            with store.lock(ISSUER, CLIENT):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                threading.Event().wait(0.01)
                inside[0] -= 1

        threads = [threading.Thread(target=enter) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 1 == most[0]


def test_no_text_of_a_sign_in_shows_its_tokens() -> None:
    assert "secret" not in repr(SIGN_IN)
    assert "key" not in repr(SIGN_IN)


def test_files_are_closed_to_others_and_say_nothing(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files(tmp_path).save(SIGN_IN)
    finally:
        os.umask(before)
    folder = tmp_path / "proofkey"
    modes = {path.name.split(".")[-1]: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert {"sealed": 0o600, "key": 0o600, "lock": 0o600} == modes
    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
    kept = b"".join(path.read_bytes() for path in folder.iterdir())
    assert not [word for word in (b"alice", b"secret", b"issuer", b"cli") if word in kept]
    assert not [path.name for path in folder.iterdir() if "issuer" in path.name or CLIENT in path.name]


def sealed_file(folder: Path) -> Path:
    return folder / "proofkey" / f"{slot_of(ISSUER, CLIENT)}.sealed"


def test_another_key_is_refused_and_the_file_stays(tmp_path: Path) -> None:
    files(tmp_path).save(SIGN_IN)
    before = sealed_file(tmp_path).read_bytes()
    other = SealedFileStore(tmp_path / "proofkey", key=KEY)
    assert "store_key_wrong" == reason(other)
    with pytest.raises(StoreRefused, match="store_key_wrong"):
        other.find_all()
    assert before == sealed_file(tmp_path).read_bytes()
    assert files(tmp_path).load(ISSUER, CLIENT) == SIGN_IN


def test_a_lost_key_file_is_refused(tmp_path: Path) -> None:
    files(tmp_path).save(SIGN_IN)
    (tmp_path / "proofkey" / "key").unlink()
    assert "store_key_wrong" == reason(files(tmp_path))


@pytest.mark.parametrize("left", [b"", b"a", b"k" * 42, b"k" * 44, b"k" * 42 + b"\n", b"\x00" * 43])
def test_a_key_file_that_was_emptied_or_cut_seals_nothing(tmp_path: Path, left: bytes) -> None:
    store = files(tmp_path)
    store.save(SIGN_IN)
    key, before = tmp_path / "proofkey" / "key", sealed_file(tmp_path).read_bytes()
    key.write_bytes(left)
    assert "store_key_cut" == reason(store)
    with pytest.raises(StoreRefused, match="store_key_cut"):
        store.save(SIGN_IN)
    assert before == sealed_file(tmp_path).read_bytes()
    key.unlink()
    store.save(SIGN_IN)
    assert SIGN_IN == store.load(ISSUER, CLIENT)


@pytest.mark.parametrize("left", ["", "[", "[]", '["https://issuer.example"]'])
def test_a_marker_of_the_keyring_that_was_cut_is_said(tmp_path: Path, left: str) -> None:
    store = OwnStore({"XDG_STATE_HOME": str(tmp_path)})
    make_private_directory(tmp_path / "proofkey")
    write_private(tmp_path / "proofkey" / f"{slot_of(ISSUER, CLIENT)}.keyring", left.encode(), name="x")
    with pytest.raises(StoreRefused, match="store_marker_unreadable"):
        store.find_all()


def test_a_brought_key_leaves_none_on_the_disk(tmp_path: Path) -> None:
    own(tmp_path).save(SIGN_IN)
    assert [f"{slot_of(ISSUER, CLIENT)}.sealed"] == [path.name for path in (tmp_path / "proofkey").iterdir()]


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="store_key_weak"):
        SealedFileStore(tmp_path, key="hunter2")


@pytest.mark.parametrize("harm", [lambda sealed: sealed[:-1], lambda sealed: sealed[:40] + b"A" + sealed[41:]])
def test_an_altered_file_is_refused(tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    files(tmp_path).save(SIGN_IN)
    path = sealed_file(tmp_path)
    harmed = harm(path.read_bytes())
    assert harmed != path.read_bytes()
    path.write_bytes(harmed)
    assert "store_file_altered" == reason(files(tmp_path))


@pytest.mark.parametrize("harmed", [b"", b"{}", b"\xff\xfe" * 20])
def test_what_is_no_seal_is_refused_too(tmp_path: Path, harmed: bytes) -> None:
    files(tmp_path).save(SIGN_IN)
    sealed_file(tmp_path).write_bytes(harmed)
    assert "store_key_wrong" == reason(files(tmp_path))


def test_a_file_under_another_sign_in_s_name_is_refused(tmp_path: Path) -> None:
    store = files(tmp_path)
    store.save(replace(SIGN_IN, issuer="https://evil.example"))
    planted = tmp_path / "proofkey" / f"{slot_of('https://evil.example', CLIENT)}.sealed"
    planted.rename(sealed_file(tmp_path))
    assert "store_sign_in_foreign" == reason(store)


def test_a_sign_in_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proofkey.client.token_store.contract._FORMAT", 2)
    files(tmp_path).save(SIGN_IN)
    monkeypatch.undo()
    assert "store_unreadable" == reason(files(tmp_path))


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604])
def test_a_file_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    files(tmp_path).save(SIGN_IN)
    sealed_file(tmp_path).chmod(mode)
    assert "store_file_exposed" == reason(files(tmp_path))
    sealed_file(tmp_path).chmod(0o600)
    (tmp_path / "proofkey" / "key").chmod(mode)
    assert "store_file_exposed" == reason(files(tmp_path))


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_directory_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    files(tmp_path).save(SIGN_IN)
    (tmp_path / "proofkey").chmod(mode)
    assert "store_directory_exposed" == reason(files(tmp_path))
    with pytest.raises(StoreRefused, match="store_directory_exposed"):
        files(tmp_path).save(SIGN_IN)


def test_a_link_in_place_of_a_file_or_the_directory_is_refused(tmp_path: Path) -> None:
    files(tmp_path).save(SIGN_IN)
    path = sealed_file(tmp_path)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert "store_file_exposed" == reason(files(tmp_path))
    (tmp_path / "linked").symlink_to(tmp_path / "proofkey")
    with pytest.raises(StoreRefused, match="store_directory_exposed"):
        SealedFileStore(tmp_path / "linked").save(SIGN_IN)


def test_a_link_is_replaced_and_not_followed_by_a_save(tmp_path: Path) -> None:
    files(tmp_path).save(SIGN_IN)
    target = tmp_path / "precious"
    target.write_text("precious")
    sealed_file(tmp_path).unlink()
    sealed_file(tmp_path).symlink_to(target)
    files(tmp_path).save(SIGN_IN)
    assert ("precious", False) == (target.read_text(), sealed_file(tmp_path).is_symlink())


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away takes root")
def test_what_belongs_to_another_account_is_refused(tmp_path: Path) -> None:
    files(tmp_path).save(SIGN_IN)
    os.chown(sealed_file(tmp_path), 12_345, 12_345)
    assert "store_file_exposed" == reason(files(tmp_path))
    os.chown(tmp_path / "proofkey", 12_345, 12_345)
    assert "store_directory_exposed" == reason(files(tmp_path))


def test_a_pipe_in_place_of_a_file_does_not_hang(tmp_path: Path) -> None:
    files(tmp_path).save(SIGN_IN)
    sealed_file(tmp_path).unlink()
    os.mkfifo(sealed_file(tmp_path), 0o600)
    assert "store_file_exposed" == reason(files(tmp_path))


def test_where_nothing_can_be_written_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreRefused, match="store_unwritable"):
        SealedFileStore(tmp_path / "file" / "proofkey").save(SIGN_IN)


def test_a_save_that_fails_leaves_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files(tmp_path).save(SIGN_IN)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreRefused, match="store_unwritable"):
        files(tmp_path).save(replace(SIGN_IN, access_token="later"))
    monkeypatch.undo()
    assert files(tmp_path).load(ISSUER, CLIENT) == SIGN_IN
    assert [] == [path.name for path in (tmp_path / "proofkey").iterdir() if path.name.startswith(".")]


KILLED = """
import os, sys
from pathlib import Path
from proofkey.client import SealedFileStore
from tests.client.test_token_store import SIGN_IN
place, number = Path(sys.argv[1]), int(sys.argv[2])
renames, rename = [], Path.replace
def replace(path, target):
    renames.append(path)
    return os.kill(os.getpid(), 9) if len(renames) == number else rename(path, target)
Path.replace = replace
SealedFileStore(place).save(SIGN_IN)
"""


def unfinished(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "proofkey").iterdir() if path.name.startswith("."))


def kill_in_a_save(folder: Path, rename: int) -> None:
    """A process that saves, and is killed just before that rename."""
    command = [sys.executable, "-c", KILLED, str(folder / "proofkey"), str(rename)]
    assert -signal.SIGKILL == subprocess.run(command, cwd=Path(__file__).parents[2], check=False).returncode


@pytest.mark.parametrize("ends", ["remove", "lock"])
def test_a_writer_who_was_killed_leaves_nothing_that_opens_after_a_sign_out(tmp_path: Path, ends: str) -> None:
    files(tmp_path).save(SIGN_IN)
    kill_in_a_save(tmp_path, 1)
    assert 1 == len(unfinished(tmp_path))
    store = files(tmp_path)
    if ends == "remove":
        store.remove(ISSUER, CLIENT)
    else:
        with store.lock(ISSUER, CLIENT):
            assert [] == unfinished(tmp_path)
    assert [] == unfinished(tmp_path)


def test_a_key_that_was_never_finished_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "proofkey").mkdir(mode=0o700)
    kill_in_a_save(tmp_path, 1)
    assert [True] == [name.startswith(".key.") for name in unfinished(tmp_path)]
    files(tmp_path).save(SIGN_IN)
    assert ([], SIGN_IN) == (unfinished(tmp_path), files(tmp_path).load(ISSUER, CLIENT))


def test_a_lock_that_nobody_lets_go_is_refused(tmp_path: Path) -> None:
    with hold_lock(tmp_path / "lock"), pytest.raises(StoreRefused, match="store_locked"):  # noqa: SIM117
        with hold_lock(tmp_path / "lock", patience_for=100):
            pass


def test_where_the_account_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    OwnStore({"PROOFKEY_TOKEN_KEY": KEY, "XDG_STATE_HOME": "relative"}).save(SIGN_IN)
    assert (tmp_path / ".local" / "state" / "proofkey").is_dir()
