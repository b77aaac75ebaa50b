import { chartRules } from "../chart/chart-style.ts";
import { colourRules, darkVariables, lightVariables } from "../palette.ts";

/** The style of a sweep's page: light and dark, wide and narrow, screen and paper. */
export const sweepStyle = `
:root { color-scheme: light dark; ${lightVariables} }
@media (prefers-color-scheme: dark) { :root { ${darkVariables} } }
${colourRules}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1140px; margin: 0 auto; padding: 40px 20px 72px; overflow-wrap: anywhere; }
h1 { font-size: 28px; line-height: 1.2; letter-spacing: -0.01em; margin: 0; }
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
tbody th { max-width: 44vw; }
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
.status { color: var(--faint); margin: 6px 0 28px; font-size: 14px; }
.findings { margin: 0; padding: 0; list-style: none; max-width: 66ch; font-size: 19px;
  line-height: 1.5; }
.findings li { margin: 0 0 12px; }
.note { color: var(--faint); font-size: 14px; }
figcaption { color: var(--faint); font-size: 14px; margin-top: 8px; max-width: 72ch; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 346px), 1fr));
  gap: 32px 24px; }
figure + figure { margin-top: 36px; }
.panels figure { margin: 0; }
.others { margin: 0; padding: 0 0 0 18px; max-width: 72ch; }
.others li { margin: 0 0 6px; }
.panels figure { min-width: 0; }
tbody th { white-space: normal; min-width: 9em; max-width: 24em; }
tbody th { color: inherit; font-weight: 400; font-size: inherit; border-bottom: 0; }
th.text, td.text { text-align: left; }
tbody tr.first { border-top: 2px solid var(--line); }
.best th { font-weight: 650; }
.badge { margin-left: 8px; padding: 1px 6px; border: 1px solid var(--line); border-radius: 9px;
  color: var(--faint); font-size: 12px; font-weight: 400; }
.failed { color: var(--bad); }
.waiting { color: var(--faint); }
dl { display: grid; grid-template-columns: fit-content(16em) minmax(0, 1fr);
  gap: 4px 20px; margin: 0;
  font-size: 15px; }
dt { color: var(--faint); }
dd { margin: 0; }
.samples { margin-bottom: 28px; }
.look { color: var(--colour); font-weight: 650; }
details { margin-top: 16px; }
summary { cursor: pointer; color: var(--accent); }
pre { white-space: pre-wrap; }
.failures { margin: 0; padding: 0; list-style: none; }
.failures li { margin: 0 0 14px; padding-left: 14px; border-left: 3px solid var(--bad);
  overflow-wrap: anywhere; }
.failures b { display: block; }
.failures .hint { color: var(--faint); }
[hidden], .out { display: none !important; }
button, select { font: inherit; font-size: 14px; color: inherit; background: var(--paper);
  border: 1px solid var(--line); border-radius: 7px; padding: 3px 10px; cursor: pointer;
  max-width: 100%; white-space: normal; overflow-wrap: anywhere; text-align: start; }
button:hover, select:hover { border-color: var(--faint); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
#filters:not(:empty) { margin-bottom: 20px; }
.chips { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; margin-bottom: 8px; }
.chips-name { color: var(--faint); font-size: 14px; width: 58px; }
.chips [aria-pressed="true"] { background: var(--ink); border-color: var(--ink);
  color: var(--paper); }
.axes { display: flex; flex-wrap: wrap; gap: 8px 20px; }
.axes:not(:empty) { margin-bottom: 14px; }
.axes label { display: flex; align-items: center; gap: 8px; min-width: 0; max-width: 100%;
  color: var(--faint); font-size: 14px; }
.axes select { color: var(--ink); min-width: 0; flex: 0 1 auto; text-overflow: ellipsis; }
th button { border: 0; padding: 0; font-size: inherit; font-weight: inherit; background: none;
  overflow-wrap: normal; }
th button::after { position: absolute; margin-left: 2px; }
th button:hover { color: var(--ink); text-decoration: underline; }
th[aria-sort] { color: var(--ink); }
th[aria-sort="descending"] button::after { content: "\\2193"; }
th[aria-sort="ascending"] button::after { content: "\\2191"; }
.sorted tr.first { border-top-width: 1px; }
td:has(.copy), thead td { padding: 0; }
.copy { padding: 0 8px; white-space: nowrap; font-size: 12px; color: var(--faint); opacity: 0; }
tr:hover .copy, .copy:focus-visible { opacity: 1; }
@media (hover: none) { .copy { opacity: 1; } }
tbody tr.lit, tbody tr:hover { background: var(--raised); }
.chart g.point { cursor: pointer; outline: none; }
.chart .lit { opacity: 1; }
.chart .lit .mark { stroke: var(--ink); stroke-width: 2.2; }
.chart g.point:focus-visible .mark { stroke: var(--accent); stroke-width: 3; }
.chart text.lit { font-weight: 650; }
#record { position: fixed; z-index: 2; max-width: min(330px, calc(100vw - 16px));
  padding: 10px 12px; background: var(--paper); border: 1px solid var(--line); border-radius: 9px;
  box-shadow: 0 6px 24px rgb(0 0 0 / 0.16); font-size: 13.5px; line-height: 1.45;
  pointer-events: none; overflow-wrap: anywhere; }
#record .action { color: var(--faint); margin-top: 4px; font-size: 12.5px; }
#note { position: fixed; z-index: 3; left: 50%; bottom: 20px; transform: translateX(-50%);
  width: max-content; max-width: min(680px, calc(100vw - 24px)); padding: 10px 14px;
  background: var(--ink); color: var(--paper); border-radius: 9px; font-size: 14px;
  overflow-wrap: anywhere; }
#note code { font: 13px ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
.offscreen { position: fixed; left: -999px; top: 0; }
@media screen and (max-width: 859px) {
.findings { font-size: 17px; }
dl { grid-template-columns: 1fr; gap: 0; }
dd { margin-bottom: 10px; }
th, td { padding: 7px 8px; }
}
@media print {
#filters, .axes, .copy, .badge, #record, #note { display: none !important; }
tbody th { font-size: inherit; }
th button::after { content: none; }
.failures li { break-inside: avoid; }
}
`;
