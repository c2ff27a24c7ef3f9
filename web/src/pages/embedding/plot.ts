/** Draws the points. */

import { colour } from "../../common/dom";
import { clamp, plain } from "../../common/format";
import { onGround } from "../../common/palette";
import { drawPlot } from "../plotly";
import type { Group, Points } from "./points";

const SMOOTH_SVG = 1500;
const MOST_RINGED = 3000;
const NARROW = 520;
// A list of those allowed, as Plotly's own includes one that uploads the plot to its cloud.
const BUTTONS_2D = ["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"];
const BUTTONS_3D = ["toImage", "zoom3d", "pan3d", "orbitRotation", "resetCameraDefault3d"];

type Values = Record<string, unknown>;

export function draw(points: Points): void {
  const deep = points.data.components === 3;
  drawPlot(
    "plot",
    points.groups.flatMap((group) => traces(points, group)),
    layout(points),
    {
      scrollZoom: true,
      displaylogo: false,
      modeBarButtons: [deep ? BUTTONS_3D : BUTTONS_2D],
      responsive: true,
    },
  );
}

/** The points of a group, and the rings around those that are wrongly predicted. */
function traces(points: Points, group: Group): Values[] {
  const { data } = points;
  const count = points.inputs.names.length;
  const deep = data.components === 3;
  const size = dotSize(points);
  const trace = (rows: number[], marker: Values, more: Values): Values => ({
    type: deep ? "scatter3d" : count > SMOOTH_SVG ? "scattergl" : "scatter",
    mode: "markers",
    name: plain(group.name),
    legendgroup: points.groups.indexOf(group),
    customdata: rows,
    marker,
    ...more,
    x: rows.map((row) => points.coordinate(row, 0)),
    y: rows.map((row) => points.coordinate(row, 1)),
    ...(deep ? { z: rows.map((row) => points.coordinate(row, 2)) } : {}),
  });
  const rows = points.rowsOf(group);
  const dots = { ...colouring(points, group, rows), size, opacity: 0.85 };
  const ink = colour("--ink");
  const rings = {
    color: ink,
    size: deep ? 1.6 * size + 1 : size + 3,
    symbol: "circle-open",
    line: { width: 1.2, color: ink },
  };
  const ringed = points.onlyWrong || count > MOST_RINGED ? [] : rows.filter((row) => points.isWrong(row));
  return [
    trace(rows, dots, { hoverinfo: "none" }),
    // Of the same legend group, so that they go with their class.
    trace(ringed, rings, {
      // In three dimensions a ring may lie in front of its point, and must answer for it.
      hoverinfo: deep ? "none" : "skip",
      showlegend: false,
    }),
  ];
}

/** Plotly draws points of the same size about three times as large in three dimensions. */
function dotSize({ data, inputs }: Points): number {
  const deep = data.components === 3;
  const crowd = Math.sqrt(inputs.names.length);
  if (data.size) return Math.sqrt(data.size) / (deep ? 3 : 1);
  return deep ? clamp(60 / crowd, 1.5, 3.5) : clamp(260 / crowd, 4, 9);
}

/** Of a regression a continuous scale; a point without a label is not on it. */
function colouring(points: Points, group: Group, rows: number[]): Values {
  const { data, step } = points;
  if (!data.values) {
    const shown = (hex = colour("--faint")) => onGround(hex);
    const { colour: hex } = group;
    return {
      color: hex ? shown(hex) : rows.map((row) => shown(points.classOf.get(points.labelOf(row))?.colour)),
    };
  }
  const { title, low, high, scale } = data.values;
  return {
    color: rows.map((row) => step.values?.[row]),
    colorscale: scale,
    cmin: low,
    cmax: high,
    showscale: data.legend,
    colorbar: { title: { text: plain(title), side: "right" }, thickness: 12, outlinewidth: 0 },
  };
}

function layout({ data, groups, layer }: Points): Values {
  const deep = data.components === 3;
  const hidden = { showgrid: false, zeroline: false, showticklabels: false, title: { text: "" } };
  const square = { ...hidden, scaleanchor: data.components > 1 ? "x" : undefined };
  // The numbers mean nothing, but the box and the names show how the points are turned.
  const named = (number: number) => ({
    showticklabels: false,
    showspikes: false,
    ticks: "",
    title: { text: `${plain(data.title)} ${number}`, font: { size: 11, color: colour("--faint") } },
    gridcolor: colour("--line"),
    zerolinecolor: colour("--line"),
    showline: true,
    linecolor: colour("--faint"),
  });
  return {
    margin: { l: 8, r: 8, t: 34, b: 8 },
    hovermode: "closest",
    dragmode: deep ? "orbit" : "pan",
    paper_bgcolor: colour("--ground"),
    plot_bgcolor: colour("--ground"),
    font: { color: colour("--ink") },
    showlegend: data.legend && groups.length > 1 && innerWidth > NARROW,
    legend: { itemsizing: "constant", tracegroupgap: 0, title: { text: "" } },
    xaxis: hidden,
    yaxis: square,
    scene: { xaxis: named(1), yaxis: named(2), zaxis: named(3), aspectmode: "data" },
    // Keeps zoom and what the legend hides while layers and steps go by.
    uirevision: `${layer}`,
  };
}
