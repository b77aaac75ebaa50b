import { figureName, readFigure } from "../../evaluation/figure.ts";
import { figures } from "../../evaluation/figures.ts";
import type { SweepResults } from "../../sweep/results/sweep-results.ts";
import { formatFigure } from "../format-figure.ts";

/**
 * Says how far a point moved from its original: on the text that the sentence speaks of, or on the
 * first one. A model that is better than its original was trained to something else, which its
 * figure alone does not tell.
 */
export function divergenceClause({ points }: SweepResults, id: string, subject: string): string {
  const texts = points.find(({ point }) => point.id === id)?.result?.texts ?? [];
  const text = texts.find(({ name }) => name === subject) ?? texts[0];
  const value = readFigure(figures.kl, text);
  const name = `${figureName(figures.kl)} from it`;
  return value === null
    ? `${name} not measured`
    : `${name} ${formatFigure(figures.kl, value)} nats a token`;
}
