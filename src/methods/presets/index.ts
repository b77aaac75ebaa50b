import efficientqat from "./efficientqat.ts";

/** All presets, one line each. */
export const presets = {
  efficientqat,
} as const;

/** Ids of the presets. */
export type PresetId = keyof typeof presets;
