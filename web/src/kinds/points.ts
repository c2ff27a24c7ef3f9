/** Points of a map in the plane: positions, neighbours, and which of them a lasso holds. */

import { bytes } from "../common/format";

export type Point = [number, number];

/** Positions from base64 of little-endian uint16, both axes from 0 to 1, the second downwards. */
export function unpackPoints(text: string): Point[] {
  const raw = bytes(text);
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  return Array.from({ length: raw.byteLength / 4 }, (_, at) => [
    view.getUint16(4 * at, true) / 1000,
    1 - view.getUint16(4 * at + 2, true) / 1000,
  ]);
}

/** The positions of the `count` points nearest to another, the nearest first. */
export function nearest(points: Point[], chosen: number, count: number): number[] {
  const from = points[chosen];
  if (!from) return [];
  const distance = ([x, y]: Point) => Math.hypot(x - from[0], y - from[1]);
  return points
    .map((point, at): [number, number] => [distance(point), at])
    .filter(([, at]) => at !== chosen)
    .sort(([a], [b]) => a - b)
    .slice(0, count)
    .map(([, at]) => at);
}

/** Whether a point is inside a polygon, by the even-odd rule. */
export function isInside([x, y]: Point, polygon: Point[]): boolean {
  let inside = false;
  polygon.forEach(([x1, y1], at) => {
    const [x0, y0] = polygon[(at + polygon.length - 1) % polygon.length] as Point;
    if (y1 > y !== y0 > y && x < ((x0 - x1) * (y - y1)) / (y0 - y1) + x1) inside = !inside;
  });
  return inside;
}

// The colours of matplotlib's viridis at nine equal steps.
const VIRIDIS = [
  "#440154",
  "#472d7b",
  "#3b528b",
  "#2c728e",
  "#21918c",
  "#28ae80",
  "#5ec962",
  "#addc30",
  "#fde725",
];

/** The colour of a share from 0 to 1, from dark to light. */
export function shade(share: number): string {
  return VIRIDIS[Math.max(0, Math.min(8, Math.round(8 * share)))] as string;
}
