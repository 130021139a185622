import { readFileSync } from 'node:fs';
import { status } from '@grpc/grpc-js';
import { accuracyTable } from '../../bench/accuracy/table.js';
import { agreementTable } from '../../bench/agreement/table.js';
import { loadTable } from '../../bench/load/table.js';
import { markdown } from '../../bench/result.js';
import { wireTable } from '../../bench/wire/table.js';
import { applyResults } from '../../server/classifier/apply_result.js';
import { trainResults } from '../../server/classifier/train_result.js';
import { environmentVariable } from '../../server/command_line.js';
import { CONFIG_OPTIONS } from '../../server/config_options.js';
import { catalogue, type Reason } from '../../server/errors/catalogue.js';
import { networks } from '../../server/networks/index.js';
import { access, type ParameterDefinition } from '../../server/parameters/definition.js';
import { parameters } from '../../server/parameters/registry.js';
import { benchmark } from './benchmark.js';
import { code, table } from './markdown.js';

/** Reads a file of the contract. */
function contract(file: string): string {
  return readFileSync(new URL(`../../proto/dlclassifier/v1/${file}`, import.meta.url), 'utf8');
}

/** The comment lines above an element, as one text. */
const unwrapped = (comment: string): string => comment.replaceAll(/\s*\/\/ ?/g, ' ').trim();

function operations(file: string): string {
  const rpcs = contract(file).matchAll(/((?: {2}\/\/.*\n)+) {2}rpc (\w+)\((stream )?\w+\) returns \((stream )?/g);
  const rows = [...rpcs].map(([, comment = '', name = '', up, down]) => [
    code(name),
    [up ? 'up' : '', down ? 'down' : ''].filter(Boolean).join(', '),
    unwrapped(comment),
  ]);
  return table(['RPC', 'streams', 'what it does'], rows);
}

function valueType({ type, count }: ParameterDefinition): string {
  return count === 1
    ? type
    : count === 'any'
      ? `${type}, any number`
      : count === 'none or more'
        ? `${type}, any number or none`
        : `${count} x ${type}`;
}

function parameterTable(): string {
  const rows = parameters.map((parameter) => [
    code(parameter.name),
    valueType(parameter),
    parameter.default,
    access(parameter),
    parameter.range,
    parameter.documentation,
    parameter.reinitializes ?? '',
  ]);
  return table(['name', 'type', 'default', 'access', 'allowed', 'meaning', 'what a set resets'], rows);
}

/** What the contract says of a reason, without the number and the status that its comment begins with. */
function meaning(reason: Reason): string {
  const pattern = new RegExp(`((?: {2}//.*\\n)+) {2}ERROR_REASON_${reason} = `);
  const comment = pattern.exec(contract('error.proto'))?.[1];
  if (comment === undefined) throw new Error(`error.proto does not have ERROR_REASON_${reason}`);
  return unwrapped(comment).replace(/^(\d+, )?[A-Z_]+: /, '');
}

function errorTable(): string {
  const reasons = Object.keys(catalogue) as Reason[];
  const rows = reasons.map((reason) => {
    const entry = catalogue[reason];
    return [entry.number?.toString() ?? '', code(reason), status[entry.status], entry.retry ? 'yes' : '', meaning(reason)];
  });
  return table(['number', 'reason', 'status', 'retry', 'case and metadata'], rows);
}

function resultTable(results: readonly { readonly name: string; readonly documentation: string }[]): string {
  return table(
    ['name', 'meaning'],
    results.map(({ name, documentation }) => [code(name), documentation]),
  );
}

function networkTable(): string {
  const rows = networks.map((network) => [
    code(network.name),
    network.description,
    `${network.minSize} x ${network.minSize}`,
    network.resizable ? (network.resizeKeepsWeights ? 'keeps weights' : 're-initialises the fully connected layers') : 'no',
    `${network.defaultBatchSize}`,
    `${network.defaultWeightPrior}`,
  ]);
  return table(['name', 'what it is', 'smallest image', 'resizing', 'batch_size', 'weight_prior'], rows);
}

function flagTable(): string {
  const rows = CONFIG_OPTIONS.map((option) => [
    code(option.flags),
    code(environmentVariable(option)),
    option.default === undefined ? '' : code(`${option.default}`),
    option.choices ? `${option.description}: ${option.choices.join(', ')}` : option.description,
  ]);
  return table(['flag', 'environment', 'default', 'meaning'], rows);
}

/** The generated parts of the documents, by the names in their marks. */
export const sections: Readonly<Record<string, () => string>> = {
  operations: () => operations('classifier_service.proto'),
  'image-operations': () => operations('image_service.proto'),
  parameters: parameterTable,
  'train-results': () => resultTable(trainResults),
  'apply-results': () => resultTable(applyResults),
  errors: errorTable,
  networks: networkTable,
  flags: flagTable,
  agreement: () => benchmark('agreement', agreementTable),
  accuracy: () => benchmark('accuracy', accuracyTable),
  'step-benchmark': () => benchmark('step', markdown),
  'apply-benchmark': () => benchmark('apply', markdown),
  'wire-benchmark': () => benchmark('wire', wireTable),
  'load-benchmark': () => benchmark('load', loadTable),
};
