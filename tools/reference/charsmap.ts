/**
 * Builds a table of replacements as sentencepiece stores it: a double-array trie (Darts-clone's
 * layout) over UTF-8 bytes, and behind it the replacements, each ended by a zero.
 */
export function compileCharsmap(replacements: ReadonlyMap<string, string>): string {
  const encoder = new TextEncoder();
  const values: number[] = [];
  const root: Node = { value: null, children: new Map() };
  for (const [from, to] of replacements) {
    let node = root;
    for (const byte of encoder.encode(from)) {
      const child = node.children.get(byte) ?? { value: null, children: new Map() };
      node.children.set(byte, child);
      node = child;
    }
    node.value = values.length;
    values.push(...encoder.encode(to), 0);
  }
  const units = new Units();
  units.place(root, 0);
  const trie = units.bytes();
  const table = new Uint8Array(4 + trie.length + values.length);
  new DataView(table.buffer).setUint32(0, trie.length, true);
  table.set(trie, 4);
  table.set(values, 4 + trie.length);
  return Buffer.from(table).toString("base64");
}

interface Node {
  /** Where the replacement begins; null for a place between. */
  value: number | null;
  readonly children: Map<number, Node>;
}

class Units {
  private readonly units: (number | undefined)[] = [0];

  /** Writes the children of the node at `at`, each at the node's base xor its byte. */
  place(node: Node, at: number): void {
    const labels = [...(node.value === null ? [] : [0]), ...node.children.keys()];
    let base = 256;
    const taken = (label: number): boolean => this.units[base ^ label] !== undefined;
    while (labels.some(taken)) base++;
    const offset = at ^ base;
    this.units[at] =
      (this.units[at] as number) | (offset << 10) | (node.value === null ? 0 : 0x100);
    for (const label of labels) this.units[base ^ label] = label;
    if (node.value !== null) this.units[base] = (node.value | 0x80000000) >>> 0;
    for (const [byte, child] of node.children) this.place(child, base ^ byte);
  }

  bytes(): Uint8Array {
    const length = Math.ceil(this.units.length / 256) * 256;
    const units = Uint32Array.from({ length }, (_, i) => this.units[i] ?? 0);
    return new Uint8Array(units.buffer);
  }
}
