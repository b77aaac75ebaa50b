import { formatBits, formatBytes, formatCount, formatNumber } from "../../format.ts";
import { formatEnergy, formatOperations } from "../format-energy.ts";
import type { PlanPageData, PlanSettings, PlanView } from "./plan-view.ts";

/** The texts of a page's figures, by their names. */
export function planFigures(
  { shape }: PlanPageData,
  settings: PlanSettings,
  view: PlanView,
): Readonly<Record<string, string>> {
  const { stored, memory, token, speeds, fit, machine } = view;
  const beyond = settings.context > shape.contextLength ? ", more than it was made for" : "";
  return {
    context: `${settings.context} tokens${beyond}`,
    size: formatBytes(stored.all),
    bits: `${view.scheme}: ${formatBits(stored.bitsPerWeight.linear)} bits a weight, ${formatBits(stored.bitsPerWeight.all)} over all`,
    memory: formatBytes(memory.all),
    memoryParts:
      `weights ${formatBytes(memory.weights)}, keys and values ${formatBytes(memory.kvCache)}, ` +
      `the rest ${formatBytes(memory.work + memory.program)}`,
    fit: fit.fits
      ? `fits in the ${formatBytes(machine.memoryBytes)} of the machine`
      : `does not fit in the ${formatBytes(machine.memoryBytes)} of the machine`,
    speed: speeds ? formatNumber(speeds.decode) : "not timed",
    basis:
      machine.basis === "table"
        ? `predicted from timed kernels; prompt ${speeds ? formatNumber(speeds.prompt) : "–"} tokens a second`
        : `at most, by ${machine.basis}; prompt ${speeds ? formatNumber(speeds.prompt) : "–"}`,
    energy: formatEnergy(token.joules),
    moved: `${formatBytes(token.bytes)} read, ${formatOperations(token.operations)} operations a token`,
    largestContext: fit.largestContext === 0 ? "none" : `${formatCount(fit.largestContext)} tokens`,
    largestModel: `${formatCount(fit.largestParameters)} parameters`,
    source: `${machine.title}: ${formatNumber(machine.limits.bytesPerSecond / 1e9)} GB/s, ${formatNumber(machine.limits.operationsPerSecond / 1e12)} TFLOP/s. ${machine.source}`,
  };
}
