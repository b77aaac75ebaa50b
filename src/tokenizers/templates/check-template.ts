import { fail } from "./failure.ts";
import { hasFilter } from "./filters.ts";
import type { Body, Node } from "./syntax.ts";
import { hasTest } from "./tests.ts";
import { isTrue } from "./values.ts";

/** Where a part of a template stands. */
interface Place {
  /** In an `if` or a conditional expression: filters that are not there fail when they are used. */
  readonly soft: boolean;
  /** In the body of a loop of the same macro. */
  readonly inLoop: boolean;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value;
}

/** Returns the parts of a node, in the order in which they are written down. */
export function partsOf(node: Node | readonly unknown[]): Node[] {
  const values = Array.isArray(node) ? node : Object.values(node);
  return values.flatMap((value: unknown) => {
    if (isNode(value)) return [value];
    return Array.isArray(value) || isPlain(value) ? partsOf(value as readonly unknown[]) : [];
  });
}

/** Arguments and parameters: records without a type of their own. */
function isPlain(value: unknown): boolean {
  return (
    typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype
  );
}

/** Finds what Jinja finds when it compiles a template. */
class Checker {
  private readonly blocks = new Set<string>();

  check(node: Node, place: Place): void {
    this.checkNode(node, place);
    if (node.type === "if" || node.type === "conditional") {
      this.checkAll(partsOf(node), { ...place, soft: true });
    } else if (node.type === "for") {
      if (assignsLoop(node)) fail("SyntaxError", "can't assign to the special variable 'loop'");
      this.check(node.over, place);
      if (node.test) this.check(node.test, { ...place, soft: false });
      this.checkAll(node.body, { soft: false, inLoop: true });
      this.checkAll(node.otherwise, { ...place, soft: false });
    } else if (node.type === "macro" || node.type === "generation" || node.type === "block") {
      this.checkAll(partsOf(node), { soft: false, inLoop: false });
    } else if (node.type === "and" || node.type === "or") {
      this.check(node.left, place);
      // Where a constant decides, Jinja does not look at the right side.
      const { left } = node;
      const decides = left.type === "constant" && isTrue(left.value) === (node.type === "or");
      if (!decides) this.check(node.right, place);
    } else {
      const isScope = ["with", "setBlock", "filterBlock", "autoescape"].includes(node.type);
      this.checkAll(partsOf(node), isScope ? { ...place, soft: false } : place);
    }
  }

  checkAll(nodes: readonly Node[], place: Place): void {
    for (const node of nodes) this.check(node, place);
  }

  private checkNode(node: Node, { soft, inLoop }: Place): void {
    if ((node.type === "break" || node.type === "continue") && !inLoop) {
      fail("SyntaxError", `'${node.type}' stands outside of a loop`);
    }
    if (node.type === "filter" && !soft && !hasFilter(node.name)) {
      fail("SyntaxError", `there is no filter '${node.name}' (line ${node.line})`);
    }
    if (node.type === "test" && !soft && !hasTest(node.name)) {
      fail("SyntaxError", `there is no test '${node.name}' (line ${node.line})`);
    }
    if (node.type !== "block") return;
    if (this.blocks.has(node.name)) fail("SyntaxError", `block '${node.name}' is defined twice`);
    this.blocks.add(node.name);
  }
}

function assignsLoop(node: Node): boolean {
  if (node.type === "target") return node.name === "loop";
  if (node.type === "macro" && node.name === "loop") return false;
  return partsOf(node).some(assignsLoop);
}

/**
 * Checks what does not depend on variables: that filters and tests are there, and that loops and
 * blocks are whole.
 * @throws TemplateFailure (SyntaxError) when they are not
 */
export function checkTemplate(body: Body): void {
  new Checker().checkAll(body, { soft: false, inLoop: false });
}
