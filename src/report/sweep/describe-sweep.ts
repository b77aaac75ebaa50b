import type { SweepResults } from "../../pipeline/sweep/sweep-results.ts";
import { type Measure, measuresOf } from "./measures.ts";
import type { SweepView } from "./page/sweep-view.ts";
import { legendOf, makeView, type ViewChart, viewChart } from "./sweep-charts.ts";
import type { SweepPage } from "./sweep-page.ts";
import { makeSweepRows, type SweepRow } from "./sweep-row.ts";

/** Works out everything that a report of a sweep shows. */
export function describeSweep(results: SweepResults, title: string = results.name): SweepPage {
  const rows = makeSweepRows(results);
  const measures = measuresOf(rows);
  const view = makeView(rows, measures);
  const charts = chartsOf(rows, measures, view);
  const best = charts[0]?.plot.points.flatMap(({ id, faded }) => (faded ? [] : [id]));
  return { title, results, rows, view, charts, findings: [], best: new Set(best) };
}

/** The measure that is shown first decides; the others follow. */
function chartsOf(
  rows: readonly SweepRow[],
  measures: readonly Measure[],
  view: SweepView,
): ViewChart[] {
  const legend = legendOf(rows);
  const byId = (id: string): Measure | undefined => measures.find((measure) => measure.id === id);
  const quality = measures.find(({ role }) => role === "quality");
  const average = measures.find(({ id }) => id.startsWith("average:"));
  const pairs: readonly (readonly [id: string, x: string, y: Measure | undefined])[] = [
    ["quality-size", "size", quality],
    ["accuracy-size", "size", average === quality ? undefined : average],
    ["quality-bits", "bits", quality],
    ["quality-speed", "speed", quality],
    ["quality-time", "time", quality],
  ];
  return pairs.flatMap(([id, over, y]) => {
    const x = byId(over);
    if (!x || !y) return [];
    const title = `${capital(y.short)} and ${x.short}`;
    const chart = viewChart(view, { id, title, x: x.id, y: y.id, legend });
    return chart ? [chart] : [];
  });
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
