/** An attribute's value; one that is undefined is left out. */
type Value = string | number | undefined;

const ESCAPED: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Characters that XML has no way to write, halves of such as take two, and control characters that no picture shows. */
const UNWRITABLE = /(?![\t\n\r])[\p{Cc}\p{Cs}\ufffe\uffff]/gu;

/** An element of SVG with what is in it, which {@link text} has made or this function itself. */
export function element(name: string, attributes: Readonly<Record<string, Value>>, ...content: readonly string[]): string {
  const written = Object.entries(attributes).map(([key, value]) => (value === undefined ? '' : ` ${key}="${text(coordinate(value))}"`));
  return content.length === 0 ? `<${name}${written.join('')}/>` : `<${name}${written.join('')}>${content.join('')}</${name}>`;
}

/** Characters as XML and HTML have them. */
export function text(characters: string): string {
  return characters.replace(UNWRITABLE, '\ufffd').replace(/[&<>"]/g, (character) => ESCAPED[character] as string);
}

/** A line from each of these points to the next. */
export function polyline(points: readonly (readonly [x: number, y: number])[]): string {
  return points.map(([x, y]) => `${coordinate(x)},${coordinate(y)}`).join(' ');
}

/** Numbers with two digits after the point, of which a picture has no use for more. */
function coordinate(value: string | number): string {
  return typeof value === 'string' ? value : String(Number(value.toFixed(2)));
}
