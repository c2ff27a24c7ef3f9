const WITH_NUMBERS = 20;
const WITH_GAPS = 60;
const MOST_BLOCKS = 400;
const MOST_FOCUSED = 20;
const FEW = 30;

const names = data.names;
const count = names.length;
const multi = data.multi;
const side = multi ? 2 : count;
const card = hoverCard();
const everyone = Array.from(names.keys());

// What each step's cells add up to, made when the step is first shown.
function loaded(step) {
  if (step.each) return step;
  const cells = unpack(step.cells, Uint32Array);
  const counts = unpack(step.counts, step.wide ? Float64Array : Uint32Array);
  const sums = step.sums ? unpack(step.sums, Float32Array) : counts;
  const each = names.map(() => ({
    right: 0,
    support: 0,
    predicted: 0,
    inputs: 0,
    predictedInputs: 0,
    wrong: 0,
    worst: null,
    worstCount: 0,
  }));
  const rows = new Float64Array(multi ? 2 * count : count);
  const columns = rows.slice();
  const at = new Map();
  let total = 0;
  cells.forEach((cell, place) => {
    const label = Math.floor(cell / (multi ? 2 : count));
    const predicted = cell % side;
    const group = multi ? label >> 1 : 0;
    at.set(cell, place);
    rows[label] += sums[place];
    columns[2 * group + predicted] += sums[place];
    total += sums[place];
    const owner = each[multi ? group : label];
    const hit = multi ? label % 2 === 1 && predicted === 1 : label === predicted;
    if (!multi || label % 2 === 1) {
      owner.support += sums[place];
      owner.inputs += counts[place];
    }
    const found = multi ? owner : each[predicted];
    if (!multi || predicted === 1) {
      found.predicted += sums[place];
      found.predictedInputs += counts[place];
    }
    if (hit) owner.right += sums[place];
    else if (!multi || label % 2 !== predicted) owner.wrong += counts[place];
    if (!multi && !hit && counts[place] > owner.worstCount) {
      owner.worst = predicted;
      owner.worstCount = counts[place];
    }
  });
  const share = (part, whole) => (whole > 0 ? part / whole : 0);
  for (const one of each) {
    one.precision = share(one.right, one.predicted);
    one.recall = share(one.right, one.support);
    one.f1 = share(2 * one.right, one.support + one.predicted);
  }
  if (multi) total /= count;
  return Object.assign(step, { cells, counts, sums, each, rows, columns, total, at });
}

const state = {
  step: data.steps.length - 1,
  normalize: data.normalize,
  order: data.order,
  wrong: false,
  focus: null,
  label: 0,
  cell: null,
  zoom: null,
  sort: ["given", 1],
};
const now = () => loaded(data.steps[state.step]);
const codeOf = (row, column) => (multi ? 4 * state.label + 2 * row + column : row * count + column);
const countAt = (code) => now().counts[now().at.get(code)] ?? 0;
const sumAt = (code) => now().sums[now().at.get(code)] ?? 0;
const rowName = (row) => (multi ? ["absent", "present"][row] : names[row]);
const columnName = (column) => (multi ? ["not predicted", "predicted"][column] : names[column]);

function wholeOf(row, column, how) {
  const group = multi ? 2 * state.label : 0;
  const step = now();
  const wholes = {
    none: 1,
    true: step.rows[group + row],
    predicted: step.columns[group + column],
    all: step.total,
  };
  return wholes[how];
}
const value = (row, column, sum, how = state.normalize) => sum / (wholeOf(row, column, how) || 1);

// The classes shown, in order: all, or one with those it is confused with.
function order() {
  if (multi) return [0, 1];
  const { each, cells, counts } = now();
  if (state.focus !== null) {
    const times = new Float64Array(count);
    cells.forEach((cell, place) => {
      const label = Math.floor(cell / count);
      const predicted = cell % count;
      if (label === state.focus) times[predicted] += counts[place];
      if (predicted === state.focus) times[label] += counts[place];
    });
    // The chosen cell stays in view, however seldom the two classes are confused.
    if (state.cell?.includes(state.focus)) for (const one of state.cell) times[one] = Number.MAX_VALUE;
    times[state.focus] = Infinity;
    return everyone
      .filter((one) => times[one] > 0)
      .sort((one, other) => times[other] - times[one] || one - other)
      .slice(0, MOST_FOCUSED);
  }
  const by = {
    support: (one) => -each[one].support,
    recall: (one) => (each[one].support > 0 ? each[one].recall : 2),
  }[state.order];
  return state.order === "cluster"
    ? data.cluster
    : by
      ? [...everyone].sort((one, other) => by(one) - by(other) || one - other)
      : everyone;
}

