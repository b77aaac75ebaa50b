import type { FinisherId, QuantizerId, TransformId } from "../../methods/index.ts";

/** A chain of methods under one name, as a paper has it. */
export interface Preset {
  readonly id: string;
  readonly title: string;
  /** One sentence for menus and help texts. */
  readonly summary: string;
  readonly paper?: { readonly arxiv: string };
  readonly transforms?: readonly TransformId[];
  readonly method: QuantizerId;
  readonly finishers: readonly FinisherId[];
}

/** Declares a preset. */
export function definePreset<const P extends Preset>(preset: P): P {
  return Object.freeze(preset);
}
