/** A table; `rows` have as many cells as `head`. A `|` within a cell is escaped, a line break becomes a space. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

export const code = (text: string): string => `\`${text}\``;

/** What stands between `<!-- generated: NAME -->` and `<!-- end of NAME -->`. */
const SECTION = /(<!-- generated: ([a-z-]+) -->\n)[\s\S]*?(<!-- end of \2 -->)/g;

/** The document with all its generated sections as they should be. */
export function withSections(document: string, sections: Readonly<Record<string, () => string>>): string {
  return document.replaceAll(SECTION, (_, begin: string, name: string, end: string) => {
    const section = sections[name];
    if (!section) throw new Error(`no generated section is named ${name}; there are: ${Object.keys(sections).join(', ')}`);
    return `${begin}\n${section()}\n\n${end}`;
  });
}
