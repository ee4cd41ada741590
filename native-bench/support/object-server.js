// @ts-check
/** The servers of the tests, in a process of their own, for `../object-stores.js`: prints where they are. Ends with its standard input. */
import { gcsServer } from '../../test/support/gcs.js';
import { s3Server } from '../../test/support/s3.js';

const scope = { teardown: () => {} };
const [s3, gcs] = await Promise.all([s3Server(scope), gcsServer(scope)]);
// Of no use here, and it would grow.
for (const server of [s3, gcs]) server.asked.push = () => 0;
console.log(JSON.stringify({ s3: s3.url, gcs: gcs.url }));
process.stdin.resume().on('end', () => process.exit());
