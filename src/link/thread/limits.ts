import type { Want } from './messages.js';

/** What the link of a post is made with. */
export interface Limits {
  readonly maxBytes: number;
  /** Milliseconds. */
  readonly pollInterval: number;
}

/** Of nobody: any want exceeds them. */
export const NO_LIMITS: Limits = { maxBytes: 0, pollInterval: Number.POSITIVE_INFINITY };

/** The most that any of them asks for. */
export function limitsOf(wants: readonly Want[]): Limits {
  return {
    maxBytes: Math.max(...wants.map((want) => want.maxBytes)),
    pollInterval: Math.min(...wants.map((want) => want.pollInterval)),
  };
}

/** Whether more is asked for than these give. */
export function exceeds({ maxBytes, pollInterval }: Limits, given: Limits): boolean {
  return maxBytes > given.maxBytes || pollInterval < given.pollInterval;
}
