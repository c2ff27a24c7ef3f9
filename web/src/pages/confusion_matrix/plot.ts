/** Draws the matrix. */

import { colour, find } from "../../common/dom";
import { clamp, compactAmount, finePercent, plain, roundPercent, shorten } from "../../common/format";
import { shared } from "../../common/globals";
import { drawPlot } from "../plotly";
import type { Blocks, Range } from "./blocks";
import { cellOf } from "./counts";
import type { Matrix, Pair } from "./matrix";
import { columnName, rowName } from "./text";

const WITH_NUMBERS = 20;
const WITH_GAPS = 60;
const LONGEST = 22; // characters of a name
const TILTED = 1.5; // times the room that a name needs
const SIDE = 64; // pixels right of the matrix, for the colour bar

type Values = Record<string, unknown>;

/** What is drawn: the rows and columns in order, and the blocks. */
export interface Drawn {
  shown: number[];
  blocks: Blocks;
}

export function draw(matrix: Matrix): Drawn {
  const { data, state } = matrix;
  const { shown } = matrix;
  const blocks = matrix.blocks(shown);
  const size = shown.length;
  const width = find("plot").clientWidth;
  const longest = Math.max(...shown.map((one) => Math.min(LONGEST, rowName(matrix, one).length)));
  const flat = longest * 7.5 * size < 0.55 * width;
  const margin = {
    l: Math.min(48 + 6.6 * longest, 0.36 * width),
    t: 6,
    r: SIDE,
    b: flat ? 64 : 54 + 4.9 * longest,
  };
  const inner = Math.max(120, Math.min(width - margin.l - margin.r, 160 + 90 * size));
  const high = Math.min(inner, Math.max(280, size * 40, innerHeight - 220));
  const ranges = state.zoom ?? { x: [-0.5, size - 0.5] as Range, y: [size - 0.5, -0.5] as Range };
  const columns = shown.map((one) => columnName(matrix, one));
  const rows = shown.map((one) => rowName(matrix, one));
  drawPlot(
    "plot",
    [heatmap(matrix, blocks, size, inner / size)],
    {
      margin,
      height: high + margin.t + margin.b,
      width: inner + margin.l + margin.r,
      xaxis: {
        ...axis(
          columns,
          ranges.x,
          flat ? inner : inner / TILTED,
          data.multi ? "prediction" : "predicted class",
        ),
        tickangle: flat ? 0 : -45,
      },
      yaxis: axis(rows, ranges.y, high, data.multi ? "truth" : "true class"),
      dragmode: size > WITH_NUMBERS ? "zoom" : false,
      hovermode: "closest",
      shapes: frame(state.cell, shown, inner),
      paper_bgcolor: colour("--ground"),
      plot_bgcolor: size > WITH_GAPS ? colour("--ground") : colour("--panel"),
      font: { color: colour("--ink"), family: "system-ui, sans-serif" },
    },
    { displayModeBar: false, doubleClick: false, showTips: false },
  );
  return { shown, blocks };
}

function heatmap(matrix: Matrix, { z, left, top, block, most }: Blocks, size: number, cell: number): Values {
  const { normalize, onlyWrong } = matrix.state;
  const many = size > WITH_NUMBERS;
  const counted = normalize === "none";
  const ceiling = onlyWrong || counted || normalize === "all" ? most || 1 : 1;
  const written = (each: number) => (counted ? compactAmount(each) : roundPercent(each));
  const numbers =
    many || cell <= 24
      ? {}
      : {
          texttemplate: "%{text}",
          text: z.map((row) => Array.from(row, (each) => (Number.isNaN(each) ? "" : written(each)))),
        };
  return {
    type: "heatmap",
    // Of many classes most shares are small: their roots differ more.
    z: many ? z.map((row) => row.map(Math.sqrt)) : z,
    x0: left + (block - 1) / 2,
    dx: block,
    y0: top + (block - 1) / 2,
    dy: block,
    zmin: 0,
    zmax: many ? Math.sqrt(ceiling) : ceiling,
    colorscale: scale(matrix.data.shades, many),
    xgap: size <= WITH_GAPS ? 1 : 0,
    ygap: size <= WITH_GAPS ? 1 : 0,
    hoverinfo: "none",
    hoverongaps: true,
    colorbar: bar(ceiling, { many, counted }),
    textfont: { size: cell < 36 ? 9 : size > 10 ? 10 : 12 },
    ...numbers,
  };
}

/** The colours from the one nearest to the page's ground. */
function scale(shades: string[], many: boolean): [number, string][] {
  const lightness = (hex: string) =>
    [1, 3, 5].reduce((sum, at) => sum + Number.parseInt(hex.slice(at, at + 2), 16), 0);
  const startsLight = lightness(shades[0] as string) > lightness(shades.at(-1) as string);
  const ordered = shared.isDark() && startsLight ? [...shades].reverse() : shades;
  const kept = many ? ordered.slice(5) : ordered;
  return kept.map((shade, at) => [at / (kept.length - 1), shade]);
}

