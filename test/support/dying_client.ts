/**
 * A client process that is killed in the middle of a TrainBatch call: sends all but the commit, says so on stdout, and waits for its end.
 * Arguments: address, classifier.
 */

import { connectTo, openUpload, untilArrived } from './calls.js';
import { noiseBatch, trainMessages } from './classifier.js';

const [address = '', classifier = ''] = process.argv.slice(2);
const client = connectTo(address);
const upload = openUpload(client, 'trainBatch');
for (const message of trainMessages(classifier, noiseBatch()).slice(0, -1)) await upload.send(message);
await untilArrived(client);
console.log('sent');
await upload.response;
