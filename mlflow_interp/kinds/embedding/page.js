const MOST_GROUPS = 60;
const SMOOTH_SVG = 1500;
const MOST_RINGED = 3000;
const NARROW = 520;
// A list of those allowed, as Plotly's own includes one that uploads the plot to its cloud.
const BUTTONS_2D = ["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"];
const BUTTONS_3D = ["toImage", "zoom3d", "pan3d", "orbitRotation", "resetCameraDefault3d"];

const card = hoverCard();
const deep = data.components === 3;
const classOf = new Map(data.classes.map((each) => [each.index, each]));
const sets = data.inputs.map((each) => ({
  ...each,
  labels: unpack(each.labels, Int32Array),
  indices: unpack(each.indices, Int32Array),
}));
const steps = data.steps.map((each) => ({
  ...each,
  inputs: sets[each.inputs],
  points: each.points.map((text) => unpack(text, Float32Array)),
  predicted: unpack(each.predicted, Int32Array),
  probabilities: unpack(each.probabilities, Float32Array),
  values: each.values && unpack(each.values, Float32Array),
}));
const occurring = data.classes.filter((each) => sets.some(({ labels }) => labels.includes(each.index)));
// Beyond so many a legend can't be read, and as many traces would be slow: one trace, found by search.
const groups =
  occurring.length > MOST_GROUPS
    ? [{ name: "inputs" }]
    : occurring.map((each) => ({ name: each.short, colour: each.colour, index: each.index }));
// One component needs a second axis: a row for each class, jittered the same each time.
const rank = new Map(occurring.map((each, at) => [each.index, at]));
const jitter = (row) => (((row * 0.61803398875) % 1) - 0.5) * 0.7;

let layer = 0;
let at = steps.length - 1;
let onlyWrong = false;
let wanted = null;

// Those of the step that is shown: other steps may have other inputs.
const inputs = () => steps[at].inputs;
const labelOf = (row) => inputs().labels[row];
const everyRow = () => Array.from(inputs().labels.keys());
const isWrong = (row) => labelOf(row) >= 0 && steps[at].predicted[row] !== labelOf(row);
const isShown = (row) => (!onlyWrong || isWrong(row)) && (wanted === null || labelOf(row) === wanted);

function traces(group) {
  const count = inputs().names.length;
  const points = steps[at].points[layer];
  const size = data.components;
  // Plotly draws points of the same size about three times as large in three dimensions.
  const usual = deep ? clamp(60 / Math.sqrt(count), 1.5, 3.5) : clamp(260 / Math.sqrt(count), 4, 9);
  const dot = data.size ? Math.sqrt(data.size) / (deep ? 3 : 1) : usual;
  const draw = (rows, marker, more) => ({
    type: deep ? "scatter3d" : count > SMOOTH_SVG ? "scattergl" : "scatter",
    mode: "markers",
    name: plain(group.name),
    legendgroup: groups.indexOf(group),
    customdata: rows,
    marker,
    ...more,
    x: rows.map((row) => points[row * size]),
    y: rows.map((row) => (size > 1 ? points[row * size + 1] : -rank.get(labelOf(row)) + jitter(row))),
    ...(deep ? { z: rows.map((row) => points[row * size + 2]) } : {}),
  });
  const rows = everyRow().filter(
    (row) => (group.index === undefined || labelOf(row) === group.index) && isShown(row),
  );
  const dots = { ...colouring(group, rows), size: dot, opacity: 0.85 };
  const rings = {
    color: ink(),
    size: deep ? 1.6 * dot + 1 : dot + 3,
    symbol: "circle-open",
    line: { width: 1.2, color: ink() },
  };
  return [
    draw(rows, dots, { hoverinfo: "none" }),
    // Of the same legend group, so that they go with their class.
    draw(onlyWrong || count > MOST_RINGED ? [] : rows.filter(isWrong), rings, {
      // In three dimensions a ring may lie in front of its point, and must answer for it.
      hoverinfo: deep ? "none" : "skip",
      showlegend: false,
    }),
  ];
}

// Of a regression a continuous scale; a point without a label is not on it.
function colouring(group, rows) {
  if (!data.values) return { color: group.colour ?? rows.map((row) => classOf.get(labelOf(row)).colour) };
  const { title, low, high, scale } = data.values;
  return {
    color: rows.map((row) => steps[at].values[row]),
    colorscale: scale,
    cmin: low,
    cmax: high,
    showscale: data.legend,
    colorbar: { title: { text: plain(title), side: "right" }, thickness: 12, outlinewidth: 0 },
  };
}

