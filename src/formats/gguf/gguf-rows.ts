import type { GgufFile } from "./gguf-file.ts";
import type { GgufTensor } from "./gguf-header.ts";
import { ggufRows } from "./tensor-names.ts";

/** Reads rows of a tensor of a GGUF file in the order that they have in checkpoints. */
export class GgufRows {
  readonly rows: number;
  readonly rowBytes: number;
  /** Whether rows lie in the file as they are read. */
  readonly inOrder: boolean;
  private readonly file: GgufFile;
  private readonly name: string;
  /** Rows of a head, and where each lies within its head in the file. */
  private readonly places: Uint32Array;

  /**
   * @param heads among whose rows those of the file lie otherwise; null where they do not. Their
   *   number must divide the rows into even heads.
   */
  constructor(file: GgufFile, { name, shape, begin, end }: GgufTensor, heads: number | null) {
    const isVector = shape.length < 2;
    // Elements of a vector are its rows where they are to be put into order.
    const rows = isVector && heads === null ? 1 : isVector ? (shape[0] ?? 1) : rowsOf(shape);
    this.rows = rows;
    this.rowBytes = rows === 0 ? 0 : (end - begin) / rows;
    this.inOrder = heads === null;
    this.file = file;
    this.name = name;
    this.places = heads === null ? new Uint32Array() : ggufRows(rows / heads, 1);
  }

  /** Reads rows from `first` on, as many as `into` holds. */
  async read(first: number, into: Uint8Array): Promise<void> {
    if (this.inOrder) return this.readFile(first, into);
    const { rowBytes, places } = this;
    const perHead = places.length;
    const count = into.length / rowBytes;
    const head = new Uint8Array(perHead * rowBytes);
    for (let row = first, done = 0; done < count; ) {
      const start = Math.floor(row / perHead) * perHead;
      await this.readFile(start, head);
      for (; row < start + perHead && done < count; row++, done++) {
        const from = places[row - start] * rowBytes;
        into.set(head.subarray(from, from + rowBytes), done * rowBytes);
      }
    }
  }

  private async readFile(first: number, into: Uint8Array): Promise<void> {
    const from = first * this.rowBytes;
    const mapped = this.file.view(this.name);
    if (mapped) into.set(mapped.subarray(from, from + into.length));
    else await this.file.readInto(this.name, into, from);
  }
}

function rowsOf(shape: readonly number[]): number {
  return shape.slice(0, -1).reduce((product, dimension) => product * dimension, 1);
}
