import { arithmeticPassage, countingPassage } from "./counting.ts";
import { attributePassage, comparingPassage, oppositesPassage } from "./describing.ts";
import { Draw, type Split } from "./draw.ts";
import { echoPassage } from "./echo.ts";
import { reviewPassage } from "./review.ts";
import { scenesPassage } from "./scenes.ts";
import { storyPassage } from "./stories.ts";
import { trackingPassage } from "./tracking.ts";
import { weekPassage } from "./week.ts";

/** How much of each kind of passage a text has: `early` for the first half of the training. */
export type Mixture = "early" | "full";

/** The kinds of passages, and how many of each stand in a hundred passages of each mixture. */
const kinds: readonly (Readonly<Record<Mixture, number>> & {
  readonly write: (draw: Draw) => string;
})[] = [
  { early: 26, full: 26, write: trackingPassage },
  { early: 10, full: 5, write: countingPassage },
  { early: 3, full: 1, write: arithmeticPassage },
  { early: 16, full: 14, write: attributePassage },
  { early: 12, full: 14, write: comparingPassage },
  { early: 3, full: 1, write: oppositesPassage },
  { early: 6, full: 4, write: scenesPassage },
  { early: 8, full: 8, write: weekPassage },
  { early: 4, full: 3, write: storyPassage },
  { early: 12, full: 4, write: echoPassage },
  { early: 0, full: 20, write: reviewPassage },
];

/** The line between two documents. */
const separator = "<|doc|>";

/**
 * Writes documents, with a separating line between them, until the text has `characters` of them.
 */
export function writeCorpus(
  seed: number,
  split: Split,
  characters: number,
  mixture: Mixture = "full",
): string {
  const draw = new Draw(seed, split);
  const documents: string[] = [];
  for (let length = 0; length < characters; ) {
    const document = writeDocument(draw, mixture);
    documents.push(document);
    length += document.length + separator.length + 2;
  }
  return `${documents.join(`\n${separator}\n`)}\n`;
}

/**
 * Writes a document: a few passages with an empty line between them, which is how documents that
 * are joined for evaluation look, too.
 */
function writeDocument(draw: Draw, mixture: Mixture): string {
  const passages = draw.between(2, 6);
  return Array.from({ length: passages }, () => writePassage(draw, mixture)).join("\n\n");
}

function writePassage(draw: Draw, mixture: Mixture): string {
  let ticket = draw.between(0, kinds.reduce((sum, kind) => sum + kind[mixture], 0) - 1);
  for (const kind of kinds) {
    if (ticket < kind[mixture]) return kind.write(draw);
    ticket -= kind[mixture];
  }
  throw new RangeError("the shares of the kinds do not add up");
}
