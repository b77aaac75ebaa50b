import { colourRules, darkVariables, lightVariables } from "../palette.ts";

/** Rules for the drawings of `drawPlot`, on top of the variables of the palette. */
export const chartRules = `.chart { display: block; width: 100%; height: auto; }
.chart text { fill: var(--ink);
  font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
.chart .tick, .chart .title, .chart .off { fill: var(--faint); }
.chart .grid { stroke: var(--line); stroke-width: 1; }
.chart .label { paint-order: stroke; stroke: var(--paper); stroke-width: 3px;
  stroke-linejoin: round; }
.chart .leader { stroke: var(--faint); stroke-width: 0.8; }
.chart .front { fill: none; stroke: var(--ink); stroke-width: 1.2; stroke-linejoin: round;
  opacity: 0.75; }
.chart .curve { fill: none; stroke: var(--colour); stroke-width: 2; stroke-linejoin: round; }
.chart .band { fill: var(--colour); stroke: none; opacity: 0.16; }
.chart .mark { fill: var(--colour); stroke: var(--paper); stroke-width: 1.2; }
.chart .whisker, .chart .arrow { fill: none; stroke: var(--colour); stroke-width: 1.3; }
.chart .faded { opacity: 0.35; }
.chart .near { opacity: 0.7; }
.chart text, .chart .leader, .chart .front, .chart .curve, .chart .band { pointer-events: none; }
.chart .key { --colour: var(--faint); }`;

/** Style of a drawing that stands alone: its own colours, light or dark as the reader prefers. */
export const standaloneStyle = `svg { background: var(--paper); ${lightVariables} }
@media (prefers-color-scheme: dark) { svg { ${darkVariables} } }
${colourRules}
${chartRules}`;
