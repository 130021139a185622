import type { PretrainedWeights } from './definition.js';

/** The weights that torchvision publishes for its model of this name. */
export function torchvisionWeights(model: string): PretrainedWeights {
  const fileName = `${model}.safetensors`;
  return {
    fileName,
    remedy:
      `get torchvision's weights as ${fileName}: python3 -c "import torchvision.models as m, safetensors.torch as s; ` +
      `s.save_file(m.${model}(weights='DEFAULT').state_dict(), '${fileName}')"; give them to this server: ` +
      `dlc import ${fileName} --as ${model}; or read with pretrained = false for fresh weights`,
  };
}
