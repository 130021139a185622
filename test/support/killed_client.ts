import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/**
 * Starts dying_client.ts as a process and kills it in the middle of a call, when all but the last commit has arrived.
 *
 * @param committed batches that it commits before, by TrainBatches; 0 means a TrainBatch call
 */
export async function killSendingClient(address: string, classifier: string, committed: number): Promise<void> {
  const program = fileURLToPath(new URL('dying_client.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', program, address, classifier, String(committed)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output] = (await once(child.stdout, 'data')) as [Buffer];
  if (String(output) !== 'sent\n') throw new Error(`the client said ${JSON.stringify(String(output))}`);
  child.kill('SIGKILL');
  await once(child, 'exit');
}
