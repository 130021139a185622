import { type Command, Option } from 'commander';
import { writeWhole } from '../files/write_whole.js';
import { CommandFailure } from './failure.js';
import type { Session } from './session.js';
import { mebibytes } from './table.js';

interface ExportOptions {
  readonly onnx?: string;
  readonly safetensors?: string;
  readonly pixels: 'uint8' | 'float32';
}

/** dlc export NAME --onnx FILE --safetensors FILE */
export function exportCommand(program: Command, session: Session): void {
  program
    .command('export')
    .description('Takes a classifier out: as a model for ONNX Runtime, or its weights for PyTorch.')
    .argument('<name>', 'name of a stored classifier or of a network')
    .option('--onnx <file>', 'write an ONNX model with preprocessing and class names')
    .option('--safetensors <file>', "write the weights alone, under torchvision's names")
    .addOption(
      new Option('--pixels <type>', 'what the ONNX model takes: 0..255 or -127..128').choices(['uint8', 'float32']).default('uint8'),
    )
    .action(async (name: string, _: unknown, command: Command) => {
      const { onnx, safetensors, pixels } = command.opts<ExportOptions>();
      if (onnx === undefined && safetensors === undefined) command.error('error: name a file with --onnx, with --safetensors or with both');
      await session.run(command, async (client) => {
        await using classifier = await client.readClassifier(name);
        const files: { file: string; sizeBytes: number }[] = [];
        const save = async (file: string, bytes: Buffer) => {
          await write(file, bytes);
          files.push({ file, sizeBytes: bytes.byteLength });
        };
        if (onnx !== undefined) await save(onnx, await classifier.exportOnnx({ pixels }));
        if (safetensors !== undefined) await save(safetensors, await classifier.exportSafetensors());
        return { text: files.map(({ file, sizeBytes }) => `wrote ${file} (${mebibytes(sizeBytes)})`).join('\n'), value: { files } };
      });
    });
}

async function write(file: string, bytes: Buffer): Promise<void> {
  try {
    await writeWhole(file, bytes);
  } catch (error) {
    throw new CommandFailure(`${file} cannot be written: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}
