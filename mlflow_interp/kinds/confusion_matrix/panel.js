// The matrix on the page of a run, with the row and the cell of the chosen input.
function matrixOf(matrix, input, page) {
  const count = matrix.names.length;
  const row = matrix.classes.indexOf(input.label);
  const column = matrix.classes.indexOf(page.predictedOf(input.index));
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
    const there = page
      .inputs()
      .filter(
        (each) => each.label === matrix.classes[from] && page.predictedOf(each.index) === matrix.classes[to],
      );
    if (there.length)
      page.choose(there[(there.findIndex((each) => each.index === page.chosen()) + 1) % there.length].index);
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

registerPanel("confusion_matrix", {
  draw: (matrix, input, page) => [matrixOf(matrix, input, page)],
  ofAnyInput: true,
});
