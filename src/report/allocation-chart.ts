import {
  type AllocatedBits,
  type AllocationFigures,
  allocationFigures,
} from "../run/allocation-figures.ts";
import type { AllocationRecord } from "../run/allocation-record.ts";
import { type Chart, drawStandaloneChart } from "./chart/draw-chart.ts";
import type { PlotShape } from "./chart/plot.ts";
import { linearScale } from "./chart/scale.ts";
import { formatBits, formatCount, formatNumber } from "./format.ts";
import { colourClass } from "./palette.ts";

const shapes: readonly PlotShape[] = [
  "circle",
  "square",
  "triangle",
  "diamond",
  "down",
  "pentagon",
];

/** Colours of kinds of layers: those of bit-widths, which here stand for nothing. */
const colours = [4, 3, 2, 8, 1.58, 1];

/**
 * Draws the bits of an allocation along the depth of the model, each kind of layer in a colour, as a
 * self-contained SVG document.
 */
export function drawAllocationChart(record: AllocationRecord): string {
  const { bitsPerWeight } = record;
  const title = `Bits of each layer, ${formatBits(bitsPerWeight)} bits a weight in all`;
  return drawStandaloneChart(allocationChart(allocationFigures(record), "allocation", title));
}

/** The chart of an allocation. */
export function allocationChart({ items }: AllocationFigures, id: string, title: string): Chart {
  const kinds = [...new Set(items.map(kindOf))];
  const blocks = linearScale([0, ...items.map(({ block }) => block)], [0.03, 0.97]);
  const bits = linearScale([0, ...items.map((item) => item.bits)], [0, 0.95]);
  const spread = 0.6 / Math.max(1, kinds.length);
  const width = blocks.position(1) - blocks.position(0);
  const placeOf = (item: AllocatedBits): readonly [number, number] => {
    const offset = (kinds.indexOf(kindOf(item)) - (kinds.length - 1) / 2) * spread;
    return [blocks.position(item.block) + offset * width, bits.position(item.bits)];
  };
  const looks = kinds.map((kind, i) => ({
    kind: shapes[i % shapes.length],
    colour: colourClass(colours[i % colours.length]),
    title: kind,
  }));
  return {
    id,
    title,
    legend: looks,
    plot: {
      x: {
        title: "block",
        ticks: blocks.ticks
          .filter((tick) => tick >= 0 && tick % 1 === 0)
          .map((tick) => ({ at: blocks.position(tick), label: formatCount(tick) })),
      },
      y: {
        title: "bits a weight",
        ticks: bits.ticks.map((tick) => ({ at: bits.position(tick), label: formatNumber(tick) })),
      },
      lines: looks.map(({ colour, title: kind }) => ({
        kind: "curve",
        colour,
        faded: true,
        places: items.filter((item) => kindOf(item) === kind).map(placeOf),
      })),
      points: items.map((item) => {
        const [x, y] = placeOf(item);
        const look = looks[kinds.indexOf(kindOf(item))];
        return {
          id: item.name,
          x,
          y,
          whisker: null,
          colour: look.colour,
          shape: look.kind,
          label: null,
          faded: false,
          title: `${item.name}: ${item.scheme}, ${formatBits(item.bits)} bits a weight`,
        };
      }),
      side: "right",
    },
  };
}

/** `self_attn.o_proj` of `block 3 self_attn.o_proj`. */
function kindOf({ name }: AllocatedBits): string {
  return name.replace(/^block \d+ /, "");
}
