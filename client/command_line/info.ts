import type { Command } from 'commander';
import type { Session } from './session.js';
import { mebibytes, table } from './table.js';

/** dlc info */
export function infoCommand(program: Command, session: Session): void {
  program
    .command('info')
    .description("Tells the daemon's version, devices and networks, and which of them have trained weights.")
    .action(async (_: unknown, command: Command) => {
      await session.run(command, async (client) => {
        const info = await client.getServerInfo();
        const devices = info.devices.map(({ runtime, index, name, threads, memoryBytes, problem }) => {
          return [`${runtime} ${index}`, name, threads, mebibytes(memoryBytes), problem];
        });
        const networks = info.networks.map(({ name, minSize, pretrainedAvailable, description }) => {
          return [name, `${minSize} x ${minSize}`, pretrainedAvailable ? 'yes' : 'no', description];
        });
        const text = [
          `dl-classifierd ${info.version}`,
          table(['device', 'name', 'threads', 'memory', ''], devices),
          table(['network', 'smallest image', 'trained weights', 'what it is'], networks),
        ];
        return { text: text.join('\n\n'), value: info };
      });
    });
}
