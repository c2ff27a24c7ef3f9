/** The map of an embedding: a point for each input, at each layer. */

import { quadtree } from "d3-quadtree";
import { select } from "d3-selection";
import { type D3ZoomEvent, type ZoomTransform, zoom, zoomIdentity } from "d3-zoom";
import { colour, make, makeButton } from "../common/dom";
import { clamp, percent } from "../common/format";
import { shared } from "../common/globals";
import { onGround } from "../common/palette";
import type { Face, Input, Page } from "../common/panels";
import { isInside, nearest, type Point, shade, unpackPoints } from "./points";

interface Embedding {
  indices: number[];
  /** Name and colour by class. */
  classes: Record<string, [string, string]>;
  layers: { name: string; note: string; places: string }[];
  /** Of a regression, the colour of each point and their scale. */
  values: { colours: string[]; scale: string } | null;
}

type ColourBy = "label" | "prediction" | "correct" | "confidence";

const NEIGHBOURS = 6;
const MOST_IN_LEGEND = 20;
const REACH = 14; // pixels around a point that belong to it
const MARGIN = 14; // pixels
const THUMBNAIL = 26; // pixels of a thumbnail in place of a point

class EmbeddingFace implements Face<Embedding> {
  readonly element = make("div", "", "embedding");
  private readonly canvas = make("canvas");
  private readonly tip = make("div", "", "tip");
  private readonly layers = make("select");
  private readonly colours = make("select");
  private readonly lassoButton = makeButton("Lasso", () => this.setLasso(!this.isLasso), "small");
  private readonly imagesButton = makeButton("Images", () => this.setImages(!this.isImages), "small");
  private readonly legend = make("div", "", "legend");
  private readonly near = make("div", "", "near");
  private readonly note = make("div", "", "note");
  private readonly unpacked = new Map<string, Point[]>();
  private readonly zoomer = zoom<HTMLCanvasElement, unknown>().scaleExtent([1, 40]);
  private transform: ZoomTransform = zoomIdentity;
  private layer: string | null = null;
  private colourBy: ColourBy = "label";
  private isLasso = false;
  private isImages = false;
  private polygon: Point[] = [];
  private hovered = -1;

  constructor(
    private data: Embedding,
    private readonly page: Page,
  ) {
    const bar = make("div", "", "facebar");
    this.layers.setAttribute("aria-label", "Layer");
    this.colours.setAttribute("aria-label", "Colour by");
    bar.append(
      this.layers,
      this.colours,
      this.imagesButton,
      this.lassoButton,
      makeButton("Reset view", () => this.resetView(), "small"),
    );
    const holder = make("div", "", "plotholder");
    this.canvas.setAttribute("role", "img");
    this.tip.hidden = true;
    holder.append(this.canvas, this.tip);
    this.element.append(bar, holder, this.legend, this.near, this.note);
    this.listen();
  }

  update(data: Embedding): void {
    this.data = data;
    this.fillControls();
    this.draw();
    this.showLegend();
    this.showNeighbours();
  }

  private get points(): Point[] {
    const layer = this.data.layers.find((each) => each.name === this.layer) ?? this.data.layers.at(-1);
    if (!layer) return [];
    let points = this.unpacked.get(layer.places);
    if (!points) {
      points = unpackPoints(layer.places);
      this.unpacked.set(layer.places, points);
    }
    return points;
  }

  private get chosen(): number {
    return this.data.indices.indexOf(this.page.chosen() ?? -1);
  }

  private fillControls(): void {
    const names = this.data.layers.map((each) => each.name);
    if (!this.layer || !names.includes(this.layer)) this.layer = names.at(-1) ?? null;
    fill(this.layers, names, this.layer);
    this.layers.hidden = names.length < 2;
    const inputs = this.page.inputs();
    const hasLabels = inputs.some((input) => input.label !== null);
    const ways: [ColourBy, boolean][] = [
      ["label", hasLabels],
      ["prediction", true],
      ["correct", hasLabels],
      ["confidence", inputs.some((input) => input.confidence !== null)],
    ];
    const possible = this.data.values ? [] : ways.filter(([, can]) => can).map(([way]) => way);
    if (possible.length && !possible.includes(this.colourBy)) this.colourBy = possible[0] as ColourBy;
    fill(
      this.colours,
      possible,
      this.colourBy,
      possible.map((way) => `Colour: ${way}`),
    );
    this.colours.hidden = possible.length < 2;
    this.note.textContent = this.data.layers.find((each) => each.name === this.layer)?.note ?? "";
  }

