/** What the pages of single methods have in common. */

import { find, make, makeImage, onArrowKeys } from "./dom";
import { clamp, percent } from "./format";

/** Offer texts in the list of an input. */
export function suggest(list: HTMLElement | null, names: string[]): void {
  list?.append(...names.map((name) => new Option("", name)));
}

/** Call a function with a control, if the page has it, whenever its value changes. */
export function onInput<T extends HTMLElement = HTMLInputElement>(
  id: string,
  act: (control: T) => void,
): void {
  const control: T | null = find<T>(id);
  control?.addEventListener("input", () => act(control));
}

/** The card next to the pointer. It follows the pointer itself, as Plotly reports points late. */
export function hoverCard(): { show(): void; hide(): void } {
  const card = find("card");
  const gap = 14;
  const margin = 4;
  let pointer = { clientX: 0, clientY: 0 };
  addEventListener("pointermove", (event) => {
    pointer = event;
  });
  return {
    show() {
      card.classList.add("shown");
      const right = pointer.clientX + gap;
      const below = pointer.clientY + gap;
      const left = right + card.offsetWidth > innerWidth ? pointer.clientX - gap - card.offsetWidth : right;
      card.style.left = `${Math.max(margin, left)}px`;
      card.style.top = `${Math.max(margin, Math.min(below, innerHeight - card.offsetHeight - margin))}px`;
    },
    hide() {
      card.classList.remove("shown");
    },
  };
}

/** A row of a table of predictions: class, probability, and the probability as a bar. */
export function predictionRow([name, chance]: [string, number | string | null]): HTMLElement {
  const row = make("tr");
  const cell = make("td");
  const bar = make("div", "", "bar");
  bar.style.width = `${120 * clamp(Number(chance), 0, 1)}px`;
  // The value of a regression is text.
  if (typeof chance === "number") cell.append(bar);
  row.append(make("td", name), make("td", String(percent(chance, chance)), "number"), cell);
  return row;
}

export interface Explained {
  target?: string;
  notes?: string[];
  label?: string | null;
  right?: boolean | null;
}

/** Which class is explained, and the label in the colour of right or wrong. */
export function explanation({ target, notes = [], label = null, right }: Explained): HTMLElement[] {
  return [
    ...(target ? [withName("Explains ", target)] : []),
    ...notes.map((note) => make("div", note)),
    ...(label === null ? [] : [withName(" · label ", label, right ? "right" : "wrong")]),
  ];
}

/** A name from data after a text, isolated so that its writing direction does not reorder the text. */
function withName(text: string, name: string, className = ""): HTMLElement {
  const span = make("span", text, className);
  span.append(make("bdi", name));
  return span;
}

/** Fill the strip with a thumbnail of each input; show the input that is clicked or reached by arrow keys. */
export function walkThrough<T extends { name: string }>(
  inputs: T[],
  thumbnail: (input: T) => { label: string; sources: string[] },
  show: (input: T) => void,
): void {
  let current = 0;
  const buttons = inputs.map((input, index) => {
    const button = make("button");
    const { label, sources } = thumbnail(input);
    button.title = input.name;
    button.setAttribute("aria-label", label);
    button.append(...sources.map((source) => makeImage(source, "")));
    button.addEventListener("click", () => choose(index));
    return button;
  });
  function choose(index: number): void {
    current = (index + inputs.length) % inputs.length;
    show(inputs[current] as T);
    buttons.forEach((button, at) => {
      button.setAttribute("aria-current", String(at === current));
    });
  }
  find("strip").append(...buttons);
  onArrowKeys(document, (across, down) => {
    choose(current + across + down);
    return true;
  });
  choose(0);
}
