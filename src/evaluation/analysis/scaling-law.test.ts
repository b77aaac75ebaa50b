import { describe, expect, it } from "vitest";
import { Prng } from "../../util/prng.ts";
import type { SizedPoint } from "./crossover.ts";
import { fitScalingLaw, lossAt, type ScalingLaw } from "./scaling-law.ts";

function makePoints(law: ScalingLaw, sizes: readonly number[], noise: number): SizedPoint[] {
  const random = new Prng(3);
  return sizes.map((size) => {
    const value = lossAt(law, size) + noise * random.normal();
    const draws = Float64Array.from({ length: 300 }, () => value + noise * random.normal());
    return { size, value, draws };
  });
}

const sizes = [3e5, 8e5, 2e6, 5e6, 2e7, 1e8];
const withFloor: ScalingLaw = { floor: 1.2, scale: 60, exponent: 0.34 };

describe("fitScalingLaw", () => {
  it("finds the law that made the losses", () => {
    const fit = fitScalingLaw(makePoints(withFloor, sizes, 1e-6), { at: [1e6] });
    expect(fit.floorIdentified).toBe(true);
    expect(fit.floor).toBeCloseTo(1.2, 3);
    expect(fit.exponent).toBeCloseTo(0.34, 3);
    expect(fit.scale / 60).toBeCloseTo(1, 2);
    expect(fit.band[0]?.value).toBeCloseTo(lossAt(withFloor, 1e6), 4);
  });

  it("finds a power law where there is no floor", () => {
    const law = { floor: 0, scale: 12, exponent: 0.12 };
    const fit = fitScalingLaw(makePoints(law, sizes, 0.002), { at: [] });
    expect(fit).toMatchObject({ floor: 0, floorIdentified: false });
    expect(fit.exponent).toBeCloseTo(0.12, 2);
    expect(fit.exponentInterval.low).toBeLessThan(0.12);
    expect(fit.exponentInterval.high).toBeGreaterThan(0.12);
  });

  it("does not claim a floor that noise hides, nor one from three sizes", () => {
    const noisy = makePoints({ floor: 0.3, scale: 12, exponent: 0.15 }, sizes.slice(0, 4), 0.05);
    expect(fitScalingLaw(noisy, { at: [] }).floorIdentified).toBe(false);
    const three = fitScalingLaw(makePoints(withFloor, sizes.slice(0, 3), 1e-6), { at: [] });
    expect(three.floorIdentified).toBe(false);
    expect(three.residual).toBeGreaterThan(0);
  });

  it("has a band that holds the truth, and widens with the noise", () => {
    const width = (noise: number): number => {
      const [at] = fitScalingLaw(makePoints(withFloor, sizes, noise), { at: [1e6] }).band;
      if (!at) throw new Error("the band has a value for each size");
      const { low, high } = at.interval;
      expect(low).toBeLessThan(lossAt(withFloor, 1e6));
      expect(high).toBeGreaterThan(lossAt(withFloor, 1e6));
      return high - low;
    };
    expect(width(0.02)).toBeGreaterThan(3 * width(0.002));
  });

  it("is the same for the same seed", () => {
    const points = makePoints(withFloor, sizes, 0.02);
    const options = { at: [1e6], seed: 5, fits: 50 };
    expect(fitScalingLaw(points, options)).toEqual(fitScalingLaw(points, options));
    expect(fitScalingLaw(points, { ...options, seed: 6 })).not.toEqual(
      fitScalingLaw(points, options),
    );
  });

  it("refuses less than three sizes", () => {
    const points = makePoints(withFloor, [1e5, 1e6], 0.01);
    expect(() => fitScalingLaw(points, { at: [] })).toThrow(/at least 3 sizes, got 2/);
  });
});
