import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The module that carries the script of report pages as a text. */
export const pageScriptFile = fileURLToPath(
  new URL("../src/report/sweep/page/page-script.generated.ts", import.meta.url),
);

/** Bundles the script of report pages and returns the source of `pageScriptFile`. */
export async function bundlePageScript(): Promise<string> {
  const { output } = await build({
    cwd: root,
    input: "src/report/sweep/page/page-script.ts",
    output: { format: "iife", minify: true },
    write: false,
  });
  const lines = output[0].code.trim().match(/.{1,90}/gs) ?? [];
  return [
    "// Made from page-script.ts by `npm run build`; not to be edited.",
    "",
    "/** The script of a report page. */",
    `export const pageScript =\n  ${lines.map((line) => JSON.stringify(line)).join(" +\n  ")};`,
    "",
  ].join("\n");
}
