"""Each public name of the clients and the guard has an example in its docstring, and the example does what it shows."""

from __future__ import annotations

import doctest
import importlib
import inspect
import io
import os
import pkgutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.conf import settings

import proofkey.client
import proofkey.guard
from proofkey.client.http import Network
from proofkey.client.issuer import Issuer
from proofkey.client.messages import Registration
from tests.dev_server import DevServer
from tests.visitor import sign_in

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (proofkey.client, proofkey.guard)


def public_modules() -> Iterator[str]:
    """The modules that say by `__all__` what they are for: those are for users."""
    for package in PACKAGES:
        yield package.__name__
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            source = Path(str(getattr(found.module_finder, "path", ""))) / found.name.rpartition(".")[2]
            path = source / "__init__.py" if found.ispkg else source.with_suffix(".py")
            if "\n__all__ = " in path.read_text(encoding="utf-8"):
                yield found.name


def public_names() -> list[str]:
    """`module:name` of everything public that can have a docstring of its own; each object once."""
    named: dict[int, str] = {}
    for module_name in public_modules():
        module = importlib.import_module(module_name)
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isroutine(thing):
                named.setdefault(id(thing), f"{module_name}:{name}")
    return sorted(named.values())


@pytest.fixture(scope="session")
def facts(dev: DevServer) -> Iterator[dict[str, Any]]:
    """What examples may use without saying where it comes from."""
    native, web, resource = dev.application("native"), dev.application("web"), dev.told["resource"]
    service = dev.secret_of("service")
    parameters = {"grant_type": "client_credentials", "resource": resource["audience"]}
    machine = httpx2.post(f"{dev.issuer}/oauth2/token", data=parameters, auth=service, trust_env=False)
    assert machine.status_code == 200, machine.text
    if not settings.configured:
        settings.configure()  # Django's defaults
    anybody = Issuer(dev.issuer, Registration("anybody", "https://nowhere.example"))
    with Network(dev.issuer) as network:
        yield {
            "METADATA": network.run(anybody.discover()),
            "send": network.send,
            "ISSUER": dev.issuer,
            "CLIENT_ID": native["client_id"],
            "REDIRECT_URI": native["redirect_uris"][0],
            "WEB_CLIENT_ID": web["client_id"],
            "WEB_CLIENT_SECRET": web["client_secret"],
            "WEB_REDIRECT_URI": web["redirect_uris"][0],
            "SERVICE_ID": service[0],
            "SERVICE_SECRET": service[1],
            "AUDIENCE": resource["audience"],
            "API_URL": resource["url"],
            "ACCESS_TOKEN": machine.json()["access_token"],
            "visit": lambda url: sign_in(url, "alice", dev.password_of("alice")),
        }


def run_example(place: str, facts: dict[str, Any]) -> tuple[int, int, str]:
    """How many lines of the docstring's examples show what comes of them, how many failed, and what doctest said."""
    module_name, _, name = place.partition(":")
    module = importlib.import_module(module_name)
    public = {each: getattr(module, each) for each in module.__all__}
    known = {**public, **facts, "NOW": time.time_ns() // 1_000_000}
    thing = getattr(module, name)
    examples = doctest.DocTestFinder(recurse=False, exclude_empty=True).find(thing, name, globs=known)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    said = io.StringIO()
    for example in examples:
        runner.run(example, out=said.write)
    shown = sum(1 for example in examples for line in example.examples if line.want)
    return shown, runner.failures, said.getvalue()


@pytest.mark.parametrize("place", public_names())
def test_its_example_does_what_it_shows(
    place: str, facts: dict[str, Any], dev: DevServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = f"{sys.executable} {ROOT / 'tests' / 'visitor.py'} alice {dev.password_of('alice')} %s"
    monkeypatch.setenv("BROWSER", person)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *sys.path]))
    monkeypatch.chdir(tmp_path)
    shown, failed, said = run_example(place, facts)
    assert shown > 0, f"{place} has no example whose answer is compared"
    assert failed == 0, said
