import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CheckpointWriter } from "../../src/formats/checkpoint-writer.ts";
import { quantizedEntries, writeQTensor } from "../../src/formats/fewbit-format.ts";
import {
  type QuantizedModule,
  writeQuantizationConfig,
} from "../../src/formats/quantization-config.ts";
import type { TensorEntry } from "../../src/formats/safetensors-header.ts";
import { blockLinearNames, expectedTensors } from "../../src/models/decoder-tensors.ts";
import { readModelConfig } from "../../src/models/index.ts";
import { packedRowBytes } from "../../src/quant/packing.ts";
import { QTensor } from "../../src/quant/q-tensor.ts";
import {
  expectPlanar,
  groupsPerRow,
  parseScheme,
  type PlanarScheme,
} from "../../src/quant/scheme.ts";
import { elementCount } from "../../src/tensor/shape.ts";
import { floatToBfloatBits, floatToHalfBits, floatsToHalves } from "../../src/util/half.ts";
import { Prng } from "../../src/util/prng.ts";
import { byteTokenizer } from "./byte-tokenizer.ts";

/** What a random packed checkpoint looks like. */
export interface RandomPackedOptions {
  /** Contents of config.json, such as `billionShape(22)`. */
  readonly shape: Record<string, unknown>;
  /** Scheme of the linear layers of all blocks, such as `w2g64`. */
  readonly scheme: string;
  /** Scheme of the output head, such as `w4g64`; null leaves it in bfloat16. */
  readonly headScheme: string | null;
  readonly seed: number;
}

/** Distinct rows of codes of one width; more than caches hold are written, drawn from these. */
const distinctRows = 509;
/** Standard deviation of the weights. */
const spread = 0.02;

/** Writes a checkpoint of packed random weights, with a tokenizer as large as the vocabulary. */
export async function writeRandomPackedCheckpoint(
  directory: string,
  options: RandomPackedOptions,
): Promise<void> {
  const { shape: config, seed } = options;
  const scheme = planarScheme(options.scheme);
  const headScheme = options.headScheme === null ? null : planarScheme(options.headScheme);
  const decoder = readModelConfig(config);
  const linears = blockLinearNames(decoder);
  const schemeOf = (name: string): PlanarScheme | null => {
    if (linears.has(name)) return scheme;
    return name === "lm_head.weight" ? headScheme : null;
  };
  const modules = new Map<string, QuantizedModule>();
  const entries: TensorEntry[] = [];
  for (const [name, shape] of expectedTensors(decoder)) {
    const own = schemeOf(name);
    const [outFeatures, inFeatures] = shape;
    if (!own) entries.push({ name, dtype: "bf16", shape });
    else {
      const module = name.slice(0, -".weight".length);
      const packed = { kind: "linear", scheme: own, outFeatures, inFeatures } as const;
      modules.set(module, packed);
      entries.push(...quantizedEntries(module, packed));
    }
  }
  mkdirSync(directory, { recursive: true });
  const quantization = writeQuantizationConfig(scheme, modules);
  writeJson(join(directory, "config.json"), { ...config, quantization_config: quantization });
  writeJson(join(directory, "tokenizer.json"), byteTokenizer(Number(config["vocab_size"])));
  writeJson(join(directory, "tokenizer_config.json"), {});
  const writer = await CheckpointWriter.create(directory, entries);
  const random = new Prng(seed);
  for (const { name, dtype, shape } of entries) {
    if (dtype === "bf16") await writer.write(name, randomBfloats(shape, random));
  }
  const makeWeight = packedWeights(random);
  for (const [name, module] of modules) await writeQTensor(writer, name, makeWeight(module));
  await writer.finish();
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, JSON.stringify(value));
}

function randomBfloats(shape: readonly number[], random: Prng): Uint16Array {
  const values = new Uint16Array(elementCount(shape));
  if (shape.length === 1) return values.fill(floatToBfloatBits(1));
  const pool = Uint16Array.from({ length: 65521 }, () =>
    floatToBfloatBits(spread * random.normal()),
  );
  for (let i = 0; i < values.length; i += pool.length) {
    values.set(pool.subarray(0, Math.min(pool.length, values.length - i)), i);
  }
  return values;
}

/**
 * Makes packed weights; rows come from a pool for each scheme and width, so that this takes
 * seconds.
 */
function packedWeights(random: Prng): (module: QuantizedModule) => QTensor {
  const pools = new Map<string, Uint8Array>();
  const poolOf = (scheme: PlanarScheme, inFeatures: number): Uint8Array => {
    const key = `${scheme.id} ${inFeatures}`;
    const pool = pools.get(key) ?? randomRows(scheme, inFeatures, random);
    pools.set(key, pool);
    return pool;
  };
  return (module) => {
    const { outFeatures, inFeatures } = module;
    const scheme = expectPlanar(module.scheme);
    const pool = poolOf(scheme, inFeatures);
    const rowBytes = packedRowBytes(scheme.packing, inFeatures);
    const codes = new Uint8Array(outFeatures * rowBytes);
    for (let row = 0; row < outFeatures; row++) {
      const from = random.below(distinctRows) * rowBytes;
      codes.set(pool.subarray(from, from + rowBytes), row * rowBytes);
    }
    const { scales, zeros } = randomParameters(scheme, module, random);
    return new QTensor(scheme, outFeatures, inFeatures, {
      codes,
      scales,
      zeros,
      activations: null,
    });
  };
}

/** Parses the id of a scheme whose codes lie by themselves. */
function planarScheme(id: string): PlanarScheme {
  return expectPlanar(parseScheme(id));
}

function randomRows({ packing }: PlanarScheme, inFeatures: number, random: Prng): Uint8Array {
  const rowBytes = packedRowBytes(packing, inFeatures);
  const rows = new Uint8Array(distinctRows * rowBytes);
  const codes = new Uint8Array(inFeatures);
  for (let row = 0; row < distinctRows; row++) {
    for (let i = 0; i < inFeatures; i++) codes[i] = random.below(packing.levels);
    packing.pack(codes, 0, inFeatures, rows, row * rowBytes);
  }
  return rows;
}

/** Scales that give weights of the wanted spread, and zero points in the middle of the codes. */
function randomParameters(
  scheme: PlanarScheme,
  { outFeatures, inFeatures }: QuantizedModule,
  random: Prng,
): { scales: Uint16Array; zeros: Uint8Array | Uint16Array | null } {
  const { grid, packing } = scheme;
  const { levels } = packing;
  const count = outFeatures * groupsPerRow(scheme, inFeatures);
  const spreadOfCodes = grid.step * Math.sqrt((levels ** 2 - 1) / 12);
  const some = Uint16Array.from({ length: 1021 }, () =>
    floatToHalfBits((spread / spreadOfCodes) * (0.8 + 0.4 * random.uniform())),
  );
  const scales = new Uint16Array(count);
  for (let i = 0; i < count; i++) scales[i] = some[i % some.length];
  if (grid.zeroPoint === "none") return { scales, zeros: null };
  const middles = new Uint8Array(count);
  for (let i = 0; i < count; i++) middles[i] = levels / 2 - random.below(2);
  if (grid.zeroPoint === "float16") return { scales, zeros: floatsToHalves(middles) };
  const zeros = new Uint8Array(packedRowBytes(packing, count));
  packing.pack(middles, 0, count, zeros, 0);
  return { scales, zeros };
}
