const slider = find("step");

function show() {
  const { step, figure, metrics } = data[Number(slider.value)];
  find("at").textContent = step;
  find("figure").src = figure;
  find("metrics").replaceChildren(
    ...metrics.map(([name, value]) => {
      const row = make("tr");
      row.append(make("td", name), make("td", value, "number"));
      return row;
    }),
  );
}

slider.addEventListener("input", show);
onArrowKeys(document, (across, down) => {
  slider.value = Number(slider.value) + across + down;
  show();
});
show();
