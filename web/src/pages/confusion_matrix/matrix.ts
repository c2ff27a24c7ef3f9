/** The state of the page: which step, order, class and cell are chosen. */

import { type Blocks, blocksOf, type Entry, type Zoom } from "./blocks";
import { type Counted, cellOf, codeOf, count, type Shape, sideOf } from "./counts";
import type { Mistake, Normalize, Order, PageData, Step } from "./data";
import { around, ordered } from "./order";

export const FEW = 30; // classes that are all shown when one of them is chosen

/** Row and column. */
export type Pair = [number, number];

export interface State {
  step: number;
  normalize: Normalize;
  order: Order;
  onlyWrong: boolean;
  /** The class that is shown with those it is confused with; null if all are shown. */
  focus: number | null;
  /** Of several labels, the one that is shown. */
  label: number;
  cell: Pair | null;
  zoom: Zoom | null;
}

export class Matrix {
  readonly shape: Shape;
  readonly state: State;
  private readonly counted = new Map<number, Counted>();

  constructor(readonly data: PageData) {
    this.shape = { classes: data.names.length, multi: data.multi };
    this.state = {
      step: data.steps.length - 1,
      normalize: data.normalize,
      order: data.order,
      onlyWrong: false,
      focus: null,
      label: 0,
      cell: null,
      zoom: null,
    };
    if (data.multi) {
      const scores = this.now.each.map(({ f1 }) => f1);
      this.state.label = scores.indexOf(Math.min(...scores));
    }
  }

  get step(): Step {
    return this.data.steps[this.state.step] as Step;
  }

  /** What the cells add up to, computed when a step is first shown. */
  get now(): Counted {
    const known = this.counted.get(this.state.step) ?? count(this.step, this.shape);
    this.counted.set(this.state.step, known);
    return known;
  }

  countAt(cell: Pair): number {
    return this.at(cell, this.now.counts);
  }

  sumAt(cell: Pair): number {
    return this.at(cell, this.now.sums);
  }

  private at([row, column]: Pair, numbers: ArrayLike<number>): number {
    const place = this.now.at.get(codeOf({ label: this.label, row, column }, this.shape));
    return place === undefined ? 0 : (numbers[place] as number);
  }

  private get label(): number {
    return this.data.multi ? this.state.label : 0;
  }

  /** A sum of a cell as a share, or as it is. */
  value([row, column]: Pair, sum: number, how = this.state.normalize): number {
    const { rows, columns, total } = this.now;
    const first = sideOf(this.shape) * this.label;
    const wholes = { none: 1, true: rows[first + row], predicted: columns[first + column], all: total };
    return sum / (wholes[how] || 1);
  }

  /** The rows and columns that are shown, in order. */
  get shown(): number[] {
    const { focus, cell, order } = this.state;
    if (this.data.multi) return [0, 1];
    if (focus === null) return ordered(this.now.each, order, this.data.cluster);
    // The chosen cell stays in view, however seldom the two classes are confused.
    return around(focus, this.now, this.shape, cell?.includes(focus) ? cell : []);
  }

  blocks(shown: number[]): Blocks {
    return blocksOf(this.entries(shown), shown.length, this.state.zoom);
  }

  private *entries(shown: number[]): Generator<Entry> {
    const place = new Int32Array(sideOf(this.shape)).fill(-1);
    shown.forEach((one, position) => {
      place[one] = position;
    });
    const { codes, sums } = this.now;
    for (const [at, code] of codes.entries()) {
      const { label, row, column } = cellOf(code, this.shape);
      if (label !== this.label || (this.state.onlyWrong && row === column)) continue;
      const value = this.value([row, column], sums[at] as number);
      yield { code, row: place[row] as number, column: place[column] as number, value };
    }
  }

  /** The mistakes behind a cell that are kept. */
  mistakes([row, column]: Pair): Mistake[] {
    if (row === column) return [];
    const first = this.data.multi ? this.state.label : row;
    return this.step.mistakes.filter(({ cell }) => cell[0] === first && cell[1] === column);
  }

  /** Choose a class: its row, and of many classes only those that it is confused with. */
  chooseClass(one: number): void {
    if (this.data.multi) {
      this.state.label = one;
      if (!this.state.cell || !this.countAt(this.state.cell)) this.state.cell = this.worstOfLabel();
      return;
    }
    const worst = this.now.each[one]?.worst ?? one;
    this.show(one);
    this.state.cell = [one, worst];
  }

  /** The more frequent of the two mistakes with a label. */
  private worstOfLabel(): Pair {
    return this.countAt([0, 1]) > this.countAt([1, 0]) ? [0, 1] : [1, 0];
  }

  /** Bring a row into view. */
  show(row: number): void {
    Object.assign(this.state, { focus: this.shape.classes > FEW ? row : null, zoom: null });
  }
}
