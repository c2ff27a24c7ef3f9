const FEW = 64;
const NEIGHBOURS = 4;
const MOST_NAMED = 8;
const REACH = 14;

const epochs = [
  ...new Set(
    data.methods
      .filter((each) => each.steps.length > 1)
      .flatMap((each) => each.steps.map((step) => step.step)),
  ),
].sort((a, b) => a - b);
const state = { set: 0, index: null, epoch: epochs.length - 1, wrong: false, class: "", extra: null };

// A probability, or a logit as the number it is.
const chanceText = (chance) => percent(chance, chance?.toPrecision(3));

// What a method shows at the chosen epoch: that one, or the last before it.
function stepOf(method) {
  const before = method.steps.filter((step) => method.steps.length === 1 || step.step <= epochs[state.epoch]);
  return before.at(-1) ?? method.steps[0];
}

const inSet = () => data.methods.filter((method) => method.set === state.set);
const inputs = () => data.sets[state.set].inputs;
const rowsOf = (index) =>
  inSet()
    .map((method) => stepOf(method).rows[index])
    .filter(Boolean);
const saidOf = (index) => rowsOf(index).find((row) => row.predictions.length) ?? pointOf(index);
const isWrong = (input) =>
  input.label !== null && (saidOf(input.index)?.predicted ?? input.label) !== input.label;
const visible = () =>
  inputs().filter(
    (input) =>
      (!state.wrong || isWrong(input)) && (state.class === "" || String(input.label) === state.class),
  );
const current = () => inputs().find((input) => input.index === state.index) ?? state.extra;

// What is known of an input that only a map of points shows.
function pointOf(index) {
  for (const method of inSet()) {
    const { scatter } = stepOf(method);
    const at = scatter ? scatter.indices.indexOf(index) : -1;
    if (at < 0) continue;
    const name = (each) => scatter.classes[each]?.[0] ?? String(each);
    const label = scatter.labels[at] < 0 ? null : scatter.labels[at];
    return {
      index,
      name: scatter.names[at],
      label,
      labelName: label === null ? null : name(label),
      picture: null,
      predicted: scatter.predicted[at],
      predictions: [[name(scatter.predicted[at]), null]],
    };
  }
  return null;
}

function choose(index) {
  state.index = index;
  state.extra = inputs().some((input) => input.index === index) ? null : pointOf(index);
  show();
}

function walk(change) {
  const shown = visible();
  const at = shown.findIndex((input) => input.index === state.index);
  if (shown.length) choose(shown[at < 0 ? 0 : (at + change + shown.length) % shown.length].index);
}

function goTo(epoch) {
  state.epoch = clamp(epoch, 0, epochs.length - 1);
  show();
}

function picture(place, alt) {
  const image = makeImage(data.images[place], alt);
  const mark = () => image.classList.toggle("few", Math.max(image.naturalWidth, image.naturalHeight) <= FEW);
  if (image.complete && image.naturalWidth) mark();
  else image.addEventListener("load", mark);
  return image;
}

function thumb(input) {
  const button = make("button", "", isWrong(input) ? "missed" : "");
  const said = saidOf(input.index);
  button.title = input.name;
  button.setAttribute(
    "aria-label",
    `${input.name}${said?.predictions?.[0] ? `, predicted ${said.predictions[0][0]}` : ""}${isWrong(input) ? ", wrong" : ""}`,
  );
  button.setAttribute("aria-current", input.index === state.index);
  button.append(input.picture === null ? input.name : picture(input.picture, ""));
  button.addEventListener("click", () => choose(input.index));
  return button;
}

function showChosen(input) {
  const said = saidOf(input.index);
  const rows = rowsOf(input.index);
  const shown = find("picture");
  const wrong = isWrong(input);
  shown.hidden = input.picture === null;
  if (input.picture !== null) {
    shown.replaceWith(Object.assign(picture(input.picture, `The input ${input.name}`), { id: "picture" }));
  }
  find("name").textContent = input.name;
  const verdict = find("verdict");
  const first = said?.predictions?.[0]?.[0];
  verdict.className = `verdict ${input.label === null ? "" : wrong ? "wrong" : "right"}`;
  verdict.textContent =
    first === undefined
      ? ""
      : input.label === null
        ? `predicted ${first}`
        : wrong
          ? `✕ predicted ${first}, is ${input.labelName}`
          : `✓ ${first}`;
  const targets = [...new Set(rows.map((row) => row.target).filter((target) => target && target !== first))];
  find("target").textContent = targets.length ? `explained: ${targets.join(", ")}` : "";
  find("predictions").replaceChildren(
    ...(said?.predictions ?? []).map(([name, chance]) => {
      const line = make("tr");
      const cell = make("td", name);
      const bar = make("div", "", "bar");
      bar.style.width = `${100 * clamp(chance ?? 0, 0, 1)}%`;
      if (chance !== null) cell.append(bar);
      line.append(cell, make("td", chanceText(chance), "number"));
      return line;
    }),
  );
}

