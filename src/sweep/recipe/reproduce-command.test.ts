import { expect, it } from "vitest";
import { parseRecipe } from "../../recipe/parse-recipe.ts";
import { reproduceCommand } from "./reproduce-command.ts";

it("a recipe is written as the command that makes the same checkpoint", () => {
  const command = reproduceCommand(
    {
      model: "/data/model",
      out: "out",
      transforms: [{ method: "awq", options: { clip: false } }],
      method: "gptq",
      options: { damping: 0.02, activationOrder: true },
      finishers: [
        {
          method: "e2e-qp",
          options: { learningRate: 1e-5 },
          data: { files: [{ path: "/data/chat.jsonl" }], samples: 64 },
        },
      ],
      scheme: "w4g32",
      embedding: "w8",
      ignore: ["*.o_proj"],
      layers: [{ pattern: "mlp.*", scheme: "w2g32" }],
      calibration: { files: [{ path: "/data/a b.txt", weight: 2 }], window: 128 },
      trueSequential: false,
      seed: 3,
    },
    "made",
    (path) => path.replace("/data/", "../"),
  );
  expect(command).toBe(
    "fewbit quantize ../model --transform awq --no-awq-clip " +
      "--method gptq --damping 0.02 --activation-order " +
      "--finish e2e-qp --e2e-qp-learning-rate 0.00001 --scheme w4g32 --embedding w8 " +
      '--ignore "*.o_proj" --layer "mlp.*=w2g32" --calibration "../a b.txt=2" --window 128 ' +
      "--finish-text ../chat.jsonl --finish-samples 64 --no-true-sequential --seed 3 --out made",
  );
});

it("a start comes with the options that the method does not have itself", () => {
  const command = reproduceCommand(
    {
      model: "model",
      out: "out",
      method: "block-ap",
      options: { epochs: 1 },
      start: { method: "gptq", options: { damping: 0.02 } },
      scheme: "w2g64",
      calibration: { files: [{ path: "a" }] },
    },
    "made",
    (path) => path,
  );
  expect(command).toBe(
    "fewbit quantize model --method block-ap --epochs 1 --start gptq --damping 0.02 " +
      "--scheme w2g64 --calibration a --out made",
  );
});

it("leaves out what holds by default, but no weight that a name seems to have", () => {
  const { parsed } = parseRecipe({
    model: "model",
    out: "out",
    method: "gptq",
    scheme: "w4",
    calibration: { files: [{ path: "a=2" }, { path: "b" }] },
  });
  expect(reproduceCommand(parsed, "made", (path) => path)).toBe(
    "fewbit quantize model --method gptq --scheme w4 " +
      "--calibration a=2=1 --calibration b --out made",
  );
});

it("says that a model was quantized by what its tensors look like", () => {
  const how = { method: "rtn", scheme: "w4", generic: true } as const;
  const { parsed } = parseRecipe({ model: "model", out: "out", ...how });
  expect(reproduceCommand(parsed, "made", (path) => path)).toBe(
    "fewbit quantize model --method rtn --scheme w4 --generic --out made",
  );
});
