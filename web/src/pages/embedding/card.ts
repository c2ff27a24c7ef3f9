/** What the card next to the pointer says of a point. */

import { find, make } from "../../common/dom";
import { percent } from "../../common/format";
import type { Inputs } from "./data";
import type { Points } from "./points";

const SIDE = 96; // pixels of the thumbnail

/** The class of a line, and its parts. */
type Line = [string, ...(string | HTMLElement)[]];

export function describe(points: Points, row: number): void {
  const { names, indices } = points.inputs;
  find("name").textContent = names[row] ?? "";
  find("facts").replaceChildren(
    ...[["", `input ${indices[row]}`] as Line, ...linesOf(points, row)].map(([name, ...parts]) => {
      const line = make("div", "", name);
      line.append(...parts);
      return line;
    }),
  );
  showThumbnail(points.inputs, row);
}

function linesOf(points: Points, row: number): Line[] {
  const { step, data } = points;
  if (step.lines) return (step.lines[row] ?? []).map(([name, text]) => ["", make("bdi", name), ` ${text}`]);
  const label = points.labelOf(row);
  const probability = percent(step.probabilities[row]);
  const predicted: Line = [
    points.isWrong(row) ? "wrong" : label >= 0 ? "right" : "",
    "predicted ",
    make("bdi", data.predictedNames[String(step.predicted[row])]),
    probability ? ` ${probability}` : "",
  ];
  return label >= 0 ? [["", "label ", make("bdi", points.classOf.get(label)?.name)], predicted] : [predicted];
}

function showThumbnail({ sprite }: Inputs, row: number): void {
  const picture = find("picture");
  picture.hidden = !sprite;
  if (!sprite) return;
  const { source, columns } = sprite;
  picture.style.backgroundImage = `url(${source})`;
  picture.style.backgroundSize = `${columns * SIDE}px auto`;
  picture.style.backgroundPosition = `${-(row % columns) * SIDE}px ${-Math.floor(row / columns) * SIDE}px`;
}
