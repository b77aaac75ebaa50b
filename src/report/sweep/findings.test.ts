import { describe, expect, it } from "vitest";
import { makeSweepResults } from "../../../test/fixtures/sweep-results.ts";
import type { SweepResults } from "../../sweep/results/sweep-results.ts";
import { analyze } from "../../sweep/analysis/analyze-sweep.ts";
import type { Finding } from "./finding.ts";
import { describeSweep } from "./describe-sweep.ts";
import { findingsOf } from "./findings.ts";
import type { QualityAnalysis } from "../../sweep/analysis/sweep-analysis.ts";

const methods = [
  ["gptq", ["w4g64", "w2g64"]],
  ["paretoq", ["w4-sym", "w2-seq"]],
] as const;
const failed = "tiny-2m gptq w2g64";
const results = makeSweepResults({ methods, failed: [failed] });
const analysis = analyze(results, { draws: 300 });
const findings = findingsOf(results, analysis);

function quality(id: string): QualityAnalysis {
  const found = analysis.qualities.find((candidate) => candidate.id === id);
  if (!found) throw new Error(`no quality ${id}`);
  return found;
}

function textsOf(list: readonly Finding[], kind: Finding["kind"]): string[] {
  return list.filter((finding) => finding.kind === kind).map(({ text }) => text);
}

/** The same results with something changed in each text of some points. */
function changeTexts(
  change: (text: NonNullable<SweepResults["points"][0]["result"]>["texts"][0]) => object,
  where: (model: string) => boolean = () => true,
): SweepResults {
  return {
    ...results,
    points: results.points.map((record) =>
      record.result && where(record.point.model)
        ? {
            ...record,
            result: {
              ...record.result,
              texts: record.result.texts.map((text) => ({ ...text, ...change(text) })),
            },
          }
        : record,
    ),
  };
}

describe("analyze", () => {
  it("is the same for the same results and seed", () => {
    expect(analyze(results, { draws: 300 })).toEqual(analysis);
    expect(analyze(results, { draws: 300, seed: 1 })).not.toEqual(analysis);
  });

  it("draws the curve of 16 bits through the originals, not through what was trained further", () => {
    const both = makeSweepResults({ methods: [["train", ["w16"]]] });
    const points = both.points.map(({ point, ...record }) => ({
      ...record,
      point: { ...point, method: point.method === null ? "train" : null },
    }));
    const originalsFirst = [...points].sort(
      (a, b) => Number(a.point.method !== null) - Number(b.point.method !== null),
    );
    const curves = analyze({ ...both, points: originalsFirst }, { draws: 50 }).qualities[0]?.curves;
    const best = curves?.filter(({ size, best }) => size === "size" && best);
    expect(best?.map(({ label }) => label)).toEqual(["train w16"]);
  });

  it("has only points that were measured, with their figures inside their intervals", () => {
    const { points, models } = quality("perplexity:test.txt");
    expect(points).toHaveLength(19);
    expect(points.map(({ id }) => id)).not.toContain(failed);
    expect(models).toEqual(["tiny-0.3m", "tiny-0.8m", "tiny-2m", "tiny-5m"]);
    for (const { value, interval } of points) {
      expect(interval.low).toBeLessThan(value);
      expect(interval.high).toBeGreaterThan(value);
    }
  });

  it("splits points into the front and those that a point of the front beats", () => {
    const { fronts, points } = quality("perplexity:test.txt");
    expect(fronts.map(({ cost }) => cost)).toEqual([
      "size",
      "linear-size",
      "bits",
      "file-bits",
      "speed",
      "time",
    ]);
    const [size] = fronts;
    expect(
      [...(size?.points ?? []), ...(size?.dominated ?? []).map(({ id }) => id)].sort(),
    ).toEqual(points.map(({ id }) => id).sort());
    const worse = size?.dominated.find(({ id }) => id === "tiny-0.3m gptq w2g64");
    expect(worse).toMatchObject({ clear: true });
    expect(size?.points).toContain("tiny-0.3m paretoq w2-seq");
  });

  it("names the best method of each model and bit-width, and those that cannot be told apart", () => {
    const contest = quality("perplexity:test.txt").contests.find(
      ({ model, bits }) => model === "tiny-5m" && bits === 2,
    );
    expect(contest?.points).toEqual(["tiny-5m paretoq w2-seq", "tiny-5m gptq w2g64"]);
    expect(contest?.tied).toEqual([]);
  });

  it("keeps divergences of models apart, and draws no curves over them", () => {
    const divergences = analysis.qualities.filter(({ id }) => id === "kl:test.txt");
    expect(divergences.map(({ models }) => models)).toContainEqual(["tiny-5m"]);
    expect(divergences).toHaveLength(4);
    for (const { curves, crossovers } of divergences)
      expect([curves, crossovers]).toEqual([[], []]);
  });

  it("keeps models apart that cut the text into other tokens", () => {
    const other = changeTexts(
      () => ({ tokensSha256: "ab".repeat(32) }),
      (model) => model === "tiny-5m",
    );
    const found = analyze(other, { draws: 50 }).qualities.filter(
      ({ id }) => id === "perplexity:test.txt",
    );
    expect(found.map(({ models }) => models)).toEqual([
      ["tiny-0.3m", "tiny-0.8m", "tiny-2m"],
      ["tiny-5m"],
    ]);
  });

  it("draws the curve of the best label of each bit-width, fits it, and compares at equal size", () => {
    const { curves, crossovers } = quality("perplexity:test.txt");
    const best = curves.filter((curve) => curve.best && curve.size === "size");
    expect(best.map(({ label }) => label).sort()).toEqual([
      "original",
      "paretoq w2-seq",
      "paretoq w4-sym",
    ]);
    for (const { fit, points } of best) {
      expect(fit?.band[0]?.sizeBytes).toBe(points[0]?.sizeBytes);
      expect(fit?.exponent).toBeGreaterThan(0.1);
      expect(fit?.exponent).toBeLessThan(0.4);
    }
    const crossover = crossovers.find(
      ({ fewer, more, size }) => fewer.bits === 2 && more.bits === 4 && size === "size",
    );
    // Between the sizes of the smallest 4-bit and the largest 2-bit model.
    expect(crossover?.from).toBe(best.find(({ bits }) => bits === 4)?.points[0]?.sizeBytes);
    expect(crossover?.to).toBe(best.find(({ bits }) => bits === 2)?.points.at(-1)?.sizeBytes);
    expect(crossover?.mean.verdict).toBe("b");
  });
});

