import { coarseNow } from '../core/coarse-clock.js';
import { checkKey } from '../core/options.js';
import type { KeyPlan } from '../keys/compile.js';
import { hits as hitEvents } from '../metrics/events.js';
import type { Tally } from '../metrics/tally.js';
import type { Node } from '../stores/node.js';
import type { NodeTable } from '../stores/node-table.js';
import type { Answers } from './answers.js';
import { ArgumentMemo, NOBODY } from './memo.js';
import type { Args, Call } from './setup.js';

/** A constant of this module is a constant in compiled code; an imported one is loaded at each hit. */
const hits = hitEvents;

/** A cached function without its controls: `this` and the arguments are the caller's. */
export type Wrapper = (this: unknown, ...args: unknown[]) => unknown;

/**
 * The hit path on an `InMemCache`, where nothing is recorded but a count. Everything else goes to `call`, which decides the same things
 * again, by the table: also a hit that is to be timed, or that somebody listens for.
 *
 * A hit is: find the node, `coarseNow[0] < node.hotUntil`, mark it, answer. How the node is found depends on the key:
 * 1. it is fixed: the wrapper holds the node itself. 2. one argument decides it: a memo, no key is built. 3. else: the key
 * is built and looked up.
 *
 * No hit allocates. `arguments` is only handed on, so that V8 makes no object of it where the call is a hit.
 */
export function fastWrapper(key: KeyPlan, answers: Answers, table: NodeTable, tally: Tally | undefined, call: Call): Wrapper {
  /**
   * Whether a hit may be answered here: it is counted then. Where the coarse clock decides, it is written out: as a call it would be a
   * tenth of a hit.
   */
  const counted = (): boolean => !hits.hasSubscribers && (tally === undefined || tally.hit());

  const hit = (node: Node): unknown => {
    node.visited = 1;
    return answers.isPlain ? node.value : answers.ofNode(node);
  };

  if (key.fixed !== undefined) {
    const fixed = key.fixed;
    let node: Node = NOBODY;
    return function () {
      if ((coarseNow[0] as number) < node.hotUntil && !hits.hasSubscribers && (tally === undefined || tally.hit())) {
        node.visited = 1;
        return answers.isPlain ? node.value : answers.ofNode(node);
      }
      if (table.now() < node.freshUntil && counted()) return hit(node);
      node = table.nodes.get(fixed) ?? NOBODY;
      return call(this, arguments, fixed);
    };
  }

  /** Without a memo: what was built is looked up as it is, since no bad key is in the table; a miss checks it. */
  const { build } = key;
  const byKey = (self: unknown, args: Args): unknown => {
    let built: string;
    try {
      built = build(args);
    } catch (error) {
      return answers.failed(error);
    }
    const node = table.nodes.get(built);
    if (node !== undefined && ((coarseNow[0] as number) < node.hotUntil || table.now() < node.freshUntil) && counted()) {
      node.visited = 1;
      return answers.isPlain ? node.value : answers.ofNode(node);
    }
    try {
      checkKey('key', built);
    } catch (error) {
      return answers.failed(error);
    }
    return call(self, args, built);
  };

  /** Past the memo: the node isn't known, or it isn't fresh. */
  const pastMemo = (self: unknown, args: Args, memo: ArgumentMemo, argument: unknown): unknown => {
    const result = byKey(self, args);
    memo.remember(argument, build, args);
    return result;
  };

  const [position] = key.positions ?? [];
  if (key.positions?.length === 1 && position === 0) {
    const memo = new ArgumentMemo(table);
    const { nodes } = memo;
    return function (argument) {
      const node = nodes.get(argument);
      if (node !== undefined) {
        if ((coarseNow[0] as number) < node.hotUntil && !hits.hasSubscribers && (tally === undefined || tally.hit())) {
          node.visited = 1;
          return answers.isPlain ? node.value : answers.ofNode(node);
        }
        if (table.now() < node.freshUntil && counted()) return hit(node);
      }
      return pastMemo(this, arguments, memo, argument);
    };
  }

  if (key.positions?.length === 1 && position !== undefined) {
    const memo = new ArgumentMemo(table);
    const { nodes } = memo;
    return function () {
      const node = nodes.get(arguments[position]);
      if (node !== undefined) {
        if ((coarseNow[0] as number) < node.hotUntil && !hits.hasSubscribers && (tally === undefined || tally.hit())) {
          node.visited = 1;
          return answers.isPlain ? node.value : answers.ofNode(node);
        }
        if (table.now() < node.freshUntil && counted()) return hit(node);
      }
      return pastMemo(this, arguments, memo, arguments[position]);
    };
  }

  return function () {
    return byKey(this, arguments);
  };
}
