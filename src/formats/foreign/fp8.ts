import { FormatError } from "../../util/errors.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { quoteName } from "../wording.ts";
import { findCompressedSettings } from "./compressed-settings.ts";
import type { ForeignContainer, ForeignModule, ForeignWeight } from "./foreign-container.ts";
import { expectTensor, floatDTypes, ofMethod, readBytes, readScales } from "./module-tensors.ts";

/**
 * Weights of 8-bit floats (E4M3 or E5M2) times a scale: one a tensor, a row, or a block of rows and
 * columns (128 × 128), `weight_scale_inv` as DeepSeek and Qwen write it, or `weight_scale` as
 * compressed-tensors and FBGEMM do. No scheme has such values: they are decoded.
 */
export const fp8: ForeignContainer = {
  find(checkpoint) {
    const { config } = checkpoint;
    const found =
      ofMethod(config, "fp8") ?? ofMethod(config, "fbgemm_fp8") ?? findCompressedSettings(config);
    if (!found) return null;
    const codes = [...checkpoint.tensors.values()].filter(({ dtype }) => tables.has(dtype));
    if (found.settings.quant_method === "compressed-tensors" && codes.length === 0) return null;
    const block = blockOf(found.settings.weight_block_size);
    const modules = codes.map(({ name }) =>
      moduleOf(checkpoint, name.replace(/\.weight$/, ""), block),
    );
    const ignored = [...checkpoint.tensors.keys()].filter((name) =>
      /\.(?:input_scale|activation_scale|input_scale_ub)$/.test(name),
    );
    return { title: "fp8", modules, config: found.config, ignored, notices: [] };
  },
};

type Block = readonly [rows: number, columns: number];

function blockOf(stated: unknown): Block | null {
  if (stated === undefined || stated === null) return null;
  const isBlock =
    Array.isArray(stated) &&
    stated.length === 2 &&
    stated.every((size) => Number.isInteger(size) && Number(size) >= 1);
  if (isBlock) return stated as unknown as Block;
  throw new FormatError(
    `quantization_config: \`weight_block_size\` is ${JSON.stringify(stated)}, expected two sizes`,
  );
}

function moduleOf(checkpoint: Checkpoint, name: string, block: Block | null): ForeignModule {
  const scale = ["weight_scale_inv", "weight_scale"].map((part) => `${name}.${part}`);
  const found = scale.find((each) => checkpoint.has(each));
  if (!found) {
    throw new FormatError(
      `tensor ${quoteName(`${name}.weight`)} has no scale: neither ${scale.map(quoteName).join(" nor ")} is there`,
      { hint: "a part of the checkpoint is missing; download it again" },
    );
  }
  const tensors = [`${name}.weight`, found];
  return { name, tensors, open: () => openWeight(checkpoint, name, found, block) };
}

async function openWeight(
  checkpoint: Checkpoint,
  name: string,
  scale: string,
  block: Block | null,
): Promise<ForeignWeight> {
  const weight = `${name}.weight`;
  const { dtype, shape } = expectTensor(checkpoint, weight, [...tables.keys()], [null, null]);
  const [outFeatures, inFeatures] = shape;
  const [height, width] = expectScale(checkpoint, scale, [outFeatures, inFeatures], block);
  const across = Math.ceil(inFeatures / width);
  return {
    outFeatures,
    inFeatures,
    scheme: null,
    pack: () => Promise.reject(new FormatError(`no scheme holds ${quoteName(name)}`)),
    decode: async () => {
      const table = tables.get(dtype) as Float32Array;
      const scales = await readScales(checkpoint, scale);
      const codes = await readBytes(checkpoint, weight);
      const values = new Float32Array(codes.length);
      for (let i = 0, row = 0; row < outFeatures; row++) {
        const first = Math.floor(row / height) * across;
        for (let column = 0; column < inFeatures; column++, i++) {
          values[i] = table[codes[i]] * scales[first + Math.floor(column / width)];
        }
      }
      return values;
    },
  };
}

/** Returns the rows and columns that share a scale. @throws FormatError for another number of scales */
function expectScale(
  checkpoint: Checkpoint,
  name: string,
  [rows, columns]: Block,
  block: Block | null,
): Block {
  const { shape, begin, end, dtype } = expectTensor(checkpoint, name, floatDTypes);
  const count = ((end - begin) * 8) / (dtype === "f32" ? 32 : 16);
  if (count === 1) return [rows, columns];
  if (!block && count === rows) return [1, columns];
  const [height, width] = block ?? [rows, columns];
  const [down, across] = [Math.ceil(rows / height), Math.ceil(columns / width)];
  if (block && shape.length === 2 && shape[0] === down && shape[1] === across) return block;
  const wanted = block
    ? `[${down}, ${across}], one a block of ${height} × ${width} (\`weight_block_size\`)`
    : `1 or ${rows} values`;
  throw new FormatError(
    `tensor ${quoteName(name)}: expected ${wanted}, the file has [${shape.join(", ")}]`,
  );
}

/** Values of the codes by dtype: no infinities in E4M3, and two codes that are NaN. */
const tables: ReadonlyMap<string, Float32Array> = new Map([
  ["f8_e4m3", floatTable(4, 3, false)],
  ["f8_e5m2", floatTable(5, 2, true)],
]);

function floatTable(
  exponentBits: number,
  fractionBits: number,
  hasInfinity: boolean,
): Float32Array {
  const bias = 2 ** (exponentBits - 1) - 1;
  const most = 2 ** exponentBits - 1;
  return Float32Array.from({ length: 256 }, (_, code) => {
    const sign = code & 0x80 ? -1 : 1;
    const fraction = code & (2 ** fractionBits - 1);
    const exponent = (code & 0x7f) >> fractionBits;
    if (hasInfinity && exponent === most)
      return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    if (!hasInfinity && (code & 0x7f) === 0x7f) return Number.NaN;
    const whole = exponent === 0 ? 0 : 2 ** fractionBits;
    const power = Math.max(exponent, 1) - bias - fractionBits;
    return sign * (whole + fraction) * 2 ** power;
  });
}
