import { colourClass } from "./comparison-charts.ts";

/** One colour a bit-width, for light and dark pages. */
const colours: readonly (readonly [bits: number, light: string, dark: string])[] = [
  [16, "#52525b", "#a1a1aa"],
  [8, "#0369a1", "#38bdf8"],
  [4, "#2563eb", "#60a5fa"],
  [3, "#0f766e", "#2dd4bf"],
  [2, "#b45309", "#fbbf24"],
  [1.58, "#be185d", "#f472b6"],
  [1, "#7c3aed", "#a78bfa"],
];

const colourRules = (column: 1 | 2): string =>
  colours.map((entry) => `.${colourClass(entry[0])} { --colour: ${entry[column]}; }`).join("\n");

const page = `
:root { --paper: #ffffff; --ink: #18181b; --faint: #71717a; --line: #e4e4e7; --raised: #f4f4f5; }
${colourRules(1)}
@media (prefers-color-scheme: dark) {
:root { --paper: #131316; --ink: #ececee; --faint: #a1a1aa; --line: #313136; --raised: #1e1e22; }
${colourRules(2)}
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 8px; }
h2 { font-size: 17px; margin: 40px 0 10px; }
p { margin: 0 0 6px; max-width: 76ch; }
figure { margin: 0; padding: 12px; border: 1px solid var(--line); border-radius: 10px; }
.chart { display: block; width: 100%; height: auto; font: 12px system-ui, sans-serif; }
.chart text { fill: var(--ink); }
.chart .tick, .chart .title { fill: var(--faint); }
.chart .grid { stroke: var(--line); stroke-width: 1; }
.chart .label { font-size: 11px; paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
.chart .leader { stroke: var(--faint); stroke-width: 0.8; }
.chart .mark { fill: var(--colour); stroke: var(--paper); stroke-width: 1.5; }
.chart .ring { fill: var(--paper); stroke: var(--colour); stroke-width: 2.5; }
.chart .ink { --colour: var(--faint); }
.chart .point { cursor: default; }
.chart .point:hover .mark { stroke: var(--ink); stroke-width: 2.5; }
.chart .point:hover .label { font-weight: 700; }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 10px; text-align: right; white-space: nowrap; }
th { font-weight: 600; color: var(--faint); font-size: 13px; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
tbody tr { border-top: 1px solid var(--line); }
tbody tr:hover { background: var(--raised); }
.swatch { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 8px; background: var(--colour); }
blockquote { margin: 0 0 14px; padding: 10px 14px; background: var(--raised); border-radius: 10px; }
blockquote p { margin: 4px 0 0; max-width: none; }
cite { font-style: normal; color: var(--faint); font-size: 13px; }
pre { overflow-x: auto; padding: 12px 14px; background: var(--raised); border-radius: 10px; font-size: 13px; }
`;

/** The style of a comparison's page, with a rule for each variant that lights its row and points together. */
export function comparisonStyle(variants: number): string {
  const together = Array.from(
    { length: variants },
    (_, i) =>
      `body:has(.p${i}:hover) .r${i} { background: var(--raised); }\n` +
      `body:has(.r${i}:hover) .p${i} .mark { stroke: var(--ink); stroke-width: 2.5; }\n` +
      `body:has(.r${i}:hover) .p${i} .label { font-weight: 700; }`,
  );
  return `${page}${together.join("\n")}\n`;
}
