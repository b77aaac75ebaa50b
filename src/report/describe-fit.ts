import type { MemoryFit } from "../run/memory-fit.ts";
import { formatPlural } from "./format.ts";

/** Says what a training does to stay within the memory that it may use; empty where nothing. */
export function describeFit({ windowsAtOnce, recompute }: MemoryFit): string {
  const ways = [
    ...(windowsAtOnce ? [`${formatPlural(windowsAtOnce, "window")} at once`] : []),
    ...(recompute ? ["blocks computed again for their gradients"] : []),
  ];
  return ways.length > 0 ? `; to stay within its memory: ${ways.join(", ")}` : "";
}
