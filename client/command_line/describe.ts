import type { Command } from 'commander';
import type { Session } from './session.js';
import { mebibytes, table } from './table.js';

/** dlc describe NAME */
export function describeCommand(program: Command, session: Session): void {
  program
    .command('describe')
    .description('Tells layers, parameters and memory of a stored classifier or of a network.')
    .argument('<name>', 'name of a stored classifier or of a network')
    .action(async (name: string, _: unknown, command: Command) => {
      await session.run(command, async (client) => {
        // A network is described the same with and without its trained weights.
        await using classifier = await client.readClassifier(name, { pretrained: false });
        const [description, parameters] = [await classifier.describe(), await classifier.getAllParams()];
        const layers = description.layers.map((layer) => [layer.name, layer.kind, layer.outputShape.join(' x '), layer.parameterCount]);
        const { memory } = description;
        const values = Object.entries(parameters).map(([key, value]) => [key, displayed(value)]);
        const text = [
          table(['layer', 'kind', 'channels x height x width', 'parameters'], layers),
          table(['parameter', 'value'], values),
          `memory: parameters ${mebibytes(memory?.parametersBytes ?? 0)}, training ${mebibytes(memory?.trainingBytes ?? 0)} more, ` +
            `applying ${mebibytes(memory?.inferenceBytes ?? 0)} more`,
        ];
        return { text: text.join('\n\n'), value: { ...description, parameters } };
      });
    });
}

function displayed(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
