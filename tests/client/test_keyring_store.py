"""Sign-ins in a real keyring: GNOME's, under a D-Bus session of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.client.keyring_session import run_in_session

KEEPS = """
import json, os, sys
from pathlib import Path
import keyring
from proofkey.client import OwnStore, StoredSignIn
from proofkey.client.token_store.contract import slot_of
from proofkey.client.token_store.keyring_store import SERVICE, find_keyring
ISSUER, CLIENT = "https://issuer.example", "cli"
def sign_in(size):
    return StoredSignIn(ISSUER, CLIENT, "openid", None, {"sub": "ålice", "n": "x" * size}, "Bearer", "at", 1, "rt", 0)
def entries():
    import secretstorage
    bus = secretstorage.dbus_init()
    return sorted(item.get_attributes()["username"] for item in secretstorage.get_default_collection(bus).get_all_items())
def files():
    folder = Path(os.environ["XDG_STATE_HOME"]) / "proofkey"
    return sorted(path.suffix for path in folder.iterdir()) if folder.exists() else []
store = OwnStore()
"""


def told(program: str, home: Path, **environment: str) -> object:
    ran = run_in_session(KEEPS + program, home=home, **environment)
    assert 0 == ran.returncode, ran.stderr
    return json.loads(ran.stdout)


def test_a_sign_in_goes_to_the_keyring_and_no_token_to_the_disk(tmp_path: Path) -> None:
    program = """
store.save(sign_in(10))
marker = next((Path(os.environ["XDG_STATE_HOME"]) / "proofkey").glob("*.keyring")).read_text()
print(json.dumps([type(find_keyring()).__module__, store.load(ISSUER, CLIENT) == sign_in(10), files(), marker,
                  entries() == [slot_of(ISSUER, CLIENT)], store.find_all() == ((ISSUER, CLIENT),)]))
"""
    marker = '["https://issuer.example","cli"]'
    assert ["keyring.backends.SecretService", True, [".keyring"], marker, True, True] == told(program, tmp_path)


def test_it_is_there_for_the_next_process_and_gone_once_removed(tmp_path: Path) -> None:
    assert [".keyring"] == told("store.save(sign_in(10)); print(json.dumps(files()))", tmp_path)
    again = """
found = store.load(ISSUER, CLIENT) == sign_in(10)
store.remove(ISSUER, CLIENT)
print(json.dumps([found, store.load(ISSUER, CLIENT), entries(), files(), store.find_all()]))
"""
    assert [True, None, [], [], []] == told(again, tmp_path)


def test_what_is_longer_than_the_smallest_keyring_takes_is_cut_up_and_put_together(tmp_path: Path) -> None:
    program = """
store.save(sign_in(5000))
long = store.load(ISSUER, CLIENT) == sign_in(5000)
parts = len(entries())
store.save(sign_in(4000))
shorter, fewer = store.load(ISSUER, CLIENT) == sign_in(4000), len(entries())
store.save(sign_in(10))
print(json.dumps([long, parts, shorter, fewer, store.load(ISSUER, CLIENT) == sign_in(10), len(entries())]))
"""
    assert [True, 6, True, 5, True, 1] == told(program, tmp_path)


def test_a_sign_in_in_a_keyring_that_is_gone_is_refused_and_not_taken_for_none(tmp_path: Path) -> None:
    told("store.save(sign_in(10)); print(1)", tmp_path)
    program = """
from proofkey.client import StoreRefused
try:
    store.load(ISSUER, CLIENT)
except StoreRefused as refused:
    print(json.dumps(refused.reason))
"""
    assert "keyring_unreachable" == told(program, tmp_path, PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")
    program = "store.save(sign_in(10)); print(json.dumps([files(), store.load(ISSUER, CLIENT) == sign_in(10)]))"
    there = told(program, tmp_path, PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")
    assert [[".keyring", ".lock", ".sealed", ""], True] == [sorted(there[0], key=lambda x: (not x, x)), there[1]]  # type: ignore[index]


@pytest.mark.parametrize("backend", ["keyring.backends.fail.Keyring", "keyring.backends.null.Keyring"])
def test_a_keyring_that_keeps_nothing_is_none(tmp_path: Path, backend: str) -> None:
    program = "store.save(sign_in(10)); print(json.dumps([find_keyring() is None, '.sealed' in files()]))"
    assert [True, True] == told(program, tmp_path, PYTHON_KEYRING_BACKEND=backend)


def test_a_keyring_that_does_not_open_leaves_a_new_sign_in_to_a_file(tmp_path: Path) -> None:
    program = """
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked
class Locked(KeyringBackend):
    priority = 5
    def get_password(self, *_):
        raise KeyringLocked("nobody is here to unlock it")
    set_password = delete_password = get_password
keyring.set_keyring(Locked())
store.save(sign_in(10))
print(json.dumps([find_keyring() is None, ".sealed" in files(), store.load(ISSUER, CLIENT) == sign_in(10)]))
"""
    assert [False, True, True] == told(program, tmp_path)


def test_who_brings_a_key_gets_a_file(tmp_path: Path) -> None:
    program = "store.save(sign_in(10)); print(json.dumps([files(), entries()]))"
    assert [[".sealed"], []] == told(program, tmp_path, PROOFKEY_TOKEN_KEY="k" * 43)


def test_a_value_that_is_another_sign_in_s_is_refused(tmp_path: Path) -> None:
    program = """
from dataclasses import replace
from proofkey.client import StoreRefused
store.save(sign_in(10))
other = replace(sign_in(10), issuer="https://evil.example")
store.save(other)
kept = keyring.get_password(SERVICE, slot_of("https://evil.example", CLIENT))
keyring.set_password(SERVICE, slot_of(ISSUER, CLIENT), kept)
try:
    store.load(ISSUER, CLIENT)
except StoreRefused as refused:
    print(json.dumps(refused.reason))
"""
    assert "store_sign_in_foreign" == told(program, tmp_path)
