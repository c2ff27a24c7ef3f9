/** All inputs of a set at an epoch, and which of them a filter leaves. */

import type { About, Input } from "../common/panels";
import type { InputSet, Method, PageData, Row, Step, Whole } from "./data";

/** An input with what the page has to show of it. */
export interface TableInput extends Input {
  /** Its position among the thumbnails of the set; -1 if it has none. */
  thumbnail: number;
  /** Its large image, as an index into the images of the page, or null. */
  picture: number | null;
  whole: Whole | null;
  /** Lines of text about an input of a regression. */
  values: [string, string][] | null;
}

/** The step of a method to show at an epoch: that one, else the last before it, else its first. */
export function stepAt(method: Method, epoch: number | undefined): Step {
  const before = method.steps.filter(
    (step) => method.steps.length === 1 || epoch === undefined || step.step <= epoch,
  );
  return (before.at(-1) ?? method.steps[0]) as Step;
}

/** The epochs of all methods, ascending; none unless a method has several. */
export function epochsOf(methods: Method[]): number[] {
  const epochs = methods
    .filter((method) => method.steps.length > 1)
    .flatMap((method) => method.steps.map((step) => step.step));
  return [...new Set(epochs)].sort((a, b) => a - b);
}

export class Table {
  readonly inputs: TableInput[] = [];
  private readonly byIndex = new Map<number, TableInput>();

  /**
   * @param steps the step of each method of the set.
   * @param set the set.
   */
  constructor(
    set: InputSet,
    private readonly steps: Step[],
  ) {
    const { overview } = set;
    overview?.indices.forEach((index, at) => {
      const label = overview.labels[at] as number;
      this.add({
        index,
        name: overview.names[at] as string,
        label: label < 0 ? null : label,
        labelName: label < 0 ? null : (overview.classes[label] ?? String(label)),
        predicted: null,
        predictedName: null,
        confidence: null,
        wrong: false,
        thumbnail: overview.thumbnails ? at : -1,
        picture: null,
        whole: null,
        values: overview.values?.[at] ?? null,
      });
    });
    for (const each of set.inputs) {
      const known = this.byIndex.get(each.index);
      if (known) Object.assign(known, { picture: each.picture, whole: each.whole });
      else
        this.add({
          ...each,
          predicted: null,
          predictedName: null,
          confidence: null,
          wrong: false,
          thumbnail: -1,
          values: null,
        });
    }
    this.predict(overview?.classes ?? {});
    this.inputs.sort((a, b) => a.index - b.index);
  }

  get(index: number): TableInput | undefined {
    return this.byIndex.get(index);
  }

  /** The row that a method or, without one, any method of the set has of an input. */
  row(index: number): Row | undefined {
    return this.steps.map((step) => step.rows[index]).find((row) => row?.predictions.length);
  }

  private add(input: TableInput): void {
    this.inputs.push(input);
    this.byIndex.set(input.index, input);
  }

  private predict(classes: Record<string, string>): void {
    for (const { overview } of this.steps)
      overview?.indices.forEach((index, at) => {
        const input = this.byIndex.get(index);
        const predicted = overview.predicted[at] ?? null;
        if (!input || predicted === null) return;
        input.predicted = predicted;
        input.predictedName = classes[predicted] ?? String(predicted);
        input.confidence = overview.confidence[at] ?? null;
      });
    for (const input of this.inputs) {
      const row = this.row(input.index);
      if (input.predicted === null && row && typeof row.predicted === "number") {
        input.predicted = row.predicted;
        input.predictedName = row.predictions[0]?.[0] ?? String(row.predicted);
        const chance = row.predictions[0]?.[1];
        input.confidence = typeof chance === "number" ? chance : null;
      }
      input.wrong = input.label !== null && input.predicted !== null && input.label !== input.predicted;
    }
  }
}

export function tableOf(data: PageData, set: number, epoch: number | undefined): Table {
  const methods = data.methods.filter((method) => method.set === set);
  return new Table(
    data.sets[set] as InputSet,
    methods.map((method) => stepAt(method, epoch)),
  );
}

/** Whether an input meets all conditions. */
export function meets(input: Input, about: About): boolean {
  return (
    (about.input === undefined || input.index === about.input) &&
    (about.indices === undefined || about.indices.includes(input.index)) &&
    (!about.wrong || input.wrong) &&
    (about.label === undefined || input.label === about.label) &&
    (about.predicted === undefined || input.predicted === about.predicted) &&
    (about.at_least === undefined || (input.confidence ?? 0) >= about.at_least)
  );
}

export type Order = "position" | "least confident" | "errors first";

/** Inputs in an order; equal ones stay by position. */
export function ordered<T extends Input>(inputs: T[], order: Order): T[] {
  const confidence = (input: T) => input.confidence ?? 1;
  if (order === "least confident") return inputs.toSorted((a, b) => confidence(a) - confidence(b));
  if (order === "errors first")
    return inputs.toSorted(
      (a, b) => Number(b.wrong) - Number(a.wrong) || (a.wrong ? confidence(b) - confidence(a) : 0),
    );
  return inputs;
}
