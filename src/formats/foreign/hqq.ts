import { grids } from "../../quant/grids/index.ts";
import { QTensor } from "../../quant/q-tensor.ts";
import { makeScheme } from "../../quant/scheme.ts";
import { FormatError, UnsupportedError } from "../../util/errors.ts";
import { floatsToHalves, halvesToFloats } from "../../util/half.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { quoteName } from "../wording.ts";
import type { ForeignContainer, ForeignModule, ForeignWeight } from "./foreign-container.ts";
import {
  expectTensor,
  floatDTypes,
  modulesWith,
  ofMethod,
  readBytes,
  readScales,
} from "./module-tensors.ts";

/**
 * HQQ: the state of each layer under the name of its module: `W_q`, `scale`, `zero`, and as small
 * tensors `shape`, `group_size`, `axis`, `nbits`, `packing`. The weight is reshaped to
 * `[groups, groupSize]` (axis 1) or `[groupSize, groups]` (axis 0) and packed along the first
 * dimension, its first part in the highest bits; `(code − zero)·scale`. Source: mobiusml/hqq,
 * hqq/core/bitpack.py and quantize.py. Groups within rows whose scales and zero points are float16
 * values are schemes with `-floatzero`; others are decoded.
 */
export const hqq: ForeignContainer = {
  find(checkpoint) {
    const found = ofMethod(checkpoint.config, "hqq");
    if (!found) return null;
    const modules = modulesWith(checkpoint, ".W_q").map((name) => moduleOf(checkpoint, name));
    return { title: "HQQ", modules, config: found.config, notices: [] };
  },
};

/** Bits of a packed code, and of the number that holds several. */
const packings: Readonly<Record<string, readonly [bits: number, word: number]>> = {
  "8bit_u8": [8, 8],
  "4bit_u8": [4, 8],
  "3bit_32": [3, 32],
  "2bit_u8": [2, 8],
  "1bit_u8": [1, 8],
};

function moduleOf(checkpoint: Checkpoint, name: string): ForeignModule {
  const own = [...checkpoint.tensors.keys()].filter((each) => each.startsWith(`${name}.`));
  const tensors = own.filter((each) => each !== `${name}.bias`);
  return { name, tensors, open: () => openWeight(checkpoint, name) };
}

/** How a weight lies in its container. */
interface Layout {
  readonly outFeatures: number;
  readonly inFeatures: number;
  readonly groupSize: number;
  readonly axis: number;
  readonly bits: number;
  readonly wordBits: number;
  /** Rows and columns of the matrix of groups. */
  readonly rows: number;
  readonly columns: number;
}

async function openWeight(checkpoint: Checkpoint, name: string): Promise<ForeignWeight> {
  const layout = await readLayout(checkpoint, name);
  const { outFeatures, inFeatures, groupSize, axis, rows, columns } = layout;
  expectCodes(checkpoint, `${name}.W_q`, layout);
  const groups = axis === 1 ? rows : columns;
  const stated = axis === 1 ? [groups, 1] : [1, groups];
  expectTensor(checkpoint, `${name}.scale`, floatDTypes, stated);
  expectTensor(checkpoint, `${name}.zero`, floatDTypes, stated);
  const scales = await readScales(checkpoint, `${name}.scale`);
  const zeros = await readScales(checkpoint, `${name}.zero`);
  const halves = [scales, zeros].map(floatsToHalvesExactly);
  const grid = grids.find(({ zeroPoint, bits }) => zeroPoint === "float16" && bits >= layout.bits);
  const isHeld =
    axis === 1 && inFeatures % groupSize === 0 && halves.every((each) => each !== null);
  const scheme =
    isHeld && grid ? makeScheme(grid, groupSize === inFeatures ? null : groupSize) : null;
  const codes = async (): Promise<Uint8Array> =>
    unpack(await readBytes(checkpoint, `${name}.W_q`), layout);
  const shape = { outFeatures, inFeatures };
  return {
    ...shape,
    scheme,
    pack: async () => {
      const [held, zeroPoints] = halves;
      if (!scheme || !held || !zeroPoints)
        throw new FormatError(`no scheme holds ${quoteName(name)}`);
      return QTensor.pack(scheme, {
        ...shape,
        codes: await codes(),
        scales: held,
        zeros: zeroPoints,
      });
    },
    decode: async () =>
      Float32Array.from(await codes(), (code, i) => {
        const group = axis === 1 ? Math.floor(i / columns) : i % columns;
        return Math.fround(code - zeros[group]) * scales[group];
      }),
  };
}

