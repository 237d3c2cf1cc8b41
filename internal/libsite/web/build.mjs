// Bundles each page of src/ into one script, as a site's owner would.
import { build } from "esbuild";

await build({
  entryPoints: ["src/react.jsx", "src/datatables.js", "src/aggrid.js"],
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
  logLevel: "warning",
});
