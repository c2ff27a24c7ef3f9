// The map of points on the page of a run: a canvas for each layer.
const NEIGHBOURS = 4;
const MOST_NAMED = 8;
const REACH = 14;

const unpacked = new Map();
// Whole numbers from 0 to 1000, little-endian, across and up.
function placesOf(layer) {
  if (!unpacked.has(layer)) {
    const view = new DataView(unpack(layer.places, Uint8Array).buffer);
    unpacked.set(
      layer,
      Array.from({ length: view.byteLength / 4 }, (_, at) => [
        view.getUint16(4 * at, true) / 1000,
        1 - view.getUint16(4 * at + 2, true) / 1000,
      ]),
    );
  }
  return unpacked.get(layer);
}

function mapOf(scatter, layer, input, page) {
  const places = placesOf(layer);
  const chosen = scatter.indices.indexOf(input.index);
  const pad = 10;
  const inside = ([across, down], side) => [pad + across * (side - 2 * pad), pad + down * (side - 2 * pad)];
  const tint = (at) =>
    scatter.values?.colours[at] ?? scatter.classes[scatter.labels[at]]?.[1] ?? colour("--faint");
  const caption = make("figcaption", layer.name);
  const near = nearest(places, chosen).map((at) => scatter.names[at]);
  if (layer.note) caption.append(make("div", layer.note));
  if (scatter.values) caption.append(make("div", scatter.values.scale));
  if (chosen >= 0 && near.length) caption.append(make("div", `beside it: ${near.join(", ")}`));
  const named = Object.entries(scatter.classes).filter(([each]) => scatter.labels.includes(Number(each)));
  if (named.length > 1 && named.length <= MOST_NAMED) caption.append(legend(named));
  const label = `Map of ${scatter.indices.length} inputs at ${layer.name}${chosen < 0 ? "" : `; ${input.name} lies beside ${near.join(", ")}`}`;
  const radius = clamp(60 / Math.sqrt(places.length), 1.8, 5);
  function draw(pen, side) {
    places.forEach((place, at) => {
      const [left, top] = inside(place, side);
      pen.fillStyle = tint(at);
      pen.beginPath();
      pen.arc(left, top, radius, 0, 7);
      pen.fill();
      if (scatter.labels[at] >= 0 && scatter.labels[at] !== scatter.predicted[at]) {
        pen.strokeStyle = colour("--ink");
        pen.lineWidth = 1;
        pen.beginPath();
        pen.arc(left, top, radius + 1.5, 0, 7);
        pen.stroke();
      }
    });
    if (chosen < 0) return;
    const [left, top] = inside(places[chosen], side);
    for (const [width, name] of [
      [5, "--ground"],
      [2.5, "--mark"],
    ]) {
      pen.strokeStyle = colour(name);
      pen.lineWidth = width;
      pen.beginPath();
      pen.arc(left, top, radius + 5, 0, 7);
      pen.stroke();
    }
  }
  const hit = (x, y, side) => {
    const far = places.map((place) => {
      const [left, top] = inside(place, side);
      return Math.hypot(left - x, top - y);
    });
    const at = far.indexOf(Math.min(...far));
    return far[at] <= REACH ? at : -1;
  };
  const made = plot(caption, label, draw, (...point) => {
    const at = hit(...point);
    if (at >= 0) page.choose(scatter.indices[at]);
  });
  made.canvas.addEventListener("pointermove", (event) => {
    const at = hit(...made.at(event));
    made.canvas.title = at < 0 ? "" : scatter.names[at];
  });
  return made.figure;
}

function nearest(places, chosen) {
  if (chosen < 0) return [];
  const far = places.map(([across, down]) =>
    Math.hypot(across - places[chosen][0], down - places[chosen][1]),
  );
  return Array.from(places.keys())
    .filter((at) => at !== chosen)
    .sort((a, b) => far[a] - far[b])
    .slice(0, NEIGHBOURS);
}

function legend(named) {
  const line = make("div", "", "legend");
  for (const [, [name, tint]] of named) {
    const entry = make("span");
    const swatch = make("span", "", "swatch");
    swatch.style.background = tint;
    entry.append(swatch, name);
    line.append(entry);
  }
  return line;
}

function describe(scatter, index) {
  const at = scatter.indices.indexOf(index);
  if (at < 0) return null;
  if (scatter.values) {
    const predictions = scatter.values.lines[at];
    return { index, name: scatter.names[at], label: null, labelName: null, predicted: null, predictions };
  }
  const name = (each) => scatter.classes[each]?.[0] ?? String(each);
  const label = scatter.labels[at] < 0 ? null : scatter.labels[at];
  return {
    index,
    name: scatter.names[at],
    label,
    labelName: label === null ? null : name(label),
    predicted: scatter.predicted[at],
    predictions: [[name(scatter.predicted[at]), null]],
  };
}

registerPanel("embedding", {
  draw: (scatter, input, page) => scatter.layers.map((layer) => mapOf(scatter, layer, input, page)),
  describe,
});
