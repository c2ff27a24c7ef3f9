/** Draws heat over an image. */

import { bytes } from "../common/format";
import type { Heat } from "./data";

/** One map: values relative to the strongest, 0..1 or -1..1. */
export interface HeatMap {
  values: Float32Array;
  height: number;
  width: number;
}

/** Which map: that of the explained class (rank 0) or of the next most probable ones, and the input's place. */
export interface Place {
  rank: number;
  position: number;
}

export function mapAt(heat: Heat, { rank, position }: Place): HeatMap {
  const [height, width] = heat.size;
  const size = height * width;
  const { others } = heat;
  const text = rank && others ? others.maps : heat.maps;
  const at = rank && others ? (rank - 1) * others.indices.length + position : position;
  const raw = bytes(text).subarray(at * size, (at + 1) * size);
  const values = Float32Array.from(raw, (value) => (heat.signed ? (value - 128) / 127 : value / 255));
  return { values, height, width };
}

/** Resample bilinearly, with pixels as areas whose values hold at their centres; the edge is repeated. */
export function resample(map: HeatMap, height: number, width: number): Float32Array {
  const rows = weights(map.height, height);
  const columns = weights(map.width, width);
  const result = new Float32Array(height * width);
  for (let y = 0; y < height; y++) {
    const [top, bottom, down] = rows[y] as Weight;
    for (let x = 0; x < width; x++) {
      const [left, right, across] = columns[x] as Weight;
      const at = (row: number, column: number) => map.values[row * map.width + column] as number;
      const above = at(top, left) * (1 - across) + at(top, right) * across;
      const below = at(bottom, left) * (1 - across) + at(bottom, right) * across;
      result[y * width + x] = above * (1 - down) + below * down;
    }
  }
  return result;
}

type Weight = [number, number, number];

function weights(from: number, to: number): Weight[] {
  return Array.from({ length: to }, (_, at) => {
    const position = Math.max(0, Math.min(from - 1, ((at + 0.5) * from) / to - 0.5));
    const first = Math.floor(position);
    return [first, Math.min(from - 1, first + 1), position - first];
  });
}

/** Heat as pixels (height, width, RGBA): its colours, more opaque the stronger it is. */
export function colourise(heat: Heat, values: Float32Array, opacity: number): Uint8ClampedArray<ArrayBuffer> {
  const colours = bytes(heat.colours);
  const pixels = new Uint8ClampedArray(4 * values.length);
  values.forEach((value, at) => {
    const share = heat.signed ? (value + 1) / 2 : value;
    const entry = 3 * Math.max(0, Math.min(255, Math.round(255 * share)));
    pixels.set(colours.subarray(entry, entry + 3), 4 * at);
    pixels[4 * at + 3] = 255 * Math.min(1, Math.abs(value) * opacity);
  });
  return pixels;
}

/** A part of a canvas, in whole pixels. */
export interface Area {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Draw the heat of an input over the part of a canvas that shows what the model sees. */
export function drawHeat(
  canvas: HTMLCanvasElement,
  area: Area,
  heat: Heat,
  place: Place,
  opacity: number,
): void {
  const { left, top, width, height } = area;
  const values = resample(mapAt(heat, place), height, width);
  const layer = new OffscreenCanvas(width, height);
  const pen = layer.getContext("2d") as OffscreenCanvasRenderingContext2D;
  pen.putImageData(new ImageData(colourise(heat, values, opacity), width, height), 0, 0);
  (canvas.getContext("2d") as CanvasRenderingContext2D).drawImage(layer, left, top);
}
