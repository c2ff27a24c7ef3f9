// Bundles the scripts of the pages into the package, which ships them: nobody needs npm to install it.
// `node web/build.mjs --check` only compares them, and fails if one is out of date.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const BUNDLES = {
  "shared.ts": "mlflow_interp/drawing/shared.js",
  "workbench/main.ts": "mlflow_interp/report/workbench.js",
  "pages/gallery.ts": "mlflow_interp/drawing/gallery.js",
  "pages/heatmap.ts": "mlflow_interp/kinds/heatmap/page.js",
  "pages/nearest_examples.ts": "mlflow_interp/kinds/nearest_examples/page.js",
  "pages/training_dynamics.ts": "mlflow_interp/kinds/training_dynamics/page.js",
  "pages/table.ts": "mlflow_interp/kinds/table/page.js",
  "pages/embedding/main.ts": "mlflow_interp/kinds/embedding/page.js",
  "pages/confusion_matrix/main.ts": "mlflow_interp/kinds/confusion_matrix/page.js",
  "kinds/embedding.ts": "mlflow_interp/kinds/embedding/panel.js",
  "kinds/confusion_matrix.ts": "mlflow_interp/kinds/confusion_matrix/panel.js",
};
const NOTE = "// Built from web/src by `npm run build`: do not edit.\n";
const check = process.argv.includes("--check");
const stale = [];

for (const [entry, target] of Object.entries(BUNDLES)) {
  const built = await build({
    entryPoints: [`${root}web/src/${entry}`],
    bundle: true,
    write: false,
    format: "iife",
    target: "es2022",
    // Readable, so that a change can be reviewed.
    minify: false,
    legalComments: "inline",
    absWorkingDir: root,
  });
  const content = NOTE + built.outputFiles[0].text;
  const file = `${root}${target}`;
  if (existsSync(file) && readFileSync(file, "utf-8") === content) continue;
  if (check) stale.push(target);
  else writeFileSync(file, content);
}

if (stale.length) {
  console.error(`out of date: ${stale.join(", ")}; run npm run build, and commit what it changes`);
  process.exit(1);
}
