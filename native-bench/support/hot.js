// @ts-check
/**
 * The functions in which a program spent its time, from the profiles that `node --cpu-prof` wrote: each function's own time, without what it called.
 *
 *     node native-bench/support/hot.js FILE.cpuprofile...
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

const SHOWN = 20;

for (const file of process.argv.slice(2)) {
  /** @type {{ nodes: { id: number, callFrame: { functionName: string, url: string, lineNumber: number } }[], samples: number[], timeDeltas: number[] }} */
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8'));
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  /** @type {Map<string, number>} microseconds by function */
  const own = new Map();
  let all = 0;
  samples.forEach((id, i) => {
    const frame = frames.get(id);
    const name = `${frame?.functionName || '(anonymous)'} ${frame?.url ? `${basename(frame.url)}:${frame.lineNumber + 1}` : ''}`;
    const spent = timeDeltas[i] ?? 0;
    own.set(name, (own.get(name) ?? 0) + spent);
    all += spent;
  });
  console.log(`\n${basename(file)}, ${(all / 1000).toFixed(0)} ms`);
  for (const [name, spent] of [...own].sort((a, b) => b[1] - a[1]).slice(0, SHOWN)) {
    console.log(`${((spent / all) * 100).toFixed(1).padStart(6)} %  ${(spent / 1000).toFixed(1).padStart(9)} ms  ${name}`);
  }
}
