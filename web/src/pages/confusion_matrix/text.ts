/** What is said about cells and classes. */

import { make } from "../../common/dom";
import { amount, finePercent } from "../../common/format";
import type { Normalize } from "./data";
import type { Matrix, Pair } from "./matrix";

export type Parts = (string | HTMLElement)[];

/** A name, isolated so that its writing direction does not reorder the text around it. */
export function nameOf({ data }: Matrix, index: number): HTMLElement {
  return make("bdi", data.names[index]);
}

export function rowName({ data }: Matrix, row: number): string {
  return (data.multi ? ["absent", "present"] : data.names)[row] as string;
}

export function columnName({ data }: Matrix, column: number): string {
  return (data.multi ? ["not predicted", "predicted"] : data.names)[column] as string;
}

export function cellTitle(matrix: Matrix, [row, column]: Pair): Parts {
  if (matrix.data.multi)
    return [nameOf(matrix, matrix.state.label), `: ${rowName(matrix, row)}, ${columnName(matrix, column)}`];
  return row === column
    ? [nameOf(matrix, row), ", predicted correctly"]
    : [nameOf(matrix, row), " predicted as ", nameOf(matrix, column)];
}

/** The numbers of a cell, line by line. */
export function cellLines(matrix: Matrix, cell: Pair): Parts[] {
  const { unit, weighted, multi } = matrix.data;
  const [row, column] = cell;
  const times = matrix.countAt(cell);
  const sum = matrix.sumAt(cell);
  const part = (how: Normalize) => finePercent(matrix.value(cell, sum, how));
  const counted = `${amount(times)} ${times === 1 ? unit.slice(0, -1) : unit}${weighted ? `, weight ${amount(sum)}` : ""}`;
  if (multi)
    return [
      [counted],
      [`${part("true")} of those where it is ${rowName(matrix, row)}`],
      [`${part("predicted")} of those where it is ${columnName(matrix, column)}`],
    ];
  return [
    [counted],
    [`${part("true")} of true `, nameOf(matrix, row)],
    [`${part("predicted")} of predicted `, nameOf(matrix, column)],
    [`${part("all")} of all`],
  ];
}

export function line(parts: Parts, className = ""): HTMLElement {
  const element = make("div", "", className);
  element.append(...parts);
  return element;
}

/** Which of the inputs behind a cell are shown. */
export function keptNote(kept: number, times: number, unit: string): string {
  if (!kept) return "no examples are kept for this cell";
  if (unit !== "inputs") return `the inputs with the largest share of such ${unit}`;
  return kept < times ? `${kept} of them, the most confident first` : "the most confident first";
}
