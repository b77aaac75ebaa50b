import type { GgufFile } from "./gguf-file.ts";
import type { GgufTensor } from "./gguf-header.ts";
import type { RowOrder } from "./row-order.ts";

/** Bytes of rows of one period that are read at once, to be put into order. */
const periodBytes = 2 ** 22;

/** Reads rows of a tensor of a GGUF file in the order that they have in checkpoints. */
export class GgufRows {
  readonly rows: number;
  readonly rowBytes: number;
  private readonly file: GgufFile;
  private readonly name: string;
  private readonly at: number;
  private readonly order: RowOrder | null;

  /**
   * @param source a tensor of the file, or a part of one that begins behind `at` bytes of it
   * @param order of the rows in the file; null where they lie in it as in checkpoints
   */
  constructor(
    file: GgufFile,
    source: GgufTensor & { readonly at: number },
    order: RowOrder | null,
  ) {
    const { name, at, shape, begin, end } = source;
    const isVector = shape.length < 2;
    // Elements of a vector are its rows where they are to be put into order.
    const rows = isVector && order === null ? 1 : isVector ? (shape[0] ?? 1) : rowsOf(shape);
    this.rows = rows;
    this.rowBytes = rows === 0 ? 0 : (end - begin) / rows;
    this.file = file;
    this.name = name;
    this.at = at;
    this.order = order;
  }

  /** Reads rows from `first` on, as many as `into` holds. */
  async read(first: number, into: Uint8Array): Promise<void> {
    const { order, rowBytes } = this;
    if (order === null) return this.readFile(first, into);
    const isNear = order.length * rowBytes <= periodBytes;
    await (isNear ? this.readPeriods(order, first, into) : this.readRuns(order, first, into));
  }

  /** Reads whole periods, and puts their rows into order. */
  private async readPeriods(order: RowOrder, first: number, into: Uint8Array): Promise<void> {
    const { rowBytes } = this;
    const count = into.length / rowBytes;
    const period = new Uint8Array(order.length * rowBytes);
    for (let row = first, done = 0; done < count; ) {
      const start = Math.floor(row / order.length) * order.length;
      await this.readFile(start, period);
      for (; row < start + order.length && done < count; row++, done++) {
        const from = order[row - start] * rowBytes;
        into.set(period.subarray(from, from + rowBytes), done * rowBytes);
      }
    }
  }

  /** Reads rows that follow each other in the file, too. */
  private async readRuns(order: RowOrder, first: number, into: Uint8Array): Promise<void> {
    const { rowBytes } = this;
    const count = into.length / rowBytes;
    const placeOf = (row: number): number => row - (row % order.length) + order[row % order.length];
    for (let done = 0, next = 0; done < count; done = next) {
      const place = placeOf(first + done);
      next = done + 1;
      while (next < count && placeOf(first + next) === place + next - done) next++;
      await this.readFile(place, into.subarray(done * rowBytes, next * rowBytes));
    }
  }

  private async readFile(first: number, into: Uint8Array): Promise<void> {
    const from = this.at + first * this.rowBytes;
    const mapped = this.file.view(this.name);
    if (mapped) into.set(mapped.subarray(from, from + into.length));
    else await this.file.readInto(this.name, into, from);
  }
}

function rowsOf(shape: readonly number[]): number {
  return shape.slice(0, -1).reduce((product, dimension) => product * dimension, 1);
}
