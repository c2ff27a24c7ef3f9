function tile([caption, source], input) {
  const figure = make("figure");
  figure.append(makeImage(source, `${caption} of ${input.name}`), make("figcaption", caption));
  return figure;
}

function show(input) {
  find("name").textContent = input.name;
  find("tiles").replaceChildren(...input.tiles.map((each) => tile(each, input)));
  find("explained").replaceChildren(...explanation(input));
  find("predictions").replaceChildren(...(input.predictions ?? []).map(predictionRow));
}

walkThrough(data, (input) => ({ label: input.name, sources: [input.tiles[0][1]] }), show);