  private tint(at: number): string {
    const { values, classes } = this.data;
    const unknown = colour("--faint");
    if (values) return values.colours[at] ?? unknown;
    const input = this.page.get(this.data.indices[at] as number);
    if (!input) return unknown;
    if (this.colourBy === "confidence") return input.confidence === null ? unknown : shade(input.confidence);
    if (this.colourBy === "correct") return correctColour(input);
    const index = this.colourBy === "label" ? input.label : input.predicted;
    const known = index === null ? undefined : classes[index]?.[1];
    return known === undefined ? unknown : onGround(known);
  }

  /** A position in the canvas, in CSS pixels. */
  private place([across, down]: Point): Point {
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    const side = Math.min(width, height) - 2 * MARGIN;
    const x = (width - side) / 2 + across * side;
    const y = (height - side) / 2 + down * side;
    return this.transform.apply([x, y]);
  }

  private draw(): void {
    const scale = window.devicePixelRatio || 1;
    const { canvas, points } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    const pen = canvas.getContext("2d") as CanvasRenderingContext2D;
    pen.scale(scale, scale);
    const radius = clamp((80 / Math.sqrt(points.length + 1)) * Math.sqrt(this.transform.k), 2, 7);
    const inView = points.map((point, at): [number, number, number] => [...this.place(point), at]);
    const shown = inView.filter(
      ([x, y]) => x > -THUMBNAIL && y > -THUMBNAIL && x < width + THUMBNAIL && y < height + THUMBNAIL,
    );
    const passing = (at: number) => this.page.passes(this.data.indices[at] as number);
    // Points that the filter leaves are drawn over the others.
    for (const isOn of [false, true]) {
      pen.globalAlpha = isOn ? 1 : 0.12;
      for (const [x, y, at] of shown) if (passing(at) === isOn) this.drawPoint(pen, x, y, at, radius);
    }
    pen.globalAlpha = 1;
    if (this.isImages) this.drawImages(pen, shown);
    this.drawChosen(pen, radius);
    this.drawLasso(pen);
    canvas.setAttribute("aria-label", this.label());
    canvas.dataset.points = String(shown.length);
  }

  private drawPoint(pen: CanvasRenderingContext2D, x: number, y: number, at: number, radius: number): void {
    pen.fillStyle = this.tint(at);
    pen.beginPath();
    pen.arc(x, y, radius, 0, 7);
    pen.fill();
    if (!this.page.get(this.data.indices[at] as number)?.wrong) return;
    pen.strokeStyle = colour("--ink");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.arc(x, y, radius + 1.5, 0, 7);
    pen.stroke();
  }

  /** Thumbnails in place of points, as many as have room. */
  private drawImages(pen: CanvasRenderingContext2D, shown: [number, number, number][]): void {
    const taken = new Set<string>();
    for (const [x, y, at] of shown) {
      const index = this.data.indices[at] as number;
      const cell = `${Math.floor(x / THUMBNAIL)} ${Math.floor(y / THUMBNAIL)}`;
      if (taken.has(cell) || !this.page.passes(index)) continue;
      const corner: Point = [x - THUMBNAIL / 2, y - THUMBNAIL / 2];
      if (!this.page.drawThumbnail(pen, index, ...corner, THUMBNAIL)) continue;
      taken.add(cell);
      pen.strokeStyle = this.tint(at);
      pen.lineWidth = 2;
      pen.strokeRect(...corner, THUMBNAIL, THUMBNAIL);
    }
  }

  private drawChosen(pen: CanvasRenderingContext2D, radius: number): void {
    const point = this.points[this.chosen];
    if (!point) return;
    const [x, y] = this.place(point);
    this.drawLinks(pen, [x, y]);
    for (const [width, name] of [
      [5, "--ground"],
      [2.5, "--mark"],
    ] as const) {
      pen.strokeStyle = colour(name);
      pen.lineWidth = width;
      pen.beginPath();
      pen.arc(x, y, radius + 5, 0, 7);
      pen.stroke();
    }
  }

