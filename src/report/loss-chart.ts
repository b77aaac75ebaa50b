import { drawStandaloneChart, type LegendEntry } from "./chart/draw-chart.ts";
import type { PlotAxis, PlotLine } from "./chart/plot.ts";
import { linearScale, type Scale } from "./chart/scale.ts";
import { formatCount, formatNumber, shortenDecimals } from "./format.ts";
import { colourClass } from "./palette.ts";

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

/** Two colours of the palette that are far apart. */
const colours = { training: colourClass(4), validation: colourClass(2) };

/**
 * Draws the losses of a training over its steps as a self-contained SVG document, for light and
 * dark pages: each batch faintly, their running mean, and the validations.
 */
export function drawLossChart({ title, losses, validations }: LossChart): string {
  const batches = losses.filter(isFiniteLoss);
  const checks = validations.filter(isFiniteLoss);
  const points = [...batches, ...checks];
  const across = linearScale([0, ...points.map(({ step }) => step)], [0, 1]);
  const up = linearScale(
    points.map(({ loss }) => loss),
    [0, 1],
  );
  const place = ({ step, loss }: ChartPoint) => [across.position(step), up.position(loss)] as const;
  const line = (curve: readonly ChartPoint[], colour: string, faded = false): PlotLine[] =>
    curve.length > 1 ? [{ kind: "curve", colour, faded, places: curve.map(place) }] : [];
  const steps = { ...across, ticks: across.ticks.filter((tick) => tick >= 0 && tick % 1 === 0) };
  return drawStandaloneChart({
    id: "loss",
    title,
    legend: [legendEntry("training"), ...(checks.length > 0 ? [legendEntry("validation")] : [])],
    plot: {
      x: axisOf("step", steps, formatCount),
      y: axisOf("loss, nats a token", up, formatNumber),
      lines: [
        ...line(batches, colours.training, true),
        ...line(smooth(batches), colours.training),
        ...line(checks, colours.validation),
      ],
      points: checks.map((point) => {
        const [x, y] = place(point);
        return {
          id: `step-${point.step}`,
          x,
          y,
          whisker: null,
          colour: colours.validation,
          shape: "circle",
          label: null,
          faded: false,
          title: `step ${point.step}: ${formatNumber(point.loss, 4)}`,
        };
      }),
      side: "right",
    },
  });
}

function isFiniteLoss({ loss }: ChartPoint): boolean {
  return Number.isFinite(loss);
}

function legendEntry(title: keyof typeof colours): LegendEntry {
  return { kind: "curve", colour: colours[title], title };
}

function axisOf(title: string, scale: Scale, format: (value: number) => string): PlotAxis {
  const { ticks, position } = scale;
  const written = ticks.map((tick) => ({
    at: position(tick),
    label: shortenDecimals(format(tick)),
  }));
  return { title, ticks: written };
}

/** A running mean over a twentieth of the curve: the trend through the noise of batches. */
function smooth(points: readonly ChartPoint[]): ChartPoint[] {
  const share = 1 / Math.max(1, points.length / 20);
  let mean = points[0]?.loss ?? 0;
  return points.map(({ step, loss }) => {
    mean += share * (loss - mean);
    return { step, loss: mean };
  });
}
