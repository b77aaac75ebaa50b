import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { inspect, load, type QuantizeOptions } from "../../src/index.ts";
import { novelRtn } from "../fixtures/novel-checkpoint.ts";
import { writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";
import { refusal, run } from "./generic-runs.ts";
import { temporaryFolder } from "./shared-models.ts";

/* Models that fewbit can run, quantized by what their tensors look like all the same. */

const inFolder = temporaryFolder();

describe("a model that fewbit knows", () => {
  const cases = ["llama", "gpt2", "opt", "gpt-neox", "phi3", "gemma3", "mobilellm"];
  const ways: (Pick<QuantizeOptions, "scheme"> & { method: "rtn" | "hqq" })[] = [
    { method: "rtn", scheme: "w4g16" },
    { method: "hqq", scheme: "w3g16" },
  ];
  test.each(cases.flatMap((modelCase) => ways.map((way) => ({ modelCase, ...way }))))(
    "$modelCase has the same tensors by $method as without `generic`",
    async (asked) => {
      const { modelCase, method, scheme } = asked;
      const model = await writeTinyCheckpoint({ modelCase });
      const [usual, generic] = ["usual", "generic"].map((how) =>
        inFolder(`${modelCase}-${method}-${how}`),
      );
      const options = { method, scheme, embedding: "w8", head: "f16" } as const;
      await run(model.path, { ...options, out: usual });
      const record = await run(model.path, { ...options, generic: true, out: generic });
      const weights = "model.safetensors";
      const [before, after] = [usual, generic].map((out) => readFileSync(join(out, weights)));
      expect(after.equals(before)).toBe(true);
      const [a, b] = await Promise.all([inspect(usual), inspect(generic)]);
      expect(b.quantization).toEqual(a.quantization);
      expect(b.sizes).toEqual(a.sizes);
      expect(record.bitsPerWeight).toEqual(a.bitsPerWeight);
      const loaded = await load(generic);
      expect(loaded.schemeId).toBe(a.quantization?.scheme);
      loaded.release();
      await model.remove();
    },
  );

  test("that has a field which is not known is taken as it is stored", async () => {
    const model = await writeTinyCheckpoint({
      modelCase: "qwen3",
      config: { hidden_act: "novel" },
    });
    const error = await refusal(
      run(model.path, { ...novelRtn, generic: false, out: inFolder("act") }),
    );
    expect(String((error as { hint?: string }).hint)).toContain("`generic`");
    const record = await run(model.path, { ...novelRtn, out: inFolder("act") });
    expect(record.linears).toHaveLength(14);
    await model.remove();
  });
});
