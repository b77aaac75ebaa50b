import { type Scheme, parseScheme } from "../../quant/scheme.ts";

/** Bits that an output head has at least where a choice has so many. */
const headBits = 6;

/**
 * Chooses the schemes of embedding and output head by the rules of AutoScheme, since errors there
 * meet no norm behind them and damages understate them. A head, and a table that serves as both, has
 * the least choice of six bits or more (beyond a target of six bits the largest choice), without one
 * the largest. An embedding by itself has the least choice of at least the whole bits of the target.
 */
export function tableScheme(
  roles: readonly string[],
  choices: readonly string[],
  targetBits: number,
): Scheme {
  const schemes = choices.map((id) => parseScheme(id)).sort((a, b) => a.grid.bits - b.grid.bits);
  const largest = schemes[schemes.length - 1];
  if (roles.includes("head")) {
    if (targetBits > headBits) return largest;
    return schemes.find(({ grid }) => grid.bits >= headBits) ?? largest;
  }
  return schemes.find(({ grid }) => grid.bits >= Math.floor(targetBits)) ?? largest;
}
