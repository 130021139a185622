export { type FileTensor, readTensorFile, type TensorFile } from '../../bench/tensor_file.js';
