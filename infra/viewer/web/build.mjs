// Builds infra/viewer/bundle from src: scripts, styles, icons, fonts, and the list of what others wrote. `make viewer` calls it.
import { build } from 'esbuild';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { neededFirst } from './preload.mjs';
import { thirdParty } from './third_party.mjs';

const BUNDLE = '../bundle';

/** Leaves out what nothing here opens: the editors of code and their languages, and maps in cells of tables. */
const withoutEditors = {
  name: 'without-editors',
  setup(build) {
    const unused = /\/(languageLoader|CodeEditor|ReactMonacoEditor|OpenLayersProvider)\.mjs$/;
    const nothing = path.resolve('src/stand_ins/nothing.js');
    build.onResolve({ filter: unused }, ({ kind }) => (kind === 'dynamic-import' ? { path: nothing } : undefined));
  },
};

/** Packages that hundreds of files import: as modules each of their names is bound once, and not copied for each file. */
const asModules = {
  name: 'as-modules',
  setup(build) {
    const require = createRequire(import.meta.url);
    build.onResolve({ filter: /^(react|react\/jsx-runtime|lodash)$/ }, ({ path, kind, namespace }) =>
      kind === 'import-statement' && namespace !== 'as-module' ? { path, namespace: 'as-module' } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'as-module' }, ({ path }) => ({
      contents: `import whole from '${path}'; export default whole; export const {${Object.keys(require(path))}} = whole;`,
      resolveDir: import.meta.dirname,
    }));
  },
};

fs.rmSync(BUNDLE, { recursive: true, force: true });

const ICONS = 'node_modules/@grafana/ui/dist/public/img/icons';
// Two that the components ask for and that are not in their package.
const right = fs.readFileSync(`${ICONS}/unicons/angle-double-right.svg`, 'utf8');
const MISSING = {
  'angle-double-left': right.replace('<path', '<path transform="matrix(-1 0 0 1 24 0)"'),
  spinner:
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path d="M12,2a10,10,0,0,1,10,10h-2a8,8,0,0,0-8-8Z"/></svg>',
};
// Those on every dashboard: a request for each would take longer than all of them in the script.
const EARLY = ['adjust-circle', 'angle-double-left', 'angle-double-right', 'angle-down', 'angle-right', 'clock-nine'];
EARLY.push('ellipsis-v', 'external-link-alt', 'info-circle', 'link', 'search-minus', 'sync', 'times');
const early = EARLY.map((name) => [
  `/public/build/img/icons/unicons/${name}.svg`,
  MISSING[name] ?? fs.readFileSync(`${ICONS}/unicons/${name}.svg`, 'utf8'),
]);

const { metafile } = await build({
  entryPoints: { main: 'src/main.tsx' },
  outdir: BUNDLE,
  chunkNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  metafile: true,
  legalComments: 'none', // THIRD_PARTY.md has every licence
  define: { 'process.env.NODE_ENV': '"production"', ICONS: JSON.stringify(Object.fromEntries(early)) },
  loader: { '.svg': 'dataurl', '.png': 'dataurl', '.ttf': 'file', '.woff2': 'file' },
  alias: {
    // Its ES module has no default export where @grafana/ui expects one: the time range picker fails without this.
    'react-custom-scrollbars-2': './src/stand_ins/scrollbars.js',
    // Checks themes that people write, and asks for `eval`.
    zod: './src/stand_ins/zod.js',
    '@grafana/i18n': './src/stand_ins/i18n.js',
    semver: './src/stand_ins/semver.js',
    'react-inlinesvg': './src/stand_ins/inline_svg.js',
    'react-dom/server': './src/stand_ins/react_dom_server.js',
    // The editor of code cells in tables: nothing here edits cells, and it is half of the bundle.
    'monaco-editor': './src/stand_ins/monaco.js',
    '@monaco-editor/react': './src/stand_ins/monaco.js',
    // Ten years of time zones in place of two hundred.
    'moment-timezone': './node_modules/moment-timezone/builds/moment-timezone-with-data-10-year-range.js',
  },
  plugins: [withoutEditors, asModules],
  logLevel: 'warning',
});

const copy = (from, to) => {
  fs.mkdirSync(path.dirname(`${BUNDLE}/${to}`), { recursive: true });
  fs.copyFileSync(from, `${BUNDLE}/${to}`);
};
const first = neededFirst(metafile, BUNDLE).map((name) => `<link rel="modulepreload" href="/assets/${name}" />\n    `);
const script = '<script type="module"';
const html = fs.readFileSync('index.html', 'utf8').replace(script, first.join('') + script);
fs.writeFileSync(`${BUNDLE}/index.html`, html);
// The names under which the components ask for them.
fs.cpSync(ICONS, `${BUNDLE}/public/build/img/icons`, { recursive: true });
for (const [name, icon] of Object.entries(MISSING))
  fs.writeFileSync(`${BUNDLE}/public/build/img/icons/unicons/${name}.svg`, icon);
for (const style of ['Regular', 'Medium', 'Italic', 'MediumItalic'])
  copy(`node_modules/inter-ui/web-latin/Inter-${style}-subset.woff2`, `public/fonts/inter/Inter-${style}.woff2`);
copy(
  'node_modules/@fontsource/roboto-mono/files/roboto-mono-latin-400-normal.woff2',
  'public/fonts/roboto/L0xTDF4xlVMF-BfR8bXMIhJHg45mwgGEFl0_3vrtSM1J-gEPT5Ese6hmHSh0mQ.woff2',
);
fs.writeFileSync(`${BUNDLE}/THIRD_PARTY.md`, thirdParty(metafile, ['inter-ui', '@fontsource/roboto-mono']));