  /** Lines to neighbours that another method found, which may be far away in the plot. */
  private drawLinks(pen: CanvasRenderingContext2D, [x, y]: Point): void {
    const found = this.page.neighboursOf(this.data.indices[this.chosen] ?? -1);
    pen.strokeStyle = colour("--mark");
    pen.lineWidth = 1;
    for (const index of found?.indices ?? []) {
      const point = this.points[this.data.indices.indexOf(index)];
      if (!point) continue;
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(...this.place(point));
      pen.stroke();
    }
  }

  private drawLasso(pen: CanvasRenderingContext2D): void {
    if (this.polygon.length < 2) return;
    pen.strokeStyle = colour("--mark");
    pen.lineWidth = 1.5;
    pen.setLineDash([5, 4]);
    pen.beginPath();
    for (const [x, y] of this.polygon) pen.lineTo(x, y);
    pen.closePath();
    pen.stroke();
    pen.setLineDash([]);
  }

  private label(): string {
    const text = `Map of ${this.data.indices.length} inputs at ${this.layer}`;
    const { chosen } = this;
    if (chosen < 0) return text;
    const name = (at: number) => this.page.get(this.data.indices[at] as number)?.name ?? "";
    const near = nearest(this.points, chosen, 4).map(name);
    return `${text}; ${name(chosen)} is closest to ${near.join(", ")}`;
  }

  private showLegend(): void {
    const entries = this.legendEntries();
    this.legend.replaceChildren(
      ...entries.map(([name, tint]) => {
        const entry = make("span");
        const swatch = make("span", "", "swatch");
        swatch.style.background = tint;
        entry.append(swatch, name);
        return entry;
      }),
    );
    if (this.data.values) this.legend.append(this.data.values.scale);
  }

  private legendEntries(): [string, string][] {
    if (this.data.values) return [];
    if (this.colourBy === "correct")
      return [
        ["correct", colour("--right")],
        ["wrong", colour("--wrong")],
      ];
    if (this.colourBy === "confidence")
      return [0, 0.5, 1].map((share): [string, string] => [`${100 * share}%`, shade(share)]);
    const by = this.colourBy === "label" ? "label" : "predicted";
    const present = new Set(this.data.indices.map((index) => this.page.get(index)?.[by]));
    const named = Object.entries(this.data.classes).filter(([each]) => present.has(Number(each)));
    if (named.length < 2 || named.length > MOST_IN_LEGEND) return [];
    return named.map(([, [name, hex]]) => [name, onGround(hex)]);
  }

  /** The neighbours of the chosen input: those that another method found, else those in this plot. */
  private get neighbours(): { by: string; indices: number[] } {
    const found = this.page.neighboursOf(this.data.indices[this.chosen] ?? -1);
    const known = found?.indices.filter((index) => this.page.get(index));
    if (found && known?.length) return { by: `Nearest ${found.by}:`, indices: known };
    const near = nearest(this.points, this.chosen, NEIGHBOURS);
    return { by: "Closest in this plot:", indices: near.map((at) => this.data.indices[at] as number) };
  }

  private showNeighbours(): void {
    const { by, indices } = this.neighbours;
    this.near.hidden = !indices.length;
    this.near.replaceChildren(
      make("span", by, "faint"),
      ...indices.map((index) => {
        const input = this.page.get(index);
        const button = makeButton("", () => this.page.choose(index), "neighbour");
        const name = input?.name ?? String(index);
        button.title = input?.labelName ? `${name}, label ${input.labelName}` : name;
        button.setAttribute("aria-label", button.title);
        button.append(this.page.thumbnail(index, 36) ?? name);
        return button;
      }),
    );
  }

