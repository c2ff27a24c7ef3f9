function show(input) {
  find("picture").src = input.picture ?? input.heat;
  find("picture").alt = input.name;
  find("heat").src = input.heat;
  find("heat").hidden = input.picture === null;
  find("heat").alt = `where the model looks for ${input.target}`;
  find("name").textContent = input.name;
  find("explained").replaceChildren(...explanation(input));
  find("predictions").replaceChildren(...input.predictions.map(predictionRow));
}

function thumbnail({ name, target, picture, heat }) {
  return { label: `${name}: ${target}`, sources: picture ? [picture, heat] : [heat] };
}

function fade() {
  for (const heat of document.querySelectorAll("#heat, .strip img + img"))
    heat.style.opacity = find("opacity").value / 100;
}

walkThrough(data, thumbnail, show);
find("opacity").addEventListener("input", fade);
fade();
