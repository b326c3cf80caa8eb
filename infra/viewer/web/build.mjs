// Builds infra/viewer/bundle from src: scripts, styles, icons, fonts, and the list of what others wrote. `make viewer` calls it.
import { build } from 'esbuild';
import fs from 'node:fs';
import path from 'node:path';
import { thirdParty } from './third_party.mjs';

const BUNDLE = '../bundle';
fs.rmSync(BUNDLE, { recursive: true, force: true });

const { metafile } = await build({
  entryPoints: { main: 'src/main.tsx' },
  outdir: `${BUNDLE}/assets`,
  chunkNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  metafile: true,
  legalComments: 'none', // THIRD_PARTY.md has every licence
  define: { 'process.env.NODE_ENV': '"production"' },
  loader: { '.svg': 'dataurl', '.png': 'dataurl', '.ttf': 'file', '.woff2': 'file' },
  alias: {
    // Its ES module has no default export where @grafana/ui expects one: the time range picker fails without this.
    'react-custom-scrollbars-2': './src/stand_ins/scrollbars.js',
    // The editor of code cells in tables: nothing here edits cells, and it is half of the bundle.
    'monaco-editor': './src/stand_ins/monaco.js',
    '@monaco-editor/react': './src/stand_ins/monaco.js',
    // Ten years of time zones in place of two hundred.
    'moment-timezone': './node_modules/moment-timezone/builds/moment-timezone-with-data-10-year-range.js',
  },
  logLevel: 'warning',
});

const copy = (from, to) => {
  fs.mkdirSync(path.dirname(`${BUNDLE}/${to}`), { recursive: true });
  fs.copyFileSync(from, `${BUNDLE}/${to}`);
};
copy('index.html', 'index.html');
// The names under which the components ask for them.
fs.cpSync('node_modules/@grafana/ui/dist/public/img/icons', `${BUNDLE}/public/build/img/icons`, { recursive: true });
for (const style of ['Regular', 'Medium', 'Italic', 'MediumItalic'])
  copy(`node_modules/inter-ui/web-latin/Inter-${style}-subset.woff2`, `public/fonts/inter/Inter-${style}.woff2`);
copy(
  'node_modules/@fontsource/roboto-mono/files/roboto-mono-latin-400-normal.woff2',
  'public/fonts/roboto/L0xTDF4xlVMF-BfR8bXMIhJHg45mwgGEFl0_3vrtSM1J-gEPT5Ese6hmHSh0mQ.woff2',
);
fs.writeFileSync(`${BUNDLE}/THIRD_PARTY.md`, thirdParty(metafile, ['inter-ui', '@fontsource/roboto-mono']));
