"""The manual's lines that put the plain example together and serve it: every address the app needs is answered."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx2

from tests.client.web.example_app import free_port
from tests.spa.setting import ROOT

MANUAL = (ROOT / "docs" / "spa.md").read_text(encoding="utf-8")


def test_the_plain_example_is_served_as_the_manual_says(tmp_path: Path) -> None:
    for name in ("examples", "src"):
        (tmp_path / name).symlink_to(ROOT / name)
    *putting, serving = re.findall(r"^```sh\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)[0].strip().splitlines()
    subprocess.run(["bash", "-ec", "\n".join(putting)], cwd=tmp_path, check=True)
    program, *arguments = serving.split()
    assert "python3" == program
    command = [sys.executable, *arguments, str(free_port())]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            check_the_app_at(server.stdout.readline().strip())
        finally:
            server.terminate()


def check_the_app_at(address: str) -> None:
    """All files of the app are there, and its redirect URI is its page, without a redirect."""
    with httpx2.Client(base_url=address, trust_env=False) as browser:
        page = browser.get("/")
        answers = [browser.get(path) for path in ("/callback?code=c&state=s", "/deep/within")]
        assert [(200, page.text)] * 2 == [(answer.status_code, answer.text) for answer in answers]
        [app] = re.findall(r'src="(/[^"]+)"', page.text)
        [library] = re.findall(r'from "\.(/[^"]+)"', browser.get(app).text)
        for script in (app, library, library.replace("index.js", "worker.js")):
            answer = browser.get(script)
            assert (200, "text/javascript") == (answer.status_code, answer.headers["content-type"].partition(";")[0])
        assert 404 == browser.get("/missing.js").status_code
