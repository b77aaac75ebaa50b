import { readFileSync } from "node:fs";
import { join } from "node:path";
import { generateText, inspect, load, planQuantization } from "../../../src/index.ts";
import { modelCaseNames } from "../../../test/golden/model-cases.ts";
import { writeTinyCheckpoint } from "../../../test/golden/tiny-checkpoint.ts";
import type { Kind } from "../kind.ts";
import { readJson, Variant } from "./fixtures.ts";

const header = "model.safetensors";
const index = "model.safetensors.index.json";
const backend = "reference";

async function runModel(path: string): Promise<void> {
  const model = await load(path, { backend });
  try {
    await generateText(model, { prompt: "ab", maxTokens: 2 });
  } finally {
    model.release();
  }
}

/** Files of weights: their header and their bytes. */
export const safetensors: Kind = {
  id: "safetensors",
  title: "weights, header and data",
  open: async (folder) => {
    const { path } = await writeTinyCheckpoint();
    const variant = new Variant(join(folder, "model"), path, [header]);
    const bytes = new Uint8Array(readFileSync(join(path, header)));
    const length = 8 + new DataView(bytes.buffer).getUint32(0, true);
    const json: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(8, length)));
    return async (mutator) => {
      if (mutator.prng.below(2) === 0) variant.write(header, mutator.bytes(bytes));
      else {
        const changed = new TextEncoder().encode(mutator.json(json));
        const whole = new Uint8Array(8 + changed.length + bytes.length - length);
        new DataView(whole.buffer).setBigUint64(0, BigInt(changed.length), true);
        whole.set(changed, 8);
        whole.set(bytes.subarray(length), 8 + changed.length);
        variant.write(header, whole);
      }
      await inspect(variant.path);
      await runModel(variant.path);
    };
  },
};

/** The list of shards. */
export const shardIndex: Kind = {
  id: "shard-index",
  title: `${index}`,
  open: async (folder) => {
    const { path } = await writeTinyCheckpoint();
    const shard = "model-00001-of-00001.safetensors";
    const variant = new Variant(join(folder, "model"), path, [header]);
    variant.write(shard, readFileSync(join(path, header)));
    const { tensors } = await inspect(path);
    const json = {
      metadata: { total_size: 1 },
      weight_map: Object.fromEntries(tensors.map(({ name }) => [name, shard])),
    };
    return async (mutator) => {
      variant.write(index, mutator.json(json));
      await runModel(variant.path);
    };
  },
};

/** `config.json` of every architecture, and what the others say of special tokens. */
export const config: Kind = {
  id: "config",
  title: "config.json and generation_config.json of all architectures",
  open: async (folder) => {
    const originals = await Promise.all(
      modelCaseNames.map(async (modelCase, i) => {
        const { path } = await writeTinyCheckpoint({ modelCase });
        const files = ["config.json", "generation_config.json"].map(
          (name) => [name, readJson(join(path, name))] as const,
        );
        return {
          files,
          variant: new Variant(
            join(folder, `${i}`),
            path,
            files.map(([name]) => name),
          ),
        };
      }),
    );
    return async (mutator) => {
      const { files, variant } = mutator.pick(originals);
      const changed = mutator.prng.below(6) === 0 ? 1 : 0;
      for (const [i, [name, value]] of files.entries()) {
        variant.write(name, i === changed ? mutator.json(value) : JSON.stringify(value));
      }
      await planQuantization(variant.path, { method: "rtn", scheme: "w4g32", out: "out", backend });
      await runModel(variant.path);
    };
  },
};

/** What fewbit writes of packed weights, and their bytes. */
export const packed: Kind = {
  id: "packed",
  title: "quantization_config and packed weights",
  open: async (folder) => {
    const schemes = ["w4g32", "w3g32-sym", "w1-onebit", "w1.58", "w8a8"];
    const originals = await Promise.all(
      schemes.map(async (scheme, i) => {
        const { path } = await writeTinyCheckpoint({ scheme });
        const variant = new Variant(join(folder, `${i}`), path, ["config.json", header]);
        const bytes = new Uint8Array(readFileSync(join(path, header)));
        return { variant, bytes, config: readJson(join(path, "config.json")) };
      }),
    );
    return async (mutator) => {
      const { variant, bytes, config: json } = mutator.pick(originals);
      const isConfig = mutator.prng.below(4) > 0;
      variant.write("config.json", isConfig ? mutator.json(json) : JSON.stringify(json));
      variant.write(header, isConfig ? bytes : mutator.bytes(bytes));
      await inspect(variant.path);
      await runModel(variant.path);
    };
  },
};