// The part of the matrix in view, several cells in a block where they would be finer than pixels.
function blocks(shown, zoom) {
  const place = new Int32Array(side).fill(-1);
  const { cells, sums } = now();
  shown.forEach((one, position) => {
    place[one] = position;
  });
  const clip = ([from, to]) => [
    Math.max(0, Math.floor(Math.min(from, to) + 0.5)),
    Math.min(shown.length, Math.ceil(Math.max(from, to) + 0.5)),
  ];
  const [left, right] = clip(zoom?.x ?? [-0.5, shown.length - 0.5]);
  const [top, bottom] = clip(zoom?.y ?? [-0.5, shown.length - 0.5]);
  const block = Math.max(1, Math.ceil(Math.max(right - left, bottom - top) / MOST_BLOCKS));
  const wide = Math.ceil((right - left) / block);
  const high = Math.ceil((bottom - top) / block);
  const z = Array.from({ length: high }, () => new Float32Array(wide).fill(NaN));
  const from = Array.from({ length: high }, () => new Int32Array(wide).fill(-1));
  let most = 0;
  cells.forEach((cell, entry) => {
    const group = multi ? cell >> 2 : 0;
    const row = multi ? (cell >> 1) % 2 : Math.floor(cell / count);
    const column = cell % side;
    if (
      (multi && group !== state.label) ||
      (state.wrong && row === column) ||
      place[row] < 0 ||
      place[column] < 0
    )
      return;
    const worth = value(row, column, sums[entry]);
    most = Math.max(most, worth);
    const y = Math.floor((place[row] - top) / block);
    const x = Math.floor((place[column] - left) / block);
    if (
      y >= 0 &&
      x >= 0 &&
      y < high &&
      x < wide &&
      place[row] >= top &&
      place[column] >= left &&
      !(z[y][x] >= worth)
    ) {
      z[y][x] = worth;
      from[y][x] = cell;
    }
  });
  return { z, from, left, top, block, most };
}

const light = (hex) => [1, 3, 5].reduce((sum, at) => sum + parseInt(hex.slice(at, at + 2), 16), 0);
function scale(many) {
  const { shades } = data;
  const ordered = isDark() && light(shades[0]) > light(shades.at(-1)) ? [...shades].reverse() : shades;
  const kept = many ? ordered.slice(5) : ordered;
  return kept.map((shade, at) => [at / (kept.length - 1), shade]);
}

let drawn = null;

function ticks(shown, range, pixels) {
  const [from, to] = [
    Math.max(0, Math.ceil(Math.min(...range))),
    Math.min(shown.length - 1, Math.floor(Math.max(...range))),
  ];
  const seen = to - from + 1;
  const room = seen <= WITH_GAPS ? 11 : 15;
  const step = Math.max(1, Math.ceil((seen * room) / pixels));
  const tickvals = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) tickvals.push(at);
  return tickvals;
}

function axis(shown, name, range, pixels, title) {
  const tickvals = ticks(shown, range, pixels);
  return {
    range,
    tickvals,
    tickmode: "array",
    ticktext: tickvals.map((at) => plain(shorten(name(shown[at]), 22))),
    showgrid: false,
    zeroline: false,
    ticks: "",
    automargin: false,
    tickfont: { size: tickvals.length * 15 > pixels ? 9 : 11 },
    ticklabelstandoff: 4,
    title: { text: title, font: { size: 12, color: colour("--faint") }, standoff: 6 },
    fixedrange: shown.length <= WITH_NUMBERS,
  };
}

