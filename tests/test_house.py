"""The house keeps its rules: what `make check` runs has teeth, and the commands of the README do what it says."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from checks import changelog, docstrings, imports, locks, names, size_budget, source_files
from checks.imports import Import, judge_ours, judge_outside
from checks.size_budget import Budget

ROOT = Path(__file__).resolve().parent.parent


def written(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_the_readme_s_first_line_says_what_a_fresh_debian_needs() -> None:
    assert "`apt-get install -y git make python3-venv`" in written("README.md").splitlines()[0]


def test_continuous_integration_runs_make_test_and_nothing_of_its_own() -> None:
    commands = [line for line in written(".ci/run").splitlines() if line and not line.startswith("#")]
    assert ['cd "$(dirname "$0")/.." && exec make test'] == commands
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_licence_is_apache_2_0() -> None:
    assert "Apache License\n                           Version 2.0, January 2004" in written("LICENSE")
    assert 'license = "Apache-2.0"' in written("pyproject.toml")


def test_every_link_of_the_manual_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    links = [
        (page, target)
        for page in pages
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    ]
    assert 10 <= len(links)
    assert [] == [f"{page.name}: {target}" for page, target in links if not (page.parent / target).exists()]


def test_every_file_that_the_manual_names_exists() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    named = re.compile(r"`((?:src|tests|checks|vectors|docs|bench)/[\w./-]+)`")
    found = {(page.name, path) for page in pages for path in named.findall(page.read_text(encoding="utf-8"))}
    assert 10 <= len(found)
    kept = [(page, path) for page, path in found if "node_modules" not in path]
    assert [] == sorted(f"{page}: {path}" for page, path in kept if not (ROOT / path).exists())


def test_every_decision_is_half_a_dated_page_that_the_index_names() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert 4 <= len(decisions)
    index = written("docs/index.md")
    for decision in decisions:
        assert re.fullmatch(r"20\d\d-\d\d-\d\d-[a-z0-9-]+\.md", decision.name)
        assert len(decision.read_text(encoding="utf-8").splitlines()) <= 60
        assert decision.name in index


def test_make_demo_writes_one_json_object_to_stdout_and_nothing_else(tmp_path: Path) -> None:
    command = ["make", "--old-file=.venv/run.stamp", "demo", f"ARGS=--port 0 --json --data {tmp_path / 'data'}"]
    by_hand = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, env=by_hand, start_new_session=True
        ) as demo,
    ):
        assert demo.stdout is not None
        first = demo.stdout.readline()
        os.killpg(demo.pid, signal.SIGINT)
        rest = demo.stdout.read()
        demo.wait(10)
    assert {"version", "issuer", "clients", "user", "resource"} <= set(json.loads(first))
    assert b"" == rest


@pytest.mark.parametrize(
    ("importer", "target"),
    [
        ("protocol.pkce", "proofkey.server.app.create_app"),
        ("protocol.pkce", "proofkey.jose.verify_jwt"),
        ("server.flows.authorize", "proofkey.server.store.sqlite.SqliteDatabase"),
        ("server.flows.authorize", "proofkey.server.http.responses"),
        ("server.flows.authorize", "proofkey.server.asgi.Request"),
        ("server.http.token", "proofkey.server.store.contract.Store"),
        ("server.http.token", "proofkey.server.pages.render"),
        ("server.pages.authorize", "proofkey.server.http.responses"),
        ("server.store.sql", "proofkey.server.flows.authorize"),
        ("guard.asgi", "proofkey.server.entropy.mint_id"),
        ("guard.asgi", "proofkey.client.protocol"),
        ("guard.asgi", "proofkey.seal.Seal"),
        ("client.http", "proofkey.guard.access"),
        ("cli.dev", "proofkey.server.store.sqlite"),
        ("server.flows.authorize", "proofkey.server.app.create_app"),
        ("jose", "proofkey.seal"),
    ],
)
def test_an_import_against_the_arrows_is_refused(importer: str, target: str) -> None:
    assert list(judge_ours(Import("there:1", importer, target)))


@pytest.mark.parametrize(
    ("importer", "target"),
    [
        ("protocol.pkce", "time"),
        ("protocol.pkce", "asyncio"),
        ("protocol.pkce", "secrets.token_bytes"),
        ("protocol.pkce", "urllib.request"),
        ("protocol.pkce", "msgspec"),
        ("server.flows.authorize", "joserfc.jwt"),
        ("server.flows.authorize", "uvicorn"),
        ("server.flows.authorize", "datetime.datetime"),
        ("server.sealed", "cryptography.hazmat.primitives.ciphers.aead.AESGCM"),
        ("guard.asgi", "uvicorn"),
        ("seal", "joserfc"),
    ],
)
def test_a_package_behind_the_wrong_door_is_refused(importer: str, target: str) -> None:
    assert list(judge_outside(Import("there:1", importer, target)))


@pytest.mark.parametrize(
    ("importer", "target"),
    [
        ("server.flows.authorize", "proofkey.server.store.contract.GrantStore"),
        ("server.http.token", "proofkey.server.flows.authorization_code.redeem_code"),
        ("server", "proofkey.server.app.create_app"),
        ("cli.dev", "proofkey.server.app.create_app"),
        ("guard.keys", "proofkey.jose.KeySet"),
        ("client.protocol", "proofkey.protocol.pkce"),
    ],
)
def test_an_import_along_the_arrows_passes(importer: str, target: str) -> None:
    assert [] == list(judge_ours(Import("there:1", importer, target)))


def test_the_import_rules_read_every_form_of_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "ROOT", tmp_path)
    module = tmp_path / "src" / "proofkey" / "guard" / "asgi.py"
    module.parent.mkdir(parents=True)
    module.write_text("import a.b as c, d\nfrom e import f\ndef late() -> None:\n    import g\n", encoding="utf-8")
    found = list(imports.read_imports(module))
    assert ["a.b", "d", "e.f", "g"] == [each.target for each in found]
    assert {"guard.asgi"} == {each.importer for each in found}


def test_sizes_beyond_the_budget_are_named() -> None:
    budget = Budget("file", 2, 4, 5)
    assert [] == list(size_budget.complain(budget, [("a", 1), ("b", 2), ("c", 2)]))
    complaints = " ".join(size_budget.complain(budget, [("a", 3), ("b", 3), ("c", 6)]))
    assert "c has 6 lines" in complaints
    assert "the median file has 3 lines" in complaints
    assert "the 90th percentile file" in complaints


def test_lines_of_code_are_neither_blank_nor_comment_nor_docstring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(size_budget, "ROOT", tmp_path)
    module = tmp_path / "module.py"
    module.write_text(
        'def f(\n    a: int,\n) -> int:\n    """Two\n    lines."""\n\n    # why\n    return a\n', encoding="utf-8"
    )
    assert [("module.py:1 f", 4)] == list(size_budget.measure_functions(module))


@pytest.mark.parametrize(
    "path", ["src/utils.py", "src/common/x.py", "tests/helpers.py", "spa/src/base.ts", "src/misc.py"]
)
def test_a_file_that_is_named_after_nothing_is_refused(path: str) -> None:
    assert list(names.bad_places(ROOT / path))


def test_a_function_that_is_named_after_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "ROOT", tmp_path)
    module = tmp_path / "module.py"
    module.write_text("class GrantManager: ...\ndef handle_token(): ...\ndef redeem_code(): ...\n", encoding="utf-8")
    assert 2 == len(list(names.bad_things(module)))


def test_a_module_that_says_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docstrings, "ROOT", tmp_path)
    module = tmp_path / "module.py"
    module.write_text("def public(): ...\ndef _private(): ...\n", encoding="utf-8")
    assert 2 == len(list(docstrings.undocumented(module)))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("run.txt", "--index-url https://registry.example/simple"),
        ("run.txt", "package @ https://registry.example/package.whl"),
        ("run.txt", "package==1.0\n    # via other\n"),
        ("package-lock.json", '"resolved": "registry.example/axe-core.tgz"'),
    ],
)
def test_a_lock_that_names_an_address_or_no_hash_is_refused(
    name: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "ROOT", tmp_path)
    lock = tmp_path / name
    lock.write_text(f"{line}\n", encoding="utf-8")
    assert list(locks.lock_addresses(lock))


def test_a_copy_without_git_is_looked_at_all_the_same() -> None:
    with_git = source_files.find_files("src/*.py", "requirements/*.txt")
    assert 50 <= len(with_git)
    assert sorted(with_git) == sorted(source_files.list_copy(["src/*.py", "requirements/*.txt"]))


def test_a_machine_s_own_path_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("see /" + "home/alice/project\nand /" + "root/x\nor https://app.example/root/x\n", encoding="utf-8")
    assert 2 == len(list(locks.machine_paths(page)))


def test_a_change_without_its_line_in_the_changelog_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(source_files, "ROOT", tmp_path)
    monkeypatch.setattr(changelog, "ROOT", tmp_path)
    author = ["-c", "user.name=Somebody", "-c", "user.email=somebody@house.example"]

    def commit(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
        subprocess.run(["git", "add", path], cwd=tmp_path, check=True)
        subprocess.run(["git", *author, "commit", "-q", "-m", path], cwd=tmp_path, check=True)

    def checked() -> object:
        with pytest.raises(SystemExit) as ended:
            changelog.main()
        return ended.value.code

    subprocess.run(["git", "init", "-q", "-b", "main", "."], cwd=tmp_path, check=True)
    commit("CHANGELOG.md", "# Changelog\n\n## Unreleased\n")
    commit("src/module.py", "one\n")
    assert 0 == checked()
    subprocess.run(["git", "switch", "-q", "-c", "work"], cwd=tmp_path, check=True)
    commit("src/module.py", "two\n")
    assert 1 == checked()
    assert "CHANGELOG.md did not" in capsys.readouterr().err
    commit("CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n- one → two\n")
    assert 0 == checked()


def test_the_manual_s_first_page_lists_every_decision() -> None:
    decisions = {path.name for path in (ROOT / "docs" / "decisions").iterdir()}
    assert decisions == set(re.findall(r"\(decisions/([\w.-]+)\)", written("docs/index.md")))


def test_an_installation_says_so_on_stderr_before_it_takes_its_time() -> None:
    planned = subprocess.run(
        ["make", "--dry-run", "--what-if=requirements/run.txt", "demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    spoken = next(line for line in planned if "Installing into .venv (once)" in line)
    assert (True, True) == (spoken.endswith(">&2"), planned.index(spoken) < planned.index(_first_installed(planned)))


def _first_installed(planned: list[str]) -> str:
    return next(line for line in planned if " -m venv " in line)
