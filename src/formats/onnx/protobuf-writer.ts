const encoder = new TextEncoder();

/**
 * Writes messages in the wire format of Protocol Buffers: each field is a tag, which has its number
 * and how it is stored, and a varint, 4 bytes, or a length and so many bytes. Source: the encoding
 * page of protobuf.dev.
 */
export class ProtobufWriter {
  private bytes = new Uint8Array(256);
  private length = 0;

  /** Adds a whole number; negative ones take ten bytes, as the format has it. */
  int(field: number, value: number | bigint): this {
    this.varint(tagOf(field, 0));
    this.varint(BigInt.asUintN(64, BigInt(value)));
    return this;
  }

  /** Adds a float32. */
  float(field: number, value: number): this {
    this.varint(tagOf(field, 5));
    const piece = new Uint8Array(4);
    new DataView(piece.buffer).setFloat32(0, value, true);
    this.append(piece);
    return this;
  }

  /** Adds a text. */
  text(field: number, value: string): this {
    return this.data(field, encoder.encode(value));
  }

  /** Adds bytes, or a message that is encoded already. */
  data(field: number, value: Uint8Array): this {
    this.varint(tagOf(field, 2));
    this.varint(BigInt(value.length));
    this.append(value);
    return this;
  }

  /** Adds a message that `write` fills. */
  message(field: number, write: (message: ProtobufWriter) => void): this {
    const message = new ProtobufWriter();
    write(message);
    return this.data(field, message.finish());
  }

  /** Adds whole numbers as one packed field. */
  packedInts(field: number, values: readonly (number | bigint)[]): this {
    const packed = new ProtobufWriter();
    for (const value of values) packed.varint(BigInt.asUintN(64, BigInt(value)));
    return this.data(field, packed.finish());
  }

  /** Returns what was written; it is not copied. */
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  private varint(value: bigint): void {
    const piece: number[] = [];
    let rest = value;
    for (; rest >= 0x80n; rest >>= 7n) piece.push(Number(rest & 0x7fn) | 0x80);
    piece.push(Number(rest));
    this.append(Uint8Array.from(piece));
  }

  private append(piece: Uint8Array): void {
    const needed = this.length + piece.length;
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    this.bytes.set(piece, this.length);
    this.length = needed;
  }
}

/** The tag of a field: `wire` is 0 for varints, 2 for what has a length, 5 for 4 bytes. */
function tagOf(field: number, wire: 0 | 2 | 5): bigint {
  return BigInt(8 * field + wire);
}
