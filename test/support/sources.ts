import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The paths of all files in `folder` that `pattern` fits, relative to it, with `/`. */
export function filesIn(folder: string, pattern: RegExp): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length).replaceAll('\\', '/').replace(/^\//, ''))
    .sort();
}

/** A string, a template, or a comment: whichever begins first decides what the others inside it are. */
const TOKEN = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;

const ARROWS = [
  /\b(?:import|export)\b[^'"`;]*?\bfrom\s*(['"])([^'"]+)\1/g,
  /\bimport\s*(['"])([^'"]+)\1/g,
  /\bimport\s*\(\s*(['"`])([^'"`]+)\1/g,
  /\bnew\s+URL\s*\(\s*(['"`])([^'"`]+)\1\s*,\s*import\.meta\.url/g,
];

/** What a module names: by `import` and `export … from` (types too), `import()`, and `new URL(…, import.meta.url)`. */
export function importsOf(code: string): string[] {
  const bare = code.replace(TOKEN, (token) => (token.startsWith('/') ? ' ' : token));
  return ARROWS.flatMap((arrow) => [...bare.matchAll(arrow)].map((match) => match[2] as string));
}

export function read(file: string): string {
  return readFileSync(file, 'utf8');
}
