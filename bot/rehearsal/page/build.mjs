// Build the page into static/. The hash of every source goes into index.html, so that a test can tell a stale build.
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { build } from "esbuild";

const here = import.meta.dirname;
const out = path.join(here, "static");

/** What the build is made of: the sources, the versions, and this file. tests/page/test_build.py does the same sum. */
async function hashOfSources() {
  const files = (await readdir(path.join(here, "src"), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(here, path.join(entry.parentPath, entry.name)));
  const hash = createHash("sha256");
  for (const name of [...files, "build.mjs", "package-lock.json"].sort()) {
    hash.update(name).update("\0").update(await readFile(path.join(here, name))).update("\0");
  }
  return hash.digest("hex").slice(0, 32);
}

await rm(out, { recursive: true, force: true });
await mkdir(path.join(out, "assets"), { recursive: true });

const { metafile } = await build({
  entryPoints: [path.join(here, "src/app.tsx")],
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  outdir: path.join(out, "assets"),
  bundle: true,
  minify: true,
  metafile: true,
  format: "esm",
  target: "es2023",
  jsx: "automatic",
  jsxImportSource: "preact",
  loader: { ".woff2": "file" },
  legalComments: "linked",
  logLevel: "info",
});

const built = Object.keys(metafile.outputs).map((name) => path.basename(name));
const named = (ending) => `assets/${built.find((name) => name.endsWith(ending))}`;
const page = (await readFile(path.join(here, "src/index.html"), "utf8"))
  .replace("{{sources}}", await hashOfSources())
  .replace("{{css}}", named(".css"))
  .replace("{{js}}", named(".js"));
await writeFile(path.join(out, "index.html"), page);
await cp(path.join(here, "src/favicon.svg"), path.join(out, "favicon.svg"));
