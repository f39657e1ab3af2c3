// Runs tests/*.test.ts under node's own test runner, bundled as the library is.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const built = mkdtempSync(join(tmpdir(), "proofkey-spa-"));
try {
  const names = readdirSync(join(here, "tests")).filter((name) => name.endsWith(".test.ts"));
  await build({
    absWorkingDir: here,
    entryPoints: names.map((name) => join("tests", name)),
    outdir: built,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "warning",
  });
  const tests = readdirSync(built).map((name) => join(built, name));
  process.exitCode = spawnSync(process.execPath, ["--test", ...tests], { stdio: "inherit", cwd: here }).status ?? 1;
} finally {
  rmSync(built, { recursive: true, force: true });
}