// Where the chosen cell stands: a frame, and where cells are small also lines that lead to it.
function frame(shown, pixels) {
  const places = state.cell?.map((one) => shown.indexOf(one));
  if (!places || places.includes(-1)) return [];
  const [y, x] = places;
  const line = { color: colour("--wrong"), width: 2 };
  const thin = { color: colour("--wrong"), width: 1, dash: "dot" };
  const whole = [-0.5, shown.length - 0.5];
  const lead = shown.length > WITH_NUMBERS;
  const half = 0.5 - Math.min(0.05, shown.length / pixels);
  return [
    { type: "rect", x0: x - half, x1: x + half, y0: y - half, y1: y + half, line },
    ...(lead
      ? [
          { type: "line", x0: whole[0], x1: x - 0.5, y0: y, y1: y, line: thin },
          { type: "line", x0: x, x1: x, y0: y + 0.5, y1: whole[1], line: thin },
        ]
      : []),
  ];
}

function bar(most, many) {
  const counted = state.normalize === "none";
  const round = (each) => (counted && most >= 5 ? Math.round(each) : each);
  const marks = [
    ...new Set(
      (many ? [0, 0.01, 0.05, 0.15, 0.3, 0.6, 1] : [0, 0.25, 0.5, 0.75, 1]).map((part) => round(part * most)),
    ),
  ];
  return {
    thickness: 12,
    outlinewidth: 0,
    len: 0.7,
    y: 1,
    yanchor: "top",
    tickfont: { size: 11 },
    tickvals: marks.map((each) => (many ? Math.sqrt(each) : each)),
    ticktext: marks.map((each) =>
      counted ? compactAmount(each) : each > 0 && each < 0.1 ? finePercent(each) : roundPercent(each),
    ),
  };
}

function draw() {
  const shown = order();
  const size = shown.length;
  const many = size > WITH_NUMBERS;
  const zoom = state.zoom;
  const { z, from, left, top, block, most } = blocks(shown, zoom);
  const ceiling = state.wrong || ["none", "all"].includes(state.normalize) ? most || 1 : 1;
  const longest = Math.max(...shown.map((one) => Math.min(22, rowName(one).length)));
  const width = find("plot").clientWidth;
  const flat = longest * 7.5 * size < 0.55 * width;
  const margin = {
    l: Math.min(48 + 6.6 * longest, 0.36 * width),
    t: 6,
    r: 64,
    b: flat ? 64 : 54 + 4.9 * longest,
  };
  const inner = Math.max(120, Math.min(width - margin.l - margin.r, 160 + 90 * size));
  const height = Math.min(inner, Math.max(280, size * 40, innerHeight - 220)) + margin.t + margin.b;
  const cell = inner / size;
  const numbers = !many &&
    cell > 24 && {
      texttemplate: "%{text}",
      text: z.map((row) =>
        Array.from(row, (each) =>
          Number.isNaN(each) ? "" : state.normalize === "none" ? compactAmount(each) : roundPercent(each),
        ),
      ),
    };
  const trace = {
    type: "heatmap",
    z: many ? z.map((row) => row.map(Math.sqrt)) : z,
    x0: left + (block - 1) / 2,
    dx: block,
    y0: top + (block - 1) / 2,
    dy: block,
    zmin: 0,
    zmax: many ? Math.sqrt(ceiling) : ceiling,
    colorscale: scale(many),
    xgap: size <= WITH_GAPS ? 1 : 0,
    ygap: size <= WITH_GAPS ? 1 : 0,
    hoverinfo: "none",
    hoverongaps: true,
    colorbar: bar(ceiling, many),
    textfont: { size: cell < 36 ? 9 : size > 10 ? 10 : 12 },
    ...numbers,
  };
  const x = axis(
    shown,
    columnName,
    zoom?.x ?? [-0.5, size - 0.5],
    inner,
    multi ? "prediction" : "predicted class",
  );
  const y = axis(
    shown,
    rowName,
    zoom?.y ?? [size - 0.5, -0.5],
    height - margin.t - margin.b,
    multi ? "truth" : "true class",
  );
  drawn = { shown, from, left, top, block };
  Plotly.react(
    "plot",
    [trace],
    {
      margin,
      height,
      width: inner + margin.l + margin.r,
      xaxis: { ...x, tickangle: flat ? 0 : -45 },
      yaxis: y,
      dragmode: many ? "zoom" : false,
      hovermode: "closest",
      shapes: frame(shown, inner),
      paper_bgcolor: colour("--ground"),
      plot_bgcolor: size > WITH_GAPS ? colour("--ground") : colour("--panel"),
      font: { color: colour("--ink"), family: "system-ui, sans-serif" },
    },
    { displayModeBar: false, doubleClick: false, showTips: false },
  );
  find("all").hidden = state.focus === null && !zoom;
  find("shown").replaceChildren(
    ...(state.focus !== null
      ? [nameOf(state.focus), ` and the ${size - 1} classes it is most confused with`]
      : size > FEW && !zoom
        ? [`${amount(size)} classes: drag to zoom in, or find one`]
        : []),
  );
}

