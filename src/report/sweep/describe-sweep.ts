import { allFigures, figures } from "../../evaluation/figures.ts";
import type { SweepResults } from "../../sweep/results/sweep-results.ts";
import type { Chart } from "../chart/draw-chart.ts";
import { analyze } from "../../sweep/analysis/analyze-sweep.ts";
import { allocationChart } from "../allocation-chart.ts";
import { capitalize, formatBits } from "../format.ts";
import { familyChart } from "./family-chart.ts";
import type { Finding } from "./finding.ts";
import { findingsOf } from "./findings.ts";
import { type Measure, measuresOf } from "./measures.ts";
import type { SweepView } from "./page/sweep-view.ts";
import type { SweepAnalysis } from "../../sweep/analysis/sweep-analysis.ts";
import { legendOf, makeView, type ViewChart, viewChart } from "./sweep-charts.ts";
import { makeSweepRows, type SweepRow } from "./sweep-row.ts";

/** Costs that a chart of quality over them is drawn for. */
const chartCosts = allFigures.filter(({ cost }) => cost?.chart).map(({ id }) => id);

/** Names of all charts that a report may have. */
export const chartIds: readonly string[] = [
  ...chartCosts.map((id) => `quality-${id}`),
  "accuracy-size",
  "divergence-size",
  "repetition-size",
  "continuation-size",
  "family-size",
  "family-linear-size",
];

/** Everything that a report of a sweep shows. */
export interface SweepDescription {
  readonly title: string;
  readonly results: SweepResults;
  readonly rows: readonly SweepRow[];
  readonly findings: readonly Finding[];
  readonly view: SweepView;
  /** The main chart, quality over size; null where nothing was measured. */
  readonly main: ViewChart | null;
  /** Quality over the models of a family. */
  readonly families: readonly Chart[];
  /** Other measures. */
  readonly panels: readonly ViewChart[];
  /** Bits of each layer, of points where they were chosen. */
  readonly allocations: readonly Chart[];
  /** Rows on the front of the main chart. */
  readonly best: ReadonlySet<string>;
}

/** Works out everything that a report of a sweep shows. */
export function describeSweep(
  results: SweepResults,
  title: string = results.name,
): SweepDescription {
  const analysis = analyze(results);
  const rows = makeSweepRows(results);
  const measures = measuresOf(rows, analysis);
  const view = makeView(rows, measures, analysis);
  const [main = null, ...panels] = scattersOf(rows, measures, view);
  const best = main?.plot.points.flatMap(({ id, faded }) => (faded ? [] : [id]));
  return {
    title,
    results,
    rows,
    findings: findingsOf(results, analysis),
    view,
    main,
    families: familiesOf(rows, measures, view, analysis),
    panels,
    allocations: allocationsOf(rows),
    best: new Set(best),
  };
}

/** All charts of a report, in the order of the page. */
export function chartsOf({ main, families, panels, allocations }: SweepDescription): Chart[] {
  return [...(main ? [main] : []), ...families, ...panels, ...allocations];
}

/** What the files of charts of allocations are called. */
export const allocationName = /^bits-\d+$/;

function allocationsOf(rows: readonly SweepRow[]): Chart[] {
  const drawn = rows.flatMap(({ name, result }) =>
    result?.allocation ? [{ name, allocation: result.allocation }] : [],
  );
  return drawn.map(({ name, allocation }, index) => {
    const title = `${name}: ${formatBits(allocation.bitsPerWeight)} bits a weight`;
    return allocationChart(allocation, `bits-${index + 1}`, title);
  });
}

/** The measure that is shown first decides; the others follow. */
function scattersOf(
  rows: readonly SweepRow[],
  measures: readonly Measure[],
  view: SweepView,
): ViewChart[] {
  const legend = legendOf(rows);
  const quality = measures.find(({ role }) => role === "quality");
  const startingWith = (start: string): Measure | undefined =>
    measures.find(({ id }) => id.startsWith(start));
  const other = (measure: Measure | undefined): Measure | undefined =>
    measure === quality ? undefined : measure;
  const beside: readonly (readonly [id: string, x: string, y: Measure | undefined])[] = [
    ["accuracy-size", figures.size.id, other(startingWith("average:"))],
    ["divergence-size", figures.size.id, startingWith(`${figures.kl.id}:`)],
    ["repetition-size", figures.size.id, other(startingWith(`${figures.repetition.id}:`))],
    ["continuation-size", figures.size.id, startingWith(`${figures["continuation-kl"].id}:`)],
  ];
  const pairs = chartCosts.flatMap((cost) => [
    [`quality-${cost}`, cost, quality] as const,
    ...beside.filter(([, x]) => x === cost),
  ]);
  return pairs.flatMap(([id, over, y]) => {
    const x = measures.find((measure) => measure.id === over);
    if (!x || !y) return [];
    const title = `${capitalize(y.short)} and ${x.short}`;
    const chart = viewChart(view, { id, title, x: x.id, y: y.id, legend });
    return chart ? [chart] : [];
  });
}

function familiesOf(
  rows: readonly SweepRow[],
  measures: readonly Measure[],
  view: SweepView,
  { qualities }: SweepAnalysis,
): Chart[] {
  const known = new Map(
    view.rows.flatMap((row, index) => {
      const record = rows[index]?.record;
      return record ? [[record.point.id, row] as const] : [];
    }),
  );
  const [quality] = qualities;
  const y = measures.find(({ id }) => id === quality?.id);
  return (["size", "linear-size"] as const).flatMap((size) => {
    const x = measures.find(({ id }) => id === size);
    const chart = quality && x && y ? familyChart(quality, size, known, { x, y }) : null;
    return chart ? [chart] : [];
  });
}