function tileOf([caption, place], input) {
  const figure = make("figure", "", "tile");
  figure.append(picture(place, `${caption} of ${input.name}`), make("figcaption", caption));
  return figure;
}

function plot(caption, label, draw, act) {
  const figure = make("figure", "", "tile plot");
  const canvas = make("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  figure.append(canvas, caption);
  // Once it is on the page, and before that is printed, which waits for no frame.
  queueMicrotask(() => {
    const side = canvas.clientWidth;
    const scale = window.devicePixelRatio || 1;
    canvas.width = canvas.height = Math.max(1, Math.round(side * scale));
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    draw(pen, side);
  });
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top, canvas.clientWidth];
  };
  canvas.addEventListener("click", (event) => act(...at(event)));
  return { figure, canvas, at };
}

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

function scatterOf(scatter, layer, input) {
  const places = placesOf(layer);
  const chosen = scatter.indices.indexOf(input.index);
  const pad = 10;
  const inside = ([across, down], side) => [pad + across * (side - 2 * pad), pad + down * (side - 2 * pad)];
  const tint = (at) => scatter.classes[scatter.labels[at]]?.[1] ?? colour("--faint");
  const caption = make("figcaption", layer.name);
  const near = nearest(places, chosen).map((at) => scatter.names[at]);
  if (layer.note) caption.append(make("div", layer.note));
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
    if (at >= 0) choose(scatter.indices[at]);
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

function matrixOf(matrix, input) {
  const count = matrix.names.length;
  const row = matrix.classes.indexOf(input.label);
  const column = matrix.classes.indexOf(saidOf(input.index)?.predicted);
  const line = matrix.cells.filter(([from]) => from === row).sort((a, b) => b[2] - a[2]);
  const caption = make("figcaption", "down: true, across: predicted");
  const known = row >= 0;
  const words = known
    ? `${matrix.names[row]} (${matrix.support[row]}): ${line
        .slice(0, 4)
        .map(([, taken, times]) => `${times} ${matrix.names[taken]}`)
        .join(", ")}`
    : "";
  if (known) caption.append(make("div", words));
  function draw(pen, side) {
    const cell = side / count;
    if (known) {
      pen.fillStyle = colour("--panel");
      pen.fillRect(0, row * cell, side, cell);
    }
    for (const [from, to, times] of matrix.cells) {
      pen.globalAlpha = 0.12 + 0.88 * Math.sqrt(times / matrix.support[from]);
      pen.fillStyle = colour(from === to ? "--mark" : "--wrong");
      pen.fillRect(to * cell, from * cell, Math.max(1, cell - 0.5), Math.max(1, cell - 0.5));
    }
    pen.globalAlpha = 1;
    if (cell >= 18) numbers(pen, cell);
    if (!known) return;
    pen.strokeStyle = colour("--ink");
    pen.lineWidth = 1;
    pen.strokeRect(0.5, row * cell, side - 1, Math.max(3, cell));
    if (column >= 0) {
      pen.lineWidth = 2.5;
      pen.strokeRect(column * cell, row * cell, Math.max(4, cell), Math.max(4, cell));
    }
  }
  function numbers(pen, cell) {
    Object.assign(pen, {
      font: `${Math.min(12, cell / 2.2)}px system-ui`,
      textAlign: "center",
      textBaseline: "middle",
    });
    for (const [from, to, times] of matrix.cells) {
      pen.fillStyle = times / matrix.support[from] > 0.3 ? colour("--ground") : colour("--ink");
      pen.fillText(times, (to + 0.5) * cell, (from + 0.5) * cell);
    }
  }
  // The next input of the cell, or else only its name.
  function act(x, y, side) {
    const from = Math.floor((y / side) * count);
    const to = Math.floor((x / side) * count);
    const there = inputs().filter(
      (each) => each.label === matrix.classes[from] && saidOf(each.index)?.predicted === matrix.classes[to],
    );
    if (there.length)
      choose(there[(there.findIndex((each) => each.index === state.index) + 1) % there.length].index);
  }
  const made = plot(caption, `Confusion matrix of ${count} classes. ${words}`, draw, act);
  made.canvas.addEventListener("pointermove", (event) => {
    const [x, y, side] = made.at(event);
    const from = Math.floor((y / side) * count);
    const to = Math.floor((x / side) * count);
    const cell = matrix.cells.find((each) => each[0] === from && each[1] === to);
    made.canvas.title = `${matrix.names[from]} taken for ${matrix.names[to]}: ${cell ? cell[2] : matrix.more ? "few or none" : 0}`;
  });
  return made.figure;
}

function viewOf(method, input) {
  const step = stepOf(method);
  const same = method.set === state.set;
  const row = same ? step.rows[input.index] : undefined;
  const figures = (row?.tiles ?? []).map((each) => tileOf(each, input));
  if (same && step.scatter)
    figures.push(...step.scatter.layers.map((layer) => scatterOf(step.scatter, layer, input)));
  if (step.matrix) figures.push(matrixOf(step.matrix, input));
  if (!figures.length) return [];
  const view = make("div", "", "view");
  const tiles = make("div", "", "tiles");
  tiles.append(...figures);
  view.append(
    make("h3", method.title),
    tiles,
    ...(row?.notes ?? []).map((note) => make("div", note, "note")),
  );
  view.dataset.place = method.place;
  return [view];
}

function showStrip() {
  const shown = visible();
  find("thumbs").replaceChildren(...shown.map(thumb));
  const at = shown.findIndex((input) => input.index === state.index);
  const wrong = inputs().filter(isWrong).length;
  find("place").textContent = shown.length ? `${at < 0 ? "–" : at + 1} of ${shown.length}` : "none";
  const given = data.sets[state.set].count;
  const here = inputs().length;
  find("all").textContent = here < given ? `${amount(here)} of ${amount(given)}` : `All ${here}`;
  find("wrong").textContent = `Wrong ${wrong}`;
  find("wrong").disabled = !wrong && !state.wrong;
  find("all").setAttribute("aria-pressed", !state.wrong);
  find("wrong").setAttribute("aria-pressed", state.wrong);
  const marked = find("thumbs").children[at];
  const strip = find("thumbs");
  if (marked)
    strip.scrollLeft = marked.offsetLeft - strip.offsetLeft - strip.clientWidth / 2 + marked.offsetWidth / 2;
}

function show() {
  const input = current();
  if (find("epoch")) {
    find("epoch").value = state.epoch;
    find("at").textContent = epochs[state.epoch];
  }
  showStrip();
  for (const chart of document.querySelectorAll(".chart[data-over=epoch]")) mark(chart, epochs[state.epoch]);
  if (!input) return;
  showChosen(input);
  find("views").replaceChildren(...data.methods.flatMap((method) => viewOf(method, input)));
}

function mark(chart, step) {
  if (step === undefined) return;
  const steps = chart.dataset.steps.split(",").map(Number);
  const at = steps.findLastIndex((each) => each <= step);
  if (at < 0) return;
  const [across, down] = chart.dataset.places.split(" ")[at].split(",");
  const dot = chart.querySelector("circle");
  dot.setAttribute("cx", across);
  dot.setAttribute("cy", down);
  chart.querySelector("output").textContent = String(
    Number(Number(chart.dataset.values.split(",")[at]).toPrecision(4)),
  );
}

function listen(chart) {
  const stepAt = (event) => {
    const box = chart.querySelector("svg").getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width) * 200;
    const far = chart.dataset.places.split(" ").map((place) => Math.abs(place.split(",")[0] - share));
    return Number(chart.dataset.steps.split(",")[far.indexOf(Math.min(...far))]);
  };
  const svg = chart.querySelector("svg");
  const last = () => Number(chart.dataset.steps.split(",").at(-1));
  svg.addEventListener("pointermove", (event) => mark(chart, stepAt(event)));
  svg.addEventListener("pointerleave", () =>
    mark(chart, chart.dataset.over === "epoch" && epochs.length ? epochs[state.epoch] : last()),
  );
  if (chart.dataset.over === "epoch")
    svg.addEventListener("click", (event) => {
      const at = epochs.findLastIndex((each) => each <= stepAt(event));
      if (at >= 0) goTo(at);
    });
}

