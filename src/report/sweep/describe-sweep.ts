import type { SweepResults } from "../../pipeline/sweep/sweep-results.ts";
import type { Chart } from "../chart/draw-chart.ts";
import { type Measure, measuresOf } from "./measures.ts";
import { scatterOf } from "./sweep-charts.ts";
import type { SweepPage } from "./sweep-page.ts";
import { makeSweepRows, type SweepRow } from "./sweep-row.ts";

/** Works out everything that a report of a sweep shows. */
export function describeSweep(results: SweepResults, title: string = results.name): SweepPage {
  const rows = makeSweepRows(results);
  return {
    title,
    results,
    rows,
    findings: [],
    charts: chartsOf(rows),
    best: new Set(),
  };
}

function chartsOf(rows: readonly SweepRow[]): Chart[] {
  const measures = measuresOf(rows);
  const byId = (id: string): Measure | undefined => measures.find((measure) => measure.id === id);
  const qualities = measures.filter(({ role }) => role === "quality");
  const [quality] = qualities;
  const average = qualities.find(({ id }) => id.startsWith("average:"));
  const pairs: readonly (readonly [id: string, x: string, y: Measure | undefined])[] = [
    ["quality-size", "size", quality],
    ["accuracy-size", "size", average],
    ["quality-bits", "bits", quality],
    ["quality-speed", "speed", quality],
    ["quality-time", "time", quality],
  ];
  return pairs.flatMap(([id, over, y]) => {
    const x = byId(over);
    return x && y ? [scatterOf(id, `${capital(y.title)} over ${x.title}`, rows, { x, y })] : [];
  });
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
