// Builds dist/: each entry minified by itself, and the declarations. `--size` also prints what each weighs.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";
import { minify } from "terser";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const entries = ["index", "worker", "dpop", "exchange", "react"];

// Names that are nobody's but ours, shortened alike in every entry and every version: tabs of two versions of an app talk
// to each other, and what one wrote down another reads. Only ever add to this table.
const ours = {
  turn: "n", known: "k", secret: "s", idToken: "i", refreshToken: "r", endpoint: "e", sealed: "c", life: "l", givenAt: "g",
  accessToken: "a", verifier: "v", adopt: "A", tell: "T", hear: "H", signOut: "O", current: "C", enter: "E", jwks: "j",
  issRequired: "q", saved: "S", settled: "Q", foundAt: "u", key: "K", revocation: "R", isRefused: "x",
};

// The letters of short names, in the order in which they are given out: found by trial, these compress best. It is a matter of
// size alone; names of two and more begin with them, too.
const letters = {
  index: "ensrtoaipudlEkCmyvc_ADTwI$WbfgxSKOLjHUNhzPQRMBZXJVGYqF",
  worker: "tirseadofnkculhTEIPwW$RgCOvNyYzFqDjQApZ_XBJxbULHGMmSVK",
};
const namer = (order) => ({
  get(number) {
    let name = "";
    do {
      name += order[number % order.length];
      number = Math.floor(number / order.length) - 1;
    } while (number >= 0);
    return name;
  },
});

// Entries beside the core throw the core's own errors, so that `instanceof` holds.
const errorsOfTheCore = {
  name: "errors of the core",
  setup: ({ onResolve }) => onResolve({ filter: /\/errors\.js$/ }, () => ({ path: "./index.js", external: true })),
};

mkdirSync(dist, { recursive: true });
const bundle = async (names, plugins) => {
  const { outputFiles } = await build({
    absWorkingDir: here,
    entryPoints: names.map((name) => `src/${name}.ts`),
    outdir: dist,
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    mangleProps: new RegExp(`^(${Object.keys(ours).join("|")})$`),
    mangleCache: ours,
    external: ["react", "./worker.js"],
    tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
    logLevel: "warning",
    plugins,
  });
  for (const { path, text } of outputFiles) {
    // One word for declarations in place of three compresses better; no string of ours holds the others.
    const plain = text.replace(/\b(const|var)\b/g, "let");
    const short = await minify(plain, { module: true, ecma: 2020, mangle: false, compress: { passes: 3, inline: 1, reduce_funcs: false, unsafe_arrows: true } });
    // Names are given in a step of their own, to what is left.
    const order = letters[basename(path, ".js")];
    const { code } = await minify(short.code, { module: true, ecma: 2020, compress: false, mangle: order ? { nth_identifier: namer(order) } : true });
    writeFileSync(path, code + "\n");
  }
};
await bundle(entries.slice(0, 2), []);
await bundle(entries.slice(2), [errorsOfTheCore]);
if (!process.argv.includes("--no-types")) {
  const compiler = join(here, "node_modules/typescript/bin/tsc");
  execFileSync(process.execPath, [compiler, "--emitDeclarationOnly"], { cwd: here, stdio: "inherit" });
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
