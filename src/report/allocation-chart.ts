import type { AllocatedItem, AllocationRecord } from "../run/allocation-record.ts";
import { drawStandaloneChart } from "./chart/draw-chart.ts";
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

/**
 * Draws the bits of an allocation along the depth of the model, each kind of layer in a colour, as a
 * self-contained SVG document.
 */
export function drawAllocationChart({ items, bitsPerWeight }: AllocationRecord): string {
  const kinds = [...new Set(items.map(kindOf))];
  const blocks = linearScale([0, ...items.map(({ block }) => block)], [0.03, 0.97]);
  const bits = linearScale([0, ...items.map(bitsOf)], [0, 0.95]);
  const spread = 0.6 / Math.max(1, kinds.length);
  const width = blocks.position(1) - blocks.position(0);
  const placeOf = (item: AllocatedItem): readonly [number, number] => {
    const offset = (kinds.indexOf(kindOf(item)) - (kinds.length - 1) / 2) * spread;
    return [blocks.position(item.block) + offset * width, bits.position(bitsOf(item))];
  };
  const looks = kinds.map((title, i) => ({
    kind: shapes[i % shapes.length],
    colour: colourClass(i),
    title,
  }));
  return drawStandaloneChart({
    id: "allocation",
    title: `Bits of each layer, ${formatBits(bitsPerWeight)} bits a weight in all`,
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
      lines: looks.map(({ colour, title }) => ({
        kind: "curve",
        colour,
        faded: true,
        places: items.filter((item) => kindOf(item) === title).map(placeOf),
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
          title: `${item.name}: ${item.scheme}, ${formatBits(bitsOf(item))} bits a weight`,
        };
      }),
      side: "right",
    },
  });
}

/** `self_attn.o_proj` of `block 3 self_attn.o_proj`. */
function kindOf({ name }: AllocatedItem): string {
  return name.replace(/^block \d+ /, "");
}

function bitsOf({ options, scheme, weights }: AllocatedItem): number {
  const own = options.find((option) => option.scheme === scheme);
  return (8 * (own?.bytes ?? 0)) / weights;
}
