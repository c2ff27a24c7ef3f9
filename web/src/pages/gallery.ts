/** The page of inputs of which a method draws several tiles. */

import { find, make, makeImage } from "../common/dom";
import { shared } from "../common/globals";
import { type Explained, explanation, predictionRow, walkThrough } from "../common/pages";

interface GalleryInput extends Explained {
  name: string;
  predictions?: [string, number | string | null][];
  /** A caption and a data: URI each. */
  tiles: [string, string][];
}

function tile([caption, source]: [string, string], input: GalleryInput): HTMLElement {
  const figure = make("figure");
  figure.append(makeImage(source, `${caption} of ${input.name}`), make("figcaption", caption));
  return figure;
}

function show(input: GalleryInput): void {
  find("name").textContent = input.name;
  find("tiles").replaceChildren(...input.tiles.map((each) => tile(each, input)));
  find("explained").replaceChildren(...explanation(input));
  find("predictions").replaceChildren(...(input.predictions ?? []).map(predictionRow));
}

walkThrough(
  shared.data as GalleryInput[],
  ({ name, tiles }) => ({ label: name, sources: tiles.slice(0, 1).map(([, source]) => source) }),
  show,
);
