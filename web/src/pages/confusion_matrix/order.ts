/** The order of the classes. */

import { type ClassCounts, type Counted, cellOf, type Shape } from "./counts";
import type { Order } from "./data";

const MOST_FOCUSED = 20;

/** All classes; `cluster` has them with confused ones together. */
export function ordered(each: ClassCounts[], order: Order, cluster: number[] | null): number[] {
  const everyone = Array.from(each.keys());
  const rank = {
    given: null,
    cluster: null,
    support: ({ support }: ClassCounts) => -support,
    // What never occurs comes last.
    recall: ({ support, recall }: ClassCounts) => (support > 0 ? recall : 2),
  }[order];
  if (order === "cluster" && cluster) return cluster;
  if (!rank) return everyone;
  const ranks = each.map(rank);
  return everyone.sort((one, other) => (ranks[one] as number) - (ranks[other] as number) || one - other);
}

/** A class and those that it is most often confused with, which always include the classes to `keep`. */
export function around(focus: number, counted: Counted, shape: Shape, keep: number[]): number[] {
  const times = new Float64Array(shape.classes);
  const add = (index: number, more: number) => {
    times[index] = (times[index] as number) + more;
  };
  counted.codes.forEach((code, place) => {
    const { row, column } = cellOf(code, shape);
    if (row === focus) add(column, counted.counts[place] as number);
    if (column === focus) add(row, counted.counts[place] as number);
  });
  for (const one of keep) times[one] = Number.MAX_VALUE;
  times[focus] = Number.POSITIVE_INFINITY;
  return Array.from(times.keys())
    .filter((one) => (times[one] as number) > 0)
    .sort((one, other) => (times[other] as number) - (times[one] as number) || one - other)
    .slice(0, MOST_FOCUSED);
}