// The block under the pointer. Plotly's own points lag behind a quick hand.
function blockAt({ clientX, clientY }) {
  const box = find("plot").querySelector(".nsewdrag").getBoundingClientRect();
  const last = drawn.shown.length - 1;
  const along = ([from, to], share) => clamp(Math.round(from + share * (to - from)), 0, last);
  const { x, y } = state.zoom ?? { x: [-0.5, last + 0.5], y: [last + 0.5, -0.5] };
  const column = along(x, (clientX - box.left) / box.width);
  const row = along(y, (box.bottom - clientY) / box.height);
  return [Math.floor((row - drawn.top) / drawn.block), Math.floor((column - drawn.left) / drawn.block)];
}

// The row and column behind a block; of several in it, the largest.
function cellAt([y, x]) {
  const code = drawn.from[y]?.[x];
  if (code >= 0) return multi ? [(code >> 1) % 2, code % 2] : [Math.floor(code / count), code % count];
  const [row, column] = [drawn.top + y * drawn.block, drawn.left + x * drawn.block].map(
    (at) => drawn.shown[Math.min(at, drawn.shown.length - 1)],
  );
  return [row, column];
}

function lines([row, column]) {
  const code = codeOf(row, column);
  const times = countAt(code);
  const sum = sumAt(code);
  const part = (how) => finePercent(value(row, column, sum, how));
  return [
    `${amount(times)} ${times === 1 ? data.unit.slice(0, -1) : data.unit}${data.weighted ? `, weight ${amount(sum)}` : ""}`,
    multi
      ? `${part("true")} of those where it is ${rowName(row)}`
      : [`${part("true")} of true `, nameOf(row)],
    multi
      ? `${part("predicted")} of those where it is ${columnName(column)}`
      : [`${part("predicted")} of predicted `, nameOf(column)],
    ...(multi ? [] : [`${part("all")} of all`]),
  ];
}

function makeLine(parts) {
  const line = make("div");
  line.append(...[parts].flat());
  return line;
}

const nameOf = (index) => make("bdi", names[index]);

const cellTitle = ([row, column]) =>
  multi
    ? [nameOf(state.label), `: ${rowName(row)}, ${columnName(column)}`]
    : row === column
      ? [nameOf(row), ", predicted correctly"]
      : [nameOf(row), " predicted as ", nameOf(column)];

function mistakeCard(mistake) {
  const figure = make("figure");
  if (mistake.picture !== null) {
    const image = makeImage(data.pictures[mistake.picture], mistake.name);
    image.addEventListener("load", () => image.classList.toggle("small", image.naturalWidth < 48));
    figure.append(image);
  }
  figure.append(make("div", mistake.name, "faint"));
  if (mistake.share !== null) {
    const line = make("div", "", "prediction");
    line.append(make("span", `of its ${data.unit}`), make("span", finePercent(mistake.share), "number"));
    figure.append(line);
    return figure;
  }
  for (const [one, probability] of mistake.predictions.slice(0, 3)) {
    const line = make("div", "", "prediction");
    line.append(
      make(
        "span",
        names[one],
        multi ? "" : one === mistake.cell[1] ? "wrong" : one === mistake.cell[0] ? "right" : "",
      ),
      make("span", finePercent(probability), "number"),
    );
    figure.append(line);
  }
  return figure;
}

