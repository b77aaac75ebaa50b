import { readJoinedText } from "../../calibration/read-joined-text.ts";
import { type EvaluationWindow, evaluationWindows } from "../../calibration/windows.ts";
import { createHasher, monotonicMs } from "../../platform/node.ts";
import { throwIfCancelled, UsageError } from "../../util/errors.ts";
import { describeScores, openTasks } from "../evaluate-tasks.ts";
import type { LossFigures } from "../evaluation.ts";
import { ScoreTotals } from "../score-totals.ts";
import { CompletionServer, type ServerAddress } from "./completion-server.ts";
import { PromptScorer, type PromptScore } from "./score-prompt.ts";
import { scoreServerTask } from "./score-server-task.ts";
import type {
  EvaluateServerOptions,
  ServerEvaluation,
  ServerTextMeasurement,
} from "./server-evaluation.ts";
import { ServerTokenizer } from "./server-tokenizer.ts";
import { likeliestOf, topDivergence } from "./top-divergence.ts";
import { inTurns } from "./in-turns.ts";

const usualWindow = { windows: 2048, "second-half": 512 } as const;
const usualTop = 20;

/**
 * Measures the model of a server that says how likely the tokens of prompts are: perplexity on a
 * text, and the divergence from an original on another server as far as their likeliest tokens tell;
 * accuracy on tasks.
 * @throws UnsupportedError for a server that does not say what is needed
 * @throws NetworkError when it cannot be reached or refuses
 * @throws UsageError when nothing is to be measured, or the text is too short
 */
export async function evaluateServer(
  address: ServerAddress,
  options: EvaluateServerOptions,
): Promise<ServerEvaluation> {
  const startedMs = monotonicMs();
  const { text, against, signal, atOnce = 4 } = options;
  const tasks = await openTasks(options);
  if (text === undefined && tasks.length === 0) {
    throw new UsageError("expected a text or tasks to evaluate on");
  }
  const server = await CompletionServer.open(address, signal);
  const tokenizer = await ServerTokenizer.open(server);
  const top = against ? (options.top ?? usualTop) : 1;
  const scorer = new PromptScorer(server, top);
  const original = against ? await CompletionServer.open(against, signal) : null;
  const teacher = original ? new PromptScorer(original, top) : null;
  const measured =
    text === undefined
      ? null
      : await measureText({ scorer, teacher, tokenizer, top }, text, options);
  const scores = [];
  for (const task of tasks) {
    const { onTaskProgress } = options;
    scores.push(await scoreServerTask(scorer, tokenizer, task, { atOnce, signal, onTaskProgress }));
  }
  return {
    model: server.source,
    ...(text === undefined ? {} : { text }),
    ...measured?.figures,
    ...describeScores(scores),
    prompts: scorer.form,
    original: original && {
      model: original.source,
      ...measured?.original,
      tasks: [],
      averages: [],
    },
    elapsedMs: monotonicMs() - startedMs,
  };
}

interface Subject {
  readonly scorer: PromptScorer;
  readonly teacher: PromptScorer | null;
  readonly tokenizer: ServerTokenizer;
  readonly top: number;
}

async function measureText(
  { scorer, teacher, tokenizer, top }: Subject,
  text: string,
  options: EvaluateServerOptions,
): Promise<{ figures: ServerTextMeasurement; original: LossFigures | null }> {
  const { protocol = "windows", maxWindows, signal, onProgress, atOnce = 4 } = options;
  const usual = usualWindow[protocol];
  const length = options.window ?? Math.min(usual, tokenizer.contextLength ?? usual);
  const joined = await readJoinedText(text, tokenizer);
  await tokenizer.learn([joined.text]);
  const windows = evaluationWindows(joined, tokenizer, { window: length, protocol, maxWindows });
  const totals = new ScoreTotals();
  const startedMs = monotonicMs();
  let done = 0;
  const scored = inTurns(windows, atOnce, async ({ ids }) => {
    throwIfCancelled(signal);
    const [own, other] = await Promise.all([scorer.score([...ids]), teacher?.score([...ids])]);
    return { own, other: other ?? null };
  });
  for await (const [window, { own, other }] of scored) {
    totals.add(windowScore(window, own, other));
    const elapsedMs = monotonicMs() - startedMs;
    done++;
    onProgress?.({
      windows: done,
      totalWindows: windows.length,
      perplexity: totals.perplexity,
      elapsedMs,
      remainingMs: (elapsedMs * (windows.length - done)) / done,
    });
  }
  const figures = {
    protocol,
    window: length,
    windows: windows.length,
    tokens: totals.tokens,
    tokensSha256: hashTokens(windows),
    ...totals.figures,
    divergenceOfTop: teacher ? top : null,
  };
  return { figures, original: totals.teacherFigures };
}

/** Predictions at positions `[from, to)` are of the tokens behind them. */
function windowScore(
  { from, to }: EvaluationWindow,
  own: PromptScore,
  other: PromptScore | null,
): Parameters<ScoreTotals["add"]>[0] {
  const losses = ({ logLikelihoods }: PromptScore): Float32Array =>
    Float32Array.from(logLikelihoods.subarray(from + 1, to + 1), (value) => -value);
  if (!other)
    return { losses: losses(own), teacherLosses: null, divergences: null, agreements: null };
  const pairs = Array.from({ length: to - from }, (_, i) => {
    const [p, q] = [other.tops[from + 1 + i], own.tops[from + 1 + i]];
    return p && q ? { kl: topDivergence(p, q), same: likeliestOf(p) === likeliestOf(q) } : null;
  });
  return {
    losses: losses(own),
    teacherLosses: losses(other),
    divergences: Float32Array.from(pairs, (pair) => pair?.kl ?? Number.NaN),
    agreements: Float32Array.from(pairs, (pair) => Number(pair?.same ?? false)),
  };
}

function hashTokens(windows: readonly EvaluationWindow[]): string {
  const hasher = createHasher("sha256");
  for (const { ids } of windows) hasher.update(ids);
  return hasher.digest();
}
