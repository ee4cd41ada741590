import { Node } from '../stores/node.js';
import type { NodeMemo, NodeTable } from '../stores/node-table.js';

/** Dead nodes and second spellings (`42`, `'42'`) that a memo may hold, besides those of the live nodes. */
const SLACK = 64;

/** Never a hit. */
export const NOBODY: Node = new Node('');

/**
 * From an argument to its node, so that a hit builds no key. It holds numbers and strings only, whose key can't change; it may
 * hold dead nodes, which are no hit, and is emptied when they could be half of it.
 */
export class ArgumentMemo implements NodeMemo {
  readonly nodes: Map<unknown, Node> = new Map();
  readonly #table: NodeTable;

  constructor(table: NodeTable) {
    this.#table = table;
    table.addMemo(this);
  }

  /** Remembers the node of these arguments, if there is one by now. */
  remember(argument: unknown, build: (args: ArrayLike<unknown>) => string, args: ArrayLike<unknown>): void {
    if (typeof argument !== 'string' && typeof argument !== 'number') return;
    const node = this.#table.nodes.get(build(args));
    if (node === undefined) return;
    this.trim(this.#table.nodes.size);
    this.nodes.set(argument, node);
  }

  trim(live: number): void {
    if (this.nodes.size > 2 * live + SLACK) this.nodes.clear();
  }
}
