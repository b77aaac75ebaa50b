import { z } from "zod";

/** A size as users write it: a number of bytes, or one of kB, MB, GB or TB (decimal). */
export const byteSize = z
  .string()
  .regex(/^\d+(\.\d+)?\s?([kMGT]?B)?$/i)
  .meta({ examples: ["4GB"] });

const units: Readonly<Record<string, number>> = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 };

/** Reads a size that `byteSize` fits, in bytes: `4GB` is 4e9. */
export function parseByteSize(text: string): number {
  const unit = /[a-z]+$/i.exec(text)?.[0].toLowerCase() ?? "b";
  return Number.parseFloat(text) * units[unit];
}
