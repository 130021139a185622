/** Why the daemon cannot start, in one line that says what to do: main prints it and exits with 2. */
export class StartError extends Error {
  override readonly name = 'StartError';
}
