/** Thumbnails of all inputs that pass the filter. */

import { find, makeButton, makeImage } from "../common/dom";
import type { Thumbnails } from "./pictures";
import { verdictOf } from "./stage";
import type { TableInput } from "./table";
import type { Workbench } from "./workbench";

const SIDE = 48; // pixels of a thumbnail

export class Gallery {
  private shown = "";
  private buttons = new Map<number, HTMLButtonElement>();

  constructor(
    private readonly bench: Workbench,
    private readonly thumbnails: () => Thumbnails | null,
  ) {}

  update(): void {
    const { visible, state } = this.bench;
    const key = `${state.set} ${state.epoch} ${visible.map((input) => input.index).join(" ")}`;
    if (key !== this.shown) {
      this.shown = key;
      this.buttons = new Map(visible.map((input) => [input.index, this.button(input)]));
      find("thumbs").replaceChildren(...this.buttons.values());
    }
    for (const [index, button] of this.buttons) {
      const isChosen = index === state.index;
      button.setAttribute("aria-current", String(isChosen));
      // Arrow keys walk through the inputs; one of them is enough for the tab key.
      button.tabIndex = isChosen ? 0 : -1;
    }
    this.reveal();
  }

  private reveal(): void {
    const strip = find("thumbs");
    const button = this.buttons.get(this.bench.state.index ?? -1);
    if (!button) return;
    const left = button.offsetLeft - strip.offsetLeft - strip.clientWidth / 2 + button.offsetWidth / 2;
    const top = button.offsetTop - strip.offsetTop - strip.clientHeight / 2 + button.offsetHeight / 2;
    strip.scrollTo({ left, top });
  }

  private button(input: TableInput): HTMLButtonElement {
    const button = makeButton("", () => this.bench.choose(input.index), input.wrong ? "missed" : "");
    button.title = input.name;
    const verdict = verdictOf(input).replace(/^[✓✕] /, input.wrong ? "wrong: " : "");
    button.setAttribute("aria-label", [input.name, verdict].filter(Boolean).join(", "));
    this.fill(button, input);
    return button;
  }

  private fill(button: HTMLElement, input: TableInput): void {
    const sheet = this.thumbnails();
    if (sheet && input.thumbnail >= 0) sheet.put(button, input.thumbnail, SIDE);
    else if (input.picture !== null)
      button.append(makeImage(this.bench.data.images[input.picture] as string, ""));
    else button.append(input.name);
  }
}
