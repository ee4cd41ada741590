// @ts-check
import { digits } from '../stats.js';

/** @param {import('../results.js').Cell} cell @param {string} [unit] */
export function cellText(cell, unit = '') {
  const suffix = unit === '' ? '' : unit === '×' ? ' ×' : ` ${unit}`;
  if (cell === undefined) return '–';
  if (typeof cell === 'string') return cell;
  if (typeof cell === 'number') return digits(cell) === '–' ? '–' : digits(cell) + suffix;
  if (!Number.isFinite(cell.median)) return '–';
  if (cell.samples === 1) return digits(cell.median) + suffix;
  return `${digits(cell.median)}${suffix} (${digits(cell.low)}–${digits(cell.high)})`;
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
