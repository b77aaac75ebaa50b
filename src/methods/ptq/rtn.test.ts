import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { floatsToHalves, halvesToFloats } from "../../util/half.ts";
import rtn from "./rtn.ts";

interface Golden {
  rows: number;
  columns: number;
  seed: number;
  scheme: string;
  values: number[];
  scales: number[];
  codes: string;
  /** Float32, little-endian, in hexadecimal digits. */
  decoded: string;
}

const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/nf4.json", import.meta.url), "utf8"),
) as Golden;

describe("nf4 against bitsandbytes", () => {
  const scheme = parseScheme(golden.scheme);

  test("the 16 values are the same", () => {
    expect([...(scheme.grid.values ?? [])]).toEqual(golden.values);
  });

  test("same scales and codes, the same weights to the bit", async () => {
    const { rows, columns, seed } = golden;
    const halves = halvesToFloats(floatsToHalves(goldenMatrix(rows, columns, seed)));
    const weight = Tensor.from(createReferenceBackend(), "f32", [rows, columns], halves);
    const options = rtn.options.parse({});
    const made = await rtn.quantizeLinear?.({ name: "m", weight, scheme, hessian: null, options });
    const codes = [...(made?.weight.unpackCodes() ?? [])].map((code) => code.toString(16));
    expect(codes.join("")).toBe(golden.codes);
    expect([...halvesToFloats(made?.weight.parts.scales ?? new Uint16Array())]).toEqual(
      golden.scales,
    );
    const decoded = made?.weight.dequantize() ?? new Float32Array();
    expect(Buffer.from(decoded.buffer).toString("hex")).toBe(golden.decoded);
  });
});
