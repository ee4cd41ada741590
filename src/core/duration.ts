import { show } from './options.js';

/** Seconds as a number (fractions allowed), or a string: `'250ms' '30s' '5m' '1h' '1d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };
const PATTERN = /^(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h|d)$/;

/**
 * A duration in seconds.
 *
 * @param name what the option is called, for the message
 * @throws RangeError for a negative, `NaN` or unparsable duration, and for another type
 */
export function toSeconds(duration: Duration, name: string): number {
  if (typeof duration === 'number' && duration >= 0) return duration;
  if (typeof duration === 'string') {
    const match = PATTERN.exec(duration);
    if (match) return Number(match[1]) * (SECONDS[match[2] as string] as number);
  }
  throw new RangeError(
    `Expected \`${name}\` to be a duration of 0 or more (seconds, or a string such as '250ms', '30s', '5m', '1h', '1d'), got ${show(duration)}`,
  );
}
