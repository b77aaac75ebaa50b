import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/formats/checkpoint.ts";
import {
  evaluate,
  exportCheckpoint,
  inspect,
  planQuantization,
  type QuantizeOptions,
  quantize,
} from "../../src/index.ts";
import { keptTables } from "../fixtures/kept-tables.ts";
import {
  absent,
  calibrationText,
  evaluationText,
  shared,
  temporaryFolder,
} from "./shared-models.ts";

const model = shared("models/stories260K");
const inFolder = temporaryFolder();
const common = {
  method: "rtn",
  scheme: "w3g64",
  calibration: calibrationText("stories260K"),
  samples: 8,
  window: 128,
  ...keptTables,
} as const;

/** Distance from the original on some windows. */
async function divergence(directory: string): Promise<{ kl: number; perplexity: number }> {
  const { klDivergence, perplexity } = await evaluate(directory, {
    text: evaluationText("stories260K"),
    window: 256,
    maxWindows: 12,
    speedTokens: 0,
    against: model,
  });
  return { kl: klDivergence?.mean ?? Number.NaN, perplexity };
}

/** Dtypes and bytes of tensors of a checkpoint. */
async function tensorOf(directory: string, name: string) {
  const checkpoint = await openCheckpoint(directory);
  const { dtype, begin, end } = checkpoint.info(name);
  const bytes = new Uint8Array(end - begin);
  await checkpoint.readInto(name, bytes, 0);
  await checkpoint.close();
  return { dtype, bytes };
}

const smoothing = { method: "smoothquant", options: { alpha: 0.5 } } as const;

describe.skipIf(absent)(`transforms on a model with grouped queries${absent}`, () => {
  test("awq and rtn are nearer to the original than rtn", async () => {
    const [plain, scaled] = [inFolder("rtn"), inFolder("awq")];
    await quantize(model, { ...common, out: plain });
    const transforms: QuantizeOptions["transforms"] = [
      { method: "awq", options: { searchTokens: 512 } },
    ];
    const { record } = await quantize(model, { ...common, transforms, out: scaled });
    const before = await divergence(plain);
    const after = await divergence(scaled);
    expect(after.kl).toBeLessThan(0.9 * before.kl);
    expect(after.perplexity).toBeLessThan(before.perplexity);
    expect(record.transforms.map(({ method, block }) => [method, block])).toEqual(
      [0, 1, 2, 3, 4].map((block) => ["awq", block]),
    );
    const ratios = record.transforms.flatMap(({ parts }) =>
      parts.flatMap(({ figures }) => figures.ratio ?? []),
    );
    expect(ratios.length).toBe(5 * 4);
    expect(Math.max(...ratios)).toBeGreaterThan(0);
    expect((await inspect(scaled)).quantization?.schemes).toEqual({ w3g64: 35 });

    const exported = inFolder("exported");
    await exportCheckpoint(scaled, { format: "hf", out: exported });
    expect((await divergence(exported)).perplexity / after.perplexity).toBeCloseTo(1, 3);
  });

  test("in front of a quantizer that is tried, ten tokens a column of the widest layer decide", async () => {
    const figures = async (method: "rtn" | "gptq", samples: number) => {
      const transforms: QuantizeOptions["transforms"] = ["awq"];
      const out = inFolder(`${method}-${samples}`);
      const { record } = await quantize(model, { ...common, method, samples, transforms, out });
      return record.transforms[0].parts.find(({ name }) => name === "mlp.up_proj")?.figures;
    };
    // 172 columns: 14 windows of 128 tokens, and these go through the block 16 at a time.
    expect(await figures("gptq", 16)).toEqual(await figures("gptq", 24));
    expect(await figures("rtn", 16)).not.toEqual(await figures("rtn", 24));
  });

  test("smoothquant at 8 bits costs next to nothing; changed norms are stored in float32", async () => {
    const out = inFolder("smooth");
    await quantize(model, {
      ...common,
      scheme: "w8g64",
      transforms: [smoothing],
      out,
    });
    expect((await divergence(out)).kl).toBeLessThan(1e-3);
    const norm = "model.layers.2.input_layernorm.weight";
    expect((await tensorOf(model, norm)).dtype).toBe("f16");
    expect((await tensorOf(out, norm)).dtype).toBe("f32");
  });

  test("smoothquant leaves weights alone where that would do harm", async () => {
    const [plain, smooth, rounded] = ["plain", "asked", "a8"].map((name) => inFolder(name));
    await quantize(model, { ...common, out: plain });
    await quantize(model, { ...common, transforms: ["smoothquant"], out: smooth });
    const codes = "model.layers.2.mlp.down_proj.codes";
    expect(await tensorOf(smooth, codes)).toEqual(await tensorOf(plain, codes));
    const scheme = "w3g64a8-static";
    await quantize(model, { ...common, scheme, transforms: ["smoothquant"], out: rounded });
    expect(await tensorOf(rounded, codes)).not.toEqual(await tensorOf(plain, codes));
  });

  test("layers that are ignored keep their bytes, and the others are still scaled", async () => {
    const out = inFolder("ignored");
    await quantize(model, {
      ...common,
      scheme: "w8g64",
      transforms: [smoothing],
      ignore: ["self_attn.o_proj", "layers.1.self_attn.k_proj"],
      out,
    });
    const same = async (name: string): Promise<void> => {
      expect(await tensorOf(out, name)).toEqual(await tensorOf(model, name));
    };
    await same("model.layers.0.self_attn.o_proj.weight");
    await same("model.layers.1.self_attn.k_proj.weight");
    await same("model.layers.1.input_layernorm.weight");
    const scaled = await tensorOf(out, "model.layers.0.input_layernorm.weight");
    expect(scaled.dtype).toBe("f32");
    expect((await divergence(out)).kl).toBeLessThan(1e-3);
  });

  test("a plan names the transforms and warns below 3 bits", async () => {
    const options = { ...common, transforms: ["awq"], out: inFolder("plan") } as const;
    const plan = await planQuantization(model, { ...options, scheme: "w2g64" });
    expect(plan.methodTitle).toBe("AWQ + RTN");
    expect(plan.cautions).toEqual([expect.stringContaining("w2g64")]);
    expect((await planQuantization(model, options)).cautions).toEqual([]);
  });
});
