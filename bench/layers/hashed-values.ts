/**
 * `count` values spread evenly over ±amplitude, by a hash of their index: the yardsticks in Python
 * make the same ones, so that nothing large has to be handed over. (The finaliser of MurmurHash3,
 * by A. Appleby.)
 */
export function hashedValues(count: number, seed: number, amplitude: number): Float32Array {
  const values = new Float32Array(count);
  const start = Math.imul(seed, 0x9e3779b1);
  for (let i = 0; i < count; i++) {
    let h = (i + start) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
    values[i] = amplitude * ((h >>> 0) / 2 ** 31 - 1);
  }
  return values;
}
