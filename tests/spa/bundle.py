"""Bundles of apps that need one, made by esbuild as an app's own build would: React, Vue, and the library as it is shipped."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.spa.setting import BUILT, ROOT

MODULES = ROOT / "tests" / "node_modules"
ESBUILD = MODULES / "esbuild" / "bin" / "esbuild"
PATH = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"


def bundle(entry: Path, folder: Path) -> dict[str, bytes]:
    """The script that *entry* becomes, as `/app.js`, and the worker that lies beside it; *folder* is for what is written."""
    command = [
        str(ESBUILD),
        str(entry),
        "--bundle",
        "--format=esm",
        "--target=es2022",
        "--jsx=automatic",
        "--log-level=error",
        '--define:process.env.NODE_ENV="development"',
        "--define:__VUE_OPTIONS_API__=true",
        "--define:__VUE_PROD_DEVTOOLS__=false",
        "--define:__VUE_PROD_HYDRATION_MISMATCH_DETAILS__=false",
        f"--alias:@proofkey/spa={BUILT / 'index.js'}",
        f"--alias:@proofkey/spa/react={BUILT / 'react.js'}",
        f"--alias:react={MODULES / 'react'}",
        f"--alias:vue={MODULES / 'vue' / 'dist' / 'vue.esm-bundler.js'}",
        f"--outfile={folder / 'app.js'}",
    ]
    environment = {**os.environ, "PATH": PATH, "NODE_PATH": str(MODULES)}
    subprocess.run(command, check=True, env=environment, cwd=ROOT)
    return {"/app.js": (folder / "app.js").read_bytes(), "/worker.js": (BUILT / "worker.js").read_bytes()}
