import { chartRules } from "./chart/chart-style.ts";
import { colourRules, darkVariables, lightVariables } from "./palette.ts";

/** What all pages of reports share: colours, light and dark, letters, drawings and tables. */
export const pageStyle = `
:root { color-scheme: light dark; ${lightVariables} }
@media (prefers-color-scheme: dark) { :root { ${darkVariables} } }
${colourRules}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1140px; margin: 0 auto; padding: 40px 20px 72px; }
h1 { font-size: 28px; line-height: 1.2; letter-spacing: -0.01em; margin: 0;
  overflow-wrap: anywhere; }
h2 { font-size: 19px; line-height: 1.3; margin: 56px 0 12px; }
h3 { font-size: 15px; line-height: 1.35; margin: 0 0 8px; }
p { margin: 0 0 8px; max-width: 72ch; }
figure { margin: 0; }
${chartRules}
.chart[data-size="narrow"] { display: none; max-width: 560px; margin: 0 auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px;
  font-variant-numeric: tabular-nums; }
th, td { padding: 6px 8px; text-align: right; white-space: nowrap; }
th { font-weight: 600; color: var(--faint); font-size: 13px; vertical-align: bottom;
  border-bottom: 1px solid var(--line); }
tbody tr + tr { border-top: 1px solid var(--line); }
.swatch { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 8px;
  background: var(--colour); }
pre { overflow-x: auto; margin: 8px 0 0; padding: 12px 14px; background: var(--raised);
  border-radius: 8px; font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
@media screen and (max-width: 859px) {
main { padding: 28px 16px 56px; }
h1 { font-size: 24px; }
h2 { margin-top: 44px; }
.chart[data-size="wide"] { display: none; }
.chart[data-size="narrow"] { display: block; }
th:first-child, td:first-child { position: sticky; left: 0; background: var(--paper); }
}
@media print {
:root { color-scheme: light; ${lightVariables} }
main { max-width: none; padding: 0; }
body { font-size: 11pt; }
figure, tr { break-inside: avoid; }
h2, h3 { break-after: avoid; }
.wide { overflow: visible; }
table { font-size: 7.5pt; }
th, td { padding: 2px 5px; }
thead th { font-size: 7pt; }
}
`;
