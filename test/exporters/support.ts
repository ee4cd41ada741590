import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { Registry } from 'prom-client';
import { PrometheusMetrics, type PrometheusMetricsOptions } from '../../dist/exporters/index.js';
import type { Scope } from '../support/process.js';

/** Why there is no Prometheus here, or `undefined` where there is one: for `test.skip`. */
export const noPrometheus: string | undefined =
  spawnSync('promtool', ['--version']).status === 0 && spawnSync('prometheus', ['--version']).status === 0
    ? undefined
    : 'skipped: no promtool and prometheus here (apt-get install prometheus)';

/** What `promtool check metrics` says of a text: nothing, when it is well. */
export function promtool(text: string): string {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  return status === 0 ? `${stdout}${stderr}`.trim() : `exit code ${status}: ${stdout}${stderr}`;
}

let collectors = 0;

/** A collector in a registry of its own, with counts of its own. */
export function prometheus(options: PrometheusMetricsOptions = {}): { metrics: PrometheusMetrics; registry: Registry } {
  const registry = new Registry();
  return { registry, metrics: new PrometheusMetrics({ registry, name: `test ${++collectors}`, ...options }) };
}

/** The value of a series in a text, by its name and labels as they stand there. */
export function valueIn(text: string, series: string): number | undefined {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

export function seriesIn(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.slice(0, line.lastIndexOf(' ')));
}

/** An HTTP server on localhost, closed after the test; answers its address. */
export async function serve(scope: Scope, answer: (path: string, body: Buffer, type: string) => Promise<string> | string): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      void Promise.resolve(answer(request.url ?? '', Buffer.concat(chunks), request.headers['content-type'] ?? '')).then((text) =>
        response.end(text),
      );
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  scope.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
