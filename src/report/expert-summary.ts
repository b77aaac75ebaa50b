import type { RunRecord } from "../run/run-record.ts";
import type { Layout } from "./style.ts";
import { formatTable } from "./table.ts";

/** Experts whose counts stand in a row; of more, only how they are spread. */
const mostListed = 8;

/**
 * Lays out how many calibration tokens came to the experts of each block; nothing for models
 * without experts, and without calibration text.
 */
export function formatExperts(record: RunRecord, layout: Layout): string[] {
  const blocks = tokensByBlock(record);
  if (blocks.size === 0) return [];
  const rows = [...blocks].map(([block, counts]) => {
    const sorted = [...counts].sort((a, b) => a - b);
    const of = (share: number): string => `${sorted[Math.floor(share * (sorted.length - 1))]}`;
    const none = counts.filter((tokens) => tokens === 0).length;
    return [
      `block ${block}`,
      of(0),
      of(0.5),
      of(1),
      `${none}`,
      counts.length <= mostListed ? counts.join(" ") : "",
    ];
  });
  return [
    "",
    "  calibration tokens by expert:",
    ...formatTable(
      [
        { header: "", minWidth: 8 },
        { header: "fewest", align: "right" },
        { header: "median", align: "right" },
        { header: "most", align: "right" },
        { header: "without", align: "right" },
        { header: "each", dropOrder: 1 },
      ],
      rows,
      layout,
    ),
  ];
}

/** Tokens of the experts of each block, in their order. */
function tokensByBlock({ linears }: RunRecord): Map<number, number[]> {
  const blocks = new Map<number, Map<string, number>>();
  for (const { block, slot, tokens } of linears) {
    if (tokens === undefined) continue;
    const experts = blocks.get(block) ?? new Map<string, number>();
    experts.set(slot.slice(0, slot.lastIndexOf(".")), tokens);
    blocks.set(block, experts);
  }
  return new Map([...blocks].map(([block, experts]) => [block, [...experts.values()]]));
}
