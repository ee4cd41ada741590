import { normalizePath } from '../bg/http.js';
import { checkBoolean, checkOptions, refuse } from '../core/options.js';

export interface JoinOptions {
  /** What the inspector calls this thread. Default: the name of the file that it runs. */
  readonly name?: string | undefined;
}

export interface InspectorOptions extends JoinOptions {
  /** Where the page is; default `'/inspector'`. */
  readonly path?: string | undefined;
  /** Whether the page may refresh values, and remove what is cached. Default `false`: it only shows. */
  readonly allowActions?: boolean | undefined;
  /** Whether the page may show values, each when it is asked for. Default `false`: no value leaves its thread. */
  readonly showValues?: boolean | undefined;
  /**
   * Whether the messages of errors of your own code are shown. They may hold anything. Default `false`: their names and codes;
   * messages of the library's own errors hold no value or credential, and are always shown.
   */
  readonly showMessages?: boolean | undefined;
  /** Whether other machines, and proxies on this one, may ask. Default `false`. With it, put your own authentication in front. */
  readonly allowRemote?: boolean | undefined;
  /** Host names by which the page may be asked for, besides `localhost` and IP addresses. Default: none. */
  readonly hosts?: readonly string[] | undefined;
}

export type Settings = Readonly<{
  base: string;
  name: string | undefined;
  allowActions: boolean;
  showValues: boolean;
  showMessages: boolean;
  allowRemote: boolean;
  hosts: ReadonlySet<string>;
}>;

const FLAGS = ['allowActions', 'showValues', 'showMessages', 'allowRemote'] as const;
const LONGEST_NAME = 100;

/** @throws TypeError for an option that can't be meant */
export function checkName(name: unknown): void {
  if (name === undefined) return;
  if (typeof name !== 'string' || name === '' || name.length > LONGEST_NAME)
    refuse('name', `a text of 1 to ${LONGEST_NAME} characters`, name);
}

/** @throws TypeError for an option that can't be meant */
export function settingsOf(options: InspectorOptions): Settings {
  checkOptions('inspector', options, ['path', 'name', 'hosts', ...FLAGS]);
  for (const flag of FLAGS) checkBoolean(flag, options[flag]);
  checkName(options.name);
  const {
    path = '/inspector',
    name,
    allowActions = false,
    showValues = false,
    showMessages = false,
    allowRemote = false,
    hosts = [],
  } = options;
  if (typeof path !== 'string' || !path.startsWith('/') || /[?#]/.test(path)) refuse('path', 'a path that begins with a slash', path);
  if (!Array.isArray(hosts) || !hosts.every((host) => typeof host === 'string' && /^[\w.-]+$/.test(host))) {
    refuse('hosts', 'an array of host names, without ports', hosts);
  }
  const names = new Set((hosts as readonly string[]).map((host) => host.toLowerCase()));
  return { base: normalizePath(path), name, allowActions, showValues, showMessages, allowRemote, hosts: names };
}
