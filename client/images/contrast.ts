/** In place: (g - min) * 255 / (max - min), rounded, with min and max over all values of the image. A uniform image stays as it is. */
export function normalizeContrast(pixels: Uint8Array): void {
  let minimum = 255;
  let maximum = 0;
  for (const value of pixels) {
    if (value < minimum) minimum = value;
    if (value > maximum) maximum = value;
  }
  if (maximum <= minimum) return;
  const range = maximum - minimum;
  for (let i = 0; i < pixels.length; i++) pixels[i] = Math.round((((pixels[i] as number) - minimum) * 255) / range);
}
