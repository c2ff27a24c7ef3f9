find("error").textContent = percent(data.error);
find("bins").replaceChildren(
  ...data.bins.map(([from, count, right]) => {
    const row = make("tr");
    row.append(make("td", percent(from)), make("td", count), make("td", right));
    return row;
  }),
);
