import type { Preset } from "../recipe/presets/define-preset.ts";
import { presets } from "../recipe/presets/index.ts";
import { printable } from "./format.ts";

/**
 * Says which methods made a model, by their ids in the order in which they ran; those of a preset
 * by its title too: `EfficientQAT (block-ap, e2e-qp)`.
 */
export function describeChain(methods: readonly string[]): string {
  const names = methods.map((method) => printable(method)).join(", ");
  const all: readonly Preset[] = Object.values(presets);
  const preset = all.find((each) => chainOf(each).join() === methods.join());
  return preset ? `${preset.title} (${names})` : names;
}

function chainOf({ transforms = [], method, finishers }: Preset): string[] {
  return [...transforms, method, ...finishers];
}
