import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { usualTablePath } from "../../src/machines/table-file.ts";
import type { AllocationRecord } from "../../src/run/allocation-record.ts";
import { lawfulTable } from "../fixtures/lawful-machine.ts";
import { fewbitHere } from "./cli-process.ts";
import { outputsIn, recordOf } from "./killed-runs.ts";
import { temporaryFolder } from "./shared-models.ts";

/* Bits chosen within a speed or an energy, by a table that times no machine but follows laws. */

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const inFolder = temporaryFolder();
const outputIn = outputsIn(inFolder);

/** Three bits are slower than four here, as packings may be. */
const factors = { f16: 16e-10, w2g64: 2e-10, w3g64: 7e-10, w4g64: 4e-10, w8g64: 8e-10 };
const table = (): string => inFolder("machine.json");

const command = (out: string, ...rest: readonly string[]): string[] =>
  ["quantize", path("builtin/model"), "--method", "rtn", "--out", out].concat(
    ["--calibration", path("CONTRIBUTING.md"), "--samples", "4", "--window", "64"],
    ["--damage-samples", "4", "--state-file", inFolder("state.json"), "--no-compare-uniform"],
    rest,
  );

/** What a plan says of an allocation. */
async function planned(...rest: readonly string[]): Promise<AllocationRecord> {
  const args = command(inFolder("planned"), "--dry-run", "--json", ...rest);
  const { stdout, stderr, code } = await fewbitHere(args);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout).allocation;
}

const schemesOf = ({ items }: AllocationRecord): string[] => items.map(({ scheme }) => scheme);

beforeAll(() => writeFileSync(table(), JSON.stringify(lawfulTable(factors))));
beforeEach(() => {
  vi.stubEnv("XDG_CACHE_HOME", inFolder("cache"));
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe("quantize --target-speed", () => {
  let free: AllocationRecord;
  let speed = 0;
  beforeAll(async () => {
    free = await planned("--target-bpw", "3.4", "--machine", table());
    speed = 1.02 * (free.predicted?.tokensPerSecond ?? 0);
  });

  test("changes the allocation within the same size, and both targets are kept", async () => {
    const targets = ["--target-bpw", "3.4", "--target-speed", `${speed}`];
    const fast = await planned(...targets, "--machine", table());
    expect(fast.predicted?.tokensPerSecond).toBeGreaterThanOrEqual(speed);
    expect(fast.bitsPerWeight).toBeLessThanOrEqual(3.4);
    expect(schemesOf(fast)).not.toEqual(schemesOf(free));
    expect(fast.damage).toBeGreaterThan(free.damage);
  });

  test("alone gives the best of what is fast enough, as the plan of what was written says", async () => {
    const out = outputIn("fast");
    const args = command(out, "--target-speed", `${speed}`, "--machine", table());
    expect(await fewbitHere(args)).toMatchObject({ code: 0 });
    const { tokensPerSecond = 0 } = recordOf(out).allocation.predicted;
    expect(tokensPerSecond).toBeGreaterThanOrEqual(speed);
    const plan = await fewbitHere(["plan", out, "--machine", table(), "--json"]);
    const [asItIs] = JSON.parse(plan.stdout).variants;
    expect(asItIs.machines[0].speeds.decode / tokensPerSecond).toBeCloseTo(1, 9);
    expect(asItIs.token.joules / recordOf(out).allocation.predicted.joulesPerToken).toBeCloseTo(
      1,
      9,
    );
  });

  test("takes the table of this machine from its usual place, and the plan says the speed", async () => {
    const args = command(outputIn("usual"), "--target-speed", `${speed}`, "--dry-run");
    const without = await fewbitHere(args);
    expect(without.code).toBe(2);
    expect(without.stderr).toContain("`fewbit measure-machine` does that once");
    mkdirSync(dirname(usualTablePath()), { recursive: true });
    writeFileSync(usualTablePath(), JSON.stringify(lawfulTable(factors)));
    const { stdout, stderr, code } = await fewbitHere(args);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/the table was measured on p, and this is/);
    expect(stdout).toMatch(/[\d ,.]+ tokens a second predicted/);
  });

  test("that no choices reach is refused with both numbers before any work", async () => {
    const out = outputIn("refused");
    const args = command(out, "--target-speed", "1e6", "--machine", table());
    const { stderr, code } = await fewbitHere(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /the fastest choices make [\d.]+ tokens a second, 1000000 tokens a second were asked for/,
    );
    expect(existsSync(out)).toBe(false);
  });

  test("needs a table that is one", async () => {
    const args = command(outputIn("no"), "--target-speed", "9", "--machine", path("package.json"));
    const { stderr, code } = await fewbitHere(args);
    expect(code).not.toBe(0);
    expect(stderr).toContain("measure anew: `fewbit measure-machine`");
  });
});

test("quantize --target-energy needs no table, and keeps to the energy", async () => {
  const free = await planned("--target-bpw", "4");
  expect(free.predicted?.tokensPerSecond).toBeUndefined();
  const joules = 0.99 * (free.predicted?.joulesPerToken ?? 0);
  const thrifty = await planned("--target-bpw", "4", "--target-energy", `${joules}`);
  expect(thrifty.predicted?.joulesPerToken).toBeLessThanOrEqual(joules);
  expect(schemesOf(thrifty)).not.toEqual(schemesOf(free));
  const args = command(outputIn("energy"), "--target-energy", "1e-9");
  const { stderr, code } = await fewbitHere(args);
  expect(code).toBe(2);
  expect(stderr).toMatch(/thriftiest choices make [\d.e-]+ joules a token, 1e-9 joules a token/);
});
