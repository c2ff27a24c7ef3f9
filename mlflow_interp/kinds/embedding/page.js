const MOST_GROUPS = 60;
const SMOOTH_SVG = 1500;
const MOST_RINGED = 3000;
const NARROW = 520;

const card = hoverCard();
const count = data.names.length;
const deep = data.components === 3;
const labels = unpack(data.labels, Int32Array);
const indices = unpack(data.indices, Int32Array);
const classOf = new Map(data.classes.map((each) => [each.index, each]));
const steps = data.steps.map((each) => ({
  ...each,
  points: each.points.map((text) => unpack(text, Float32Array)),
  predicted: unpack(each.predicted, Int32Array),
  probabilities: unpack(each.probabilities, Float32Array),
}));
const occurring = data.classes.filter((each) => labels.includes(each.index));
// Beyond so many a legend can't be read, and as many traces would be slow: one trace, found by search.
const groups =
  occurring.length > MOST_GROUPS
    ? [{ name: "inputs", rows: Array.from(labels.keys()) }]
    : occurring.map((each) => ({
        name: each.short,
        colour: each.colour,
        rows: Array.from(labels.keys()).filter((row) => labels[row] === each.index),
      }));
// One component needs a second axis: a row for each class, jittered the same each time.
const rank = new Map(occurring.map((each, at) => [each.index, at]));
const jitter = (row) => (((row * 0.61803398875) % 1) - 0.5) * 0.7;

let layer = 0;
let at = steps.length - 1;
let onlyWrong = false;
let wanted = null;

const isWrong = (row) => labels[row] >= 0 && steps[at].predicted[row] !== labels[row];
const isShown = (row) => (!onlyWrong || isWrong(row)) && (wanted === null || labels[row] === wanted);

function traces(group) {
  const points = steps[at].points[layer];
  const size = data.components;
  const dot = data.size ? Math.sqrt(data.size) : clamp(260 / Math.sqrt(count), deep ? 2 : 4, 9);
  const draw = (rows, marker, more) => ({
    type: deep ? "scatter3d" : count > SMOOTH_SVG ? "scattergl" : "scatter",
    mode: "markers",
    name: plain(group.name),
    legendgroup: groups.indexOf(group),
    customdata: rows,
    marker,
    ...more,
    x: rows.map((row) => points[row * size]),
    y: rows.map((row) => (size > 1 ? points[row * size + 1] : -rank.get(labels[row]) + jitter(row))),
    ...(deep ? { z: rows.map((row) => points[row * size + 2]) } : {}),
  });
  const rows = group.rows.filter(isShown);
  const dots = {
    color: group.colour ?? rows.map((row) => classOf.get(labels[row]).colour),
    size: dot,
    opacity: 0.85,
  };
  const rings = { color: ink(), size: dot + 3, symbol: "circle-open", line: { width: 1.2, color: ink() } };
  return [
    draw(rows, dots, { hoverinfo: "none" }),
    // Of the same legend group, so that they go with their class.
    draw(onlyWrong || deep || count > MOST_RINGED ? [] : rows.filter(isWrong), rings, {
      hoverinfo: "skip",
      showlegend: false,
    }),
  ];
}

const ink = () => colour("--ink");

function layout() {
  const hidden = { showgrid: false, zeroline: false, showticklabels: false, title: { text: "" } };
  const square = { ...hidden, scaleanchor: data.components > 1 ? "x" : undefined };
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
    scene: { xaxis: hidden, yaxis: hidden, zaxis: hidden, aspectmode: "data" },
    // Keeps zoom and what the legend hides while layers and steps go by.
    uirevision: `${layer}`,
  };
}

function show() {
  Plotly.react("plot", groups.flatMap(traces), layout(), {
    scrollZoom: true,
    displaylogo: false,
    responsive: true,
  });
  const measures = Object.entries(steps[at].measures[layer]).map(
    ([name, value]) => `${name.replace(/_/g, " ")} ${value}`,
  );
  const wrong = Array.from(labels.keys()).filter(isWrong).length;
  find("measures").textContent = [
    ...measures,
    ...(data.classes.some((each) => each.index >= 0) ? [`${wrong} of ${count} wrongly predicted`] : []),
  ].join(" · ");
  if (find("at")) find("at").textContent = steps[at].step;
  card.hide();
}

function describe(row) {
  const step = steps[at];
  const chance = percent(step.probabilities[row]);
  find("name").textContent = data.names[row];
  const lines = [
    ["", `input ${indices[row]}`],
    ...(labels[row] >= 0 ? [["", `label ${classOf.get(labels[row]).name}`]] : []),
    [
      isWrong(row) ? "wrong" : labels[row] >= 0 ? "right" : "",
      `predicted ${data.predictedNames[step.predicted[row]]}${chance && ` ${chance}`}`,
    ],
  ];
  find("facts").replaceChildren(...lines.map(([name, text]) => make("div", text, name)));
  if (!data.sprite) return;
  const picture = find("picture");
  const { side, columns } = data.sprite;
  const scale = 96 / side;
  picture.hidden = false;
  picture.style.backgroundSize = `${columns * 96}px auto`;
  picture.style.backgroundPosition = `${-(row % columns) * side * scale}px ${-Math.floor(row / columns) * side * scale}px`;
}

if (data.sprite) find("picture").style.backgroundImage = `url(${data.sprite.source})`;
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
darkScheme.addEventListener("change", show);
