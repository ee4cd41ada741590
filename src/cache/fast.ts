import { coarseNow } from '../core/coarse-clock.js';
import { checkKey } from '../core/options.js';
import type { KeyPlan } from '../keys/compile.js';
import type { Node } from '../stores/node.js';
import type { NodeTable } from '../stores/node-table.js';
import type { Answers } from './answers.js';
import { type Memo, NOBODY, PairMemo, SingleMemo } from './memo.js';
import type { Args, Call } from './setup.js';

/** A cached function without its controls: `this` and the arguments are the caller's. */
export type Wrapper = (this: unknown, ...args: unknown[]) => unknown;

/**
 * The hit path on an `InMemCache`, where nothing is recorded. Everything else goes to `call`, which decides the same things again,
 * by the table.
 *
 * A hit is: find the node, `coarseNow[0] < node.hotUntil`, mark it, answer. How the node is found depends on the key:
 * 1. it is fixed: the wrapper holds the node itself. 2. one or two values decide it: a memo, no key is built. 3. else: the key
 * is built and looked up.
 *
 * The first two kinds allocate nothing. `arguments` is only handed on, so that V8 makes no object of it where the call is a hit.
 */
export function fastWrapper(key: KeyPlan, answers: Answers, table: NodeTable, call: Call): Wrapper {
  if (key.fixed !== undefined) {
    const fixed = key.fixed;
    let node: Node = NOBODY;
    return function () {
      if ((coarseNow[0] as number) < node.hotUntil || table.now() < node.freshUntil) {
        node.visited = 1;
        return answers.isPlain ? node.value : answers.ofNode(node);
      }
      node = table.nodes.get(fixed) ?? NOBODY;
      return call(this, arguments, fixed);
    };
  }

  /** Past the memo: what was built is looked up as it is, since no bad key is in the table; a miss checks it. */
  const byKey = (self: unknown, args: Args, memo?: Memo): unknown => {
    let values: Args;
    let built: string;
    try {
      values = key.values(args);
      built = key.join(values);
    } catch (error) {
      return answers.failed(error);
    }
    const node = table.nodes.get(built);
    if (node !== undefined && table.isFresh(node)) {
      memo?.remember(values, built);
      node.visited = 1;
      return answers.isPlain ? node.value : answers.ofNode(node);
    }
    try {
      checkKey('key', built);
    } catch (error) {
      return answers.failed(error);
    }
    const result = call(self, args, built);
    memo?.remember(values, built);
    return result;
  };

  const [first, second, ...others] = key.places ?? [];

  if (first !== undefined && second === undefined) {
    const { argument, property } = first;
    const memo = new SingleMemo(table);
    const { nodes } = memo;
    return function () {
      const node = nodes.get(valueAt(arguments[argument], property));
      if (node !== undefined && ((coarseNow[0] as number) < node.hotUntil || table.now() < node.freshUntil)) {
        node.visited = 1;
        return answers.isPlain ? node.value : answers.ofNode(node);
      }
      return byKey(this, arguments, memo);
    };
  }

  if (first !== undefined && second !== undefined && others.length === 0) {
    const memo = new PairMemo(table);
    return function () {
      const node = memo.find(valueAt(arguments[first.argument], first.property), valueAt(arguments[second.argument], second.property));
      if (node !== undefined && ((coarseNow[0] as number) < node.hotUntil || table.now() < node.freshUntil)) {
        node.visited = 1;
        return answers.isPlain ? node.value : answers.ofNode(node);
      }
      return byKey(this, arguments, memo);
    };
  }

  return function () {
    return byKey(this, arguments);
  };
}

/** What to look up in a memo. It throws nothing: what can't be read here is read again where its error has a caller to go to. */
function valueAt(argument: unknown, property: string | undefined): unknown {
  if (property === undefined) return argument;
  if (typeof argument !== 'object' || argument === null) return undefined;
  try {
    return (argument as Record<string, unknown>)[property];
  } catch {
    return undefined;
  }
}