function floatsToHalvesExactly(values: Float32Array): Uint16Array | null {
  const halves = floatsToHalves(values);
  return halvesToFloats(halves).every((value, i) => value === values[i]) ? halves : null;
}

async function readLayout(checkpoint: Checkpoint, name: string): Promise<Layout> {
  for (const field of ["quant_scale", "quant_zero", "view_as_float"]) {
    const tensor = `${name}.${field}`;
    if (checkpoint.has(tensor) && (await readBytes(checkpoint, tensor))[0] !== 0) {
      throw new UnsupportedError(`tensor ${quoteName(tensor)}: \`${field}\` is not read`, {
        hint: "save the model with hqq 0.2 or newer, which does not store this form",
      });
    }
  }
  expectTensor(checkpoint, `${name}.shape`, ["i64"], [2]);
  const shape = Array.from(await checkpoint.viewAs(`${name}.shape`, "i64"), Number);
  const [outFeatures, inFeatures] = shape;
  const axis = await readNumber(checkpoint, `${name}.axis`);
  const groupSize = await readNumber(checkpoint, `${name}.group_size`);
  const packing = new TextDecoder().decode(await readBytes(checkpoint, `${name}.packing`));
  const known = Object.hasOwn(packings, packing) ? packings[packing] : undefined;
  const count = outFeatures * inFeatures;
  if (!(outFeatures >= 1 && inFeatures >= 1)) {
    throw new FormatError(
      `tensor ${quoteName(`${name}.shape`)}: [${shape.join(", ")}] is no shape of a weight`,
    );
  }
  if (!known || (axis !== 0 && axis !== 1) || !(groupSize > 0) || count % groupSize !== 0) {
    throw new FormatError(
      `HQQ: module ${quoteName(name)}: \`packing\` ${JSON.stringify(packing)}, \`axis\` ${axis} and ` +
        `\`group_size\` ${groupSize} do not describe a weight [${shape.join(", ")}]`,
    );
  }
  const [rows, columns] =
    axis === 1 ? [count / groupSize, groupSize] : [groupSize, count / groupSize];
  const [bits, wordBits] = known;
  await expectBits(checkpoint, `${name}.nbits`, bits);
  return { outFeatures, inFeatures, groupSize, axis, bits, wordBits, rows, columns };
}

/** @throws FormatError where `nbits` is there and its codes do not fit into those that are packed */
async function expectBits(checkpoint: Checkpoint, name: string, packed: number): Promise<void> {
  if (!checkpoint.has(name) || checkpoint.info(name).dtype !== "i32") return;
  const stated = await readNumber(checkpoint, name);
  if (stated >= 1 && stated <= packed) return;
  throw new FormatError(
    `tensor ${quoteName(name)}: \`nbits\` is ${stated}, but \`packing\` has ${packed} bits a code`,
  );
}

async function readNumber(checkpoint: Checkpoint, name: string): Promise<number> {
  expectTensor(checkpoint, name, ["i32"]);
  const values = await checkpoint.viewAs(name, "i32");
  if (values.length === 1) return values[0];
  throw new FormatError(`tensor ${quoteName(name)}: expected a number, got ${values.length}`);
}

/** Numbers that the codes lie in, from first to last: `rows` are shared out among their bits. */
function packedRows({ rows, bits, wordBits }: Layout): number {
  return Math.ceil(rows / Math.floor(wordBits / bits));
}

function expectCodes(checkpoint: Checkpoint, name: string, layout: Layout): void {
  const dtype = layout.wordBits === 32 ? "i32" : "u8";
  expectTensor(checkpoint, name, [dtype], [packedRows(layout), layout.columns]);
}

function unpack(bytes: Uint8Array, layout: Layout): Uint8Array {
  const { rows, columns, bits, wordBits } = layout;
  const words =
    wordBits === 32 ? new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4) : bytes;
  const parts = Math.floor(wordBits / bits);
  const step = packedRows(layout) * columns;
  const codes = new Uint8Array(rows * columns);
  for (let part = 0; part < parts; part++) {
    // Three bits a code leave the two highest of 32 unused.
    const shift = bits * (parts - 1 - part);
    const count = Math.min(step, codes.length - part * step);
    for (let i = 0; i < count; i++) codes[part * step + i] = (words[i] >>> shift) & (2 ** bits - 1);
  }
  return codes;
}
