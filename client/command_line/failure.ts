/** Something wrong that the user can mend, told in one line. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
}
