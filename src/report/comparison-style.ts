import { pageStyle } from "./page-style.ts";

const own = `
h1 { margin-bottom: 8px; }
th:first-child, td:first-child { text-align: left; }
tbody tr:hover { background: var(--raised); }
blockquote { margin: 0 0 14px; padding: 10px 14px; background: var(--raised); border-radius: 10px; }
blockquote p { margin: 4px 0 0; max-width: none; }
cite { font-style: normal; color: var(--faint); font-size: 13px; }
`;

/**
 * The style of a comparison's page, with a rule for each variant that lights its row and points
 * together.
 */
export function comparisonStyle(variants: number): string {
  const together = Array.from(
    { length: variants },
    (_, i) =>
      `body:has(g[data-point="p${i}"]:hover) tr[data-point="p${i}"] { background: var(--raised); }\n` +
      `body:has([data-point="p${i}"]:hover) [data-point="p${i}"] .mark { stroke: var(--ink); stroke-width: 2.5; }\n` +
      `body:has([data-point="p${i}"]:hover) text[data-point="p${i}"] { font-weight: 650; }`,
  );
  return `${pageStyle}${own}${together.join("\n")}\n`;
}
