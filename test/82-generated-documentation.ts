import { readFileSync } from 'node:fs';
import test from 'ava';
import { ClassifierServiceService } from '../generated/dlclassifier/v1/classifier_service.js';
import { documents } from '../scripts/documentation/documents.js';
import { withSections } from '../scripts/documentation/markdown.js';
import { sections } from '../scripts/documentation/sections.js';
import { readCommandLine } from '../server/command_line.js';
import { catalogue } from '../server/errors/catalogue.js';
import { networks } from '../server/networks/index.js';
import { parameters } from '../server/parameters/registry.js';

test('the generated parts of all documents are what `npm run docs` renders', (t) => {
  for (const { path, text, fresh } of documents()) t.is(text, fresh, `${path} is stale: npm run docs`);
});

/** A document, by its path. */
function document(path: string): string {
  const found = documents().find((one) => one.path === path);
  if (found === undefined) throw new Error(`there is no ${path}`);
  return found.text;
}

test('the documents tell every parameter, error and network of the registries, and a result of the benchmark', (t) => {
  for (const { name } of networks) t.true(document('README.md').includes(`\n| \`${name}\` |`), name);
  for (const { name } of parameters) t.true(document('docs/parameters.md').includes(`\n| \`${name}\` |`), name);
  for (const reason of Object.keys(catalogue)) t.true(document('docs/errors.md').includes(`| \`${reason}\` |`), reason);
  t.regex(document('docs/speed.md'), /\n\| resnet18 224x224 batch 16 float32 [^\n]*\*\*\d+\.\d\d\*\*/);
});

test('every part that can be generated stands in some document', (t) => {
  const all = documents().map(({ text }) => text);
  for (const section of Object.keys(sections))
    t.true(
      all.some((text) => text.includes(`<!-- generated: ${section} -->`)),
      section,
    );
});

test('the service of docs/operating.md starts the daemon that the package has, with flags that it knows', async (t) => {
  const [, script, ...flags] = /^ExecStart=(.*)$/m.exec(document('docs/operating.md'))?.[1]?.split(' ') ?? [];
  const { bin } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { bin: Record<string, string> };
  t.true(script?.endsWith(`/${bin['dl-classifierd']}`));
  t.is(readCommandLine(flags, '1.2.3').models, '/var/lib/dl-classifier');
});

test('every RPC of the service is in the table of calls', (t) => {
  const readme = document('README.md');
  for (const { path } of Object.values(ClassifierServiceService)) {
    const rpc = path.slice(path.lastIndexOf('/') + 1);
    t.true(readme.includes(`\n| \`${rpc}\` |`), rpc);
  }
});

test('a section is replaced between its marks, and a name that nothing generates is refused', (t) => {
  const before = 'a\n<!-- generated: x -->\nold\n<!-- end of x -->\nb';
  const once = withSections(before, { x: () => 'new' });
  t.is(once, 'a\n<!-- generated: x -->\n\nnew\n\n<!-- end of x -->\nb');
  t.is(withSections(once, { x: () => 'new' }), once);
  t.throws(() => withSections(before, {}), { message: /no generated section is named x/ });
});
