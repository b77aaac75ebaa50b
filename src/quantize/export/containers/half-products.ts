import { floatToHalfBits, halfBitsToFloat } from "../../../util/half.ts";

/** Products of all float16 values with a factor, rounded to float32 and then to float16. */
export interface HalfProducts {
  /** Of each bit pattern: bits of the product. */
  readonly bits: Uint16Array;
  /** Of each bit pattern: 1 where the product was rounded to float16. */
  readonly rounded: Uint8Array;
}

const made = new Map<number, HalfProducts>();

/** Returns the products with a factor, made on first use: grids have a few different ones. */
export function halfProducts(factor: number): HalfProducts {
  const before = made.get(factor);
  if (before) return before;
  const products = { bits: new Uint16Array(65536), rounded: new Uint8Array(65536) };
  for (let bits = 0; bits < 65536; bits++) {
    const product = Math.fround(halfBitsToFloat(bits) * factor);
    const half = floatToHalfBits(product);
    products.bits[bits] = half;
    products.rounded[bits] = halfBitsToFloat(half) === product ? 0 : 1;
  }
  made.set(factor, products);
  return products;
}
