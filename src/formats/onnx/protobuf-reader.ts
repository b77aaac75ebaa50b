import { FormatError } from "../../util/errors.ts";

/** A field of a message: a whole number, or bytes; of a fixed width these are its 4 or 8. */
export interface ProtobufField {
  readonly field: number;
  readonly value: bigint | Uint8Array;
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads the fields of a message in their order; nested messages are bytes, to be read in turn.
 * @throws FormatError when it ends early, or a field is stored in a way that is not in use any more
 */
export function* readProtobuf(bytes: Uint8Array): Generator<ProtobufField> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (at >= bytes.length) throw endsEarly();
      const byte = bytes[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new FormatError("the protobuf message has a number of more than ten bytes");
  };
  const take = (count: bigint): Uint8Array => {
    if (count > BigInt(bytes.length - at)) throw endsEarly();
    const end = at + Number(count);
    const taken = bytes.subarray(at, end);
    at = end;
    return taken;
  };
  while (at < bytes.length) {
    const tag = varint();
    const field = Number(tag >> 3n);
    const wire = Number(tag & 7n);
    if (wire === 0) yield { field, value: varint() };
    else if (wire === 1) yield { field, value: take(8n) };
    else if (wire === 2) yield { field, value: take(varint()) };
    else if (wire === 5) yield { field, value: take(4n) };
    else throw new FormatError(`the protobuf message stores field ${field} in an unknown way`);
  }
}

/** Reads a nested message. @throws FormatError when the field is a number */
export function messageOf({ field, value }: ProtobufField): Uint8Array {
  if (typeof value !== "bigint") return value;
  throw new FormatError(`the protobuf field ${field} is a number: expected bytes`);
}

/** Reads a text. @throws FormatError when the field is a number, or not UTF-8 */
export function textOf(given: ProtobufField): string {
  try {
    return decoder.decode(messageOf(given));
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(`the protobuf field ${given.field} is not UTF-8`, { cause });
  }
}

/** Reads a whole number below 2^53. @throws FormatError when the field is something else */
export function intOf({ field, value }: ProtobufField): number {
  if (typeof value === "bigint" && value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw new FormatError(`the protobuf field ${field} is not a whole number below 2^53`);
}

/** Reads whole numbers, packed into one field or each a field of its own. @throws FormatError */
export function intsOf(given: ProtobufField): number[] {
  if (typeof given.value === "bigint") return [intOf(given)];
  // A run of varints is what a message looks like without its tags.
  const tagged = withTags(given.value);
  return [...readProtobuf(tagged)].map(intOf);
}

/** Puts the tag of field 1 in front of each varint of a packed run. */
function withTags(run: Uint8Array): Uint8Array {
  const tagged: number[] = [];
  let begins = true;
  for (const byte of run) {
    if (begins) tagged.push(8);
    tagged.push(byte);
    begins = byte < 0x80;
  }
  return Uint8Array.from(tagged);
}

function endsEarly(): FormatError {
  return new FormatError("the protobuf message ends early", {
    hint: "download the file again, or check the disk",
  });
}
