import { NumericError } from "../util/errors.ts";
import type { DivergenceFigures, LossFigures, TextMeasurement } from "./evaluation.ts";
import type { WindowScore } from "./score-windows.ts";
import {
  perplexityInterval,
  tokenQuantileInterval,
  windowInterval,
} from "./statistics/text-intervals.ts";
import { meanOf } from "../util/sums.ts";

/** Collects the scores of windows into the figures of an evaluation. Sums are float64. */
export class ScoreTotals {
  /** Predictions so far. */
  tokens = 0;
  /** Mean loss of each window, in nats a token. */
  private readonly windowLosses: number[] = [];
  /** The same of the teacher; empty without one. */
  private readonly teacherWindowLosses: number[] = [];
  private readonly divergences: Float32Array[] = [];
  private agreements = 0;

  /** @throws NumericError when a loss is not a number */
  add({ losses, teacherLosses, divergences, agreements }: WindowScore): void {
    const mean = meanOf(losses);
    if (Number.isNaN(mean)) {
      throw new NumericError("the model's logits are not numbers: its activations overflowed", {
        hint: "the checkpoint is damaged or its scales are wrong; make it again",
      });
    }
    this.tokens += losses.length;
    this.windowLosses.push(mean);
    if (teacherLosses) this.teacherWindowLosses.push(meanOf(teacherLosses));
    if (divergences) this.divergences.push(divergences);
    if (agreements) for (let i = 0; i < agreements.length; i++) this.agreements += agreements[i];
  }

  /** Exponential of the mean loss so far. */
  get perplexity(): number {
    return Math.exp(summarize(this.windowLosses).mean);
  }

  /** Figures of all windows. */
  get figures(): Pick<TextMeasurement, keyof LossFigures | "klDivergence" | "topTokenAgreement"> {
    return {
      ...lossFigures(this.windowLosses),
      klDivergence: this.klDivergence,
      topTokenAgreement: this.divergences.length === 0 ? null : this.agreements / this.tokens,
    };
  }

  /** Figures of the teacher's losses; null when there was none. */
  get teacherFigures(): LossFigures | null {
    return this.teacherWindowLosses.length === 0 ? null : lossFigures(this.teacherWindowLosses);
  }

  /** Figures of the divergence; null when there was no teacher. */
  private get klDivergence(): DivergenceFigures | null {
    if (this.divergences.length === 0) return null;
    const all = new Float32Array(this.tokens);
    let at = 0;
    let sum = 0;
    for (const part of this.divergences) {
      all.set(part, at);
      at += part.length;
      for (let i = 0; i < part.length; i++) sum += part[i];
    }
    all.sort();
    const percentile99 = all[Math.min(all.length - 1, Math.ceil(0.99 * all.length) - 1)];
    const windowMeans = this.divergences.map(meanOf);
    return {
      mean: sum / all.length,
      interval: windowInterval(windowMeans),
      percentile99,
      percentile99Interval: tokenQuantileInterval(this.divergences, 0.99),
      maximum: all[all.length - 1],
      windowMeans,
    };
  }
}

function lossFigures(windowLosses: readonly number[]): LossFigures {
  const loss = summarize(windowLosses);
  const interval = perplexityInterval(windowLosses);
  return { perplexity: Math.exp(loss.mean), interval, loss, windowLosses };
}

/** Mean of the windows' mean losses in nats, and the standard error of that mean. */
function summarize(losses: readonly number[]): { mean: number; standardError: number } {
  const count = losses.length;
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / count;
  const squares = losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0);
  return { mean, standardError: count > 1 ? Math.sqrt(squares / (count - 1) / count) : 0 };
}
