/** What the methods show of one input: heat over its image, or tiles that they drew themselves. */

import type { Heat, Method, Step } from "./data";

export interface Look {
  /** The same for the same look of another input or epoch. */
  key: string;
  method: Method;
  caption: string;
  target: string;
  /** A heatmap, and the position of the input in it. */
  heat?: { heat: Heat; position: number };
  /** The index of a tile among the images of the page. */
  tile?: number;
}

const positions = new WeakMap<Heat, Map<number, number>>();

function positionOf(heat: Heat, index: number): number | undefined {
  let known = positions.get(heat);
  if (!known) {
    known = new Map(heat.indices.map((each, at) => [each, at]));
    positions.set(heat, known);
  }
  return known.get(index);
}

/** The looks of an input, method by method. */
export function looksOf(methods: Method[], stepOf: (method: Method) => Step, index: number): Look[] {
  return methods.flatMap((method) => {
    const step = stepOf(method);
    const row = step.rows[index];
    const looks: Look[] = (row?.tiles ?? []).map(([caption, tile]) => ({
      key: `${method.place}/${caption}`,
      method,
      caption,
      target: row?.target ?? "",
      tile,
    }));
    const position = step.heat ? positionOf(step.heat, index) : undefined;
    if (step.heat && position !== undefined)
      looks.unshift({
        key: method.place,
        method,
        caption: method.title,
        target: step.heat.targets[position] ?? "",
        heat: { heat: step.heat, position },
      });
    return looks;
  });
}

/** Methods that show something of other inputs, but nothing of this one. */
export function withoutLook(methods: Method[], stepOf: (method: Method) => Step, looks: Look[]): Method[] {
  return methods.filter((method) => {
    const step = stepOf(method);
    const shows = step.heat || Object.values(step.rows).some((row) => row.tiles.length);
    return shows && !looks.some((look) => look.method === method);
  });
}
