import { sha256 } from "../platform/node.ts";
import { element, escapeMarkup } from "./chart/svg.ts";

/** A page of HTML with one script. */
export interface PageParts {
  readonly title: string;
  readonly style: string;
  readonly script: string;
  /** What the script reads. */
  readonly data: unknown;
  /** Markup of the page. */
  readonly body: readonly string[];
}

/**
 * Puts together a page that needs nothing else. Its policy lets no other script run and nothing be
 * loaded.
 */
export function pageDocument({ title, style, script, data, body }: PageParts): string {
  const policy =
    "default-src 'none'; style-src 'unsafe-inline'; script-src " +
    `'sha256-${base64Of(sha256(script))}'; base-uri 'none'; form-action 'none'`;
  const head = [
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    element("title", {}, [escapeMarkup(title)]),
    `<style>${style}</style>`,
  ];
  const content = [
    element("main", {}, ["\n", body.filter(Boolean).join("\n"), "\n"]),
    // Less-than signs could end the element early.
    `<script id="data" ` +
      `type="application/json">${JSON.stringify(data).replaceAll("<", "\\u003c")}</script>`,
    `<script>${script}</script>`,
  ];
  const document = element("html", { lang: "en" }, [
    "\n",
    element("head", {}, ["\n", head.join("\n"), "\n"]),
    "\n",
    element("body", {}, ["\n", content.join("\n"), "\n"]),
    "\n",
  ]);
  return `<!doctype html>\n${document}\n`;
}

function base64Of(hexadecimal: string): string {
  const bytes = hexadecimal.match(/../g)?.map((digits) => Number.parseInt(digits, 16)) ?? [];
  return btoa(String.fromCharCode(...bytes));
}
