// What the panels on the page of a run have in common. It stands before the scripts of the kinds that bring one.
// biome-ignore-all lint/correctness/noUnusedVariables: panels and the page's script use them

// By kind: `draw(data, input, page)` gives figures; `describe(data, index)` gives what is known of an input that
// has no row on the page; `ofAnyInput` says that inputs of other sets may be shown too.
const panels = new Map();

function registerPanel(kind, panel) {
  panels.set(kind, panel);
}

// A canvas with a caption. `draw(pen, side)` draws; `act(x, y, side)` is called with clicks.
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
