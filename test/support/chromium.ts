/** A real browser, where there is one: Debian's, or the one that CHROMIUM names. Its process ends with the test file. */
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import type { Scope } from './process.js';

const PLACES = [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const path = PLACES.find((place) => place !== undefined && existsSync(place));

/** Why a test with a browser is skipped here, for its title; `undefined` where one can run. */
export const noChromium: string | undefined =
  path === undefined ? 'there is no Chromium (Debian: apt-get install chromium fonts-dejavu-core)' : undefined;

export async function startChromium(scope: Scope): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: path ?? '',
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
      // Nothing is looked up: who isn't 127.0.0.1 isn't found.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  });
  scope.teardown(() => browser.close());
  return browser;
}
