/**
 * A report as the bytes of a file: lines of JSON. The first has what is of the thread itself; each other one a writer (`w`), a
 * mirror (`m`) or a cached function (`c`), with that letter before it. In lines, so that neither side has to do it in one go.
 */
import type { Pace } from './pace.js';
import { cacheReport, LARGEST_REPORT, mirrorReport, MOST, type ThreadHead, threadHead, type ThreadReport, writerReport } from './report.js';
import { ShapeError } from './shape.js';

const LINES_OF_A_PART = 500;
const NEWLINE = 10;

/** @throws RangeError for a report that no inspector would read */
export async function encodeReport(report: ThreadReport, pace: Pace): Promise<Buffer[]> {
  const { writers, mirrors, caches, ...head } = report;
  const parts: Buffer[] = [];
  let lines = [JSON.stringify(head)];
  let bytes = 0;
  const flush = (): void => {
    const part = Buffer.from(`${lines.join('\n')}\n`);
    bytes += part.length;
    if (bytes > LARGEST_REPORT) throw new RangeError(`This thread has too much for the inspector: more than ${LARGEST_REPORT} bytes`);
    parts.push(part);
    lines = [];
  };
  for (const [letter, items] of Object.entries({ w: writers, m: mirrors, c: caches })) {
    for (const item of items) {
      if (pace.isDue()) await pace.rest();
      lines.push(letter + JSON.stringify(item));
      if (lines.length >= LINES_OF_A_PART) flush();
    }
  }
  flush();
  return parts;
}

/** @throws ShapeError, or the SyntaxError of what isn't JSON */
export async function decodeReport(bytes: Buffer, pace: Pace): Promise<ThreadReport> {
  let head: ThreadHead | undefined;
  const lists = {
    w: [] as ThreadReport['writers'][number][],
    m: [] as ThreadReport['mirrors'][number][],
    c: [] as ThreadReport['caches'][number][],
  };
  for (let at = 0; at < bytes.length; ) {
    if (pace.isDue()) await pace.rest();
    const newline = bytes.indexOf(NEWLINE, at);
    const end = newline < 0 ? bytes.length : newline;
    const line = bytes.toString('utf8', at, end);
    at = end + 1;
    if (!head) {
      head = threadHead(JSON.parse(line));
      continue;
    }
    const item: unknown = JSON.parse(line.slice(1));
    if (line.startsWith('w') && lists.w.length < MOST) lists.w.push(writerReport(item));
    else if (line.startsWith('m') && lists.m.length < MOST) lists.m.push(mirrorReport(item));
    else if (line.startsWith('c') && lists.c.length < MOST) lists.c.push(cacheReport(item));
  }
  if (!head) throw new ShapeError('Expected a report');
  return { ...head, writers: lists.w, mirrors: lists.m, caches: lists.c };
}
