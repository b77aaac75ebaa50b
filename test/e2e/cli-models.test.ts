import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fewbit, fewbitHere, noSharedData, sharedData } from "./cli-process.ts";
import { holdAt } from "./held-runs.ts";

const model = sharedData("models/babyllama-tok105");
const calibrationText = sharedData("text/tinystories-calibration.txt");
const evaluationText = sharedData("text/tinystories-eval.txt");
const reason = noSharedData ? ` (skipped: ${noSharedData})` : "";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-cli-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function quantizeArgs(out: string, ...more: string[]): string[] {
  const calibration = ["--calibration", calibrationText, "--samples", "8", "--window", "64"];
  return ["quantize", model, "--out", out, ...calibration, "--seed", "0", ...more];
}

describe.skipIf(noSharedData)(`from a checkpoint to text, through the program${reason}`, () => {
  const gptq = ["--method", "gptq", "--scheme", "w4g64"];
  let made = "";
  let first: Awaited<ReturnType<typeof fewbit>>;
  beforeAll(async () => {
    made = join(folder, "baby-w4");
    first = await fewbit(quantizeArgs(made, ...gptq));
  });

  test("quantize prints a line a block, a table that fits 80 columns, and what to do next", () => {
    expect(first.code).toBe(0);
    expect(first.stderr).toContain("5 blocks · 922 k weights in 35 linear layers");
    expect(first.stderr.match(/^ {2}block \d\/5 {2}error \S+ \(worst/gm)).toHaveLength(5);
    expect(first.stderr).toContain(`fewbit eval ${made} --against ${model} --text FILE`);
    expect(first.stdout).toMatch(/^ {2}attention +4\.31 .*\n {2}mlp +4\.\d\d /m);
    expect(first.stdout).toMatch(/^ {2}embedding, head +8\.25 +–$/m);
    expect(first.stdout).toMatch(/^ {2}whole file +4\.\d\d +0\.\d+ MB {2}\(was 1\.88 MB\)$/m);
    for (const line of first.stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  test("piped output holds no escape sequences", () => {
    expect(first.stdout + first.stderr).not.toContain("\u001b");
    expect(first.stdout + first.stderr).not.toContain("\r");
  });

  test("the same seed gives the same bytes, and --json one document on standard output", async () => {
    const again = join(folder, "baby-w4-again");
    const { code, stdout, stderr } = await fewbit(
      quantizeArgs(again, ...gptq, "--json", "--quiet"),
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const record = JSON.parse(stdout) as { out: string; linears: unknown[] };
    expect(record.out).toBe(again);
    expect(record.linears).toHaveLength(35);
    const weights = (path: string) => readFileSync(join(path, "model.safetensors"));
    expect(weights(again).equals(weights(made))).toBe(true);
  });

  test("inspect names architecture, schemes, sizes and bits a weight", async () => {
    const { code, stdout } = await fewbitHere(["inspect", made, "--tensors", "--layers"]);
    expect(code).toBe(0);
    expect(stdout).toContain("baby-w4 · Llama (llama) · 5 blocks · 936 k parameters");
    expect(stdout).toContain("35 linear layers in w4g64");
    // The line is broken before a long path.
    expect(stdout).toMatch(/quantized to w4g64 · by gptq(?: · |\n {2})from .*babyllama-tok105\n/);
    expect(stdout).toMatch(/^ {2}model\.layers\.4\.mlp\.down_proj +w4g64 +128 × 352 +4\.\d\d/m);
    expect(stdout).toMatch(/^ {2}model\.layers\.0\.mlp\.up_proj\.codes +/m);
  });

  test("inspect --json has the stable keys", async () => {
    const { stdout } = await fewbitHere(["inspect", made, "--json"]);
    const document = JSON.parse(stdout) as Record<string, unknown>;
    expect(document).toMatchObject({ modelType: "llama", parameters: 936448, blocks: 5 });
    expect(document).toHaveProperty("bitsPerWeight.linear", expect.closeTo(4.32, 1));
    expect(document).toHaveProperty("quantization.schemes", { "w8g64-sym": 1, w4g64: 35 });
  });

  test("eval --json has the stable keys, and the original beside the model", async () => {
    const args = ["--text", evaluationText, "--window", "64", "--max-windows", "8"];
    const { code, stdout } = await fewbitHere([
      "eval",
      made,
      ...args,
      "--against",
      model,
      "--json",
    ]);
    expect(code).toBe(0);
    const document = JSON.parse(stdout) as { perplexity: number; original: { perplexity: number } };
    const number = expect.any(Number) as number;
    expect(document).toMatchObject({
      perplexity: number,
      klDivergence: { mean: number },
      topTokenAgreement: number,
      sizeBytes: number,
      bitsPerWeight: { linear: number, file: number },
      tokensPerSecond: number,
      original: { sizeBytes: 1877856 },
    });
    expect(document.perplexity / document.original.perplexity).toBeLessThan(1.2);
  });

  test("eval prints the original as the first row of its table", async () => {
    const args = ["--text", evaluationText, "--window", "64", "--max-windows", "4"];
    const { stdout } = await fewbitHere(["eval", made, ...args, "--against", model]);
    const [header = "", original = "", variant = ""] = stdout.split("\n");
    expect(header).toMatch(/variant +bits\/weight +size +perplexity +KL/);
    expect(original).toMatch(/babyllama-tok105 +16\.00 +1\.88 MB/);
    expect(variant).toMatch(/baby-w4 +4\.\d\d +0\.\d+ MB/);
  });

  test("run streams the text and nothing else to standard output", async () => {
    const args = ["--prompt", "Once upon a time", "--max-tokens", "24", "--temperature", "0"];
    const { code, stdout, stderr } = await fewbit(["run", model, ...args]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Once upon a time, there was a/);
    expect(stdout.endsWith("\n")).toBe(true);
    expect(stderr).toContain("tokens/s");
  });

  test("run takes the prompt from standard input, and stops before a stop text", async () => {
    const args = ["--max-tokens", "40", "--stop", "was", "--json"];
    const { stdout } = await fewbitHere(["run", model, ...args], { stdin: "Once upon a time" });
    const document = JSON.parse(stdout) as { text: string; finishReason: string };
    expect(document.finishReason).toBe("stop");
    expect(document.text).not.toContain("was");
  });

  test("export writes a checkpoint that evaluates like the packed one", async () => {
    const plain = join(folder, "baby-w4-plain");
    expect((await fewbitHere(["export", made, "--format", "hf", "--out", plain])).code).toBe(0);
    const args = ["--text", evaluationText, "--window", "64", "--max-windows", "4", "--json"];
    const results = await Promise.all(
      [made, plain].map((path) => fewbitHere(["eval", path, ...args])),
    );
    const [packed = 0, exported = 0] = results.map(
      ({ stdout }) => (JSON.parse(stdout) as { perplexity: number }).perplexity,
    );
    expect(Math.abs(packed / exported - 1)).toBeLessThan(1e-3);
  });

  test("an existing output is refused, and replaced with --overwrite", async () => {
    const rtn = ["--method", "rtn", "--scheme", "w8"];
    const out = join(folder, "baby-twice");
    cpSync(made, out, { recursive: true });
    const refused = await fewbitHere(quantizeArgs(out, ...rtn));
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("exists already");
    expect(refused.stderr).toContain("--overwrite");
    expect((await fewbitHere(quantizeArgs(out, ...rtn, "--overwrite"))).code).toBe(0);
    const config = readFileSync(join(out, "config.json"), "utf8");
    expect(config).toContain('"w8"');
  });

  test("--dry-run says what a run needs and writes nothing", async () => {
    const out = join(folder, "never");
    const { code, stdout } = await fewbitHere(quantizeArgs(out, ...gptq, "--dry-run"));
    expect(code).toBe(0);
    expect(stdout).toMatch(/needs about \S+ MB memory, .* and writes 0\.\d+ MB/);
    expect(existsSync(out)).toBe(false);
  });

  test("patterns choose what is quantized and how", async () => {
    const out = join(folder, "baby-mixed");
    const patterns = ["--ignore", "*.o_proj", "--layer", "mlp.down_proj=w4g32"];
    const args = ["--method", "rtn", "--scheme", "w2g64", ...patterns, "--json", "--quiet"];
    expect((await fewbitHere(["quantize", model, "--out", out, ...args])).code).toBe(0);
    const { stdout } = await fewbitHere(["inspect", out, "--json"]);
    const { quantization } = JSON.parse(stdout) as { quantization: { schemes: object } };
    expect(quantization.schemes).toEqual({ "w8g64-sym": 1, w2g64: 25, w4g32: 5 });
  });

  test("chat with a model that has no template says what to do instead", async () => {
    const { code, stderr } = await fewbitHere(["chat", model], { stdin: "Hello" });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error {2}.*no chat template.*\n {7}.*fewbit run/);
  });

  test("Ctrl-C ends a run with 130: no output, no leftovers, how to resume", async () => {
    const out = join(folder, "interrupted");
    const before = readFileSync(join(model, "model.safetensors"));
    const held = await holdAt(quantizeArgs(out, ...gptq), /^write journal/);
    await held.interrupt();
    held.release();
    const { code, stderr } = await held.finished;
    expect(code).toBe(130);
    expect(stderr).toMatch(/stopped {2}nothing was written.*\n {7}.*again/);
    expect(readdirSync(folder).filter((name) => name.includes("interrupted"))).toEqual([]);
    expect(readFileSync(join(model, "model.safetensors")).equals(before)).toBe(true);
  });

  test("Ctrl-C twice ends a run at once, and nothing stands under the final name", async () => {
    const out = join(folder, "killed");
    const held = await holdAt(quantizeArgs(out, ...gptq), /^write journal/);
    // It is not released: it ends where it stands.
    await held.interrupt();
    await held.interrupt();
    expect((await held.finished).code).toBe(130);
    expect(existsSync(out)).toBe(false);
  });
});