// What is behind the chosen cell.
function behind() {
  if (!state.cell) return;
  const [row, column] = state.cell;
  const times = countAt(codeOf(row, column));
  const key = multi ? [state.label, column] : [row, column];
  const kept =
    row === column ? [] : now().mistakes.filter(({ cell }) => cell[0] === key[0] && cell[1] === key[1]);
  find("cell").replaceChildren(...cellTitle(state.cell));
  const note =
    row === column || !times
      ? ""
      : !kept.length
        ? "no examples are kept for this cell"
        : data.unit !== "inputs"
          ? `the inputs with the largest share of such ${data.unit}`
          : kept.length < times
            ? `${kept.length} of them, the most confident first`
            : "the most confident first";
  find("facts").replaceChildren(...[...lines(state.cell), note].filter(Boolean).map(makeLine));
  find("mistakes").replaceChildren(...kept.map(mistakeCard));
}

// Whether a cell is among those drawn, and within the part that was zoomed into.
function inView([row, column]) {
  const [y, x] = [row, column].map((one) => drawn.shown.indexOf(one));
  const within = (place, range) =>
    place >= 0 && (!range || (place >= Math.min(...range) && place <= Math.max(...range)));
  return within(y, state.zoom?.y) && within(x, state.zoom?.x);
}

function choose(cell) {
  state.cell = cell;
  if (!multi && !inView(cell)) Object.assign(state, { focus: count > FEW ? cell[0] : null, zoom: null });
  draw();
  behind();
  mark();
}

// A class found by name: its row and column, and of many classes only those it is confused with.
function chooseClass(one) {
  if (multi) {
    state.label = one;
    state.cell ??= [1, 0];
  } else {
    Object.assign(state, {
      focus: count > FEW ? one : null,
      zoom: null,
      cell: [one, now().each[one].worst ?? one],
    });
  }
  draw();
  behind();
  mark();
}

function pairs() {
  const { each, cells, counts } = now();
  const worst = multi
    ? everyone.map((one) => [one, each[one].wrong])
    : Array.from(cells, (cell, place) => [cell, counts[place]]).filter(
        ([cell]) => Math.floor(cell / count) !== cell % count,
      );
  const first = worst
    .filter(([, times]) => times > 0)
    .sort((one, other) => other[1] - one[1] || one[0] - other[0])
    .slice(0, 10);
  find("worst").hidden = !first.length;
  find("pairs").replaceChildren(
    ...first.flatMap(([which, times]) => {
      const cell = [Math.floor(which / count), which % count];
      const button = make("button", "", "plain");
      button.append(...(multi ? [nameOf(which)] : [nameOf(cell[0]), " → ", nameOf(cell[1])]));
      button.addEventListener("click", () => (multi ? chooseClass(which) : choose(cell)));
      return [button, make("span", amount(times), "number faint")];
    }),
  );
}

const COLUMNS = [
  ["class", "given", (one) => one],
  [data.unit, "support", (one) => now().each[one].inputs],
  ["predicted", "predicted", (one) => now().each[one].predictedInputs],
  ["precision", "precision", (one) => now().each[one].precision],
  ["recall", "recall", (one) => now().each[one].recall],
  ["F1", "f1", (one) => now().each[one].f1],
  ...(multi
    ? [["wrong", "wrong", (one) => now().each[one].wrong]]
    : [["most often predicted as", "worst", (one) => now().each[one].worstCount]]),
];

