/** The page of a run. */

import { find, onArrowKeys } from "../common/dom";
import { shared } from "../common/globals";
import type { Page } from "../common/panels";
import { listenToCharts, markCharts } from "./charts";
import type { PageData } from "./data";
import { showFindings } from "./findings";
import { Gallery } from "./gallery";
import { FaceMap } from "./map";
import { Thumbnails } from "./pictures";
import { listenToSections } from "./sections";
import { Stage } from "./stage";
import { Toolbar } from "./toolbar";
import { Workbench } from "./workbench";

const data = shared.data as PageData;
const bench = new Workbench(data);
Object.assign(globalThis, { workbench: bench });

const sheets = new Map<number, Thumbnails>();
function thumbnails(): Thumbnails | null {
  const place = bench.state.set;
  const source = bench.set.overview?.thumbnails?.source;
  if (source === undefined) return null;
  let sheet = sheets.get(place);
  if (!sheet) {
    sheet = new Thumbnails(bench.set, data.images[source] as string, `thumbs-${place}`, () =>
      bench.change({}),
    );
    sheets.set(place, sheet);
  }
  return sheet;
}

const page: Page = {
  inputs: () => bench.table.inputs,
  get: (index) => bench.table.get(index),
  chosen: () => bench.state.index,
  choose: (index) => bench.choose(index),
  filter: (about, text) => bench.show({ about, text }),
  passes(index) {
    const input = bench.table.get(index);
    return input === undefined || bench.passes(input);
  },
  predictedOf: (index) => bench.table.get(index)?.predicted,
  neighboursOf(index) {
    for (const method of bench.methods) {
      const near = bench.step(method).neighbours;
      const indices = near?.of[index];
      if (near && indices) return { by: near.by, indices };
    }
    return null;
  },
  thumbnail(index, side) {
    const position = bench.table.get(index)?.thumbnail ?? -1;
    const sheet = thumbnails();
    if (position < 0 || !sheet) return null;
    const element = document.createElement("span");
    element.style.width = element.style.height = `${side}px`;
    sheet.put(element, position, side);
    return element;
  },
  drawThumbnail(pen, index, x, y, side) {
    const position = bench.table.get(index)?.thumbnail ?? -1;
    return position >= 0 && (thumbnails()?.draw(pen, position, x, y, side) ?? false);
  },
};

function start(): void {
  find("workbench").hidden = false;
  const toolbar = new Toolbar(bench);
  const stage = new Stage(bench, thumbnails, page);
  const gallery = new Gallery(bench, thumbnails);
  const map = new FaceMap(bench, page);
  const update = () => {
    toolbar.update();
    showFindings(bench);
    gallery.update();
    map.update();
    stage.update();
    markCharts(bench);
  };
  bench.onChange(update);
  shared.onThemeChange(update);
  addEventListener("resize", update);
  map.listen();
  update();
  onArrowKeys(document, (across, down) => {
    if (across) bench.walk(across);
    else if (bench.epochs.length > 1) bench.goTo(bench.state.epoch + down);
    else return false;
    return true;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") bench.narrow({ filter: null, wrong: false, label: null });
  });
}

if (data.sets.some((set) => set.inputs.length || set.overview)) start();
listenToCharts(bench);
listenToSections();
