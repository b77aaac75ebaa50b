import type { QuantizeOptions } from "../../src/index.ts";

/** `Omit` for each part of a union by itself. */
type Without<T, Keys extends PropertyKey> = T extends unknown ? Omit<T, Keys> : never;

/** A way to quantize that `npm start` shows. */
export interface Variant {
  /** Name in tables and charts, and of the checkpoint's folder. */
  readonly name: string;
  /** Bits that the scheme is named after. */
  readonly bits: number;
  /** Whether weights are trained rather than chosen. */
  readonly trained: boolean;
  readonly choice: Without<QuantizeOptions, "out" | "calibration" | "samples" | "window">;
  /** Windows of calibration text; 0 for methods that need none. */
  readonly windows: number;
}

const calibrationWindows = 128;
/** All of the calibration text of the built-in model. */
const trainingWindows = 360;

/** What is tried, from most to fewest bits. */
export const variants: readonly Variant[] = [
  chosen("rtn w4g64", 4, { method: "rtn", scheme: "w4g64" }, 0),
  chosen("gptq w4g64", 4, { method: "gptq", scheme: "w4g64" }),
  chosen("gptq w3g64", 3, { method: "gptq", scheme: "w3g64" }),
  chosen("awq+rtn w3g64", 3, { transforms: ["awq"], method: "rtn", scheme: "w3g64" }, 32),
  chosen("hqq w2g64", 2, { method: "hqq", scheme: "w2g64-floatzero" }, 0),
  chosen("gptq w2g64", 2, { method: "gptq", scheme: "w2g64" }),
  trained("efficientqat w2g64", 2, { preset: "efficientqat", scheme: "w2g64" }, calibrationWindows),
  trained("paretoq w2-seq", 2, {
    method: "paretoq",
    scheme: "w2-seq",
    options: { steps: 100, batch: 4, learningRate: 0.001 },
  }),
  chosen("rtn w1g64", 1, { method: "rtn", scheme: "w1g64" }, 0),
];

function chosen(
  name: string,
  bits: number,
  choice: Variant["choice"],
  windows: number = calibrationWindows,
): Variant {
  return { name, bits, trained: false, choice, windows };
}

function trained(
  name: string,
  bits: number,
  choice: Variant["choice"],
  windows: number = trainingWindows,
): Variant {
  return { name, bits, trained: true, choice, windows };
}

/** Name of a variant's folder. */
export function folderOf({ name }: Variant): string {
  return name.replaceAll(/[ +]/g, "-");
}

/** The words of `fewbit quantize` that a variant's choice stands for, after the model. */
export function wordsOf({ choice }: Variant): string[] {
  const { method, preset, transforms = [], scheme, options = {} } = choice;
  return [
    ...transforms.flatMap((transform) => [
      "--transform",
      typeof transform === "string" ? transform : transform.method,
    ]),
    ...(preset ? ["--preset", preset] : ["--method", method ?? ""]),
    "--scheme",
    scheme,
    ...Object.entries(options).flatMap(([name, value]) => [`--${kebabCase(name)}`, String(value)]),
  ];
}

function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
