import type { AllocatedItem, AllocationRecord } from "./allocation-record.ts";

/** What layers that share a scheme got. */
export interface AllocatedBits {
  /** `block 3 self_attn.q_proj+k_proj+v_proj`. */
  readonly name: string;
  readonly block: number;
  readonly scheme: string;
  /** Bits a weight, all that is stored counted. */
  readonly bits: number;
}

/** An allocation without what was foreseen of other choices: what reports keep and draw. */
export interface AllocationFigures
  extends Pick<AllocationRecord, "targets" | "measure" | "search" | "trials" | "bitsPerWeight"> {
  readonly items: readonly AllocatedBits[];
}

/** Leaves out of an allocation's record what its drawing does not need. */
export function allocationFigures(record: AllocationRecord): AllocationFigures {
  const { targets, measure, search, trials, bitsPerWeight, items } = record;
  const kept = items.map((item) => {
    const { name, block, scheme } = item;
    return { name, block, scheme, bits: Number(bitsOf(item).toPrecision(5)) };
  });
  return { targets, measure, search, trials, bitsPerWeight, items: kept };
}

function bitsOf({ options, scheme, weights }: AllocatedItem): number {
  const own = options.find((option) => option.scheme === scheme);
  return (8 * (own?.bytes ?? 0)) / weights;
}
