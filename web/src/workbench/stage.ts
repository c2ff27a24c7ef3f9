/** The chosen input, large: its image under a heatmap, what was predicted, and what each method shows of it. */

import { find, make, makeButton } from "../common/dom";
import { clamp, percent } from "../common/format";
import { shared } from "../common/globals";
import type { Page } from "../common/panels";
import type { Row } from "./data";
import { type Area, drawHeat, mapAt } from "./heat";
import { type Look, looksOf, targetsOf, whyMissing, withTarget } from "./looks";
import { cropIn, drawFrame, FEW, load, type Thumbnails } from "./pictures";
import type { TableInput } from "./table";
import type { Workbench } from "./workbench";

const LARGE = 448; // pixels of the large image
const SMALL = 96; // pixels of the images to choose from

export class Stage {
  constructor(
    private readonly bench: Workbench,
    private readonly thumbnails: () => Thumbnails | null,
    private readonly page: Page,
  ) {
    find<HTMLInputElement>("opacity").addEventListener("input", (event) =>
      bench.change({ opacity: Number((event.target as HTMLInputElement).value) / 100 }),
    );
  }

  update(): void {
    const input = this.bench.chosen;
    find("stage").hidden = !input;
    if (!input) return;
    const looks = looksOf(this.bench.methods, (method) => this.bench.step(method), input.index);
    const { look: key } = this.bench.state;
    const base = key?.replace(/#\d+$/, "");
    const found = base === "" ? undefined : (looks.find((each) => each.key === base) ?? looks[0]);
    const look = found && withTarget(found, key ?? "", input.index);
    this.showFacts(input, look);
    this.showLarge(input, look);
    this.showLooks(input, looks, look);
    this.showViews(input);
  }

  private showFacts(input: TableInput, look: Look | undefined): void {
    const row = this.bench.table.row(input.index);
    find("name").textContent = input.name;
    const verdict = find("verdict");
    const isKnown = input.label !== null && input.predicted !== null;
    verdict.className = `verdict ${isKnown ? (input.wrong ? "wrong" : "right") : ""}`;
    verdict.textContent = verdictOf(input);
    this.showTargets(input, look);
    find("predictions").replaceChildren(...predictionsOf(input, row).map(predictionLine));
    find("notes").replaceChildren(
      ...this.bench.methods.flatMap((method) =>
        (this.bench.step(method).rows[input.index]?.notes ?? []).map((note) => make("div", note)),
      ),
    );
  }

  /** Which class is explained, and the others whose maps are kept. */
  private showTargets(input: TableInput, look: Look | undefined): void {
    const targets = look ? targetsOf(look, input.index) : [];
    const lead = look?.target ? [make("span", "Explains ")] : [];
    if (targets.length < 2) {
      find("target").replaceChildren(...lead, look?.target ?? "");
      return;
    }
    const buttons = targets.map(({ key, target }) => {
      const button = makeButton(target, () => this.bench.change({ look: key }), "small");
      button.setAttribute("aria-pressed", String(key === look?.key));
      return button;
    });
    find("target").replaceChildren(...lead, ...buttons);
  }

  private showLarge(input: TableInput, look: Look | undefined): void {
    const opacity = this.opacity(look);
    find("heatcontrol").hidden = !look?.heat;
    find<HTMLInputElement>("opacity").value = String(Math.round(100 * opacity));
    const canvas = find<HTMLCanvasElement>("large");
    const text = look ? `${look.caption} of ${input.name}` : `The input ${input.name}`;
    canvas.setAttribute("aria-label", look?.target ? `${text}, explaining ${look.target}` : text);
    const isFramed = input.whole && input.picture !== null && look?.tile === undefined;
    const frame = isFramed ? ". The frame marks the part of the image that the model sees." : "";
    find("caption").textContent = captionOf(look, this.bench) + frame;
    this.draw(canvas, LARGE, input, look, opacity);
  }

  private opacity(look: Look | undefined): number {
    return this.bench.state.opacity ?? look?.heat?.heat.opacity ?? 0;
  }

  /** Draw a look of an input into a canvas of about `side` pixels. */
  private async draw(
    canvas: HTMLCanvasElement,
    side: number,
    input: TableInput,
    look: Look | undefined,
    opacity: number,
  ): Promise<void> {
    // What is drawn last is shown, however long images take to load.
    const turn = String(Number(canvas.dataset.turn ?? 0) + 1);
    canvas.dataset.turn = turn;
    const source = look?.tile ?? (look && !look.heat ? null : input.picture);
    const whole = look?.tile === undefined && source !== null ? input.whole : null;
    const [image, around] = await Promise.all(
      [source, whole?.source ?? null].map((each) =>
        each === null ? null : load(this.bench.data.images[each] as string),
      ),
    );
    if (canvas.dataset.turn !== turn) return;
    const sheet = this.thumbnails();
    const [rows, columns] = (input.thumbnail < 0 && look?.heat?.heat.size) || [1, 1];
    const shown = around ?? image;
    const [width, height] = shown ? [shown.naturalWidth, shown.naturalHeight] : [columns, rows];
    const scale = side / Math.max(width, height);
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    const pen = canvas.getContext("2d") as CanvasRenderingContext2D;
    let area: Area = { left: 0, top: 0, width: canvas.width, height: canvas.height };
    if (around && whole) {
      pen.drawImage(around, 0, 0, canvas.width, canvas.height);
      area = cropIn(canvas.width, canvas.height, whole);
    }
    if (image) {
      pen.imageSmoothingEnabled = Math.max(image.naturalWidth, image.naturalHeight) > FEW;
      pen.drawImage(image, area.left, area.top, area.width, area.height);
    } else if (input.thumbnail < 0 || !sheet?.draw(pen, input.thumbnail, 0, 0, side)) {
      pen.fillStyle = "#808080";
      pen.fillRect(0, 0, canvas.width, canvas.height);
    }
    if (look?.heat) drawHeat(canvas, area, look.heat.heat, look.heat.place, opacity);
    if (around) drawFrame(pen, area);
    canvas.dataset.drawn = `${input.index} ${look?.key ?? ""}`;
  }

  private showLooks(input: TableInput, looks: Look[], chosen: Look | undefined): void {
    const hasImage = input.picture !== null || input.thumbnail >= 0;
    const choices: (Look | undefined)[] = hasImage ? [undefined, ...looks] : looks;
    find("looks").hidden = choices.length < 2;
    find("looks").replaceChildren(
      ...choices.map((look) => {
        const button = makeButton("", () => this.bench.change({ look: look?.key ?? "" }), "look");
        const base = chosen?.key.replace(/#\d+$/, "");
        button.setAttribute("aria-pressed", String(look?.key === base));
        if (look) button.dataset.place = look.method.place;
        const canvas = make("canvas");
        canvas.setAttribute("aria-hidden", "true");
        button.append(canvas, make("span", look ? look.caption : "image"));
        void this.draw(canvas, SMALL, input, look, this.opacity(look));
        return button;
      }),
    );
    find("missing").textContent = whyMissing(this.bench.methods, looks, input.index);
  }

  /** The figures of panels that are drawn for each input. */
  private showViews(input: TableInput): void {
    find("views").replaceChildren(
      ...this.bench.data.methods.flatMap((method) => {
        const { panel } = this.bench.step(method);
        const known = panel && shared.panels.get(panel.kind);
        if (!panel || !known?.draw || !(method.set === this.bench.state.set || known.ofAnyInput)) return [];
        const figures = attempt(method.place, () => known.draw?.(panel.data, input, this.page) ?? []) ?? [];
        if (!figures.length) return [];
        const view = make("div", "", "view");
        const tiles = make("div", "", "tiles");
        tiles.append(...figures);
        view.append(make("h3", method.title), tiles);
        view.dataset.place = method.place;
        return [view];
      }),
    );
  }
}

function captionOf(look: Look | undefined, bench: Workbench): string {
  if (!look) return "image";
  const isEmpty = look.heat && mapAt(look.heat.heat, look.heat.place).values.every((value) => !value);
  const notes = isEmpty ? ": no heat, as no value is positive at this layer" : "";
  // Not every epoch of every method is kept.
  const { step } = bench.step(look.method);
  const isOther = look.method.over === "epoch" && bench.epoch !== undefined && step !== bench.epoch;
  return `${look.caption}${isOther ? ` at epoch ${step}` : ""}${notes}`;
}

/** What a panel makes of data that came from elsewhere: a damaged one costs itself and not the page. */
export function attempt<T>(place: string, make: () => T): T | null {
  try {
    return make();
  } catch (error) {
    console.warn(`The panel of ${place} can't be shown: ${error}`);
    return null;
  }
}

export function verdictOf(input: TableInput): string {
  if (input.predicted === null) return "";
  const chance = percent(input.confidence) as string;
  const predicted = `predicted ${input.predictedName}${chance && ` with ${chance}`}`;
  if (input.label === null) return predicted;
  return input.wrong ? `✕ ${predicted}, label ${input.labelName}` : `✓ ${predicted}`;
}

function predictionsOf(input: TableInput, row: Row | undefined): Row["predictions"] {
  if (row?.predictions.length) return row.predictions;
  if (input.values) return input.values;
  return input.predictedName === null ? [] : [[input.predictedName, input.confidence]];
}

function predictionLine([name, chance]: [string, number | string | null]): HTMLElement {
  const line = make("tr");
  const cell = make("td", name);
  const bar = make("div", "", "bar");
  bar.style.width = `${100 * clamp(Number(chance ?? 0), 0, 1)}%`;
  if (typeof chance === "number") cell.append(bar);
  // A logit is shown as the number it is; the value of a regression is text.
  const text = typeof chance === "string" ? chance : percent(chance, chance?.toPrecision(3) ?? "");
  line.append(cell, make("td", String(text), "number"));
  return line;
}