function bar(most: number, { many, counted }: { many: boolean; counted: boolean }): Values {
  const round = (each: number) => (counted && most >= 5 ? Math.round(each) : each);
  const shares = many ? [0, 0.01, 0.05, 0.15, 0.3, 0.6, 1] : [0, 0.25, 0.5, 0.75, 1];
  const marks = [...new Set(shares.map((part) => round(part * most)))];
  return {
    thickness: 12,
    outlinewidth: 0,
    len: 0.7,
    y: 1,
    yanchor: "top",
    tickfont: { size: 11 },
    tickvals: marks.map((each) => (many ? Math.sqrt(each) : each)),
    ticktext: marks.map((each) =>
      counted ? compactAmount(each) : each > 0 && each < 0.1 ? finePercent(each) : roundPercent(each),
    ),
  };
}

/** `room` is the length in pixels, less if names need more of it. */
function axis(names: string[], range: Range, room: number, title: string): Values {
  const tickvals = ticks(names.length, range, room);
  return {
    range,
    tickvals,
    tickmode: "array",
    ticktext: tickvals.map((at) => plain(shorten(names[at] as string, LONGEST))),
    showgrid: false,
    zeroline: false,
    ticks: "",
    automargin: false,
    tickfont: { size: tickvals.length * 15 > room ? 9 : 11 },
    ticklabelstandoff: 4,
    title: { text: title, font: { size: 12, color: colour("--faint") }, standoff: 6 },
    fixedrange: names.length <= WITH_NUMBERS,
  };
}

/** The positions that have a name: as many as there is room for. */
export function ticks(count: number, range: Range, pixels: number): number[] {
  const from = Math.max(0, Math.ceil(Math.min(...range)));
  const to = Math.min(count - 1, Math.floor(Math.max(...range)));
  const seen = to - from + 1;
  const room = seen <= WITH_GAPS ? 11 : 15;
  const step = Math.max(1, Math.ceil((seen * room) / pixels));
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
  return found;
}

/** Where the chosen cell stands: a frame, and where cells are small also lines that lead to it. */
function frame(cell: Pair | null, shown: number[], pixels: number): Values[] {
  const [y, x] = cell ? cell.map((one) => shown.indexOf(one)) : [-1, -1];
  if (x === undefined || y === undefined || x < 0 || y < 0) return [];
  const line = { color: colour("--wrong"), width: 2 };
  const thin = { color: colour("--wrong"), width: 1, dash: "dot" };
  const half = 0.5 - Math.min(0.05, shown.length / pixels);
  const around = { type: "rect", x0: x - half, x1: x + half, y0: y - half, y1: y + half, line };
  if (shown.length <= WITH_NUMBERS) return [around];
  return [
    around,
    { type: "line", x0: -0.5, x1: x - 0.5, y0: y, y1: y, line: thin },
    { type: "line", x0: x, x1: x, y0: y + 0.5, y1: shown.length - 0.5, line: thin },
  ];
}

/** The block under the pointer, its row first. Plotly's own points lag behind a quick hand. */
export function blockAt(event: MouseEvent, { state }: Matrix, { shown, blocks }: Drawn): Pair {
  const box = (find("plot").querySelector(".nsewdrag") as Element).getBoundingClientRect();
  const last = shown.length - 1;
  const along = ([from, to]: Range, share: number) => clamp(Math.round(from + share * (to - from)), 0, last);
  const { x, y } = state.zoom ?? { x: [-0.5, last + 0.5] as Range, y: [last + 0.5, -0.5] as Range };
  const column = along(x, (event.clientX - box.left) / box.width);
  const row = along(y, (box.bottom - event.clientY) / box.height);
  return [Math.floor((row - blocks.top) / blocks.block), Math.floor((column - blocks.left) / blocks.block)];
}

/** The row and column behind a block; of several in it, the largest. */
export function cellAt([y, x]: Pair, { shape }: Matrix, { shown, blocks }: Drawn): Pair {
  const code = blocks.from[y]?.[x] ?? -1;
  if (code >= 0) {
    const { row, column } = cellOf(code, shape);
    return [row, column];
  }
  const known = (at: number) => shown[Math.min(at, shown.length - 1)] as number;
  return [known(blocks.top + y * blocks.block), known(blocks.left + x * blocks.block)];
}

/** Whether a cell is among those drawn, and within the part that was zoomed into. */
export function isInView([row, column]: Pair, { state }: Matrix, { shown }: Drawn): boolean {
  const isWithin = (one: number, range?: Range) => {
    const place = shown.indexOf(one);
    return place >= 0 && (!range || (place >= Math.min(...range) && place <= Math.max(...range)));
  };
  return isWithin(row, state.zoom?.y) && isWithin(column, state.zoom?.x);
}
