/** The float32 tensors of a safetensors file's bytes, read without the server's own reader. */
export function tensorsIn(bytes: Buffer): Map<string, Float32Array> {
  const headerEnd = 8 + Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString('utf8', 8, headerEnd)) as Record<string, { dtype: string; data_offsets: [number, number] }>;
  const tensors = new Map<string, Float32Array>();
  for (const [name, { dtype, data_offsets: offsets }] of Object.entries(header)) {
    if (dtype !== 'F32') continue;
    const data = Uint8Array.from(bytes.subarray(headerEnd + offsets[0], headerEnd + offsets[1]));
    tensors.set(name, new Float32Array(data.buffer));
  }
  return tensors;
}

/** Names of the tensors whose bits differ, or that only one side has. */
export function differingTensors(a: ReadonlyMap<string, Float32Array>, b: ReadonlyMap<string, Float32Array>): string[] {
  const bits = (values: Float32Array | undefined) => values && Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const names = new Set([...a.keys(), ...b.keys()]);
  return [...names].filter((name) => !bits(a.get(name))?.equals(bits(b.get(name)) ?? Buffer.alloc(0))).sort();
}
