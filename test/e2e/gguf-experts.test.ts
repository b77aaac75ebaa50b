import { copyFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import {
  exportCheckpoint,
  inspect,
  load,
  planExport,
  quantize,
  type QuantizeOptions,
  UnsupportedError,
} from "../../src/index.ts";
import { type TinyCheckpointOptions, writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";
import { temporaryFolder } from "./shared-models.ts";

/* Experts of a mixture share a tensor, and so a type, in a GGUF file. */

const inFolder = temporaryFolder();
const builtin = new URL("../../builtin/model/", import.meta.url).pathname;
const removals: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const remove of removals.splice(0)) await remove();
});

const fields = { hidden_size: 64, intermediate_size: 64, vocab_size: 1536 };

/** A mixture with a tokenizer that has a token for every byte. */
async function mixture(options: TinyCheckpointOptions = {}): Promise<string> {
  const config = { ...fields, ...options.config };
  const tiny = await writeTinyCheckpoint({
    modelCase: "mixtral",
    ...options,
    config,
    fitting: true,
  });
  removals.push(tiny.remove);
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    copyFileSync(join(builtin, name), join(tiny.path, name));
  }
  return tiny.path;
}

const quantized = async (name: string, layers: QuantizeOptions["layers"]): Promise<string> => {
  const out = inFolder(name);
  await quantize(await mixture(), { out, method: "rtn", scheme: "w4g32-sym", layers });
  return out;
};

describe("layers of experts in one tensor", () => {
  test.each([{}, { modelCase: "qwen2-moe", config: { moe_intermediate_size: 64 } }])(
    "%j: are verified, weight by weight, and go out again as they came in",
    async (options) => {
      const path = await mixture({ ...options, scheme: "w4g32-sym" });
      const out = inFolder(`verified-${options.modelCase ?? ""}.gguf`);
      const plan = await planExport(path, { format: "gguf", out });
      const result = await exportCheckpoint(path, { format: "gguf", out, verify: true });
      if (result.format !== "gguf") throw new Error("expected a GGUF export");
      expect(statSync(out).size).toBe(plan.sizeBytes);
      const { parameters } = (await inspect(path)).sizes;
      expect(result.verification?.sameWeights).toBe(parameters);
      expect(result.loss).toBeNull();
      const again = inFolder(`again-${options.modelCase ?? ""}.gguf`);
      const twice = await exportCheckpoint(out, { format: "gguf", out: again, verify: true });
      expect(twice).toMatchObject({ types: result.types, loss: null });
    },
  );

  test("of several schemes have the smallest type that holds all", async () => {
    const layers = [{ pattern: "experts.2.*", scheme: "w3g32-sym" }];
    const path = await quantized("mixed", layers);
    const out = inFolder("mixed.gguf");
    const result = await exportCheckpoint(path, { format: "gguf", out, verify: true });
    expect(result).toMatchObject({ loss: null, types: { q4_0: { tensors: 14 } } });
  });

  test("that no type holds are refused before any work, with the schemes", async () => {
    const layers = [{ pattern: "experts.1.w2", scheme: "w8g32" }];
    const path = await quantized("unlike", layers);
    const out = inFolder("unlike.gguf");
    const asked = exportCheckpoint(path, { format: "gguf", out });
    await expect(asked).rejects.toThrow(UnsupportedError);
    await expect(asked).rejects.toThrow(
      /blk\.\d\.ffn_down_exps\.weight, one type for 4 experts of the schemes w4g32-sym, w8g32,/,
    );
    await expect(asked).rejects.toMatchObject({ hint: expect.stringContaining("`type: f32`") });
    expect(() => statSync(out)).toThrow("ENOENT");
    const rounded = await exportCheckpoint(path, {
      format: "gguf",
      out,
      type: "q8_0",
      requantize: true,
    });
    if (rounded.format !== "gguf") throw new Error("expected a GGUF export");
    expect(rounded.loss?.worst.name).toMatch(/ffn_down_exps/);
    expect(rounded.loss?.relativeError).toBeLessThan(0.01);
  });

  test("of which some stayed in floats are refused unless they may be rounded", async () => {
    const out = inFolder("some-floats");
    await quantize(await mixture(), {
      out,
      method: "rtn",
      scheme: "w4g32-sym",
      ignore: ["experts.0.*"],
    });
    const file = inFolder("some-floats.gguf");
    const asked = exportCheckpoint(out, { format: "gguf", out: file });
    await expect(asked).rejects.toThrow(/4 experts of the schemes floats, w4g32-sym,/);
    const wide = await exportCheckpoint(out, { format: "gguf", out: file, type: "f32" });
    expect(wide).toMatchObject({ loss: null });
  });

  test("are quantized straight to a file, as a mixture of types too", async () => {
    for (const scheme of ["w4g32-sym", "Q4_K_M"]) {
      const out = inFolder(`${scheme}.gguf`);
      await quantize(await mixture({ config: { num_hidden_layers: 1 } }), {
        out,
        method: "rtn",
        scheme,
      });
      const model = await load(out);
      expect(model.architecture).toBe("Mixtral");
      model.release();
    }
  });
});
