import { nf4 } from "../../quant/grids/nf4.ts";
import { QTensor } from "../../quant/q-tensor.ts";
import { makeScheme } from "../../quant/scheme.ts";
import { FormatError } from "../../util/errors.ts";
import { floatsToHalves, halvesToFloats } from "../../util/half.ts";
import { isJsonRecord, type JsonRecord, parseJson } from "../../util/json.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { quoteName } from "../wording.ts";
import type { ForeignContainer, ForeignModule, ForeignWeight } from "./foreign-container.ts";
import { expectTensor, modulesWith, ofMethod, readBytes, readScales } from "./module-tensors.ts";

/**
 * bitsandbytes: NF4 and FP4, two codes a byte with the first in the high nibble, over the weights row
 * after row, one `absmax` F32 a block of them, or 8-bit codes of these (double quantization); and
 * 8-bit rows with `SCB` F32, the largest magnitude of a row. Source: bitsandbytes/functional.py and
 * backends/default/ops.py. Blocks of whole groups of a row with scales that are float16 values are
 * `w4g<block>-nf4`; others are decoded.
 */
export const bitsandbytes: ForeignContainer = {
  find(checkpoint) {
    const found = ofMethod(checkpoint.config, "bitsandbytes");
    if (!found) return null;
    const four = ["nf4", "fp4"].flatMap((kind) =>
      modulesWith(checkpoint, `.weight.quant_state.bitsandbytes__${kind}`).map((name) =>
        fourBits(checkpoint, name, kind),
      ),
    );
    const eight = modulesWith(checkpoint, ".SCB").map((name) => eightBits(checkpoint, name));
    const notices =
      eight.length > 0
        ? [
            "bitsandbytes int8: inputs that stand out, which it multiplies by themselves, are not told apart",
          ]
        : [];
    return { title: "bitsandbytes", modules: [...four, ...eight], config: found.config, notices };
  },
};

function fourBits(checkpoint: Checkpoint, name: string, kind: string): ForeignModule {
  const weight = `${name}.weight`;
  const tensors = [...checkpoint.tensors.keys()].filter(
    (each) => each === weight || each.startsWith(`${weight}.`),
  );
  return { name, tensors, open: () => openFour(checkpoint, weight, kind) };
}

interface QuantState {
  readonly outFeatures: number;
  readonly inFeatures: number;
  readonly block: number;
  readonly json: JsonRecord;
}

async function openFour(
  checkpoint: Checkpoint,
  weight: string,
  kind: string,
): Promise<ForeignWeight> {
  const state = await readState(checkpoint, `${weight}.quant_state.bitsandbytes__${kind}`);
  const { outFeatures, inFeatures, block } = state;
  const count = outFeatures * inFeatures;
  expectTensor(checkpoint, `${weight}.quant_map`, ["f32"], [16]);
  const { begin, end } = checkpoint.info(weight);
  if (end - begin !== Math.ceil(count / 2)) {
    throw new FormatError(
      `tensor ${quoteName(weight)}: expected ${Math.ceil(count / 2)} bytes of codes for the ` +
        `\`shape\` [${outFeatures}, ${inFeatures}], the file has ${end - begin}`,
    );
  }
  const values = await readScales(checkpoint, `${weight}.quant_map`);
  const scales = await readAbsmax(checkpoint, weight, state);
  const halves = floatsToHalves(scales);
  const isExact = halvesToFloats(halves).every((scale, i) => scale === scales[i]);
  const isTable = nf4.values?.every((value, code) => value === values[code]) ?? false;
  const isWhole = inFeatures % block === 0;
  const scheme = makeScheme(nf4, block === inFeatures ? null : block);
  const shape = { outFeatures, inFeatures };
  const codes = async (): Promise<Uint8Array> =>
    unpackPairs(await readBytes(checkpoint, weight), count);
  return {
    ...shape,
    scheme: isExact && isTable && isWhole ? scheme : null,
    pack: async () => QTensor.pack(scheme, { ...shape, codes: await codes(), scales: halves }),
    decode: async () =>
      Float32Array.from(await codes(), (code, i) => values[code] * scales[Math.floor(i / block)]),
  };
}

