/** The charts of metrics over epochs or steps, which the template has drawn: the marker and the epoch. */

import type { Workbench } from "./workbench";

function numbers(text: string | undefined): number[] {
  return (text ?? "").split(",").map(Number);
}

function mark(chart: HTMLElement, step: number | undefined): void {
  if (step === undefined) return;
  const at = numbers(chart.dataset.steps).findLastIndex((each) => each <= step);
  if (at < 0) return;
  const [across, down] = ((chart.dataset.places ?? "").split(" ")[at] ?? "0,0").split(",");
  const dot = chart.querySelector("circle");
  dot?.setAttribute("cx", across ?? "0");
  dot?.setAttribute("cy", down ?? "0");
  const output = chart.querySelector("output");
  if (output)
    output.textContent = String(Number((numbers(chart.dataset.values)[at] as number).toPrecision(4)));
}

export function markCharts(bench: Workbench): void {
  for (const chart of document.querySelectorAll<HTMLElement>(".chart[data-over=epoch]"))
    mark(chart, bench.epoch);
}

export function listenToCharts(bench: Workbench): void {
  for (const chart of document.querySelectorAll<HTMLElement>(".chart")) {
    const svg = chart.querySelector("svg");
    if (!svg) continue;
    const steps = numbers(chart.dataset.steps);
    const overEpochs = chart.dataset.over === "epoch" && bench.epochs.length > 0;
    const nearest = (event: MouseEvent) => {
      const box = svg.getBoundingClientRect();
      const share = ((event.clientX - box.left) / box.width) * 200;
      const distances = (chart.dataset.places ?? "")
        .split(" ")
        .map((place) => Math.abs(Number(place.split(",")[0]) - share));
      return steps[distances.indexOf(Math.min(...distances))] as number;
    };
    svg.addEventListener("pointermove", (event) => mark(chart, nearest(event)));
    svg.addEventListener("pointerleave", () => mark(chart, overEpochs ? bench.epoch : steps.at(-1)));
    if (overEpochs)
      svg.addEventListener("click", (event) => {
        const at = bench.epochs.findLastIndex((each) => each <= nearest(event));
        if (at >= 0) bench.goTo(at);
      });
  }
}
