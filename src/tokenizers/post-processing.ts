import * as z from "zod";
import { FormatError, UnsupportedError } from "../util/errors.ts";
import { type ComponentFamily, component, makeComponent, makeSequence } from "./components.ts";
import { expectId } from "./vocabulary.ts";

/** The ids that stand around a text. */
export interface IdsAround {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** Where the text itself stands among ids. */
const text = -1;
type Sequence = readonly number[];

/** Puts ids around sequences, of which one is the text. */
type PostProcessor = (sequences: readonly Sequence[]) => readonly Sequence[];

const templatePiece = z.union([
  z.object({ Sequence: z.looseObject({ id: z.enum(["A", "B"]) }) }),
  z.object({ SpecialToken: z.looseObject({ id: z.string() }) }),
]);
const templateOptions = z.looseObject({
  single: z.array(templatePiece),
  pair: z.array(templatePiece).default([]),
  special_tokens: z.record(z.string(), z.looseObject({ ids: z.array(z.unknown()) })).default({}),
});

function template(options: z.output<typeof templateOptions>, place: string): PostProcessor {
  const special = new Map(
    Object.entries(options.special_tokens).map(([name, { ids }]) => [
      name,
      ids.map((id) => expectId(id, name, `${place}.special_tokens`)),
    ]),
  );
  const idsOf = (name: string): readonly number[] => {
    const ids = special.get(name);
    if (ids) return ids;
    throw new FormatError(
      `${place} puts ${JSON.stringify(name)} around a text, but its special_tokens do not have it`,
    );
  };
  const fill = (pieces: z.output<typeof templatePiece>[]) => (sequences: readonly Sequence[]) =>
    pieces.map((piece) =>
      "SpecialToken" in piece
        ? idsOf(piece.SpecialToken.id)
        : (sequences[piece.Sequence.id === "A" ? 0 : 1] ?? refuseTemplate(place)),
    );
  for (const piece of options.single) if ("SpecialToken" in piece) idsOf(piece.SpecialToken.id);
  return (sequences) => {
    if (sequences.length > 2) return refuseTemplate(place);
    return fill(sequences.length === 1 ? options.single : options.pair)(sequences);
  };
}

function refuseTemplate(place: string): never {
  throw new UnsupportedError(`${place} does not put the text once among its special tokens`);
}

const namedId = z.tuple([z.string(), z.unknown()]);
const aroundOptions = z.looseObject({ sep: namedId, cls: namedId });

/** A token before the text and one after it; of further sequences RoBERTa's has one before, too. */
const aroundText =
  (isRoberta: boolean) =>
  ({ sep, cls }: z.output<typeof aroundOptions>, place: string): PostProcessor => {
    const first = expectId(cls[1], cls[0], `${place}.cls`);
    const last = expectId(sep[1], sep[0], `${place}.sep`);
    const before = isRoberta ? [last] : [];
    return (sequences) =>
      sequences.map((ids, i) => [...(i === 0 ? [first] : before), ...ids, last]);
  };

const family: ComponentFamily<PostProcessor> = new Map([
  ["TemplateProcessing", component(templateOptions, template)],
  ["BertProcessing", component(aroundOptions, aroundText(false))],
  ["RobertaProcessing", component(aroundOptions, aroundText(true))],
  ["ByteLevel", component(z.looseObject({}), () => (sequences) => sequences)],
  [
    "Sequence",
    component(z.looseObject({ processors: z.array(z.unknown()) }), ({ processors }, place) => {
      const parts = makeSequence(family, "post-processor", processors, `${place}.processors`);
      return (sequences) => parts.reduce((all, part) => part(all), sequences);
    }),
  ],
]);

/**
 * Finds what the post-processor of `tokenizer.json` puts around a text.
 * @throws UnsupportedError for unknown types, and when the text does not come out once
 * @throws FormatError for wrong options
 */
export function idsAround(config: unknown, place: string): IdsAround {
  if (config === null) return { before: [], after: [] };
  const process = makeComponent(family, "post-processor", config, place);
  const ids = process([[text]]).flat();
  const at = ids.indexOf(text);
  if (at < 0 || ids.indexOf(text, at + 1) >= 0) return refuseTemplate(place);
  return { before: ids.slice(0, at), after: ids.slice(at + 1) };
}