// In MLflow's sandboxed frame the clipboard may be refused; the text is selected then.
async function copy(button) {
  const text = button.parentElement.querySelector("pre");
  const range = document.createRange();
  range.selectNodeContents(text);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  let done = document.execCommand("copy");
  if (!done && origin !== "null")
    done = await navigator.clipboard.writeText(text.textContent).then(
      () => true,
      () => false,
    );
  button.textContent = done ? "Copied" : "Selected: press Ctrl+C";
  setTimeout(() => {
    button.textContent = "Copy";
  }, 2500);
}

function glance() {
  const known = inputs().filter((input) => input.label !== null && saidOf(input.index));
  const list = document.querySelector("#glance ul");
  const chance = (input) => saidOf(input.index).predictions[0]?.[1] ?? 0;
  const entry = (text, input) => {
    const line = make("li");
    const button = make("button", input.name, "link");
    button.addEventListener("click", () => {
      Object.assign(state, { wrong: false, class: "" });
      find("class").value = "";
      choose(input.index);
      find("walk").scrollIntoView();
    });
    line.append(make("b", `${text} `), button, ` ${verdictOf(input)}`);
    list.append(line);
  };
  const verdictOf = (input) => {
    const [name, sure] = saidOf(input.index).predictions[0];
    return `predicted ${name} ${chanceText(sure)}${isWrong(input) ? `, is ${input.labelName}` : ""}`;
  };
  const wrong = known.filter(isWrong).sort((a, b) => chance(b) - chance(a));
  if (wrong.length) entry("surest mistake", wrong[0]);
  const unsure = inputs()
    .filter((input) => saidOf(input.index)?.predictions[0]?.[1] != null)
    .sort((a, b) => chance(a) - chance(b));
  if (unsure.length > 2) entry("least sure", unsure[0]);
}

