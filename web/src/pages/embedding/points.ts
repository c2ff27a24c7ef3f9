/** Which points are shown, and where. */

import { type EmbeddingClass, type Inputs, type PageData, type Step, unpackSteps } from "./data";

const MOST_GROUPS = 60;

/** The points of a trace: a class, or all where there are too many classes. */
export interface Group {
  name: string;
  colour?: string;
  index?: number;
}

export class Points {
  readonly steps: Step[];
  readonly classOf: Map<number, EmbeddingClass>;
  /** The classes that are the label of some input. */
  readonly occurring: EmbeddingClass[];
  readonly groups: Group[];
  readonly hasLabels: boolean;
  private readonly rank: Map<number, number>;

  layer = 0;
  /** A position in `steps`. */
  at: number;
  onlyWrong = false;
  /** The index of the only class that is shown. */
  wanted: number | null = null;

  constructor(readonly data: PageData) {
    this.steps = unpackSteps(data);
    this.at = this.steps.length - 1;
    this.classOf = new Map(data.classes.map((each) => [each.index, each]));
    const labels = new Set(this.steps.flatMap(({ inputs }) => [...new Set(inputs.labels)]));
    this.occurring = data.classes.filter(({ index }) => labels.has(index));
    this.hasLabels = data.classes.some(({ index }) => index >= 0);
    // Beyond so many a legend can't be read, and as many traces would be slow: one trace, found by search.
    this.groups =
      this.occurring.length > MOST_GROUPS
        ? [{ name: "inputs" }]
        : this.occurring.map(({ short, colour, index }) => ({ name: short, colour, index }));
    this.rank = new Map(this.occurring.map(({ index }, at) => [index, at]));
  }

  get step(): Step {
    return this.steps[this.at] as Step;
  }

  /** Those of the step that is shown: other steps may have other inputs. */
  get inputs(): Inputs {
    return this.step.inputs;
  }

  get rows(): number[] {
    return Array.from(this.inputs.labels.keys());
  }

  labelOf(row: number): number {
    return this.inputs.labels[row] as number;
  }

  isWrong(row: number): boolean {
    return this.labelOf(row) >= 0 && this.step.predicted[row] !== this.labelOf(row);
  }

  isShown(row: number): boolean {
    return (
      (!this.onlyWrong || this.isWrong(row)) && (this.wanted === null || this.labelOf(row) === this.wanted)
    );
  }

  /** The rows of a group that pass the filters. */
  rowsOf({ index }: Group): number[] {
    return this.rows.filter(
      (row) => (index === undefined || this.labelOf(row) === index) && this.isShown(row),
    );
  }

  /** A coordinate of a point; one component needs a second axis: a row for each class. */
  coordinate(row: number, axis: number): number {
    const { components } = this.data;
    if (axis >= components) return -(this.rank.get(this.labelOf(row)) ?? 0) + jitter(row);
    return (this.step.points[this.layer] as Float32Array)[row * components + axis] as number;
  }

  /** Numbers about the layer and the step that are shown. */
  get summary(): string {
    const measures = Object.entries(this.step.measures[this.layer] ?? {}).map(
      ([name, value]) => `${name.replace(/_/g, " ")} ${value}`,
    );
    const wrong = this.rows.filter((row) => this.isWrong(row)).length;
    if (this.hasLabels) measures.push(`${wrong} of ${this.rows.length} wrongly predicted`);
    return measures.join(" · ");
  }
}

/** Between -0.35 and 0.35, the same each time. */
function jitter(row: number): number {
  return (((row * 0.61803398875) % 1) - 0.5) * 0.7;
}
