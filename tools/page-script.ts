import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));

/** A script of pages: its sources, and the module that carries it as a text. */
export interface PageScript {
  readonly source: string;
  readonly file: string;
  /** What it is the script of. */
  readonly of: string;
}

const scriptIn = (folder: string, of: string): PageScript => ({
  source: `${folder}/page-script.ts`,
  file: fileURLToPath(new URL(`../${folder}/page-script.generated.ts`, import.meta.url)),
  of,
});

/** All scripts of pages. */
export const pageScripts: readonly PageScript[] = [
  scriptIn("src/report/sweep/page", "a report page"),
  scriptIn("src/report/plan/page", "a plan's page"),
];

/** Bundles the script of pages and returns the source of its `file`. */
export async function bundlePageScript({ source, of }: PageScript): Promise<string> {
  const { output } = await build({
    cwd: root,
    input: source,
    output: { format: "iife", minify: true },
    write: false,
  });
  const lines = output[0].code.trim().match(/.{1,90}/gs) ?? [];
  return [
    "// Made from page-script.ts by `npm run build`; not to be edited.",
    "",
    `/** The script of ${of}. */`,
    `export const pageScript =\n  ${lines.map((line) => JSON.stringify(line)).join(" +\n  ")};`,
    "",
  ].join("\n");
}