async function readState(checkpoint: Checkpoint, name: string): Promise<QuantState> {
  expectTensor(checkpoint, name, ["u8"], [null]);
  const text = new TextDecoder().decode(await readBytes(checkpoint, name));
  const json = parseJson(text, `tensor ${quoteName(name)}`);
  const { shape, blocksize } = isJsonRecord(json) ? json : {};
  const isSize = (value: unknown): value is number => Number.isInteger(value) && Number(value) > 0;
  const [outFeatures, inFeatures] =
    Array.isArray(shape) && shape.length === 2 ? (shape as unknown[]) : [];
  if (isJsonRecord(json) && isSize(outFeatures) && isSize(inFeatures) && isSize(blocksize)) {
    return { outFeatures, inFeatures, block: blocksize, json };
  }
  throw new FormatError(
    `tensor ${quoteName(name)}: expected \`shape\` of two sizes and \`blocksize\`, got ${text.slice(0, 120)}`,
  );
}

/** One scale a block; of double quantization, `code of absmax · scale of its block + offset`. */
async function readAbsmax(
  checkpoint: Checkpoint,
  weight: string,
  { outFeatures, inFeatures, block, json }: QuantState,
): Promise<Float32Array> {
  const count = Math.ceil((outFeatures * inFeatures) / block);
  const name = `${weight}.absmax`;
  if (!checkpoint.has(`${weight}.nested_absmax`)) {
    expectTensor(checkpoint, name, ["f32"], [count]);
    return readScales(checkpoint, name);
  }
  const { nested_blocksize: size, nested_offset: offset } = json;
  if (typeof size !== "number" || typeof offset !== "number" || !(size > 0)) {
    throw new FormatError(
      `tensor ${quoteName(name)}: \`nested_blocksize\` and \`nested_offset\` of its quant_state are ` +
        `${JSON.stringify(size)} and ${JSON.stringify(offset)}, expected numbers`,
    );
  }
  expectTensor(checkpoint, name, ["u8"], [count]);
  expectTensor(checkpoint, `${weight}.nested_absmax`, ["f32"], [Math.ceil(count / size)]);
  expectTensor(checkpoint, `${weight}.nested_quant_map`, ["f32"], [256]);
  const map = await readScales(checkpoint, `${weight}.nested_quant_map`);
  const outer = await readScales(checkpoint, `${weight}.nested_absmax`);
  const added = Math.fround(offset);
  return Float32Array.from(
    await readBytes(checkpoint, name),
    (code, i) => Math.fround(map[code] * outer[Math.floor(i / size)]) + added,
  );
}

/** Takes codes of 4 bits apart, the first of a byte in its high nibble. */
function unpackPairs(bytes: Uint8Array, count: number): Uint8Array {
  const codes = new Uint8Array(count);
  for (let i = 0; i < count; i++) codes[i] = i % 2 === 0 ? bytes[i >> 1] >> 4 : bytes[i >> 1] & 15;
  return codes;
}

/** What bitsandbytes multiplies by in the place of 1/127, a float32. */
const perLevel = Math.fround(7.874015718698502e-3);

function eightBits(checkpoint: Checkpoint, name: string): ForeignModule {
  const [weight, format] = [`${name}.weight`, `${name}.weight_format`];
  const tensors = [weight, `${name}.SCB`, ...(checkpoint.has(format) ? [format] : [])];
  return { name, tensors, open: () => openEight(checkpoint, name) };
}

async function openEight(checkpoint: Checkpoint, name: string): Promise<ForeignWeight> {
  const weight = `${name}.weight`;
  const [outFeatures, inFeatures] = expectTensor(checkpoint, weight, ["i8"], [null, null]).shape;
  expectTensor(checkpoint, `${name}.SCB`, ["f32"], [outFeatures]);
  await expectRows(checkpoint, `${name}.weight_format`);
  const largest = await readScales(checkpoint, `${name}.SCB`);
  return {
    outFeatures,
    inFeatures,
    scheme: null,
    pack: () => Promise.reject(new FormatError(`no scheme holds ${quoteName(name)}`)),
    decode: async () =>
      Float32Array.from(
        await checkpoint.viewAs(weight, "i8"),
        (code, i) => Math.fround(code * largest[Math.floor(i / inFeatures)]) * perLevel,
      ),
  };
}

/** @throws FormatError unless codes lie row by row, and not as a GPU of old wanted them */
async function expectRows(checkpoint: Checkpoint, name: string): Promise<void> {
  if (!checkpoint.has(name)) return;
  expectTensor(checkpoint, name, ["u8"]);
  const [format] = await readBytes(checkpoint, name);
  if (format === 0) return;
  throw new FormatError(
    `tensor ${quoteName(name)}: the layout ${format} is not read, only 0 (row)`,
  );
}