describe("findingsOf", () => {
  it("opens with bit-widths at equal size, with the difference and its interval", () => {
    expect(findings[0]?.text).toMatch(
      /^At equal file size 2 bits \(paretoq w2-seq\) are worse than 4 bits \(paretoq w4-sym\): perplexity is \d\.\d ± \d\.\d % higher in the mean over 0\.222 MB to 2\.73 MB\.$/,
    );
  });

  it("says that something cannot be told apart where the data do not decide", () => {
    const accuracy = textsOf(findings, "crossover").find((text) => text.includes("accuracy"));
    expect(accuracy).toMatch(
      /cannot be told apart: in the mean over [\d.]+ MB to [\d.]+ MB accuracy \(average own\) differs by between −/,
    );
  });

  it("looks at the bytes of the linear layers alone, too", () => {
    const other = textsOf(findings, "crossover").filter((text) => text.includes("linear layers"));
    expect(other[0]).toMatch(/^At equal bytes of the linear layers 2 bits \(paretoq w2-seq\) are /);
  });

  it("says which method is best at each bit-width, and what it costs against the original", () => {
    expect(textsOf(findings, "method")).toContain(
      "At 2 bits paretoq w2-seq has the best perplexity on all 3 models, ahead of all others there.",
    );
    expect(textsOf(findings, "cost").join(" ")).toMatch(
      /perplexity at 2 bits is \d+\.\d ± \d\.\d % higher \(0\.3m, paretoq w2-seq\)/,
    );
  });

  it("says how large an original of the same quality would be, where the originals enclose it", () => {
    expect(textsOf(findings, "size")[0]).toMatch(
      /^2 bits of 5m \(paretoq w2-seq, 2\.73 MB\) have the perplexity of an original of \d\.\d+ MB \(\d\.\d+ MB to \d\.\d+ MB\)\.$/,
    );
  });

  it("gives the exponents of the fitted curves", () => {
    expect(textsOf(findings, "scaling")[0]).toMatch(
      /^Over 4 sizes, loss falls with the file's bytes to the power of −0\.\d\d at 16 bits \(−0\.\d\d to −0\.\d\d\)/,
    );
  });

  it("says how many points failed, and rests on none of them", () => {
    expect(textsOf(findings, "caveat")[0]).toBe(
      "1 point of 20 failed; no sentence speaks of them.",
    );
    const used = findings.filter(({ kind }) => kind !== "caveat").flatMap(({ points }) => points);
    expect(used).not.toContain(failed);
  });

  it("compares a larger model with a smaller one where their sizes are near", () => {
    const near = makeSweepResults({
      models: [
        ["tiny-1m", 1_000_000],
        ["tiny-1.52m", 1_520_000],
        ["tiny-2.3m", 2_300_000],
      ],
      methods,
    });
    const sentences = textsOf(findingsOf(near, analyze(near, { draws: 300 })), "size");
    expect(sentences[0]).toMatch(
      /^At 0\.\d+ MB and 0\.\d+ MB, 2 bits of 1\.52m \(paretoq w2-seq\) (beat|are beaten by) 4 bits of 1m \(paretoq w4-sym\): perplexity is \d+\.\d ± \d\.\d % (lower|higher)\.$/,
    );
  });

  it("says nothing of sizes for one model, and nothing at all without results", () => {
    const one = makeSweepResults({ models: [["tiny-1m", 1_000_000]], methods });
    const kinds = findingsOf(one, analyze(one, { draws: 100 })).map(({ kind }) => kind);
    expect(new Set(kinds)).toEqual(new Set(["method", "cost", "caveat"]));
    expect(findingsOf({ ...results, points: [] })).toEqual([]);
  });

  it("names the divergence where something is better than its original", () => {
    // Trained on text of the kind that it is measured on: half a nat below the original.
    const trained: SweepResults = {
      ...results,
      points: results.points.map((record) => {
        const { result, point } = record;
        if (!result || point.label !== "paretoq w2-seq") return record;
        const texts = result.texts.map((text) => ({
          ...text,
          windowLosses: text.windowLosses.map((loss) => loss - 0.5),
        }));
        return { ...record, result: { ...result, texts } };
      }),
    };
    const costs = textsOf(findingsOf(trained, analyze(trained, { draws: 300 })), "cost");
    const better = costs.filter((text) => text.includes("perplexity") && text.includes("lower"));
    expect(better.join(" ")).toMatch(
      /at 2 bits is \d+\.\d ± \d\.\d % lower \(0\.3m, paretoq w2-seq; KL divergence from it 0\.\d+ nats a token\)/,
    );
    for (const text of textsOf(findings, "cost")) {
      if (!text.includes("lower")) expect(text).not.toContain("KL");
    }
    const unmeasured: SweepResults = {
      ...trained,
      points: trained.points.map((record) => ({
        ...record,
        result: record.result && {
          ...record.result,
          texts: record.result.texts.map((text) => ({ ...text, klDivergence: null })),
        },
      })),
    };
    const open = textsOf(findingsOf(unmeasured, analyze(unmeasured, { draws: 300 })), "cost");
    expect(open.join(" ")).toContain("KL divergence from it not measured");
  });

  it("says which models cut the text into other tokens, and compares them with none of the others", () => {
    const other = changeTexts(
      () => ({ tokensSha256: "71".repeat(32) }),
      (model) => model === "tiny-5m",
    );
    const found = findingsOf(other, analyze(other, { draws: 50 }));
    expect(textsOf(found, "caveat")).toContain(
      "5m cuts test.txt into other tokens or windows than the others: perplexities are held against " +
        "those of the same tokens only.",
    );
    const { main, families } = describeSweep(other);
    const modelsOf = (ids: readonly string[]): Set<string> =>
      new Set(ids.map((id) => /tiny-\S+/.exec(id)?.[0] ?? ""));
    const front = main?.plot.points.filter(({ faded }) => !faded) ?? [];
    expect(main?.plot.lines).toHaveLength(2);
    for (const line of main?.plot.lines ?? []) {
      const on = front.filter(({ x, y }) => line.places.some(([px, py]) => px === x && py === y));
      expect(
        new Set([...modelsOf(on.map(({ title }) => title))].map((name) => name === "tiny-5m")).size,
      ).toBe(1);
    }
    for (const { plot } of families) {
      expect(modelsOf(plot.points.map(({ title }) => title))).not.toContain("tiny-5m");
    }
  });

  it("leaves out a text of one window, and losses that are not finite", () => {
    const short = changeTexts(({ windowLosses }) => ({ windowLosses: windowLosses.slice(0, 1) }));
    const broken = changeTexts(({ windowLosses }) => ({
      windowLosses: windowLosses.map(() => Number.POSITIVE_INFINITY),
    }));
    for (const changed of [short, broken]) {
      const ids = analyze(changed, { draws: 50 }).qualities.map(({ id }) => id);
      expect(ids).not.toContain("perplexity:test.txt");
      expect(ids).toContain("average:own");
    }
  });
});
