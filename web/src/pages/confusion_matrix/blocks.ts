/** The part of a matrix that is in view, several cells in a block where they would be finer than pixels. */

const MOST_BLOCKS = 400;

export type Range = [number, number];

/** The ranges of the axes as Plotly has them: from -0.5 to the count - 0.5, the rows downwards. */
export interface Zoom {
  x: Range;
  y: Range;
}

export interface Blocks {
  /** The largest value of each block; NaN for an empty one. */
  z: Float32Array[];
  /** The code of the cell with that value; -1 for an empty one. */
  from: Int32Array[];
  /** The first column and row, as positions among those shown. */
  left: number;
  top: number;
  /** The cells along the side of a block. */
  block: number;
  most: number;
}

export interface Entry {
  code: number;
  /** As positions among those shown; -1 where not shown. */
  row: number;
  column: number;
  value: number;
}

/** What `entries` are in `count` rows and columns. */
export function blocksOf(entries: Iterable<Entry>, count: number, zoom: Zoom | null): Blocks {
  const [left, right] = within(zoom?.x, count);
  const [top, bottom] = within(zoom?.y, count);
  const block = Math.max(1, Math.ceil(Math.max(right - left, bottom - top) / MOST_BLOCKS));
  const wide = Math.ceil((right - left) / block);
  const high = Math.ceil((bottom - top) / block);
  const z = Array.from({ length: high }, () => new Float32Array(wide).fill(Number.NaN));
  const from = Array.from({ length: high }, () => new Int32Array(wide).fill(-1));
  let most = 0;
  for (const { code, row, column, value } of entries) {
    if (row < 0 || column < 0) continue;
    most = Math.max(most, value);
    const y = Math.floor((row - top) / block);
    const x = Math.floor((column - left) / block);
    const values = z[y];
    const codes = from[y];
    if (!values || !codes || x < 0 || x >= wide || (values[x] as number) >= value) continue;
    values[x] = value;
    codes[x] = code;
  }
  return { z, from, left, top, block, most };
}

function within(range: Range | undefined, count: number): Range {
  const [from, to] = range ?? [-0.5, count - 0.5];
  return [
    Math.max(0, Math.floor(Math.min(from, to) + 0.5)),
    Math.min(count, Math.ceil(Math.max(from, to) + 0.5)),
  ];
}
