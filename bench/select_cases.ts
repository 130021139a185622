/** The cases that have every word of a pattern in their names; several patterns are separated by commas, none means all cases. */
export function selectCases<Case extends { readonly name: string }>(cases: readonly Case[], patterns: string): readonly Case[] {
  const wanted = patterns.split(',').map((pattern) => pattern.split(' ').filter((word) => word !== ''));
  const selected = cases.filter(({ name }) => wanted.some((words) => words.every((word) => name.split(' ').includes(word))));
  if (selected.length === 0)
    throw new Error(`no case matches ${patterns}; the cases are:\n  ${cases.map(({ name }) => name).join('\n  ')}`);
  return selected;
}
