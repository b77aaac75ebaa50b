import { z } from "zod";

/*
 * Options of methods by their kind: what is usual, and a sentence for help texts.
 */

/** Yes or no. */
export const flag = (usual: boolean, help: string) => z.boolean().default(usual).describe(help);

/** Yes or no, by what surrounds the method where it is not given. */
export const flagIfGiven = (help: string) => z.boolean().optional().describe(help);

/** A whole number of at least `least`. */
export const count = (usual: number, help: string, least = 1) =>
  z.number().int().min(least).default(usual).describe(help);

/** A whole number of at least `least` that is worked out where it is not given. */
export const countIfGiven = (help: string, least = 0) =>
  z.number().int().min(least).optional().describe(help);

/** A number above 0. */
export const positive = (usual: number, help: string) =>
  z.number().positive().default(usual).describe(help);

/** A number above 0 that is worked out where it is not given. */
export const positiveIfGiven = (help: string) => z.number().positive().optional().describe(help);

/** A number of at least 0. */
export const nonNegative = (usual: number, help: string) =>
  z.number().min(0).default(usual).describe(help);

/** A number from 0 to 1. */
export const share = (usual: number, help: string) =>
  z.number().min(0).max(1).default(usual).describe(help);

/** A number from 0 to 1 that is worked out where it is not given. */
export const shareIfGiven = (help: string) => z.number().min(0).max(1).optional().describe(help);

/** One of some words. */
export const choice = <const Words extends readonly string[]>(
  words: Words,
  usual: NoInfer<Words[number]>,
  help: string,
) => z.enum(words).default(usual).describe(help);
