import type {
  DescribeClassifierRequest,
  DescribeClassifierResponse,
  LayerDescription,
} from '../../generated/dlclassifier/v1/classifier.js';
import type { LayerInfo } from '../../native/binding.js';
import type { CallContext } from './context.js';

/** DescribeClassifier: layers, shapes, number of parameters and memory. */
export async function describeClassifier(request: DescribeClassifierRequest, { server }: CallContext): Promise<DescribeClassifierResponse> {
  const classifier = server.handles.get('classifier', request.classifier);
  const { parameterBytes, trainingBytes, inferenceBytes } = await classifier.planMemory();
  return {
    type: classifier.network.name,
    layers: classifier.layers.map(toLayer),
    parameterCount: BigInt(classifier.view.parameterCount),
    memory: {
      parametersBytes: BigInt(parameterBytes),
      trainingBytes: BigInt(trainingBytes),
      inferenceBytes: BigInt(inferenceBytes),
    },
    state: classifier.state,
  };
}

function toLayer({ name, kind, inputs, outputShape, parameterCount }: LayerInfo): LayerDescription {
  return { name, kind, inputs: [...inputs], outputShape: [...outputShape], parameterCount: BigInt(parameterCount) };
}
