import type {
  DescribeClassifierRequest,
  DescribeClassifierResponse,
  LayerDescription,
} from '../../generated/dlclassifier/v1/classifier.js';
import type { LayerInfo } from '../../native/binding.js';
import type { CallContext } from './context.js';
import { toMemoryDescription } from './memory_description.js';

/** DescribeClassifier: layers, shapes, number of parameters and memory. */
export async function describeClassifier(request: DescribeClassifierRequest, { server }: CallContext): Promise<DescribeClassifierResponse> {
  const classifier = server.handles.get('classifier', request.classifier);
  // At once, as the classifier may be changed or cleared while the memory is computed.
  const { layers, state, view } = classifier;
  const memory = toMemoryDescription(await classifier.planMemory());
  return {
    type: view.network.name,
    layers: layers.map(toLayer),
    parameterCount: layers.reduce((sum, layer) => sum + BigInt(layer.parameterCount), 0n),
    memory,
    state,
  };
}

function toLayer({ name, kind, inputs, outputShape, parameterCount }: LayerInfo): LayerDescription {
  return { name, kind, inputs: [...inputs], outputShape: [...outputShape], parameterCount: BigInt(parameterCount) };
}
