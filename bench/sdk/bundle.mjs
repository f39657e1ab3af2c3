// Bundle each library with its page, minified, and weigh what came of it.
//
// argv: the folder to write to. stdout: {name: {min, gzip, brotli, later_gzip?}} in bytes, of the script that a sign-in loads
// (the page's own few lines included), and of what is loaded later.

import { copyFileSync, readFileSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2];
const ours = join(here, "../../spa/dist/index.js");

/** The frame: `config` from the page, and what is done once tokens are there. */
const frame = {
  name: "frame",
  setup(build) {
    build.onResolve({ filter: /^bench:page$/ }, () => ({ path: "page", namespace: "frame" }));
    build.onLoad({ filter: /.*/, namespace: "frame" }, () => ({ contents: "export const { config, finish } = globalThis.bench;" }));
  },
};

async function bundle(page) {
  const name = basename(page, ".mjs");
  await build({
    entryPoints: [join(here, "pages", page)],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    outdir: folder,
    alias: { "@proofkey/spa": ours },
    plugins: [frame],
    nodePaths: [join(here, "../node_modules")],
    legalComments: "none",
    logLevel: "error",
  });
  const bytes = readFileSync(join(folder, `${name}.js`));
  const sizes = { min: bytes.length, gzip: weigh(bytes), brotli: brotliCompressSync(bytes).length };
  return [name, name === "proofkey" ? { ...sizes, later_gzip: addWorker() } : sizes];
}

const weigh = (bytes) => gzipSync(bytes, { level: 9 }).length;

/** The worker lies beside the bundle, as the library's manual says; it is loaded by the first refresh. */
function addWorker() {
  copyFileSync(join(dirname(ours), "worker.js"), join(folder, "worker.js"));
  return weigh(readFileSync(join(folder, "worker.js")));
}

const sizes = [];
for (const page of readdirSync(join(here, "pages")).filter((name) => name.endsWith(".mjs"))) sizes.push(await bundle(page));
console.log(JSON.stringify(Object.fromEntries(sizes)));
