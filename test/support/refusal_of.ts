/** The error of this kind that a promise rejects with; any other is thrown on, and so is a promise that resolves. */
export async function refusalOf<Kind extends Error>(
  kind: abstract new (...values: never[]) => Kind,
  promise: Promise<unknown>,
): Promise<Kind> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof kind) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
