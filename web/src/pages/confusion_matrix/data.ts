/** The data of the page of a confusion matrix, as kinds/confusion_matrix/page.py writes it. */

export type Normalize = "none" | "true" | "predicted" | "all";
export type Order = "given" | "cluster" | "support" | "recall";

export interface PageData {
  names: string[];
  /** Whether an input may have several labels; each then has a matrix of 2 × 2. */
  multi: boolean;
  weighted: boolean;
  /** What is counted: "inputs", or positions of them such as "pixels". */
  unit: string;
  steps: Step[];
  /** Images as data: URIs. */
  pictures: string[];
  /** The classes with confused ones together; null for several labels. */
  cluster: number[] | null;
  normalize: Normalize;
  order: Order;
  shades: string[];
}

export interface Step {
  step: number;
  headline: [string, string];
  /** Base64 of uint32, the codes of the cells that are not empty; see counts.ts. */
  cells: string;
  /** Base64 of uint32, or of float64 if `wide`, the count of each. */
  counts: string;
  wide: boolean;
  /** Base64 of float32, the weight of each; null without weights. */
  sums: string | null;
  mistakes: Mistake[];
}

export interface Mistake {
  /** The true and the predicted class; for several labels, the label and whether it is predicted. */
  cell: [number, number];
  name: string;
  predictions: [number, number][];
  /** The share of its positions that are in the cell; null where inputs are counted. */
  share: number | null;
  picture: number | null;
}
