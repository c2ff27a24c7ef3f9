// The diagram on the page of a run.
registerPanel("interp_calibration.reliability", {
  draw: ({ error, bins }) => {
    const caption = make("figcaption", `expected calibration error ${percent(error)}`);
    const draw = (pen, side) => {
      pen.fillStyle = colour("--mark");
      bins.forEach(([from, count, right]) => {
        const height = count ? (right / count) * side : 0;
        pen.fillRect(from * side, side - height, side / bins.length - 1, height);
      });
    };
    return [plot(caption, "Reliability diagram", draw, () => {}).figure];
  },
  ofAnyInput: true,
});