  private listen(): void {
    this.layers.addEventListener("change", () => {
      this.layer = this.layers.value;
      this.update(this.data);
    });
    this.colours.addEventListener("change", () => {
      this.colourBy = this.colours.value as ColourBy;
      this.update(this.data);
    });
    this.zoomer.filter((event) => !this.isLasso && !event.button);
    this.zoomer.on("zoom", (event: D3ZoomEvent<HTMLCanvasElement, unknown>) => {
      this.transform = event.transform;
      this.draw();
    });
    select(this.canvas).call(this.zoomer).on("dblclick.zoom", null);
    this.canvas.addEventListener("click", (event) => {
      const at = this.hit(event);
      if (at >= 0 && !this.isLasso) this.page.choose(this.data.indices[at] as number);
    });
    this.canvas.addEventListener("pointermove", (event) => this.hover(event));
    this.canvas.addEventListener("pointerleave", () => {
      this.hovered = -1;
      this.tip.hidden = true;
    });
    this.canvas.addEventListener("pointerdown", (event) => this.startLasso(event));
    this.canvas.addEventListener("pointerup", () => this.endLasso());
    this.lassoButton.title = "Draw around points to see only these inputs";
    this.imagesButton.title = "Show thumbnails in place of points";
    this.setLasso(false);
    this.setImages(false);
  }

  private hit(event: MouseEvent): number {
    const places = this.points.map((point, at): [number, number, number] => [...this.place(point), at]);
    const tree = quadtree<[number, number, number]>()
      .x(([x]) => x)
      .y(([, y]) => y)
      .addAll(places);
    return tree.find(...this.at(event), REACH)?.[2] ?? -1;
  }

  private at(event: MouseEvent): Point {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  private hover(event: PointerEvent): void {
    const point = this.at(event);
    if (this.polygon.length) {
      this.polygon.push(point);
      this.draw();
      return;
    }
    const at = this.hit(event);
    if (at === this.hovered) return;
    this.hovered = at;
    const index = this.data.indices[at];
    this.tip.hidden = index === undefined;
    if (index === undefined) return;
    const input = this.page.get(index);
    const image = this.page.thumbnail(index, 64);
    this.tip.replaceChildren(...(image ? [image] : []), make("div", input?.name ?? String(index)));
    if (input?.labelName) this.tip.append(make("div", `label ${input.labelName}`));
    if (input?.predictedName)
      this.tip.append(make("div", `predicted ${input.predictedName} ${percent(input.confidence)}`));
    const right = point[0] > this.canvas.clientWidth / 2;
    this.tip.style.left = right ? "" : `${point[0] + 14}px`;
    this.tip.style.right = right ? `${this.canvas.clientWidth - point[0] + 14}px` : "";
    this.tip.style.top = `${Math.max(0, point[1] - 30)}px`;
  }

  private setLasso(isOn: boolean): void {
    this.isLasso = isOn;
    this.lassoButton.setAttribute("aria-pressed", String(isOn));
    this.canvas.style.cursor = isOn ? "crosshair" : "grab";
  }

  private setImages(isOn: boolean): void {
    this.isImages = isOn;
    this.imagesButton.setAttribute("aria-pressed", String(isOn));
    if (this.canvas.isConnected) this.draw();
  }

  private startLasso(event: PointerEvent): void {
    if (!this.isLasso) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.polygon = [this.at(event)];
  }

  private endLasso(): void {
    const { polygon } = this;
    this.polygon = [];
    if (polygon.length < 3) return;
    const indices = this.data.indices.filter((_, at) =>
      isInside(this.place(this.points[at] as Point), polygon),
    );
    this.setLasso(false);
    if (indices.length) this.page.filter({ indices }, `${indices.length} inputs selected on the map`);
    else this.draw();
  }

  private resetView(): void {
    select(this.canvas).call(this.zoomer.transform, zoomIdentity);
  }
}

function correctColour(input: Input): string {
  if (input.label === null) return colour("--faint");
  return colour(input.wrong ? "--wrong" : "--right");
}

function fill(list: HTMLSelectElement, values: string[], chosen: string | null, texts = values): void {
  list.replaceChildren(...values.map((value, at) => new Option(texts[at], value)));
  if (chosen !== null) list.value = chosen;
}

shared.registerPanel("embedding", {
  title: "UMAP",
  face: (data: Embedding, page) => new EmbeddingFace(data, page),
});
