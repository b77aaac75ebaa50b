import { formatNumber } from "../format.ts";

/** Formats joules: `97.1 mJ`. */
export function formatEnergy(joules: number): string {
  if (joules >= 0.9995) return `${formatNumber(joules)} J`;
  return joules >= 0.9995e-3
    ? `${formatNumber(1e3 * joules)} mJ`
    : `${formatNumber(1e6 * joules)} µJ`;
}

/** Formats additions and multiplications: `2.21 G`. */
export function formatOperations(count: number): string {
  return count < 1e9 ? `${formatNumber(count / 1e6)} M` : `${formatNumber(count / 1e9)} G`;
}
