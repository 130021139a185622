/** The networks that ReadClassifier knows, a line for each. Where they are listed they come in the order of these names. */
export { alexnet } from './alexnet.js';
export { compact } from './compact.js';
export { enhanced } from './enhanced.js';
export { mobilenetV2 } from './mobilenet_v2.js';
export { resnet18 } from './resnet18.js';
export { resnet50 } from './resnet50.js';
