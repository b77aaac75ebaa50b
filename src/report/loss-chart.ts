import { formatCount, formatNumber } from "./format.ts";
import { roundTicks } from "./ticks.ts";

/** A point of a curve. */
export interface ChartPoint {
  readonly step: number;
  readonly loss: number;
}

/** What a chart of a training shows. */
export interface LossChart {
  readonly title: string;
  readonly losses: readonly ChartPoint[];
  /** Loss on the validation text; empty without one. */
  readonly validations: readonly ChartPoint[];
}

const width = 720;
const height = 400;
const frame = { left: 64, right: 20, top: 44, bottom: 52 };
const innerWidth = width - frame.left - frame.right;
const innerHeight = height - frame.top - frame.bottom;

/** Colours that hold against white and against black are chosen by the reader's scheme. */
const styles = `
    svg { background: #fff; font: 13px system-ui, sans-serif; }
    text { fill: #333; } .title { font-size: 15px; font-weight: 600; }
    .grid { stroke: #ddd; } .axis { stroke: #888; } .curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
    .train { stroke: #2563b8; } .raw { stroke: #2563b8; stroke-width: 1; opacity: 0.35; }
    .validation { stroke: #b8490f; } .dot { fill: #b8490f; }
    @media (prefers-color-scheme: dark) {
      svg { background: #16181d; } text { fill: #d6d6d6; } .grid { stroke: #33373f; } .axis { stroke: #808590; }
      .train, .raw { stroke: #7ab0ff; } .validation { stroke: #ffa565; } .dot { fill: #ffa565; }
    }
  `;

/**
 * Draws the losses of a training over its steps as a self-contained SVG document, for light and
 * dark pages.
 */
export function drawLossChart(chart: LossChart): string {
  const { losses, validations, title } = chart;
  const points = [...losses, ...validations].filter(({ loss }) => Number.isFinite(loss));
  const axes = axesOf(points);
  const parts = [
    `<title>${escapeText(title)}</title>`,
    `<style>${styles}</style>`,
    `<text class="title" x="${frame.left}" y="26">${escapeText(title)}</text>`,
    ...drawAxes(axes),
    drawCurve(losses, axes, "raw"),
    drawCurve(smooth(losses), axes, "train"),
    drawCurve(validations, axes, "validation"),
    ...validations.map((point) => drawDot(point, axes)),
    ...drawLegend(validations.length > 0),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    ...parts.filter((part) => part !== "").map((part) => `  ${part}`),
    "</svg>",
    "",
  ].join("\n");
}

interface Axes {
  readonly x: (step: number) => number;
  readonly y: (loss: number) => number;
  readonly steps: readonly number[];
  readonly losses: readonly number[];
}

function axesOf(points: readonly ChartPoint[]): Axes {
  const last = Math.max(1, ...points.map(({ step }) => step));
  const values = points.map(({ loss }) => loss);
  const least = values.length > 0 ? Math.min(...values) : 0;
  const most = values.length > 0 ? Math.max(...values) : 1;
  const margin = 0.05 * (most - least) || Math.abs(most) * 0.05 || 1;
  const low = least - margin;
  const high = most + margin;
  return {
    x: (step) => frame.left + (innerWidth * step) / last,
    y: (loss) => frame.top + (innerHeight * (high - loss)) / (high - low),
    steps: roundTicks(0, last, 8).filter(Number.isInteger),
    losses: roundTicks(low, high, 7),
  };
}

function drawAxes({ x, y, steps, losses }: Axes): string[] {
  const bottom = frame.top + innerHeight;
  const right = frame.left + innerWidth;
  return [
    ...losses.flatMap((loss) => [
      `<line class="grid" x1="${frame.left}" x2="${right}" y1="${at(y(loss))}" y2="${at(y(loss))}"/>`,
      `<text x="${frame.left - 8}" y="${at(y(loss) + 4)}" text-anchor="end">${formatTick(loss, losses)}</text>`,
    ]),
    ...steps.flatMap((step) => [
      `<line class="axis" x1="${at(x(step))}" x2="${at(x(step))}" y1="${bottom}" y2="${bottom + 5}"/>`,
      `<text x="${at(x(step))}" y="${bottom + 20}" text-anchor="middle">${formatCount(step)}</text>`,
    ]),
    `<line class="axis" x1="${frame.left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`,
    `<text x="${frame.left + innerWidth / 2}" y="${height - 10}" text-anchor="middle">step</text>`,
    `<text transform="translate(16 ${frame.top + innerHeight / 2}) rotate(-90)" text-anchor="middle">loss, nats a token</text>`,
  ];
}

function formatTick(value: number, ticks: readonly number[]): string {
  const decimals = Math.max(...ticks.map((tick) => `${tick}`.split(".")[1]?.length ?? 0));
  return decimals > 6 ? formatNumber(value) : value.toFixed(decimals);
}

function drawCurve(points: readonly ChartPoint[], { x, y }: Axes, name: string): string {
  const shown = points.filter(({ loss }) => Number.isFinite(loss));
  if (shown.length < 2) return "";
  const path = shown.map(({ step, loss }) => `${at(x(step))},${at(y(loss))}`).join(" ");
  return `<polyline class="curve ${name}" points="${path}"/>`;
}

function drawDot({ step, loss }: ChartPoint, { x, y }: Axes): string {
  if (!Number.isFinite(loss)) return "";
  return `<circle class="dot" cx="${at(x(step))}" cy="${at(y(loss))}" r="3"/>`;
}

function drawLegend(hasValidation: boolean): string[] {
  const entries = [["train", "training"], ...(hasValidation ? [["validation", "validation"]] : [])];
  const start = frame.left + innerWidth - entries.length * 110;
  return entries.flatMap(([name, label], i) => {
    const left = start + i * 110;
    return [
      `<line class="curve ${name}" x1="${left}" x2="${left + 24}" y1="22" y2="22"/>`,
      `<text x="${left + 32}" y="26">${label}</text>`,
    ];
  });
}

/**
 * A running mean over about a twentieth of the curve, so that the trend shows through the noise of
 * batches.
 */
function smooth(points: readonly ChartPoint[]): ChartPoint[] {
  const share = 1 / Math.max(1, points.length / 20);
  let mean = points[0]?.loss ?? 0;
  return points.map(({ step, loss }) => {
    if (Number.isFinite(loss)) mean += share * (loss - mean);
    return { step, loss: mean };
  });
}

function at(coordinate: number): string {
  return `${Number(coordinate.toFixed(1))}`;
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
