import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { QuantizeOptions } from "../../src/index.ts";
import { block, novel, novelRtn } from "../fixtures/novel-checkpoint.ts";
import { writePlainCheckpoint } from "../fixtures/plain-checkpoint.ts";
import { refusal, run } from "./generic-runs.ts";
import { temporaryFolder } from "./shared-models.ts";

/* What `generic` refuses: everything that needs more than the weights. */

const inFolder = temporaryFolder();

let path = "";
let remove: () => Promise<void> = async () => {};
beforeAll(async () => {
  ({ path, remove } = await writePlainCheckpoint(novel));
});
afterAll(() => remove());

/** What is asked, the field that the error is about, and what it says. */
const refused: [what: string, asked: Record<string, unknown>, field: string, message: RegExp][] = [
  ["GPTQ", { method: "gptq" }, "method", /GPTQ works on activations/],
  ["Block-AP", { method: "block-ap" }, "method", /Block-AP works on activations/],
  ["ParetoQ", { method: "paretoq", scheme: "w2-seq" }, "method", /ParetoQ works on activ/],
  ["calibration text", { calibration: "text.txt" }, "calibration", /calibration text is of no use/],
  ["a transform", { transforms: ["awq"] }, "transforms", /transforms work on activations/],
  ["a finisher", { finishers: ["e2e-qp"] }, "finishers", /finishers train the model/],
  ["importance", { imatrix: "a.gguf", scheme: "q4_k" }, "imatrix", /importance of columns/],
  ["a teacher", { teacher: "other" }, "teacher", /nothing is learned from a teacher/],
  ["a mixture", { scheme: "Q4_K_M" }, "scheme", /the mixture Q4_K_M goes by the layers/],
  ["ranges", { scheme: "w8-narrowa8-static" }, "scheme", /needs ranges of activations/],
  ["a GGUF file", { out: "model.gguf" }, "out", /GGUF files hold only/],
  ["a pattern of nothing", { ignore: ["lm_head"] }, "ignore[0]", /fits no linear layer/],
  ["a table that is not there", { embedding: "w8", model: "bare" }, "embedding", /no tensor looks/],
  ["rows that are no blocks", { scheme: "q4_k" }, "scheme", /does not fit/],
];

describe("what needs more than weights is refused before any work, by its field", () => {
  test.each(refused)("%s", async (_, asked, field, message) => {
    const { model, ...options } = asked;
    const bare = await writePlainCheckpoint({ config: novel.config, tensors: block(0) });
    const out = inFolder("nothing");
    const attempt = { ...novelRtn, out, ...options } as QuantizeOptions;
    const error = await refusal(run(model === "bare" ? bare.path : path, attempt));
    expect(error).toMatchObject({ code: "USAGE", field });
    expect(String(error)).toMatch(message);
    expect(existsSync(out)).toBe(false);
    await bare.remove();
  });

  test("a checkpoint without linear layers, and one whose weights are all ignored", async () => {
    const tensors = { "model.norm.weight": [64], "h.0.gate.weight": [2, 64] } as const;
    const bare = await writePlainCheckpoint({ config: novel.config, tensors });
    const out = inFolder("none");
    expect(await refusal(run(bare.path, { ...novelRtn, out }))).toMatchObject({ code: "USAGE" });
    await bare.remove();
    const all = await refusal(run(path, { ...novelRtn, ignore: ["*"], out }));
    expect(String(all)).toContain("nothing is left to quantize");
  });

  test("a GGUF file, whose architecture is known", async () => {
    const error = await refusal(run("model.gguf", { ...novelRtn, out: inFolder("gguf") }));
    expect(error).toMatchObject({ code: "UNSUPPORTED", field: "generic" });
  });

  test("a checkpoint that is quantized already, and an adapter", async () => {
    const out = inFolder("once");
    await run(path, { ...novelRtn, out });
    const twice = await refusal(run(out, { ...novelRtn, out: inFolder("twice") }));
    expect(String(twice)).toContain("is quantized already, to w4g32");
    const adapter = await writePlainCheckpoint({
      config: novel.config,
      tensors: { ...block(0), "model.layers.0.mixer.in_proj.lora_A.weight": [8, 64] },
    });
    const error = await refusal(run(adapter.path, { ...novelRtn, out: inFolder("adapted") }));
    expect(String(error)).toContain("an adapter that is not merged");
    await adapter.remove();
  });

  test("a weight with NaN, by its name", async () => {
    const name = "model.layers.0.up.weight";
    const values = new Float32Array(64 * 64).fill(0.5);
    values[70] = Number.NaN;
    const bad = { config: novel.config, tensors: { [name]: [64, 64] }, values: { [name]: values } };
    const { path: model, remove: removeIt } = await writePlainCheckpoint(bad);
    const error = await refusal(run(model, { ...novelRtn, out: inFolder("nan") }));
    expect(error).toMatchObject({ code: "NUMERIC" });
    expect(String(error)).toContain(name);
    expect(existsSync(inFolder("nan"))).toBe(false);
    await removeIt();
  });
});
