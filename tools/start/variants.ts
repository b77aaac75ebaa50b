import type { QuantizeOptions } from "../../src/index.ts";

/** A way to quantize that `npm start` shows. */
export interface Variant {
  /** Name in tables and charts, and of the checkpoint's folder. */
  readonly name: string;
  /** Bits that the scheme is named after. */
  readonly bits: number;
  /** Whether weights are trained rather than chosen. */
  readonly trained: boolean;
  readonly choice: Omit<QuantizeOptions, "out" | "calibration" | "samples" | "window">;
  /** Windows of calibration text; 0 for methods that need none. */
  readonly windows: number;
}

const calibrationWindows = 128;

/** What is tried, from most to fewest bits. */
export const variants: readonly Variant[] = [
  afterTraining("rtn w4g64", 4, { method: "rtn", scheme: "w4g64" }, 0),
  afterTraining("gptq w4g64", 4, { method: "gptq", scheme: "w4g64" }),
  afterTraining("gptq w3g64", 3, { method: "gptq", scheme: "w3g64" }),
  afterTraining("awq+rtn w3g64", 3, { transforms: ["awq"], method: "rtn", scheme: "w3g64" }),
  afterTraining("hqq w2g64", 2, { method: "hqq", scheme: "w2g64-floatzero" }, 0),
  afterTraining("gptq w2g64", 2, { method: "gptq", scheme: "w2g64" }),
  afterTraining("gptq w1.58g64", 1.58, { method: "gptq", scheme: "w1.58g64" }),
  afterTraining("rtn w1g64", 1, { method: "rtn", scheme: "w1g64" }, 0),
];

function afterTraining(
  name: string,
  bits: number,
  choice: Variant["choice"],
  windows: number = calibrationWindows,
): Variant {
  return { name, bits, trained: false, choice, windows };
}

/** Name of a variant's folder. */
export function folderOf({ name }: Variant): string {
  return name.replaceAll(/[ +]/g, "-");
}

/** The words of `fewbit quantize` that a variant's choice stands for, after the model. */
export function wordsOf({ choice }: Variant): string[] {
  const { method, transforms = [], scheme, options = {} } = choice;
  return [
    ...transforms.flatMap((transform) => [
      "--transform",
      typeof transform === "string" ? transform : transform.method,
    ]),
    ...["--method", method, "--scheme", scheme],
    ...Object.entries(options).flatMap(([name, value]) => [`--${kebabCase(name)}`, String(value)]),
  ];
}

function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
