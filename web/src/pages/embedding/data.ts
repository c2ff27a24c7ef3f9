/** The data of the page of an embedding, as kinds/embedding/page.py writes it, and its unpacked form. */

import { unpack } from "../../common/format";

export interface EmbeddingClass {
  index: number;
  name: string;
  short: string;
  colour: string;
}

interface Sprite {
  source: string;
  side: number;
  columns: number;
}

interface Packed<Numbers> {
  names: string[];
  /** -1 where not known. */
  labels: Numbers;
  indices: Numbers;
  sprite: Sprite | null;
}

interface PackedStep<Set, Points, Classes, Reals> {
  step: number;
  inputs: Set;
  /** By layer, the coordinates of all points, one point after another. */
  points: Points[];
  predicted: Classes;
  probabilities: Reals;
  /** Of a regression, what colours each point, and lines of text about it. */
  values: Reals | null;
  lines: [string, string][][] | null;
  /** By layer. */
  measures: Record<string, number>[];
}

export interface PageData {
  title: string;
  layers: string[];
  components: number;
  size: number | null;
  legend: boolean;
  classes: EmbeddingClass[];
  predictedNames: Record<string, string>;
  values: { title: string; low: number; high: number; scale: [number, string][] } | null;
  inputs: Packed<string>[];
  steps: PackedStep<number, string, string, string>[];
}

export type Inputs = Packed<Int32Array>;
export type Step = PackedStep<Inputs, Float32Array, Int32Array, Float32Array>;

export function unpackSteps(data: Pick<PageData, "inputs" | "steps">): Step[] {
  const sets = data.inputs.map((each) => ({
    ...each,
    labels: unpack(each.labels, Int32Array),
    indices: unpack(each.indices, Int32Array),
  }));
  return data.steps.map((each) => ({
    ...each,
    inputs: sets[each.inputs] as Inputs,
    points: each.points.map((text) => unpack(text, Float32Array)),
    predicted: unpack(each.predicted, Int32Array),
    probabilities: unpack(each.probabilities, Float32Array),
    values: each.values === null ? null : unpack(each.values, Float32Array),
  }));
}
