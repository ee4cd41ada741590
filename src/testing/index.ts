export { fakeClock } from './fake-clock.js';
export type { FakeClock } from './fake-clock.js';
export { storeContract } from './store-contract.js';
export type { StoreContractOptions, StoreRule } from './store-contract.js';
