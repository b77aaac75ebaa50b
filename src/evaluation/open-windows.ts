import { readJoinedText } from "../calibration/read-joined-text.ts";
import {
  type EvaluationWindow,
  evaluationWindows,
  expectScored,
  expectWithinContext,
} from "../calibration/windows.ts";
import type { DecoderConfig } from "../models/decoder-config.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import type { EvaluateOptions, TextMeasurement } from "./evaluation.ts";

const longestDefaultWindow = 2048;
const secondHalfWindow = 512;

/** Which windows of which text are scored. */
export type WindowChoice = Pick<
  EvaluateOptions<LanguageModel>,
  "text" | "window" | "protocol" | "maxWindows" | "beyondContext"
>;

/** Windows to evaluate on. */
export interface OpenedWindows {
  /** Tokens a window. */
  readonly length: number;
  readonly windows: readonly EvaluationWindow[];
}

/**
 * Cuts a text into windows to evaluate on; JSON documents and `<|doc|>` lines are joined as
 * calibration joins them.
 * @throws UsageError when windows are longer than the model's context without `beyondContext`,
 * nothing of them would be scored, or the text is shorter than one
 * @throws FormatError when the text is missing or malformed
 */
export async function openWindows(
  model: LanguageModel,
  { text, protocol = "windows", window, maxWindows, beyondContext }: WindowChoice,
): Promise<OpenedWindows> {
  const { contextLength } = model.config;
  const length = window ?? defaultWindow(model, protocol);
  const options = { window: length, protocol, maxWindows };
  expectMeasurable(options, contextLength, beyondContext);
  const joined = await readJoinedText(text, model.tokenizer);
  return { length, windows: evaluationWindows(joined, model.tokenizer, options) };
}

/**
 * Refuses windows of which nothing would be scored, and those that are longer than a context unless
 * that is allowed.
 * @throws UsageError
 */
export function expectMeasurable(
  options: Parameters<typeof expectScored>[0],
  contextLength: number,
  beyondContext = false,
): void {
  expectScored(options);
  if (beyondContext) return;
  const orElse =
    `, or allow more with \`beyondContext\`: positions from ${contextLength} on were never ` +
    "trained";
  expectWithinContext(options.window, contextLength, "window", orElse);
}

/** Usual tokens a window: as many as the protocol has, or the model's context when shorter. */
export function defaultWindow(
  { config }: { readonly config: Pick<DecoderConfig, "contextLength"> },
  protocol: NonNullable<WindowChoice["protocol"]> = "windows",
): number {
  const longest = protocol === "windows" ? longestDefaultWindow : secondHalfWindow;
  return Math.min(longest, config.contextLength);
}

/** What a result says of windows that are longer than a context; nothing of others. */
export function contextFigures(
  length: number,
  contextLength: number,
): Pick<TextMeasurement, "beyondContext"> {
  return length > contextLength ? { beyondContext: contextLength } : {};
}
