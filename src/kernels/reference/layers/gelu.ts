import type { Kernels } from "../../../backend/kernels.ts";
import { floats } from "../arrays.ts";

/** `x · Φ(x)`, or with `Φ(x) ≈ ½(1 + tanh(√(2/π)·(x + 0.044715·x³)))` (arXiv 1606.08415). */
export const gelu: Kernels["gelu"] = (out, x, approximation) => {
  const output = floats(out);
  const input = floats(x);
  const share = approximation === "tanh" ? tanhShare : normalShare;
  for (let i = 0; i < output.length; i++) {
    const value = input[i];
    // Far down the share is zero, but 0 · −∞ would be NaN.
    output[i] = value < -40 ? -0 : value * share(value);
  }
};

/** ½(1 + tanh(u)) as a logistic function: accurate for large negative u, too. */
function tanhShare(x: number): number {
  const u = Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x);
  return 1 / (1 + Math.exp(-2 * u));
}

/** The distribution function Φ of the standard normal distribution. */
function normalShare(x: number): number {
  const z = Math.abs(x) / Math.SQRT2;
  const tail = z < 2.5 ? (1 - erfBySeries(z)) / 2 : erfcByFraction(z) / 2;
  return x < 0 ? tail : 1 - tail;
}

/** erf(z) = 2/√π · e^(−z²) · Σ 2ⁿ z^(2n+1) / (2n+1)!!, all terms positive. */
function erfBySeries(z: number): number {
  let term = z;
  let sum = z;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * z * z) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum;
}

/** erfc(z) = e^(−z²)/√π · 1/(z + ½/(z + 1/(z + 3⁄2/(z + …)))), evaluated from the inside. */
function erfcByFraction(z: number): number {
  let rest = z;
  for (let n = 60; n > 0; n--) rest = z + n / 2 / rest;
  return Math.exp(-z * z) / Math.sqrt(Math.PI) / rest;
}

/** Gradient of `gelu`: `share(x) + x·share′(x)`. */
export const geluBackward: Kernels["geluBackward"] = (dX, dOut, x, approximation) => {
  const output = floats(dX);
  const upstream = floats(dOut);
  const input = floats(x);
  const slope = approximation === "tanh" ? tanhSlope : normalSlope;
  for (let i = 0; i < output.length; i++) {
    const value = input[i];
    output[i] = Math.abs(value) > 40 ? (value > 0 ? upstream[i] : 0) : upstream[i] * slope(value);
  }
};

function tanhSlope(x: number): number {
  const share = tanhShare(x);
  const inner = 2 * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
  return share + x * share * (1 - share) * inner;
}

function normalSlope(x: number): number {
  return normalShare(x) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}
