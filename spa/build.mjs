// Builds dist/: each entry minified by itself, and the declarations. `--size` also prints what each weighs.
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const entries = ["index", "worker", "dpop", "exchange", "react"];

rmSync(dist, { recursive: true, force: true });
await build({
  absWorkingDir: here,
  entryPoints: entries.map((entry) => `src/${entry}.ts`),
  outdir: "dist",
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  external: ["react", "./worker.js", "./index.js"],
  logLevel: "warning",
});
if (!process.argv.includes("--no-types")) {
  execFileSync(process.execPath, [join(here, "node_modules/typescript/bin/tsc"), "--emitDeclarationOnly"], { cwd: here, stdio: "inherit" });
}

if (process.argv.includes("--size")) {
  const sizes = entries.map((entry) => {
    const bytes = readFileSync(join(dist, `${entry}.js`));
    return { file: `${entry}.js`, min: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length, brotli: brotliCompressSync(bytes).length };
  });
  const core = sizes.slice(0, 2).reduce((one, other) => ({
    file: "core: index + worker",
    min: one.min + other.min,
    gzip: one.gzip + other.gzip,
    brotli: one.brotli + other.brotli,
  }));
  console.table([...sizes, core]);
}
