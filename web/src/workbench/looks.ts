/** What the methods show of one input: heat over its image, or tiles that they drew themselves. */

import type { Heat, Method, Step } from "./data";
import type { Place } from "./heat";

export interface Look {
  /** The same for the same look of another input or epoch. */
  key: string;
  method: Method;
  caption: string;
  target: string;
  /** Heatmaps, and which of them. */
  heat?: { heat: Heat; place: Place };
  /** The index of a tile among the images of the page. */
  tile?: number;
}

const positions = new WeakMap<number[], Map<number, number>>();

function positionOf(indices: number[], index: number): number | undefined {
  let known = positions.get(indices);
  if (!known) {
    known = new Map(indices.map((each, at) => [each, at]));
    positions.set(indices, known);
  }
  return known.get(index);
}

/** The classes of which a method has a map of an input, the explained one first. */
export function targetsOf({ heat, key }: Look, index: number): { key: string; target: string }[] {
  if (!heat) return [];
  const { others, indices, targets } = heat.heat;
  const base = key.replace(/#\d+$/, "");
  const first = positionOf(indices, index);
  const at = others ? positionOf(others.indices, index) : undefined;
  return [
    ...(first === undefined ? [] : [{ key: base, target: targets[first] ?? "" }]),
    ...(others && at !== undefined
      ? others.targets.map((names, rank) => ({ key: `${base}#${rank + 1}`, target: names[at] ?? "" }))
      : []),
  ];
}

/** The same look with the map of another class, for a key that ends in its rank. */
export function withTarget(look: Look, key: string, index: number): Look {
  const rank = Number(key.match(/#(\d+)$/)?.[1] ?? 0);
  const others = look.heat?.heat.others;
  const position = others && rank ? positionOf(others.indices, index) : undefined;
  if (!look.heat || position === undefined) return look;
  const target = others?.targets[rank - 1]?.[position] ?? "";
  return { ...look, key, target, heat: { heat: look.heat.heat, place: { rank, position } } };
}

/** The looks of an input, method by method. */
export function looksOf(methods: Method[], stepOf: (method: Method) => Step, index: number): Look[] {
  return methods.flatMap((method) => {
    const step = stepOf(method);
    const row = step.rows[index];
    const looks: Look[] = (row?.tiles ?? []).map(([caption, tile]) => ({
      key: `${method.place}/${caption}`,
      method,
      // A single tile has the name of its method.
      caption: method.title.startsWith(caption) ? method.title : `${method.title}: ${caption}`,
      target: row?.target ?? "",
      tile,
    }));
    const position = step.heat ? positionOf(step.heat.indices, index) : undefined;
    if (step.heat && position !== undefined)
      looks.unshift({
        key: method.place,
        method,
        caption: method.title,
        target: step.heat.targets[position] ?? "",
        heat: { heat: step.heat, place: { rank: 0, position } },
      });
    return looks;
  });
}

/** Whether a method shows heat or tiles of some input at a step. */
export function shows({ heat, rows }: Step): boolean {
  return Boolean(heat) || Object.values(rows).some((row) => row.tiles.length);
}

/** Why methods that show something of other inputs, or at the last epoch, show nothing of this one. */
export function whyMissing(methods: Method[], looks: Look[], index: number): string {
  const places = (chosen: Method[]) => chosen.map(({ place }) => place).join(", ");
  const hasLast = (method: Method) =>
    looksOf([method], ({ steps }) => steps.at(-1) as Step, index).length > 0;
  const missing = methods.filter(
    (method) => method.steps.some(shows) && !looks.some((look) => look.method === method),
  );
  const later = missing.filter(hasLast);
  const never = missing.filter((method) => !hasLast(method));
  // A method without an overview has seen a selection of the inputs only.
  const selective = never.filter((method) => !method.steps.at(-1)?.overview);
  const full = never.filter((method) => !selective.includes(method));
  return [
    ...(later.length
      ? [`At this epoch, nothing of ${places(later)} is kept for this input, to keep the page small.`]
      : []),
    ...(full.length
      ? [
          `Nothing of ${places(full)} is kept for this input, to keep the page small; its arrays have all inputs.`,
        ]
      : []),
    ...(selective.length
      ? [
          `Not explained by ${places(selective)}: a method that takes many passes explains a selection of the inputs (max_explained).`,
        ]
      : []),
  ].join(" ");
}
