import type { Evaluation, TaskEvaluation } from "../evaluation/evaluation.ts";
import type { Continuation, GenerationFigures } from "../evaluation/generation/generation.ts";
import { continuationLine } from "./continuation-line.ts";
import { figureColumns } from "./figure-columns.ts";
import { formatNumber, formatPlural, printable } from "./format.ts";
import { modelName } from "./model-name.ts";
import type { Layout } from "./style.ts";
import { cut, formatTable } from "./table.ts";
import { wrapText } from "./wrap-text.ts";

/** What one model wrote. */
interface Author {
  readonly model: string;
  readonly generation: GenerationFigures;
}

/** How many prompts are shown with what came of them, and how much of that. */
const excerpts = 3;
const excerptLines = 3;

/** The models of an evaluation that wrote something, the original first. */
function authorsOf(evaluation: Evaluation | TaskEvaluation): Author[] {
  const { original } = evaluation;
  return [original, evaluation].flatMap((scored) =>
    scored?.generation ? [{ model: scored.model, generation: scored.generation }] : [],
  );
}

/** Lays out what shows in the texts that models wrote, one row a model. */
export function formatGenerationTable(
  evaluation: Evaluation | TaskEvaluation,
  layout: Layout,
): string[] {
  const authors = authorsOf(evaluation);
  const columns = figureColumns("generation", authors, () => [{ of: (author) => author }]);
  return formatTable(
    [{ header: "writes", minWidth: 16, keep: "end" }, ...columns],
    authors.map((author) => [
      modelName(author.model),
      ...columns.map(({ cell }) => cell(author) ?? "–"),
    ]),
    layout,
  );
}

/**
 * Says in a sentence or two whether a model can write: how many of its continuations end in a loop,
 * and how far it follows its original.
 */
export function describeGeneration({
  generation,
  original,
}: Evaluation | TaskEvaluation): string[] {
  if (!generation) return [];
  const { continuations, reproduced } = generation;
  const before = original?.generation;
  const beside = before ? `; the original in ${loopsOf(before)}` : "";
  const sentences = [
    `repeats itself without end in ${loopsOf(generation)} of ` +
      `${formatPlural(continuations.length, "continuation")}${beside}`,
  ];
  if (reproduced && before) {
    sentences.push(
      `begins with ${formatNumber(reproduced.tokens)} tokens of what the original writes in the ` +
        `mean, of ${formatNumber(before.length.mean)}`,
    );
  }
  return sentences;
}

/** Shows the first prompts and what each model made of them, cut to a few lines. */
export function formatExcerpts(
  evaluation: Evaluation | TaskEvaluation,
  { width, style }: Layout,
): string[] {
  const authors = authorsOf(evaluation);
  const count = authors[0]?.generation.continuations.length ?? 0;
  return Array.from({ length: Math.min(excerpts, count) }, (_, index) => index).flatMap((index) => {
    const prompt = authors[0]?.generation.continuations[index]?.prompt ?? "";
    const shown = cut(printable(prompt.replace(/\s+/g, " ")), Math.min(width, 100) - 2);
    const texts = authors.flatMap(({ model, generation }) => {
      const continuation = generation.continuations[index];
      if (!continuation) return [];
      const name = authors.length > 1 ? [`    ${style(printable(modelName(model)), "dim")}`] : [];
      return [...name, ...excerptOf(continuation, width)];
    });
    return ["", `  ${style(shown, "accent")}`, ...texts];
  });
}

function excerptOf(continuation: Continuation, width: number): string[] {
  const lines = wrapText(printable(continuationLine(continuation)), width, "      ");
  const last = lines.length > excerptLines ? [`${lines[excerptLines - 1] ?? ""} …`] : [];
  const whole = lines.slice(0, last.length > 0 ? excerptLines - 1 : excerptLines);
  return [...whole, ...last].map((line) => cut(line, Math.min(width, 100)));
}

function loopsOf({ continuations }: GenerationFigures): number {
  return continuations.filter(({ loop }) => loop !== null).length;
}