function table() {
  const [by, direction] = state.sort;
  const worth = COLUMNS.find(([, name]) => name === by)[2];
  const rows = [...everyone].sort((one, other) => direction * (worth(one) - worth(other)) || one - other);
  find("classes")
    .querySelector("thead tr")
    .replaceChildren(
      ...COLUMNS.map(([title, name]) => {
        const head = make("th", "", ["given", "worst"].includes(name) ? "" : "number");
        const button = make("button", multi && name === "given" ? "label" : title);
        if (name === by) head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
        button.addEventListener("click", () => {
          state.sort = [name, name === by ? -direction : 1];
          table();
        });
        head.append(button);
        return head;
      }),
    );
  find("classes")
    .querySelector("tbody")
    .replaceChildren(
      ...rows.map((one) => {
        const row = make("tr");
        const cell = make("td");
        const button = make("button", names[one], "plain");
        const each = now().each[one];
        row.dataset.at = one;
        button.addEventListener("click", () => chooseClass(one));
        cell.append(button);
        const worst = multi
          ? amount(each.wrong)
          : each.worst === null
            ? ""
            : [nameOf(each.worst), ` (${amount(each.worstCount)})`];
        const last = make("td", "", multi ? "number" : "");
        last.append(...[worst].flat());
        row.append(
          cell,
          ...[
            amount(each.inputs),
            amount(each.predictedInputs),
            finePercent(each.precision),
            finePercent(each.recall),
            each.f1.toFixed(3),
          ].map((text) => make("td", text, "number")),
          last,
        );
        return row;
      }),
    );
  mark();
}

function mark() {
  const chosen = multi ? state.label : state.cell?.[0];
  for (const row of find("classes").querySelectorAll("tbody tr"))
    row.setAttribute("aria-current", Number(row.dataset.at) === chosen);
}

function show() {
  const step = now();
  find("headline").textContent = step.headline[0];
  find("measures").textContent = step.headline[1];
  if (find("at")) find("at").textContent = step.step;
  draw();
  pairs();
  table();
  behind();
}

function hover(cell) {
  const title = make("b");
  title.append(...cellTitle(cell));
  find("card").replaceChildren(title, ...lines(cell).map(makeLine));
  card.show();
}

function walk(across, down) {
  const { shown } = drawn;
  const last = shown.length - 1;
  const [y, x] = (state.cell ?? [shown[0], shown[0]]).map((one) => Math.max(0, shown.indexOf(one)));
  const to = (at, by) => shown[clamp(at + (state.cell ? by : 0), 0, last)];
  choose([to(y, down), to(x, across)]);
}

function showAll() {
  Object.assign(state, { focus: null, zoom: null });
  find("find").value = "";
  draw();
}

if (multi)
  state.label = everyone.reduce((worst, one) => (now().each[one].f1 < now().each[worst].f1 ? one : worst), 0);
find("normalize").value = state.normalize;
suggest(find("names"), names);
show();
const matrixPlot = find("plot");
matrixPlot.on("plotly_hover", ({ points }) => hover(cellAt(points[0].pointIndex)));
matrixPlot.on("plotly_unhover", card.hide);
matrixPlot.on("plotly_click", ({ event }) => choose(cellAt(blockAt(event))));
// Two quick clicks on different cells are a double click too; with nothing to undo, the second must count.
matrixPlot.on("plotly_doubleclick", () => {
  if (state.focus !== null || state.zoom) showAll();
});
matrixPlot.on("plotly_relayout", (change) => {
  const range = (name) =>
    change[`${name}.range[0]`] === undefined
      ? state.zoom?.[name[0]]
      : [change[`${name}.range[0]`], change[`${name}.range[1]`]];
  if (!Object.keys(change).some((key) => key.includes("axis.range["))) return;
  const size = drawn.shown.length;
  state.zoom = { x: range("xaxis") ?? [-0.5, size - 0.5], y: range("yaxis") ?? [size - 0.5, -0.5] };
  draw();
});
onArrowKeys(matrixPlot, walk);
matrixPlot.addEventListener("blur", card.hide);
find("all").addEventListener("click", showAll);
find("normalize").addEventListener("change", (event) => {
  state.normalize = event.target.value;
  draw();
});
find("step")?.addEventListener("input", (event) => {
  state.step = Number(event.target.value);
  show();
});
if (!multi) {
  find("order").value = state.order;
  find("order").addEventListener("change", (event) => {
    Object.assign(state, { order: event.target.value, zoom: null, focus: null });
    draw();
  });
  find("wrong").addEventListener("change", (event) => {
    state.wrong = event.target.checked;
    draw();
  });
}
find("find").addEventListener("input", (event) => {
  const one = names.indexOf(event.target.value);
  if (one >= 0) chooseClass(one);
  else if (!event.target.value && state.focus !== null) showAll();
});
addEventListener("resize", draw);
onThemeChange(draw);
