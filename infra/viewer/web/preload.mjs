// Which chunks a browser fetches before it has read the script that asks for them.

// The frame of every page, and the first page that people see.
const FIRST = ['src/page.tsx', 'src/dashboards/early.ts', 'src/dashboards/page.tsx'];

/** The names of the chunks that the dashboards need, the largest first. The other pages need all but the smallest, too. */
export function neededFirst(metafile, folder) {
  const { outputs } = metafile;
  const behind = (name, seen) => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const { path, kind } of outputs[name].imports) if (kind === 'import-statement') behind(path, seen);
  };
  const needed = new Set();
  for (const [name, { entryPoint }] of Object.entries(outputs)) if (FIRST.includes(entryPoint)) behind(name, needed);
  return [...needed].sort((a, b) => outputs[b].bytes - outputs[a].bytes).map((name) => name.replace(`${folder}/`, ''));
}
