/** Plotly, which pages with a plot include before their script. */

type Values = Record<string, unknown>;

interface Library {
  react(plot: string, traces: Values[], layout: Values, config: Values): void;
}

/** What Plotly adds to the element of its plot. */
export interface PlotElement extends HTMLElement {
  // biome-ignore lint/suspicious/noExplicitAny: each event has its own form
  on(event: string, act: (event: any) => void): void;
}

declare const Plotly: Library;

/** Draw a plot, or what has changed of it. */
export function drawPlot(plot: string, traces: Values[], layout: Values, config: Values): void {
  Plotly.react(plot, traces, layout, config);
}
