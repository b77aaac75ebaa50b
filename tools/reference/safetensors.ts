import { parseHeader } from "../../src/formats/safetensors-header.ts";
import { FormatError } from "../../src/util/errors.ts";
import type { Prng } from "../../src/util/prng.ts";
import { type Json, type Subject, choose } from "./subject.ts";

interface Case {
  readonly header: string;
  readonly dataBytes: number;
}

const elementBytes: readonly (readonly [string, number])[] = [
  ["F64", 8],
  ["F32", 4],
  ["BF16", 2],
  ["F16", 2],
  ["I64", 8],
  ["U8", 1],
  ["BOOL", 1],
  ["F8_E4M3", 1],
];
const names = ["a", "model.layers.0.mlp.up_proj.weight", "é\\n", "__proto__", ""];
const metadata = [
  "null",
  "{}",
  '{"format":"pt"}',
  '{"format":"pt","a":"\\u00e9"}',
  '{"a":1}',
  "[]",
];

function makeHeader(random: Prng): Case {
  const members: string[] = [];
  let end = 0;
  for (const name of names.slice(0, random.below(names.length + 1))) {
    const [dtype, bytes] = choose(random, elementBytes);
    const shape = Array.from({ length: random.below(4) }, () => random.below(4));
    const begin = end;
    end += shape.reduce((count, size) => count * size, bytes);
    members.push(
      `"${name}":{"dtype":"${dtype}","shape":${JSON.stringify(shape)},"data_offsets":[${begin},${end}]}`,
    );
  }
  if (random.below(2) === 0) members.unshift(`"__metadata__":${choose(random, metadata)}`);
  const space = choose(random, ["", " ", "\n"]);
  return { header: `{${space}${members.join(`,${space}`)}}${space}`, dataBytes: end };
}

/** Changes one number or one mark, which most often makes a header that must be refused. */
function damage({ header, dataBytes }: Case, random: Prng): Case {
  const marks = [...header.matchAll(/\d+|[{}[\]:,"]/g)];
  const { index, 0: mark } = choose(random, marks);
  const other = choose(random, ["", "0", "1", "2", "7", "-1", "1.0", "1e1", "null", "[", "}", '"']);
  const changed = header.slice(0, index) + other + header.slice(index + mark.length);
  return { header: changed, dataBytes: dataBytes + choose(random, [0, 0, 0, -1, 1]) };
}

function makeCase(_index: number, random: Prng): Json {
  const whole = makeHeader(random);
  const made = random.below(2) === 0 ? whole : damage(whole, random);
  return { ...made, dataBytes: Math.max(0, made.dataBytes) };
}

function answer(input: Json): Json {
  const { header, dataBytes } = input as unknown as Case;
  const parsed = parseHeader(header, "model.safetensors");
  if (parsed.dataBytes !== dataBytes) throw new FormatError("the data has another size");
  return [...parsed.tensors.values()]
    .map(({ name, dtype, shape }): Json => [name, dtype.toUpperCase(), [...shape]])
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

/** Headers of safetensors files, whole and damaged. */
export const safetensors: Subject = {
  name: "safetensors",
  packages: ["safetensors"],
  goldenCases: 200,
  makeCase,
  answer,
};
