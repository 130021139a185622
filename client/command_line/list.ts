import type { Command } from 'commander';
import type { Session } from './session.js';
import { mebibytes, table } from './table.js';

/** dlc list */
export function listCommand(program: Command, session: Session): void {
  program
    .command('list')
    .description('Lists what is stored on the daemon, and what is open.')
    .action(async (_: unknown, command: Command) => {
      await session.run(command, async (client) => {
        const list = await client.listClassifiers();
        const stored = list.stored.map(({ fileName, type, classCount, step, sizeBytes, problem }) =>
          problem === ''
            ? [fileName, type, classCount, step, mebibytes(sizeBytes), '']
            : [fileName, '', '', '', mebibytes(sizeBytes), problem],
        );
        const open = list.open.map(({ type, state, step, created, memoryBytes, runtime, deviceIndex }) => {
          return [type, state, step, created?.toISOString() ?? '', mebibytes(memoryBytes), `${runtime} ${deviceIndex}`];
        });
        const parts = [
          stored.length === 0 ? 'nothing is stored' : table(['stored', 'network', 'classes', 'step', 'size', ''], stored),
          open.length === 0 ? 'nothing is open' : table(['open', 'state', 'step', 'since', 'memory', 'device'], open),
        ];
        return { text: parts.join('\n\n'), value: list };
      });
    });
}
