/** Pairs of classes that a model confuses. */

/** [true, predicted, count], the true and the predicted class as positions among those that occur. */
export type Cell = [number, number, number];

/** The cells off the diagonal with the highest counts, the highest first. */
export function mostConfused(cells: Cell[], most: number): Cell[] {
  return cells
    .filter(([label, predicted]) => label !== predicted)
    .sort((a, b) => b[2] - a[2])
    .slice(0, most);
}
