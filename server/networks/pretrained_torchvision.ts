import type { PretrainedWeights } from './definition.js';

/** Weights that torchvision trained for ImageNet; they load as they are. */
export function torchvisionWeights(name: string): PretrainedWeights {
  const fileName = `${name}.safetensors`;
  return {
    fileName,
    remedy:
      `put torchvision's weights there: python3 -c "import torchvision.models as m, safetensors.torch as s; s.save_file(m.${name}(weights='DEFAULT')` +
      `.state_dict(), '${fileName}')"; or read with pretrained = false for fresh weights`,
  };
}
