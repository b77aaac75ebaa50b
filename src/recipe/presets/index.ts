import efficientqat from "./efficientqat.ts";
import onebit from "./onebit.ts";

/** All presets, one line each. */
export const presets = {
  efficientqat,
  onebit,
} as const;

/** Ids of the presets. */
export type PresetId = keyof typeof presets;
