import type { ClassifierServiceServer } from '../../generated/dlclassifier/v1/classifier_service.js';
import type { ImageServiceServer } from '../../generated/dlclassifier/v1/image_service.js';
import { applyClassifier } from '../rpc/apply_classifier.js';
import { clearClassifier } from '../rpc/clear_classifier.js';
import { clearResult } from '../rpc/clear_result.js';
import { clearTrainResult } from '../rpc/clear_train_result.js';
import type { CallContext } from '../rpc/context.js';
import { deleteImages } from '../rpc/delete_images.js';
import { describeClassifier } from '../rpc/describe_classifier.js';
import { deserializeClassifier } from '../rpc/deserialize_classifier.js';
import { estimateMemory } from '../rpc/estimate_memory.js';
import { exportClassifier } from '../rpc/export_classifier.js';
import { getParam } from '../rpc/get_param.js';
import { getResult } from '../rpc/get_result.js';
import { getServerInfo } from '../rpc/get_server_info.js';
import { getStoreInfo } from '../rpc/get_store_info.js';
import { getTrainResult } from '../rpc/get_train_result.js';
import { hasImages } from '../rpc/has_images.js';
import { importWeights } from '../rpc/import_weights.js';
import { listClassifiers } from '../rpc/list_classifiers.js';
import { putImages } from '../rpc/put_images.js';
import { readClassifier } from '../rpc/read_classifier.js';
import { serializeClassifier } from '../rpc/serialize_classifier.js';
import { setParam } from '../rpc/set_param.js';
import { trainBatch } from '../rpc/train_batch.js';
import { trainBatches } from '../rpc/train_batches.js';
import { writeClassifier } from '../rpc/write_classifier.js';
import { type CallEnvironment, download, exchange, unary, upload } from './handlers.js';

/** Every call of the contract with its handler, in the order of the contract. */
export function classifierService(environment: CallEnvironment<CallContext>): ClassifierServiceServer {
  return {
    readClassifier: unary(environment, readClassifier),
    setParam: unary(environment, setParam),
    getParam: unary(environment, getParam),
    trainBatch: upload(environment, trainBatch),
    trainBatches: exchange(environment, trainBatches),
    getTrainResult: unary(environment, getTrainResult),
    clearTrainResult: unary(environment, clearTrainResult),
    applyClassifier: upload(environment, applyClassifier),
    getResult: unary(environment, getResult),
    clearResult: unary(environment, clearResult),
    writeClassifier: unary(environment, writeClassifier),
    serializeClassifier: download(environment, serializeClassifier),
    deserializeClassifier: upload(environment, deserializeClassifier),
    importWeights: upload(environment, importWeights),
    exportClassifier: download(environment, exportClassifier),
    clearClassifier: unary(environment, clearClassifier),
    listClassifiers: unary(environment, listClassifiers),
    describeClassifier: unary(environment, describeClassifier),
    estimateMemory: unary(environment, estimateMemory),
    getServerInfo: unary(environment, getServerInfo),
  };
}

/** The same for the stored images. */
export function imageService(environment: CallEnvironment<CallContext>): ImageServiceServer {
  return {
    hasImages: unary(environment, hasImages),
    putImages: upload(environment, putImages),
    getStoreInfo: unary(environment, getStoreInfo),
    deleteImages: unary(environment, deleteImages),
  };
}
