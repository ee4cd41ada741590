import { Node } from '../stores/node.js';
import type { NodeMemo, NodeTable } from '../stores/node-table.js';

/** Dead nodes and second spellings (`42`, `'42'`) that a memo may hold, besides those of the live nodes. */
const SLACK = 64;

/** Never a hit. */
export const NOBODY: Node = new Node('');

/**
 * From the values of a template's placeholders to their node, so that a hit builds no key. A memo holds numbers and strings only,
 * whose text can't change; it may hold dead nodes, which are no hit, and is emptied when they could be half of it.
 */
export abstract class Memo implements NodeMemo {
  readonly #table: NodeTable;
  readonly #arity: number;
  #size = 0;

  constructor(table: NodeTable, arity: number) {
    this.#table = table;
    this.#arity = arity;
    table.addMemo(this);
  }

  /** Remembers the node of this key, if there is one by now, for the values that the key was made of. */
  remember(values: ArrayLike<unknown>, key: string): void {
    for (let i = 0; i < this.#arity; i++) {
      if (typeof values[i] !== 'string' && typeof values[i] !== 'number') return;
    }
    const node = this.#table.nodes.get(key);
    if (node === undefined) return;
    this.trim(this.#table.nodes.size);
    if (this.place(node, values[0], values[1])) this.#size++;
  }

  trim(live: number): void {
    if (this.#size <= 2 * live + SLACK) return;
    this.#size = 0;
    this.clear();
  }

  /** Answers whether it wasn't there. */
  protected abstract place(node: Node, first: unknown, second: unknown): boolean;
  protected abstract clear(): void;
}

/** Of one value. */
export class SingleMemo extends Memo {
  readonly nodes: Map<unknown, Node> = new Map();

  constructor(table: NodeTable) {
    super(table, 1);
  }

  protected place(node: Node, value: unknown): boolean {
    const before = this.nodes.size;
    this.nodes.set(value, node);
    return this.nodes.size > before;
  }

  protected clear(): void {
    this.nodes.clear();
  }
}

/** What is known of a first value: one second value with its node, or, once there are more, all of them in a Map. */
class Branch {
  second: unknown;
  node: Node;
  more: Map<unknown, Node> | undefined;

  constructor(second: unknown, node: Node) {
    this.second = second;
    this.node = node;
    this.more = undefined;
  }
}

/** Of two values. A Map costs about 200 bytes, so none is made for a first value that has only one second. */
export class PairMemo extends Memo {
  readonly #branches: Map<unknown, Branch> = new Map();

  constructor(table: NodeTable) {
    super(table, 2);
  }

  find(first: unknown, second: unknown): Node | undefined {
    const branch = this.#branches.get(first);
    if (branch === undefined) return undefined;
    if (branch.more !== undefined) return branch.more.get(second);
    return branch.second === second ? branch.node : undefined;
  }

  protected place(node: Node, first: unknown, second: unknown): boolean {
    const branch = this.#branches.get(first);
    if (branch === undefined) {
      this.#branches.set(first, new Branch(second, node));
      return true;
    }
    if (branch.more === undefined && branch.second === second) {
      branch.node = node;
      return false;
    }
    branch.more ??= new Map([[branch.second, branch.node]]);
    const before = branch.more.size;
    branch.more.set(second, node);
    return branch.more.size > before;
  }

  protected clear(): void {
    this.#branches.clear();
  }
}
