import { countingDocument, arithmeticDocument } from "./counting.ts";
import { attributeDocument, comparingDocument, oppositesDocument } from "./describing.ts";
import { Draw, type Split } from "./draw.ts";
import { scenesDocument } from "./scenes.ts";
import { storyDocument } from "./stories.ts";
import { trackingDocument } from "./tracking.ts";
import { weekDocument } from "./week.ts";

/** The kinds of documents, and how many of each stand in a hundred. */
const kinds: readonly (readonly [number, (draw: Draw) => string])[] = [
  [26, trackingDocument],
  [16, countingDocument],
  [6, arithmeticDocument],
  [14, attributeDocument],
  [10, comparingDocument],
  [4, oppositesDocument],
  [12, scenesDocument],
  [6, weekDocument],
  [6, storyDocument],
];

/** The line between two documents. */
const separator = "<|doc|>";

/** Writes one document of a kind drawn at random. */
export function writeDocument(draw: Draw): string {
  let ticket = draw.between(0, kinds.reduce((sum, [share]) => sum + share, 0) - 1);
  for (const [share, write] of kinds) {
    if (ticket < share) return write(draw);
    ticket -= share;
  }
  throw new RangeError("the shares of the kinds do not add up");
}

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
