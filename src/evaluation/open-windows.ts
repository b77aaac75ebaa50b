import { type EvaluationWindow, evaluationWindows } from "../calibration/windows.ts";
import { readText } from "../platform/node.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import type { EvaluateOptions } from "./evaluation.ts";

const longestDefaultWindow = 2048;
const secondHalfWindow = 512;

/** Which windows of which text are scored. */
export type WindowChoice = Pick<
  EvaluateOptions<LanguageModel>,
  "text" | "window" | "protocol" | "maxWindows"
>;

/** Cuts a text into windows to evaluate on. @throws UsageError when it is shorter than one */
export async function openWindows(
  model: LanguageModel,
  { text, protocol = "windows", window, maxWindows }: WindowChoice,
): Promise<{ length: number; windows: EvaluationWindow[] }> {
  const length = window ?? defaultWindow(model, protocol);
  const options = { window: length, protocol, maxWindows };
  const windows = evaluationWindows(await readText(text), model.tokenizer, options);
  return { length, windows };
}

/** Usual tokens a window: as many as the protocol has, or the model's context when shorter. */
export function defaultWindow(
  { config }: LanguageModel,
  protocol: NonNullable<WindowChoice["protocol"]> = "windows",
): number {
  const longest = protocol === "windows" ? longestDefaultWindow : secondHalfWindow;
  return Math.min(longest, config.contextLength);
}
