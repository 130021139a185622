/** What a file is that is none of ours, and what to do instead. */
export interface ForeignFile {
  readonly problem: string;
  readonly remedy: string;
}

interface Kind extends ForeignFile {
  /** Of names, in lower case. */
  readonly ending: RegExp;
  /** Whether a file begins so; one character a byte. */
  readonly begins: (text: string) => boolean;
}

const KINDS: readonly Kind[] = [
  {
    // HALCON's formats are not published: its files are known by their endings, and by its name where they say it.
    ending: /\.(hdl|gnc|gmc|hdict)$/,
    begins: (text) => text.slice(0, 256).includes('HALCON'),
    problem: "it is not a safetensors file; HALCON's own .hdl files are a closed format that nobody else can read",
    remedy:
      'read a network instead (compact or enhanced, or one of the others with weights from torchvision) and train it on the same images: the operators and ' +
      'parameters are the same. Weights of torchvision or timm come in by: dlc import FILE.safetensors --as NETWORK',
  },
  {
    ending: /\.(pth|pt|ckpt)$/,
    // A zip archive, or a pickle of protocol 2 to 4.
    begins: (text) => ['PK\u0003\u0004', '\u0080\u0002', '\u0080\u0003', '\u0080\u0004'].some((mark) => text.startsWith(mark)),
    problem: "it is PyTorch's own format, which can run programs when it is loaded, so that nothing but PyTorch reads it",
    remedy:
      'make a safetensors file of it: python3 -c "import sys, torch, safetensors.torch as s; ' +
      's.save_file(torch.load(sys.argv[1], weights_only=True), sys.argv[2])" FILE.pth FILE.safetensors',
  },
];

/**
 * Recognises files of other programs that people try.
 *
 * @param fileName may be empty
 * @param beginning of the file
 */
export function recogniseForeignFile(fileName: string, beginning: Uint8Array): ForeignFile | null {
  const name = fileName.toLowerCase();
  const text = Buffer.from(beginning.buffer, beginning.byteOffset, beginning.byteLength).toString('latin1');
  return KINDS.find((kind) => kind.ending.test(name) || kind.begins(text)) ?? null;
}
