/** A block whose tokens and all those before them are known: what a text may begin with. */
interface Content {
  readonly key: string;
  /** Names the tokens up to the end of the block; no two contents have one. */
  readonly chain: number;
}

/** A block that was found by what it holds. */
export interface FoundBlock {
  readonly block: number;
  readonly chain: number;
}

/** The chain of no tokens: what first blocks continue. */
export const noTokens = 0;

/**
 * Says which blocks of a key-value cache are whose. A block has as many holders as texts that begin
 * with what it holds. One that nobody holds any more keeps its content as long as there are others;
 * then the one that was given back the longest ago is taken.
 */
export class BlockPool {
  readonly count: number;
  readonly blockSize: number;
  private readonly holders: Uint32Array;
  private readonly empty: number[];
  /** Blocks that nobody holds and that can be found, in the order in which they were given back. */
  private readonly idle = new Set<number>();
  private readonly contents = new Map<number, Content>();
  private readonly found = new Map<string, FoundBlock>();
  private chains = noTokens;

  constructor(count: number, blockSize: number) {
    this.count = count;
    this.blockSize = blockSize;
    this.holders = new Uint32Array(count);
    this.empty = Array.from({ length: count }, (_, i) => count - 1 - i);
  }

  /** Blocks that somebody holds. */
  get used(): number {
    return this.count - this.available;
  }

  /** Blocks that nobody holds and that can be found. */
  get cached(): number {
    return this.idle.size;
  }

  /** Blocks that can be taken. */
  get available(): number {
    return this.empty.length + this.idle.size;
  }

  /** Takes a block; null when there is none. */
  take(): number | null {
    const block = this.empty.pop() ?? this.evict();
    if (block === null) return null;
    this.holders[block] = 1;
    return block;
  }

  /** Gives blocks back. The last ones go first when others are needed: nothing follows them. */
  giveBack(blocks: readonly number[]): void {
    for (const block of blocks.toReversed()) {
      this.holders[block]--;
      if (this.holders[block] > 0) continue;
      if (this.contents.has(block)) this.idle.add(block);
      else this.empty.push(block);
    }
  }

  /** Takes hold of the block with these tokens behind a chain; null where there is none. */
  find(chain: number, tokens: readonly number[]): FoundBlock | null {
    const known = this.found.get(keyOf(chain, tokens));
    if (!known) return null;
    this.idle.delete(known.block);
    this.holders[known.block]++;
    return known;
  }

  /**
   * Says what a block holds, all of it, behind a chain; returns the chain up to its end. Of two
   * blocks with one content the first can be found.
   */
  publish(block: number, chain: number, tokens: readonly number[]): number {
    const key = keyOf(chain, tokens);
    const known = this.found.get(key);
    if (known) return known.chain;
    const content = { key, chain: ++this.chains };
    this.contents.set(block, content);
    this.found.set(key, { block, chain: content.chain });
    return content.chain;
  }

  private evict(): number | null {
    const [block] = this.idle;
    if (block === undefined) return null;
    this.idle.delete(block);
    const content = this.contents.get(block);
    if (content) this.found.delete(content.key);
    this.contents.delete(block);
    return block;
  }
}

function keyOf(chain: number, tokens: readonly number[]): string {
  return `${chain}:${tokens.join(",")}`;
}
