/** The data of the page, as report/run_inputs.py writes it. */

import type { About } from "../common/panels";

export interface PageData {
  sets: InputSet[];
  methods: Method[];
  /** Images as data: URIs. */
  images: string[];
}

export interface InputSet {
  name: string;
  count: number;
  /** Inputs with a large image or tiles of their own. */
  inputs: SelectedInput[];
  overview: Overview | null;
}

export interface SelectedInput {
  index: number;
  name: string;
  label: number | null;
  labelName: string | null;
  picture: number | null;
  whole: Whole | null;
}

/** The whole image that a picture is a crop of. */
export interface Whole {
  source: number;
  /** Top, left, height and width of the crop, as fractions of the whole. */
  box: [number, number, number, number];
}

/** All inputs, or a sample of very many. */
export interface Overview {
  indices: number[];
  names: string[];
  /** -1 where not known. */
  labels: number[];
  classes: Record<string, string>;
  /** Of a regression, lines of text about each input. */
  values: [string, string][][] | null;
  thumbnails: { source: number; side: number; columns: number } | null;
}

export interface Method {
  place: string;
  title: string;
  set: number;
  over: string;
  steps: Step[];
}

export interface Step {
  step: number;
  headline: string;
  panel: { kind: string; data: unknown } | null;
  rows: Record<string, Row>;
  overview: Predictions | null;
  findings: Finding[];
  heat: Heat | null;
  neighbours: Neighbours | null;
}

/** The inputs nearest to each input, by its index, and what they are near by. */
export interface Neighbours {
  by: string;
  of: Record<string, number[]>;
}

export interface Row {
  predicted: number | null;
  /** Class and probability, best first; of a regression, name and value as text. */
  predictions: [string, number | string | null][];
  target?: string;
  tiles: [string, number][];
  notes: string[];
}

export interface Predictions {
  indices: number[];
  predicted: (number | null)[];
  confidence: (number | null)[];
}

export interface Finding {
  text: string;
  about: About;
}

/** Heatmaps of many inputs, see drawing/heat.py. */
export interface Heat {
  indices: number[];
  size: [number, number];
  maps: string;
  targets: string[];
  colours: string;
  signed: boolean;
  opacity: number;
  /** Maps of the next most probable classes, rank by rank, of the inputs that are shown. */
  others: { indices: number[]; maps: string; targets: string[][] } | null;
}
