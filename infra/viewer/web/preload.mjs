// Which chunks every page needs: a browser may fetch them before it has read the script that asks for them.

/** The names of the chunks that are behind each page of src/page.tsx, the largest first. */
export function neededByAll(metafile, folder) {
  const { outputs } = metafile;
  const output = (source) => Object.keys(outputs).find((name) => outputs[name].entryPoint === source);
  const behind = (name, seen = new Set()) => {
    if (seen.has(name)) return seen;
    seen.add(name);
    for (const { path, kind } of outputs[name].imports) if (kind === 'import-statement') behind(path, seen);
    return seen;
  };
  const pages = outputs[output('src/page.tsx')].imports.filter(({ kind }) => kind === 'dynamic-import');
  const needed = [...pages.map(({ path }) => behind(path)), behind(output('src/page.tsx'))];
  const shared = [...needed[0]].filter((name) => needed.every((names) => names.has(name)));
  return [...new Set([...behind(output('src/page.tsx')), ...shared])]
    .sort((a, b) => outputs[b].bytes - outputs[a].bytes)
    .map((name) => name.replace(`${folder}/`, ''));
}
