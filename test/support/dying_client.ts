/**
 * A client process that is killed in the middle of a call: sends all but the last commit, says so on stdout, and waits for its end.
 * Arguments: address, classifier, number of batches that it commits before, by TrainBatches; 0 means a TrainBatch call.
 */

import { batchMessages, numberedBatch, openBatches } from './batch_call.js';
import { connectTo, openUpload, untilArrived } from './calls.js';
import { noiseBatch, trainMessages } from './classifier.js';

const [address = '', classifier = '', committed = '0'] = process.argv.slice(2);
const client = connectTo(address);
if (committed === '0') {
  const upload = openUpload(client, 'trainBatch');
  for (const message of trainMessages(classifier, noiseBatch()).slice(0, -1)) await upload.send(message);
} else {
  const call = openBatches(client, classifier);
  for (let number = 0; number < Number(committed); number++) {
    await call.send(...batchMessages(classifier, numberedBatch(number)));
    await call.next();
  }
  await call.send(...batchMessages(classifier, numberedBatch(Number(committed))).slice(0, -1));
}
await untilArrived(client);
console.log('sent');
await new Promise(() => setInterval(() => {}, 1000));
