/** The images of the page: large ones, and thumbnails cut out of one sheet. */

import { make } from "../common/dom";
import type { InputSet, Whole } from "./data";
import type { Area } from "./heat";

/** Up to this many pixels, an image is enlarged with sharp pixels. */
export const FEW = 64;

const loaded = new Map<string, Promise<HTMLImageElement>>();

/** An image that is ready to be drawn. */
export function load(source: string): Promise<HTMLImageElement> {
  let image = loaded.get(source);
  if (!image) {
    const element = new Image();
    element.src = source;
    image = element.decode().then(() => element);
    loaded.set(source, image);
  }
  return image;
}

const FRAME = ["#1b1f24", "white"]; // the outer and the inner line, visible on any image

/** The place of a crop in a canvas that shows the whole image. */
export function cropIn(width: number, height: number, { box }: Whole): Area {
  const [top, left, tall, wide] = box;
  const at = { left: Math.round(left * width), top: Math.round(top * height) };
  return {
    ...at,
    width: Math.max(1, Math.round((left + wide) * width) - at.left),
    height: Math.max(1, Math.round((top + tall) * height) - at.top),
  };
}

/** A frame along the inner edge of an area. */
export function drawFrame(pen: CanvasRenderingContext2D, { left, top, width, height }: Area): void {
  const line = Math.max(1, Math.round(Math.max(pen.canvas.width, pen.canvas.height) / 200));
  pen.lineWidth = line;
  FRAME.forEach((colour, at) => {
    const inset = (at + 0.5) * line;
    pen.strokeStyle = colour;
    pen.strokeRect(left + inset, top + inset, width - 2 * inset, height - 2 * inset);
  });
}

export class Thumbnails {
  private readonly side: number;
  private readonly columns: number;
  private readonly rows: number;
  private sheet: HTMLImageElement | null = null;

  /**
   * @param set the set of inputs.
   * @param source the image with all thumbnails, as a data: URI.
   * @param name a class name for elements that show one; the image is in one rule of the page's style.
   * @param ready called once the image can be drawn.
   */
  constructor(
    set: InputSet,
    source: string,
    readonly name: string,
    ready: () => void,
  ) {
    const { side, columns } = set.overview?.thumbnails ?? { side: 1, columns: 1 };
    this.side = side;
    this.columns = columns;
    this.rows = Math.ceil((set.overview?.indices.length ?? 1) / columns);
    const style = make("style", `.${name} { background-image: url(${source}); }`);
    document.head.append(style);
    load(source).then((sheet) => {
      this.sheet = sheet;
      ready();
    });
  }

  /** Show a thumbnail as the background of an element. */
  put(element: HTMLElement, position: number, side: number): void {
    const [column, row] = this.cell(position);
    element.classList.add(this.name);
    if (this.side <= FEW / 2) element.classList.add("few");
    element.style.backgroundSize = `${this.columns * side}px ${this.rows * side}px`;
    element.style.backgroundPosition = `-${column * side}px -${row * side}px`;
  }

  /** Draw a thumbnail into a canvas; false if it is not loaded yet. */
  draw(pen: CanvasRenderingContext2D, position: number, x: number, y: number, side: number): boolean {
    if (!this.sheet) return false;
    const [column, row] = this.cell(position);
    pen.imageSmoothingEnabled = this.side > FEW / 2;
    pen.drawImage(this.sheet, column * this.side, row * this.side, this.side, this.side, x, y, side, side);
    return true;
  }

  private cell(position: number): [number, number] {
    return [position % this.columns, Math.floor(position / this.columns)];
  }
}
