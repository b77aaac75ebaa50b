import type { Prng } from "../util/prng.ts";
import {
  byLikelihood,
  expOfMinus,
  furthestDistance,
  mostLikely,
  notNumbers,
} from "./token-weights.ts";

/** Buckets a unit of `(max − logit) / temperature`. */
const resolution = 16;
/** The last bucket takes all that is less than e⁻⁶⁴ as likely as the first token. */
const bucketCount = 64 * resolution;

/** The most likely tokens left: all of the buckets before `bucket`, and of that one these. */
interface Cut {
  readonly bucket: number;
  readonly ids: Int32Array;
  /** Sum of their weights; the most likely token weighs 1. */
  readonly total: number;
}

/**
 * All tokens, sorted into buckets by likelihood. Where top-p and min-p cut, and what a draw hits,
 * is found by the sums of whole buckets; only the bucket in which it lies is put in order. Results
 * are those of sorting the vocabulary.
 */
export class TokenBuckets {
  private readonly logits: Float32Array;
  private readonly temperature: number;
  private readonly max: number;
  private readonly sums = new Float64Array(bucketCount);
  private readonly cut: Cut;

  /** @throws NumericError when a logit is NaN or all are −∞ */
  constructor(logits: Float32Array, temperature: number, topP: number, minP: number) {
    this.logits = logits;
    this.temperature = temperature;
    this.max = logits[mostLikely(logits)];
    if (!Number.isFinite(this.max)) throw notNumbers(logits);
    // Without top-p, what min-p drops need not be weighed.
    const limit = topP < 1 || minP === 0 ? furthestDistance : -Math.log(minP) + 3 / resolution;
    const total = addWeights(this.sums, logits, this.max, temperature, limit);
    this.cut = this.findCut(topP < 1 ? topP * total : Number.POSITIVE_INFINITY, minP);
  }

  /** Tokens that are left, the most likely first. */
  keptIds(): Int32Array {
    const before = this.idsFrom(0, this.cut.bucket);
    const ids = new Int32Array(before.length + this.cut.ids.length);
    ids.set(before);
    ids.set(this.cut.ids, before.length);
    return ids;
  }

  /** Weight of a token; the most likely one weighs 1. */
  weightOf(id: number): number {
    return expOfMinus(this.distance(id));
  }

  /** Draws one of the tokens that are left. */
  draw(prng: Prng): number {
    let left = prng.uniform() * this.cut.total;
    let bucket = 0;
    while (bucket < this.cut.bucket && left >= this.sums[bucket]) left -= this.sums[bucket++];
    const ids = bucket < this.cut.bucket ? this.idsOf(bucket) : this.cut.ids;
    // Rounding may leave a little over at the end, where nothing is left to hit.
    if (ids.length === 0) return this.keptIds().at(-1) as number;
    for (const id of ids) {
      left -= this.weightOf(id);
      if (left < 0) return id;
    }
    return ids[ids.length - 1];
  }

  /** `(max − logit) / temperature`. */
  private distance(id: number): number {
    return (this.max - this.logits[id]) / this.temperature;
  }

  /** Keeps tokens until their sum reaches `target` or one weighs less than `floor`. */
  private findCut(target: number, floor: number): Cut {
    const surelyAbove = floor > 0 ? bucketOf(-Math.log(floor)) - 1 : bucketCount;
    let reached = 0;
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      // Two buckets on, rounding or not, all weigh less than the floor.
      if (bucket > surelyAbove + 2) return { bucket, ids: new Int32Array(0), total: reached };
      if (this.sums[bucket] === 0) continue;
      if (bucket < surelyAbove && reached + this.sums[bucket] < target) {
        reached += this.sums[bucket];
        continue;
      }
      const ids = this.idsOf(bucket);
      let kept = 0;
      for (; kept < ids.length && reached < target; kept++) {
        const weight = this.weightOf(ids[kept]);
        if (weight < floor) break;
        reached += weight;
      }
      if (kept < ids.length) return { bucket, ids: ids.subarray(0, kept), total: reached };
    }
    return { bucket: bucketCount, ids: new Int32Array(0), total: reached };
  }

  private idsOf(bucket: number): Int32Array {
    return this.idsFrom(bucket, bucket + 1);
  }

  /** Tokens of the buckets from `start` to before `end`, the most likely first. */
  private idsFrom(start: number, end: number): Int32Array {
    const { logits, max, temperature } = this;
    const least = logitAt(
      end < bucketCount ? end / resolution : furthestDistance,
      max,
      temperature,
    );
    const ids: number[] = [];
    for (let id = 0; id < logits.length; id++) {
      if (logits[id] < least) continue;
      const distance = (max - logits[id]) / temperature;
      const bucket = bucketOf(distance);
      if (bucket >= start && bucket < end && distance <= furthestDistance) ids.push(id);
    }
    return Int32Array.from(ids.sort(byLikelihood(logits)));
  }
}

/** Adds the weight of each token up to a distance to its bucket; returns the sum of all. */
function addWeights(
  sums: Float64Array,
  logits: Float32Array,
  max: number,
  temperature: number,
  limit: number,
): number {
  const least = logitAt(limit, max, temperature);
  let total = 0;
  for (let id = 0; id < logits.length; id++) {
    if (logits[id] < least) continue;
    const distance = (max - logits[id]) / temperature;
    if (distance > limit) continue;
    const weight = expOfMinus(distance);
    sums[bucketOf(distance)] += weight;
    total += weight;
  }
  return total;
}

/** A logit that is at least this far; a little less, so that rounding drops none that is nearer. */
function logitAt(distance: number, max: number, temperature: number): number {
  return max - distance * temperature - 1e-6 * (Math.abs(max) + distance * temperature);
}

function bucketOf(distance: number): number {
  return distance >= 64 ? bucketCount - 1 : (distance * resolution) | 0;
}
