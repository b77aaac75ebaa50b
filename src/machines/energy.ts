/**
 * Picojoules of arithmetic. An entry is one multiplication and one addition of what it names.
 *
 * `45nm`: M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014,
 * figure 1.1.9, at 0.9 V. `7nm`: N. P. Jouppi et al., "Ten Lessons From Three Generations Shaped
 * Google's TPUv4i", ISCA 2021, table 2.
 */
export const arithmeticEnergies = {
  "45nm": { int8: 0.2 + 0.1, float32: 3.7 + 0.9 },
  "7nm": { int8: 0.07 + 0.03, float32: 1.31 + 0.38 },
} as const;

/**
 * Picojoules of a byte that comes from memory.
 *
 * `ddr`: 1.3 nJ for 64 bits, the lower end of Horowitz's 1.3 to 2.6, and what Jouppi et al. give for
 * DDR3 and DDR4. `gddr6`, `hbm2`: the middle of their 350 to 480 and 250 to 450 pJ for 64 bits. For
 * LPDDR no figure was found that covers array and interface: machines with it count as `ddr`, which
 * is more than they take.
 */
export const memoryEnergies = { ddr: 1300 / 8, gddr6: 415 / 8, hbm2: 350 / 8 } as const;

/** What a machine is made of, as far as energy goes. */
export interface MachineEnergy {
  readonly arithmetic: keyof typeof arithmeticEnergies;
  readonly memory: keyof typeof memoryEnergies;
}

/** What is moved and computed for one token. */
export interface TokenWork {
  /** Bytes from memory. */
  readonly bytes: number;
  /** Multiplications with an addition each, of packed weights by inputs of 8 bits. */
  readonly integerProducts: number;
  /** The same of floats. */
  readonly floatProducts: number;
}

/** Joules of some work: dynamic energy of memory and arithmetic, nothing for standing by. */
export function joulesOf(
  { bytes, integerProducts, floatProducts }: TokenWork,
  { arithmetic, memory }: MachineEnergy,
): number {
  const { int8, float32 } = arithmeticEnergies[arithmetic];
  return (
    1e-12 * (bytes * memoryEnergies[memory] + integerProducts * int8 + floatProducts * float32)
  );
}
