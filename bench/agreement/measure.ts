import { engineBinding } from '../../native/index.js';
import { loadPhotographs } from '../photographs.js';
import type { Row } from '../result.js';
import { agreementCases } from './case.js';
import { type Agreement, compareAgreement } from './compare.js';
import { agreementRows } from './table.js';

/** On both sides: their number is part of the order in which is summed, and one waits for nobody beside other work. */
const THREADS = 1;

/**
 * Measures all cases of these networks.
 *
 * @param names none means all networks
 * @param folder keeps PyTorch's part for the next time
 * @param save is called with all rows so far after each network
 */
export async function measureAgreement<Saved>(
  names: readonly string[],
  folder: string | null,
  save: (rows: readonly Row[]) => Saved,
): Promise<Saved> {
  const photographs = await loadPhotographs();
  const sequences = new Map<string, Agreement[][]>();
  let saved = save([]);
  const engine = new (engineBinding().Engine)({ gpu: null, threads: THREADS, queueLength: 4 });
  for (const agreementCase of agreementCases(names, photographs.classes)) {
    const { name } = agreementCase.network;
    console.error(`${name}, sequence ${agreementCase.seed}`);
    sequences.set(name, [...(sequences.get(name) ?? []), await compareAgreement(engine, agreementCase, photographs, folder)]);
    saved = save([...sequences].flatMap(([network, all]) => agreementRows(network, all)));
  }
  await engine.close();
  return saved;
}
