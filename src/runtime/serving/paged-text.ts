import { type BlockPool, noTokens } from "./block-pool.ts";

/** A text, and the blocks that keys and values of its tokens are in. */
export class PagedText {
  /** Tokens so far: of the prompt, and those that were generated. */
  readonly ids: number[];
  /** Tokens whose keys and values are there. */
  computed = 0;
  private readonly pool: BlockPool;
  private readonly blocks: number[] = [];
  /** Blocks whose content others may find, and the chain up to their end. */
  private published = 0;
  private chain = noTokens;

  constructor(pool: BlockPool, ids: readonly number[]) {
    this.pool = pool;
    this.ids = [...ids];
  }

  /** Blocks in the order of the text. */
  get table(): readonly number[] {
    return this.blocks;
  }

  /** Tokens that are still to be computed. */
  get pending(): number {
    return this.ids.length - this.computed;
  }

  /** The row of the cache for the token at `position`, for which there is room. */
  slot(position: number): number {
    const { blockSize } = this.pool;
    return this.blocks[Math.floor(position / blockSize)] * blockSize + (position % blockSize);
  }

  /**
   * Takes over blocks with what the text begins with; its last token is always left to compute.
   * Returns the tokens that need not be computed.
   */
  adoptPrefix(): number {
    const { blockSize } = this.pool;
    while (this.computed + blockSize < this.ids.length) {
      const tokens = this.ids.slice(this.computed, this.computed + blockSize);
      const found = this.pool.find(this.chain, tokens);
      if (!found) break;
      this.blocks.push(found.block);
      this.chain = found.chain;
      this.published++;
      this.computed += blockSize;
    }
    return this.computed;
  }

  /** Makes room for `count` more tokens; false when there are no blocks, and then some may be taken. */
  reserve(count: number): boolean {
    while (this.blocks.length * this.pool.blockSize < this.computed + count) {
      const block = this.pool.take();
      if (block === null) return false;
      this.blocks.push(block);
    }
    return true;
  }

  /** Counts `count` more tokens as computed, and lets others find blocks that are full. */
  advance(count: number): void {
    this.computed += count;
  }

  /** Lets others find the blocks that are full. */
  publish(): void {
    const { blockSize } = this.pool;
    for (; (this.published + 1) * blockSize <= this.computed; this.published++) {
      const tokens = this.ids.slice(this.published * blockSize, (this.published + 1) * blockSize);
      this.chain = this.pool.publish(this.blocks[this.published], this.chain, tokens);
    }
  }

  /** Gives all blocks back: everything would have to be computed again. */
  drop(): void {
    this.pool.giveBack(this.blocks);
    this.blocks.length = 0;
    this.computed = 0;
    this.published = 0;
    this.chain = noTokens;
  }
}
