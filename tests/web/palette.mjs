//! Makes a picture of few colours small: a PNG with a palette of 256, which a screenshot never is.

import { deflateSync } from "node:zlib";

/** Size, palette (RGB) and the place in it of each pixel, as a browser sees the picture. */
async function inPalette(base64) {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const { width, height } = image;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const counts = new Map();
  const colour = (at) => (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
  for (let at = 0; at < data.length; at += 4) counts.set(colour(at), (counts.get(colour(at)) ?? 0) + 1);
  // Grounds, and of neighbours among the rest the most frequent one: the shades at the edges of letters are too many.
  const sorted = [...counts].sort((a, b) => b[1] - a[1]).map(([rgb]) => rgb);
  const groups = new Map();
  for (const rgb of sorted.slice(32)) groups.set(rgb & 0xf0f0f0, groups.get(rgb & 0xf0f0f0) ?? rgb);
  const palette = [...sorted.slice(0, 32), ...groups.values()].slice(0, 256);
  const places = new Map(palette.map((rgb, at) => [rgb, at]));
  const apart = (a, b) => Math.hypot((a >> 16) - (b >> 16), ((a >> 8) & 255) - ((b >> 8) & 255), (a & 255) - (b & 255));
  const nearest = (rgb) => palette.reduce((best, one, at) => (apart(one, rgb) < apart(palette[best], rgb) ? at : best), 0);
  for (const rgb of counts.keys()) if (!places.has(rgb)) places.set(rgb, nearest(rgb));
  const pixels = Array.from({ length: data.length / 4 }, (_, i) => places.get(colour(4 * i)));
  return { width, height, palette, pixels };
}

function crc(bytes) {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

const word = (n) => Buffer.from([n >>> 24, n >>> 16, n >>> 8, n].map((byte) => byte & 255));

function chunk(kind, data) {
  const body = Buffer.concat([Buffer.from(kind), data]);
  return Buffer.concat([word(data.length), body, word(crc(body))]);
}

/** The same picture. `page` is any page whose policy lets the debugger run scripts. */
export async function withPalette(page, png) {
  const { width, height, palette, pixels } = await page.evaluate(inPalette, png.toString("base64"));
  const rows = Buffer.alloc(height * (width + 1));
  for (let y = 0; y < height; y += 1) rows.set(pixels.slice(y * width, (y + 1) * width), y * (width + 1) + 1);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]),
    chunk("IHDR", Buffer.concat([word(width), word(height), Buffer.from([8, 3, 0, 0, 0])])),
    chunk("PLTE", Buffer.from(palette.flatMap((rgb) => [rgb >> 16, (rgb >> 8) & 255, rgb & 255]))),
    chunk("IDAT", deflateSync(rows, { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}
