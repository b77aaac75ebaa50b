import { arithmeticPassage, countingPassage } from "./counting.ts";
import { attributePassage, comparingPassage, oppositesPassage } from "./describing.ts";
import { Draw, type Split } from "./draw.ts";
import { echoPassage } from "./echo.ts";
import { scenesPassage } from "./scenes.ts";
import { storyPassage } from "./stories.ts";
import { trackingPassage } from "./tracking.ts";
import { weekPassage } from "./week.ts";

/** The kinds of passages, and how many of each stand in a hundred. */
const kinds: readonly (readonly [number, (draw: Draw) => string])[] = [
  [26, trackingPassage],
  [10, countingPassage],
  [3, arithmeticPassage],
  [16, attributePassage],
  [12, comparingPassage],
  [3, oppositesPassage],
  [6, scenesPassage],
  [8, weekPassage],
  [4, storyPassage],
  [12, echoPassage],
];

/** The line between two documents. */
const separator = "<|doc|>";

/** Writes documents, with a separating line between them, until the text has `characters` of them. */
export function writeCorpus(seed: number, split: Split, characters: number): string {
  const draw = new Draw(seed, split);
  const documents: string[] = [];
  for (let length = 0; length < characters; ) {
    const document = writeDocument(draw);
    documents.push(document);
    length += document.length + separator.length + 2;
  }
  return `${documents.join(`\n${separator}\n`)}\n`;
}

/**
 * Writes a document: a few passages with an empty line between them, which is how documents that are
 * joined for evaluation look, too.
 */
function writeDocument(draw: Draw): string {
  const passages = draw.between(2, 6);
  return Array.from({ length: passages }, () => writePassage(draw)).join("\n\n");
}

function writePassage(draw: Draw): string {
  let ticket = draw.between(0, kinds.reduce((sum, [share]) => sum + share, 0) - 1);
  for (const [share, write] of kinds) {
    if (ticket < share) return write(draw);
    ticket -= share;
  }
  throw new RangeError("the shares of the kinds do not add up");
}
