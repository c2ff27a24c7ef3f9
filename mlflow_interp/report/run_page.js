const FEW = 64;

const epochs = [
  ...new Set(
    data.methods
      .filter((each) => each.steps.length > 1)
      .flatMap((each) => each.steps.map((step) => step.step)),
  ),
].sort((a, b) => a - b);
const state = { set: 0, index: null, epoch: epochs.length - 1, wrong: false, class: "", extra: null };

// A probability, or a logit as the number it is; the value of a regression comes as text.
const chanceText = (chance) =>
  typeof chance === "string" ? chance : percent(chance, chance?.toPrecision(3));

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
// What a model gave for an input, in words; "" where that is not known.
function foundText(said) {
  const [name, chance] = said?.predictions?.[0] ?? [];
  if (name === undefined) return "";
  return typeof chance === "string" ? `${name} ${chance}` : `predicted ${name}`;
}
const saidOf = (index) => rowsOf(index).find((row) => row.predictions.length) ?? pointOf(index);
const isWrong = (input) =>
  input.label !== null && (saidOf(input.index)?.predicted ?? input.label) !== input.label;
const visible = () =>
  inputs().filter(
    (input) =>
      (!state.wrong || isWrong(input)) && (state.class === "" || String(input.label) === state.class),
  );
const current = () => inputs().find((input) => input.index === state.index) ?? state.extra;

// What a method shows beside tiles: the panel of its kind at the chosen epoch.
function panelOf(method) {
  const { panel } = stepOf(method);
  return panel && panels.has(panel.kind) ? { ...panels.get(panel.kind), data: panel.data } : null;
}

// What is known of an input that has no row, as only a panel shows it.
function pointOf(index) {
  for (const method of inSet()) {
    const panel = panelOf(method);
    const known = panel?.describe && attempt(method, () => panel.describe(panel.data, index));
    if (known) return { picture: null, ...known };
  }
  return null;
}

// What a panel makes of data that came from elsewhere: a damaged one costs itself and not the page.
function attempt(method, make) {
  try {
    return make();
  } catch (error) {
    console.warn(`The panel of ${method.place} can't be shown: ${error}`);
    return null;
  }
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
    [input.name, foundText(said), isWrong(input) ? "wrong" : ""].filter(Boolean).join(", "),
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
        ? foundText(said)
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
      bar.style.width = `${100 * clamp(Number(chance ?? 0), 0, 1)}%`;
      if (typeof chance === "number") cell.append(bar);
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

// What panels may ask of the page.
const page = { choose, inputs, predictedOf: (index) => saidOf(index)?.predicted, chosen: () => state.index };

function viewOf(method, input) {
  const step = stepOf(method);
  const same = method.set === state.set;
  const row = same ? step.rows[input.index] : undefined;
  const figures = (row?.tiles ?? []).map((each) => tileOf(each, input));
  const panel = panelOf(method);
  if (panel && (same || panel.ofAnyInput))
    figures.push(...(attempt(method, () => panel.draw(panel.data, input, page)) ?? []));
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
    .filter((input) => typeof saidOf(input.index)?.predictions[0]?.[1] === "number")
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