function begin() {
  const names = new Map(
    inputs()
      .filter((input) => input.label !== null)
      .map((input) => [String(input.label), input.labelName]),
  );
  find("classes").hidden = names.size < 2;
  find("class").replaceChildren(
    new Option("all", ""),
    ...[...names].sort((a, b) => a[1].localeCompare(b[1])).map(([each, name]) => new Option(name, each)),
  );
  Object.assign(state, { wrong: false, class: "", extra: null, index: inputs()[0]?.index ?? null });
}

if (data.sets.some((each) => each.inputs.length)) {
  find("walk").hidden = false;
  state.set = data.sets.findIndex((each) => each.inputs.length);
  find("sets").hidden = data.sets.length < 2;
  find("set").append(
    ...data.sets.map((each, at) =>
      Object.assign(new Option(each.name, at), { disabled: !each.inputs.length }),
    ),
  );
  find("set").value = state.set;
  if (find("epoch")) find("epoch").max = epochs.length - 1;
  begin();
  glance();
  show();
  find("set").addEventListener("change", (event) => {
    state.set = Number(event.target.value);
    begin();
    show();
  });
  find("class").addEventListener("change", (event) => {
    state.class = event.target.value;
    keep();
  });
  find("all").addEventListener("click", () => {
    state.wrong = false;
    keep();
  });
  find("wrong").addEventListener("click", () => {
    state.wrong = true;
    keep();
  });
  find("previous").addEventListener("click", () => walk(-1));
  find("next").addEventListener("click", () => walk(1));
  find("epoch")?.addEventListener("input", (event) => goTo(Number(event.target.value)));
  addEventListener("resize", show);
  darkScheme.addEventListener("change", show);
}

// Stay with the chosen input where the filter leaves it.
function keep() {
  const shown = visible();
  if (!shown.some((input) => input.index === state.index) && shown.length) choose(shown[0].index);
  else show();
}

onArrowKeys(document, (across, down) => {
  if (find("walk").hidden || (down && epochs.length < 2)) return false;
  if (across) walk(across);
  else goTo(state.epoch + down);
  return true;
});
for (const button of document.querySelectorAll("[data-copy]"))
  button.addEventListener("click", () => copy(button));
for (const button of document.querySelectorAll("[data-section]"))
  button.addEventListener("click", () => find(`section-${button.dataset.section}`).scrollIntoView());
for (const chart of document.querySelectorAll(".chart")) listen(chart);
// Beside its folders a page can lead there; inside MLflow's frame, whose address is a blob, it can't.
if (location.protocol === "file:" || location.protocol.startsWith("http")) {
  for (const text of document.querySelectorAll("[data-page]"))
    text.replaceChildren(Object.assign(make("a", text.textContent), { href: text.dataset.page }));
}
addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details")) each.open = true;
});