const ink = () => colour("--ink");

function layout() {
  const hidden = { showgrid: false, zeroline: false, showticklabels: false, title: { text: "" } };
  const square = { ...hidden, scaleanchor: data.components > 1 ? "x" : undefined };
  // The numbers mean nothing, but the box and the names show how the points are turned.
  const named = (number) => ({
    showticklabels: false,
    showspikes: false,
    ticks: "",
    title: { text: `${plain(data.title)} ${number}`, font: { size: 11, color: colour("--faint") } },
    gridcolor: colour("--line"),
    zerolinecolor: colour("--line"),
    showline: true,
    linecolor: colour("--faint"),
  });
  return {
    margin: { l: 8, r: 8, t: 34, b: 8 },
    hovermode: "closest",
    dragmode: deep ? "orbit" : "pan",
    paper_bgcolor: colour("--ground"),
    plot_bgcolor: colour("--ground"),
    font: { color: ink() },
    showlegend: data.legend && groups.length > 1 && innerWidth > NARROW,
    legend: { itemsizing: "constant", tracegroupgap: 0, title: { text: "" } },
    xaxis: hidden,
    yaxis: square,
    scene: { xaxis: named(1), yaxis: named(2), zaxis: named(3), aspectmode: "data" },
    // Keeps zoom and what the legend hides while layers and steps go by.
    uirevision: `${layer}`,
  };
}

function show() {
  Plotly.react("plot", groups.flatMap(traces), layout(), {
    scrollZoom: true,
    displaylogo: false,
    modeBarButtons: [deep ? BUTTONS_3D : BUTTONS_2D],
    responsive: true,
  });
  const measures = Object.entries(steps[at].measures[layer]).map(
    ([name, value]) => `${name.replace(/_/g, " ")} ${value}`,
  );
  const wrong = everyRow().filter(isWrong).length;
  find("measures").textContent = [
    ...measures,
    ...(data.classes.some((each) => each.index >= 0)
      ? [`${wrong} of ${inputs().names.length} wrongly predicted`]
      : []),
  ].join(" · ");
  if (find("at")) find("at").textContent = steps[at].step;
  card.hide();
}

function describe(row) {
  const step = steps[at];
  const probability = percent(step.probabilities[row]);
  const found = step.lines
    ? step.lines[row].map(([name, text]) => ["", make("bdi", name), ` ${text}`])
    : [
        ...(labelOf(row) >= 0 ? [["", "label ", make("bdi", classOf.get(labelOf(row)).name)]] : []),
        [
          isWrong(row) ? "wrong" : labelOf(row) >= 0 ? "right" : "",
          "predicted ",
          make("bdi", data.predictedNames[step.predicted[row]]),
          probability && ` ${probability}`,
        ],
      ];
  const { names, indices, sprite } = inputs();
  find("name").textContent = names[row];
  const lines = [["", `input ${indices[row]}`], ...found];
  find("facts").replaceChildren(
    ...lines.map(([name, ...parts]) => {
      const line = make("div", "", name);
      line.append(...parts);
      return line;
    }),
  );
  const picture = find("picture");
  picture.hidden = !sprite;
  if (!sprite) return;
  const { side, columns } = sprite;
  const scale = 96 / side;
  picture.style.backgroundImage = `url(${sprite.source})`;
  picture.style.backgroundSize = `${columns * 96}px auto`;
  picture.style.backgroundPosition = `${-(row % columns) * side * scale}px ${-Math.floor(row / columns) * side * scale}px`;
}

show();
find("plot").on("plotly_hover", ({ points }) => {
  describe(points[0].customdata);
  card.show();
});
find("plot").on("plotly_unhover", card.hide);
find("layer")?.addEventListener("change", (event) => {
  layer = Number(event.target.value);
  show();
});
find("step")?.addEventListener("input", (event) => {
  at = Number(event.target.value);
  show();
});
find("wrong")?.addEventListener("change", (event) => {
  onlyWrong = event.target.checked;
  show();
});
suggest(
  find("classes"),
  occurring.map((each) => each.name),
);
find("find")?.addEventListener("input", (event) => {
  wanted = occurring.find((each) => each.name === event.target.value)?.index ?? null;
  show();
});
onThemeChange(show);
