import { call } from '../calls.js';
import { getParams, train } from '../wire.js';
import type { Case } from './case.js';

export const handleCases: readonly Case[] = [
  {
    what: 'a handle that was never given out',
    reason: 'UNKNOWN_HANDLE',
    metadata: { handle_kind: 'classifier' },
    act: ({ client }) => getParams(client, 'AAAAAAAAAAAAAAAAAAAAAA'),
  },
  {
    what: 'a handle that was cleared',
    reason: 'HANDLE_CLEARED',
    metadata: { handle_kind: 'train_result' },
    prepare: ({ client, trainResult }) => call(client, 'clearTrainResult', { trainResults: [trainResult] }),
    act: ({ client, trainResult }) => call(client, 'getTrainResult', { trainResult, names: [] }),
  },
  {
    what: 'a handle of another kind',
    reason: 'WRONG_HANDLE_KIND',
    metadata: { handle_kind: 'train_result', wanted_kind: 'classifier' },
    act: ({ client, trainResult }) => train(client, trainResult),
  },
];
