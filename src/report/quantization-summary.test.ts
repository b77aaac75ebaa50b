import { describe, expect, test } from "vitest";
import type { LinearRecord, RunRecord } from "../run/run-record.ts";
import { formatDone, formatQuantizationSummary } from "./quantization-summary.ts";
import { plainStyle } from "./style.ts";
import { textWidth } from "./table.ts";

const linear = (slot: string, block: number, relativeError: number): LinearRecord => ({
  module: `model.layers.${block}.${slot}`,
  block,
  slot,
  scheme: "w2g64",
  bitsPerWeight: 2.28,
  weights: 1000,
  relativeError,
  errorOf: "outputs",
  elapsedMs: 5,
});

const record: RunRecord = {
  fewbit: "0.1.0",
  identity: "",
  origin: null,
  recipe: {
    model: "./prose-6m",
    out: "./prose-6m-w2",
    method: "gptq",
    options: {},
    scheme: "w2g64",
    ignore: [],
    layers: [],
    calibration: null,
    embedding: null,
    head: null,
    start: null,
    transforms: [],
    finishers: [],
    generic: false,
    allocation: null,
    kvCache: null,
    trueSequential: true,
    activationRange: "min-max",
    teacher: null,
    imatrix: null,
    cacheDType: "f32",
    cacheOnDisk: false,
    seed: 0,
  },
  backend: { id: "native", level: "avx512", threads: 1 },
  machine: {
    system: "Linux",
    architecture: "x64",
    processor: "p",
    cores: 2,
    memoryBytes: 1,
    runtime: "Node",
  },
  resumptions: [],
  startedAt: "2026-01-01T00:00:00Z",
  elapsedMs: 11_400,
  peakMemoryBytes: 310_000_000,
  processorMs: 1,
  peakAnonymousBytes: null,
  calibration: null,
  transforms: [],
  sourceBytes: 11_541_504,
  sizeBytes: 3_450_000,
  bitsPerWeight: { linear: 2.28, file: 4.78 },
  linears: [
    linear("self_attn.q_proj", 0, 0.02),
    linear("self_attn.k_proj", 0, 0.058),
    linear("mlp.down_proj", 5, 0.071),
  ],
  blocks: [],
  ends: [],
  fallbacks: [],
};
const kept = [{ label: "embedding, head", bitsPerWeight: 16, sizeBytes: 2_000_000 }];

describe("quantization summary", () => {
  test("groups, what was kept and the whole file stand in one table", () => {
    expect(formatQuantizationSummary(record, kept, { width: 80, style: plainStyle })).toEqual([
      "  layer group      bits/weight  output error   worst",
      "  attention               2.28        0.0390  0.0580  blocks.0.self_attn.k_proj",
      "  mlp                     2.28        0.0710  0.0710  blocks.5.mlp.down_proj",
      "  embedding, head        16.00             –",
      "  whole file              4.78  3.45 MB  (was 11.5 MB)",
    ]);
  });

  test("layers that fell back are listed with their reason", () => {
    const fallen = { ...linear("mlp.up_proj", 1, 0.1), fallback: "Hessian not positive definite" };
    const lines = formatQuantizationSummary(
      { ...record, linears: [...record.linears, fallen] },
      kept,
      { width: 80, style: plainStyle },
    );
    expect(lines.slice(-2)).toEqual([
      "  1 layer fell back to a simpler way:",
      "  blocks.1.mlp.up_proj  Hessian not positive definite",
    ]);
  });

  test("tokens of experts stand one by one, or of more than eight as their spread", () => {
    const expert = (block: number, index: number, tokens: number): LinearRecord[] =>
      ["gate_proj", "down_proj"].map((layer) => ({
        ...linear(`mlp.experts.${index}.${layer}`, block, 0.1),
        tokens,
      }));
    const few = [7, 0, 3].flatMap((tokens, index) => expert(0, index, tokens));
    const many = Array.from({ length: 9 }, (_, index) => expert(1, index, 10 * index)).flat();
    const linears = [...record.linears, ...few, ...many];
    const lines = formatQuantizationSummary({ ...record, linears }, kept, {
      width: 80,
      style: plainStyle,
    });
    expect(lines.slice(-4)).toEqual([
      "  calibration tokens by expert:",
      "           fewest  median  most  without  each",
      "  block 0       0       3     7        1  7 0 3",
      "  block 1       0      40    80        1",
    ]);
  });

  test.each([40, 60, 80])("at %d columns nothing wraps", (width) => {
    for (const line of formatQuantizationSummary(record, kept, { width, style: plainStyle })) {
      expect(textWidth(line)).toBeLessThanOrEqual(width);
    }
  });

  test("the closing line says time, memory and where the record is", () => {
    expect(formatDone(record, { width: 80, style: plainStyle })).toEqual([
      "  done in 11.4 s · peak memory 310 MB · run record in ./prose-6m-w2/run.json",
    ]);
  });
});
