import { FormatError } from "../../util/errors.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { quoteName } from "../wording.ts";
import { expectZeros, openScales } from "./compressed-scales.ts";
import type { LayerScheme } from "./compressed-settings.ts";
import type { ForeignWeight } from "./foreign-container.ts";
import { holdIntegers } from "./hold-integers.ts";
import { expectTensor } from "./module-tensors.ts";

/**
 * Opens a layer of `int-quantized` or `naive-quantized`: `weight` I8 `[out, in]`, and
 * `weight_zero_point` I8 `[out, groups]` where it is not symmetric.
 * @throws FormatError when tensors do not fit the configuration
 */
export async function openInts(
  checkpoint: Checkpoint,
  name: string,
  layer: LayerScheme,
): Promise<ForeignWeight> {
  const { bits, symmetric, activation } = layer;
  const weight = `${name}.weight`;
  const { shape } = expectTensor(checkpoint, weight, ["i8"], [null, null]);
  const [outFeatures, inFeatures] = shape;
  const scales = await openScales(checkpoint, name, layer, shape);
  const zeroPoint = `${name}.weight_zero_point`;
  if (!symmetric) expectTensor(checkpoint, zeroPoint, ["i8"], [outFeatures, scales.groups]);
  if (symmetric) await expectZeros(checkpoint, zeroPoint);
  const middle = 2 ** (bits - 1);
  const read = async (tensor: string): Promise<Uint8Array> => {
    const values = await checkpoint.viewAs(tensor, "i8");
    const codes = new Uint8Array(values.length);
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (value < -middle || value >= middle) {
        throw new FormatError(
          `tensor ${quoteName(tensor)}: ${value} at ${i} is no integer of ${bits} bits (\`num_bits\`)`,
        );
      }
      codes[i] = value + 128;
    }
    return codes;
  };
  const rowBytes = 4 * Math.ceil(inFeatures / 4);
  return holdIntegers({
    ...scales,
    outFeatures,
    inFeatures,
    // Integers of fewer bits, too, take 8 here.
    bits: 8,
    activation,
    zeros: async () => (symmetric ? null : read(zeroPoint)),
    rows: async () => {
      const codes = await read(weight);
      if (rowBytes === inFeatures) return codes;
      const rows = new Uint8Array(outFeatures * rowBytes);
      for (let row = 0; row < outFeatures; row++) {
        rows.set(codes.subarray(row * inFeatures, (row + 1) * inFeatures), row * rowBytes);
      }
      return rows;
    },
  });
}
