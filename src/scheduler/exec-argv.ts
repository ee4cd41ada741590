/**
 * The `execArgv` for a thread of ours; `undefined` lets Node hand the process's flags down, which is right nearly always:
 * loaders and preloads (`--import=tsx`) reach the thread, and V8's flags, which may not be passed in words
 * (`ERR_WORKER_INVALID_EXEC_ARGV`), come along silently. One flag breaks every thread that starts from a file:
 * `--input-type` (`ERR_INPUT_TYPE_NOT_ALLOWED`). Where it is set, the preloads and conditions are passed in words, and it isn't.
 */
export function threadExecArgv(execArgv: readonly string[] = process.execArgv): string[] | undefined {
  if (!execArgv.some((flag) => flag.startsWith('--input-type'))) return undefined;
  const passed: string[] = [];
  for (const [index, flag] of execArgv.entries()) {
    const [name = '', value = execArgv[index + 1]] = flag.split(/=(.*)/s, 2);
    if (PASSED_ON.has(name) && value !== undefined) passed.push(name, value);
  }
  return passed;
}

const PASSED_ON: ReadonlySet<string> = new Set(['--import', '--require', '-r', '--loader', '--experimental-loader', '--conditions', '-C']);
