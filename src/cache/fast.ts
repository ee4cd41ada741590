import { COARSE_SLACK, coarseNow, coarseTick } from '../core/coarse-clock.js';
import { checkStoreKey } from '../core/options.js';
import { type KeyPlan, keyMade } from '../keys/compile.js';
import { hits as hitEvents } from '../metrics/events.js';
import type { Tally } from '../metrics/tally.js';
import type { Node } from '../stores/node.js';
import type { NodeTable } from '../stores/node-table.js';
import type { Answers } from './answers.js';
import { type Memo, NOBODY, PairMemo, SingleMemo } from './memo.js';
import type { Args, Call } from './setup.js';

/** A constant of this module is a constant in compiled code; an imported one is loaded at each hit. */
const hits = hitEvents;

/** A cached function without its controls: `this` and the arguments are the caller's. */
export type Wrapper = (this: unknown, ...args: unknown[]) => unknown;

/**
 * The hit path on an `InMemCache`, where nothing is recorded but a count. Everything else goes to `call`, which decides the same things
 * again, by the table: also a hit that is to be timed, or that somebody listens for. Who asks for that does so where the hit is, since
 * in a function of its own the question would cost a tenth of a hit.
 *
 * A hit is: find the node, see that it is fresh (by the coarse clock, as a rule) or being refreshed, mark it, answer. How the node is
 * found depends on the key: 1. it is fixed: the wrapper holds the node itself. 2. one or two values decide it: a memo, no key is built. 3. a key function makes
 * it. 4. three or more values: it is built.
 *
 * A hit allocates nothing but the key, where one is made (and in the fourth kind a list of the arguments). To keep it so, `arguments`
 * may only be looked into, or handed on by `Reflect.apply`: given to a function as one argument, V8 would make an object of it at
 * each call, the hits too. `.ci/hot-path.js` sees it.
 */
export function fastWrapper(key: KeyPlan, answers: Answers, table: NodeTable, tally: Tally | undefined, call: Call): Wrapper {
  const isHit = (node: Node): boolean => {
    if ((coarseTick[0] as number) < node.hotUntil) return true;
    // Stale, perhaps: with this function's refresh of it under way there is nothing to do but to answer, as long as it is held.
    if (node.refresher === answers && (coarseNow[0] as number) < node.heldUntil - COARSE_SLACK) return true;
    return table.now() < node.freshUntil;
  };
  const hit = (node: Node): unknown => {
    node.visited = 1;
    return answers.isPlain ? node.value : answers.ofNode(node);
  };

  if (key.fixed !== undefined) {
    const fixed = key.fixed;
    let node: Node = NOBODY;
    const miss: Wrapper = function (...args) {
      node = table.nodes.get(fixed) ?? NOBODY;
      return call(this, args, fixed);
    };
    return function () {
      if (isHit(node) && !hits.hasSubscribers && (tally === undefined || tally.hit())) return hit(node);
      return Reflect.apply(miss, this, arguments);
    };
  }

  /** What was made is looked up as it is, since no bad key is in the table: a miss checks it. */
  const missOf = (made: unknown, self: unknown, args: Args): unknown => {
    let built: string;
    try {
      built = keyMade(made);
      checkStoreKey(built);
    } catch (error) {
      return answers.failed(error);
    }
    return call(self, args, built);
  };

  /** Past a memo: the node isn't known, or it isn't fresh. */
  const past = (memo: Memo): Wrapper =>
    function (...args) {
      let values: Args;
      let built: string;
      try {
        values = key.values(args);
        built = key.join(values);
      } catch (error) {
        return answers.failed(error);
      }
      const node = table.nodes.get(built);
      const result =
        node !== undefined && isHit(node) && !hits.hasSubscribers && (tally === undefined || tally.hit())
          ? hit(node)
          : missOf(built, this, args);
      memo.remember(values, built);
      return result;
    };

  const [first, second, ...others] = key.places ?? [];

  if (first !== undefined && second === undefined) {
    const { argument, property } = first;
    const memo = new SingleMemo(table);
    const { nodes } = memo;
    const pastMemo = past(memo);
    return function () {
      const node = nodes.get(valueAt(arguments[argument], property));
      if (node !== undefined && isHit(node) && !hits.hasSubscribers && (tally === undefined || tally.hit())) return hit(node);
      return Reflect.apply(pastMemo, this, arguments);
    };
  }

  if (first !== undefined && second !== undefined && others.length === 0) {
    const memo = new PairMemo(table);
    const pastMemo = past(memo);
    return function () {
      const node = memo.find(valueAt(arguments[first.argument], first.property), valueAt(arguments[second.argument], second.property));
      if (node !== undefined && isHit(node) && !hits.hasSubscribers && (tally === undefined || tally.hit())) return hit(node);
      return Reflect.apply(pastMemo, this, arguments);
    };
  }

  const { fn } = key;
  if (fn !== undefined) {
    const miss = function (this: { self: unknown; made: unknown }, ...args: unknown[]): unknown {
      return missOf(this.made, this.self, args);
    };
    return function () {
      let made: unknown;
      try {
        made = Reflect.apply(fn, undefined, arguments);
      } catch (error) {
        return answers.failed(error);
      }
      // What is no string is not in the table either.
      const node = table.nodes.get(made as string);
      if (node !== undefined && isHit(node) && !hits.hasSubscribers && (tally === undefined || tally.hit())) return hit(node);
      return Reflect.apply(miss, { self: this, made }, arguments);
    };
  }

  return function (...args) {
    let built: string;
    try {
      built = key.join(key.values(args));
    } catch (error) {
      return answers.failed(error);
    }
    const node = table.nodes.get(built);
    if (node !== undefined && isHit(node) && !hits.hasSubscribers && (tally === undefined || tally.hit())) return hit(node);
    return missOf(built, this, args);
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
