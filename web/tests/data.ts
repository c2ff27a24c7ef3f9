/** A small page: five inputs, two methods, two epochs. */

import type { Heat, Method, PageData, Step } from "../src/workbench/data";

export function base64(values: number[]): string {
  return btoa(String.fromCharCode(...values));
}

export const heat: Heat = {
  indices: [0, 3],
  size: [1, 2],
  maps: base64([0, 255, 51, 0]),
  targets: ["cat", "dog"],
  colours: base64(Array.from({ length: 256 }, (_, at) => [at, 0, 255 - at]).flat()),
  signed: false,
  opacity: 0.5,
  others: { indices: [3], maps: base64([255, 0, 0, 102]), targets: [["dog"], ["eel"]] },
};

export function step(changes: Partial<Step>): Step {
  return {
    step: 0,
    headline: "",
    panel: null,
    rows: {},
    overview: null,
    findings: [],
    heat: null,
    neighbours: null,
    ...changes,
  };
}

const indices = [0, 1, 2, 3, 4];

export function page(): PageData {
  const gradcam: Method = {
    place: "gradcam",
    title: "Grad-CAM",
    set: 0,
    over: "epoch",
    steps: [
      step({
        step: 1,
        overview: { indices, predicted: [1, 1, 1, 1, 1], confidence: [0.6, 0.7, 0.8, 0.9, 1] },
      }),
      step({
        step: 4,
        heat,
        overview: { indices, predicted: [0, 1, 1, 0, 1], confidence: [0.9, 0.8, 0.7, 0.95, 0.4] },
        findings: [{ text: "dog is predicted as cat in 1 of 2 cases.", about: { label: 1, predicted: 0 } }],
      }),
    ],
  };
  const saliency: Method = {
    place: "saliency",
    title: "Saliency",
    set: 0,
    over: "step",
    steps: [
      step({
        rows: {
          3: { predicted: 0, predictions: [["cat", 0.95]], tiles: [["gradients", 1]], notes: ["a note"] },
        },
      }),
    ],
  };
  return {
    images: ["data:a", "data:b"],
    methods: [gradcam, saliency],
    sets: [
      {
        name: "5 inputs",
        count: 5,
        inputs: [{ index: 3, name: "d", label: 1, labelName: "dog", picture: 0, whole: null }],
        overview: {
          indices,
          names: ["a", "b", "c", "d", "e"],
          labels: [0, 1, 0, 1, -1],
          classes: { 0: "cat", 1: "dog" },
          values: null,
          thumbnails: { source: 1, side: 8, columns: 3 },
        },
      },
    ],
  };
}
