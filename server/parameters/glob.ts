/**
 * Whether a pattern stands for the whole name: `*` for any characters, none and dots included, `?` for exactly one, any other character for
 * itself. Takes time in proportion to pattern times name, whatever the pattern.
 */
export function matchesGlob(pattern: string, name: string): boolean {
  let [atPattern, atName] = [0, 0];
  // Where the last star stands, and how much of the name it has taken.
  let [star, taken] = [-1, 0];
  while (atName < name.length) {
    const character = pattern[atPattern];
    if (character === '*') {
      star = atPattern++;
      taken = atName;
    } else if (character === '?' || character === name[atName]) {
      atPattern++;
      atName++;
    } else if (star >= 0) {
      atPattern = star + 1;
      atName = ++taken;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(atPattern));
}
