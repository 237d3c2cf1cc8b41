// Bundles each page of src/ into one script, and what a page imports as style
// into one sheet with its fonts beside it, as a site's owner would.
import { readdirSync } from "node:fs";
import { build } from "esbuild";

await build({
  entryPoints: readdirSync("src").map((name) => "src/" + name),
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  jsx: "automatic",
  loader: { ".woff2": "file", ".woff": "empty" },
  assetNames: "[name]",
  define: { "process.env.NODE_ENV": '"production"' },
  logLevel: "warning",
});
