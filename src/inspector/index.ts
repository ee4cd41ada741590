export { inspector, joinInspector } from './inspector.js';
export type { Inspector } from './inspector.js';
export type { InspectorOptions, JoinOptions } from './options.js';
