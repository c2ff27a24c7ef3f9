/** Panels on the page of a run: kinds of results register how theirs is drawn. */

import { make } from "./dom";

/** An input as panels and the page see it, at the chosen epoch. */
export interface Input {
  index: number;
  name: string;
  label: number | null;
  labelName: string | null;
  predicted: number | null;
  predictedName: string | null;
  confidence: number | null;
  wrong: boolean;
}

/** Which inputs are meant: all conditions that are given must hold. */
export interface About {
  input?: number;
  indices?: number[];
  wrong?: boolean;
  label?: number;
  predicted?: number;
  at_least?: number;
}

/** What panels may ask of the page. */
export interface Page {
  /** All inputs that the page has, by position. */
  inputs(): Input[];
  get(index: number): Input | undefined;
  chosen(): number | null;
  choose(index: number): void;
  /** Show only some inputs, with a text that says which. */
  filter(about: About, text: string): void;
  /** Whether an input passes the current filter. */
  passes(index: number): boolean;
  predictedOf(index: number): number | null | undefined;
  /** The inputs that a method of the run found nearest to another, and by what; null without such a method. */
  neighboursOf(index: number): { by: string; indices: number[] } | null;
  /** A thumbnail of an input as an element, or null. */
  thumbnail(index: number, side: number): HTMLElement | null;
  /** Draw a thumbnail of an input into a canvas; false if there is none. */
  drawThumbnail(pen: CanvasRenderingContext2D, index: number, x: number, y: number, side: number): boolean;
}

/** A panel that stays on the page while inputs and epochs change. */
export interface Face<D> {
  element: HTMLElement;
  /** The data of the chosen epoch, or the chosen input or filter, have changed. */
  update(data: D): void;
}

/**
 * How a kind's panel is drawn: as a face of the map on the left (`title` and `face`), or as figures beside the
 * tiles of the chosen input (`draw`). `describe` tells what is known of an input that has no row of its own;
 * `ofAnyInput` says that `draw` is useful for inputs of other sets too.
 */
// biome-ignore lint/suspicious/noExplicitAny: the data of a panel is its kind's own affair
export interface Panel<D = any> {
  title?: string;
  face?: (data: D, page: Page) => Face<D>;
  draw?: (data: D, input: Input, page: Page) => HTMLElement[];
  describe?: (data: D, index: number) => object | null;
  ofAnyInput?: boolean;
}

export const panels = new Map<string, Panel>();

export function registerPanel(kind: string, panel: Panel): void {
  panels.set(kind, panel);
}

/** A square canvas with a caption. `draw(pen, side)` draws; `act(x, y, side)` is called with clicks. */
export function plot(
  caption: HTMLElement,
  label: string,
  draw: (pen: CanvasRenderingContext2D, side: number) => void,
  act: (x: number, y: number, side: number) => void,
): { figure: HTMLElement; canvas: HTMLCanvasElement; at(event: MouseEvent): [number, number, number] } {
  const figure = make("figure", "", "tile plot");
  const canvas = make("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  figure.append(canvas, caption);
  // Once it is on the page, and before that is printed, which waits for no frame.
  queueMicrotask(() => {
    const side = canvas.clientWidth;
    const scale = window.devicePixelRatio || 1;
    canvas.width = canvas.height = Math.max(1, Math.round(side * scale));
    const pen = canvas.getContext("2d") as CanvasRenderingContext2D;
    pen.scale(scale, scale);
    draw(pen, side);
  });
  const at = (event: MouseEvent): [number, number, number] => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top, canvas.clientWidth];
  };
  canvas.addEventListener("click", (event) => act(...at(event)));
  return { figure, canvas, at };
}
