import { expect, test } from "vitest";
import { transposeInto, transposeWords } from "./transpose.ts";

const shapes = [
  [1, 1],
  [2, 2],
  [4, 4],
  [3, 5],
  [4, 6],
  [6, 4],
  [8, 12],
  [13, 8],
  [32, 20],
  [20, 72],
  [9, 130],
] as const;

const arrays = { Uint8Array, Uint16Array, Float32Array };

for (const [name, Values] of Object.entries(arrays)) {
  test(`a ${name} is turned element by element, whatever its sizes and where it begins`, () => {
    for (const [rows, columns] of shapes) {
      for (const begin of [0, 1]) {
        const from = new Values(begin + rows * columns).subarray(begin);
        for (let i = 0; i < from.length; i++) from[i] = 1 + ((i * 167) % 251);
        const into = transposeInto(from, rows, columns, new Values(from.length));
        const expected = new Values(from.length);
        for (let i = 0; i < from.length; i++) {
          expected[(i % columns) * rows + Math.floor(i / columns)] = from[i];
        }
        expect(into, `${rows} × ${columns} from ${begin}`).toEqual(expected);
      }
    }
  });
}

test("words are turned with all their bits", () => {
  for (const [rows, columns] of shapes) {
    const words = Uint32Array.from({ length: rows * columns }, (_, i) => i * 2654435761);
    const turned = transposeWords(words, rows, columns);
    const back = transposeWords(turned, columns, rows);
    expect(turned[rows * columns - 1]).toBe(words[rows * columns - 1]);
    expect(turned[columns > 1 ? rows : 0]).toBe(words[columns > 1 ? 1 : 0]);
    expect(back, `${rows} × ${columns}`).toEqual(words);
  }
});
