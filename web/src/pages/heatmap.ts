/** The page of heatmaps: the image of an input under its heat. */

import { find } from "../common/dom";
import { shared } from "../common/globals";
import { type Explained, explanation, predictionRow, walkThrough } from "../common/pages";

interface HeatmapInput extends Explained {
  name: string;
  /** The explained class; empty for a method that explains none. */
  target: string;
  predictions: [string, number | string | null][];
  /** A data: URI; null where `heat` holds both, such as for several layers. */
  picture: string | null;
  heat: string;
}

function show(input: HeatmapInput): void {
  const picture = find<HTMLImageElement>("picture");
  const heat = find<HTMLImageElement>("heat");
  picture.src = input.picture ?? input.heat;
  picture.alt = input.name;
  heat.src = input.heat;
  heat.hidden = input.picture === null;
  heat.alt = input.target ? `where the model looks for ${input.target}` : "heat";
  find("name").textContent = input.name;
  find("explained").replaceChildren(...explanation(input));
  find("predictions").replaceChildren(...input.predictions.map(predictionRow));
}

function thumbnail({ name, target, picture, heat }: HeatmapInput): { label: string; sources: string[] } {
  return { label: target ? `${name}: ${target}` : name, sources: picture ? [picture, heat] : [heat] };
}

function fade(): void {
  const opacity = String(Number(find<HTMLInputElement>("opacity").value) / 100);
  for (const heat of document.querySelectorAll<HTMLElement>("#heat, .strip img + img"))
    heat.style.opacity = opacity;
}

walkThrough(shared.data as HeatmapInput[], thumbnail, show);
find("opacity").addEventListener("input", fade);
fade();
