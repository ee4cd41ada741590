// @ts-check
import { digits } from '../stats.js';

/** Nanoseconds in the unit that people read: a table of costs goes from one to a hundred million. @param {number} value @param {string} unit */
function readable(value, unit) {
  if (unit !== 'ns' || value < 10_000) return { divisor: 1, unit };
  return value < 1e7 ? { divisor: 1e3, unit: 'µs' } : { divisor: 1e6, unit: 'ms' };
}

/** @param {import('../results.js').Cell} cell @param {string} [unit] */
export function cellText(cell, unit = '') {
  if (cell === undefined) return '–';
  if (typeof cell === 'string') return cell;
  const middle = typeof cell === 'number' ? cell : cell.median;
  if (!Number.isFinite(middle)) return '–';
  const { divisor, unit: shown } = readable(middle, unit);
  const text = `${digits(middle / divisor)}${shown === '' ? '' : ` ${shown}`}`;
  if (typeof cell === 'number' || cell.samples === 1) return text;
  return `${text} (${digits(cell.low / divisor)}–${digits(cell.high / divisor)})`;
}

/** Whether a column holds figures, which are set to the right. @param {readonly import('../results.js').Row[]} rows @param {string} key */
export function isFigure(rows, key) {
  return rows.every((row) => typeof row[key] !== 'string');
}

/** @param {Omit<import('../results.js').Table, 'type'>} table */
export function printTable({ title, columns, rows, note }) {
  const cells = rows.map((row) => columns.map(({ key, unit }) => cellText(row[key], unit)));
  const widths = columns.map(({ label }, i) => Math.max(label.length, ...cells.map((row) => String(row[i]).length)));
  const right = columns.map(({ key }) => isFigure(rows, key));
  /** @param {readonly string[]} texts */
  const line = (texts) =>
    texts
      .map((text, i) => (right[i] ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  console.log(`\n${title}`);
  console.log(line(columns.map(({ label }) => label)));
  console.log(widths.map((width) => '─'.repeat(width)).join('  '));
  for (const row of cells) console.log(line(row));
  if (note) console.log(note);
}
