import test from 'ava';
import { ClassifierServiceService } from '../generated/dlclassifier/v1/classifier_service.js';
import { documents } from '../scripts/documentation/documents.js';
import { withSections } from '../scripts/documentation/markdown.js';
import { sections } from '../scripts/documentation/sections.js';
import { catalogue } from '../server/errors/catalogue.js';
import { networks } from '../server/networks/index.js';
import { parameters } from '../server/parameters/registry.js';

test('the generated parts of all documents are what `npm run docs` renders', (t) => {
  for (const { path, text, fresh } of documents()) t.is(text, fresh, `${path} is stale: npm run docs`);
});

test('the README tells every parameter, error and network of the registries', (t) => {
  const readme = documents().find(({ path }) => path === 'README.md')?.text ?? '';
  for (const name of [...parameters.map((p) => p.name), ...networks.map((n) => n.name)]) t.true(readme.includes(`\n| \`${name}\` |`), name);
  for (const reason of Object.keys(catalogue)) t.true(readme.includes(`| \`${reason}\` |`), reason);
  t.true(/\n\| resnet18 224x224 batch 16 float32 [^\n]*\*\*\d+\.\d\d\*\*/.test(readme), 'no result of the benchmark');
});

test('every part that can be generated stands in some document', (t) => {
  const all = documents().map(({ text }) => text);
  for (const section of Object.keys(sections))
    t.true(
      all.some((text) => text.includes(`<!-- generated: ${section} -->`)),
      section,
    );
});

test('every RPC of the service is in the table of calls', (t) => {
  const readme = documents().find(({ path }) => path === 'README.md')?.text ?? '';
  for (const { path } of Object.values(ClassifierServiceService)) {
    const rpc = path.slice(path.lastIndexOf('/') + 1);
    t.true(readme.includes(`\n| \`${rpc}\` |`), rpc);
  }
});

test('a section is replaced between its marks, and a name that nothing generates is refused', (t) => {
  const document = 'a\n<!-- generated: x -->\nold\n<!-- end of x -->\nb';
  const once = withSections(document, { x: () => 'new' });
  t.is(once, 'a\n<!-- generated: x -->\n\nnew\n\n<!-- end of x -->\nb');
  t.is(withSections(once, { x: () => 'new' }), once);
  t.throws(() => withSections(document, {}), { message: /no generated section is named x/ });
});
