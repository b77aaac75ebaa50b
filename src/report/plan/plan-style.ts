import { chartRules } from "../chart/chart-style.ts";
import { colourRules, darkVariables, lightVariables } from "../palette.ts";

/** The style of a plan's page: light and dark, wide and narrow, screen and paper. */
export const planStyle = `
:root { color-scheme: light dark; ${lightVariables} }
@media (prefers-color-scheme: dark) { :root { ${darkVariables} } }
${colourRules}
${chartRules}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1140px; margin: 0 auto; padding: 40px 20px 72px; overflow-wrap: anywhere; }
h1 { font-size: 28px; line-height: 1.2; letter-spacing: -0.01em; margin: 0; }
h2 { font-size: 15px; line-height: 1.3; margin: 0 0 10px; }
.status, .note { color: var(--faint); font-size: 14px; margin: 6px 0 0; max-width: 76ch; }
.columns { display: grid; grid-template-columns: 320px minmax(0, 1fr); gap: 40px; margin-top: 32px; }
form { display: grid; gap: 22px; align-content: start; }
fieldset { border: 0; margin: 0; padding: 0; min-width: 0; }
legend, label.name { display: block; padding: 0; margin-bottom: 6px; color: var(--faint);
  font-size: 14px; }
.choices { display: flex; flex-wrap: wrap; gap: 5px; }
.choices label { position: relative; }
.choices input { position: absolute; opacity: 0; inset: 0; width: 100%; height: 100%; margin: 0;
  cursor: pointer; }
.choices span { display: block; min-width: 36px; padding: 5px 9px; border: 1px solid var(--line);
  border-radius: 8px; text-align: center; font-size: 15px; font-variant-numeric: tabular-nums; }
.choices label:hover span { border-color: var(--faint); }
.choices input:checked + span { background: var(--ink); border-color: var(--ink);
  color: var(--paper); }
.choices input:focus-visible + span { outline: 2px solid var(--accent); outline-offset: 2px; }
select { font: inherit; font-size: 15px; width: 100%; padding: 6px 10px; color: inherit;
  background: var(--paper); border: 1px solid var(--line); border-radius: 8px; }
input[type="range"] { width: 100%; accent-color: var(--ink); margin: 4px 0; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
output { font-variant-numeric: tabular-nums; font-size: 15px; }
.figures { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 24px 20px; }
.figure { border-top: 2px solid var(--ink); padding-top: 8px; min-width: 0; }
.figure h2 { font-weight: 400; color: var(--faint); font-size: 14px; margin: 0; }
.figure b { display: block; font-size: 27px; line-height: 1.25; letter-spacing: -0.01em;
  font-variant-numeric: tabular-nums; }
.figure small { display: block; color: var(--faint); font-size: 13px; line-height: 1.4; }
.gauge { margin: 32px 0 0; }
#bar { --filled: 0%; position: relative; height: 22px; border-radius: 6px; overflow: hidden;
  background: var(--raised); border: 1px solid var(--line); }
#bar div { display: flex; height: 100%; width: var(--filled); min-width: 3px; }
#bar i { flex: 0 0 0; min-width: 0; }
[data-part="weights"] { background: var(--bits-4); }
[data-part="kvCache"] { background: var(--bits-2); }
[data-part="work"], [data-part="program"] { background: var(--faint); }
.keys { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0 0; padding: 0; list-style: none;
  color: var(--faint); font-size: 14px; }
.keys li::before { content: ""; display: inline-block; width: 10px; height: 10px; border-radius: 3px;
  margin-right: 7px; background: var(--colour); }
.keys .rest { --colour: var(--faint); }
#fit { font-size: 15px; margin: 8px 0 0; }
#fit.bad { color: var(--bad); font-weight: 600; }
figure { margin: 36px 0 0; }
.chart[data-size="narrow"] { display: none; }
details { margin-top: 44px; }
summary { cursor: pointer; color: var(--accent); }
pre { white-space: pre; overflow-x: auto; padding: 12px 14px; background: var(--raised);
  border-radius: 8px; font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
@media screen and (max-width: 859px) {
main { padding: 28px 16px 56px; }
h1 { font-size: 24px; }
.columns { grid-template-columns: minmax(0, 1fr); gap: 32px; }
.figures { grid-template-columns: repeat(2, minmax(0, 1fr)); }
.chart[data-size="wide"] { display: none; }
.chart[data-size="narrow"] { display: block; }
}
@media print { :root { color-scheme: light; ${lightVariables} } form { display: none; } }
`;
