/** What the cells of a step add up to. */

import { unpack } from "../../common/format";
import type { Step } from "./data";

/** The size of the matrices: one of all classes, or one of 2 × 2 for each of several labels. */
export interface Shape {
  classes: number;
  multi: boolean;
}

/** A cell: row (true) and column (predicted) in the matrix of a label; without several labels, label 0. */
export interface Cell {
  label: number;
  row: number;
  column: number;
}

export interface ClassCounts {
  /** Sums of weights, or counts without weights. */
  right: number;
  support: number;
  predicted: number;
  /** Counts. */
  inputs: number;
  predictedInputs: number;
  wrong: number;
  /** The class that it is most often mistaken for, and how often. */
  worst: number | null;
  worstCount: number;
  precision: number;
  recall: number;
  f1: number;
}

type Numbers = Uint32Array | Float32Array | Float64Array;

export interface Counted {
  /** The codes of the cells that are not empty, with their counts, and sums of weights. */
  codes: Uint32Array;
  counts: Numbers;
  sums: Numbers;
  /** The position of a code in `codes`. */
  at: Map<number, number>;
  each: ClassCounts[];
  rows: Float64Array;
  columns: Float64Array;
  total: number;
}

export function sideOf({ classes, multi }: Shape): number {
  return multi ? 2 : classes;
}

export function codeOf({ label, row, column }: Cell, shape: Shape): number {
  const side = sideOf(shape);
  return (label * side + row) * side + column;
}

export function cellOf(code: number, shape: Shape): Cell {
  const side = sideOf(shape);
  const line = Math.floor(code / side);
  return shape.multi
    ? { label: line >> 1, row: line & 1, column: code & 1 }
    : { label: 0, row: line, column: code % side };
}

export function count(step: Step, shape: Shape): Counted {
  const codes = unpack(step.cells, Uint32Array);
  const counts: Numbers = unpack<Numbers>(step.counts, step.wide ? Float64Array : Uint32Array);
  const sums: Numbers = step.sums === null ? counts : unpack(step.sums, Float32Array);
  const { multi, classes } = shape;
  const side = sideOf(shape);
  const each = Array.from({ length: classes }, nothing);
  const rows = new Float64Array(multi ? 2 * classes : classes);
  const columns = rows.slice();
  const at = new Map<number, number>();
  let total = 0;
  codes.forEach((code, place) => {
    const { label, row, column } = cellOf(code, shape);
    const times = counts[place] as number;
    const sum = sums[place] as number;
    at.set(code, place);
    rows[side * label + row] = (rows[side * label + row] as number) + sum;
    columns[side * label + column] = (columns[side * label + column] as number) + sum;
    total += sum;
    const owner = each[multi ? label : row] as ClassCounts;
    const found = each[multi ? label : column] as ClassCounts;
    // Of several labels, the lower right cell holds those that are present and predicted.
    if (!multi || row === 1) {
      owner.support += sum;
      owner.inputs += times;
      if (row === column) owner.right += sum;
    }
    if (!multi || column === 1) {
      found.predicted += sum;
      found.predictedInputs += times;
    }
    if (row === column) return;
    owner.wrong += times;
    if (!multi && times > owner.worstCount) Object.assign(owner, { worst: column, worstCount: times });
  });
  for (const one of each) {
    one.precision = share(one.right, one.predicted);
    one.recall = share(one.right, one.support);
    one.f1 = share(2 * one.right, one.support + one.predicted);
  }
  // The matrix of each label holds all inputs.
  return { codes, counts, sums, at, each, rows, columns, total: multi ? total / classes : total };
}

function nothing(): ClassCounts {
  return {
    right: 0,
    support: 0,
    predicted: 0,
    inputs: 0,
    predictedInputs: 0,
    wrong: 0,
    worst: null,
    worstCount: 0,
    precision: 0,
    recall: 0,
    f1: 0,
  };
}

function share(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}
