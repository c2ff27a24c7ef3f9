import { describe, expect, it } from "vitest";
import { mostConfused } from "../src/kinds/pairs";
import { isInside, nearest, type Point, shade, unpackPoints } from "../src/kinds/points";
import { base64 } from "./data";

it("points are whole thousandths, upwards", () => {
  // 0 and 1000, 250 and 500 as little-endian uint16
  expect(unpackPoints(base64([0, 0, 0xe8, 3, 250, 0, 0xf4, 1]))).toEqual([
    [0, 0],
    [0.25, 0.5],
  ]);
});

it("neighbours come nearest first, without the point itself", () => {
  const points: Point[] = [
    [0, 0],
    [3, 0],
    [1, 0],
    [0, 2],
  ];
  expect(nearest(points, 0, 2)).toEqual([2, 3]);
  expect(nearest(points, -1, 2)).toEqual([]);
});

describe("a lasso", () => {
  const notched: Point[] = [
    [0, 0],
    [4, 0],
    [4, 4],
    [2, 1],
    [0, 4],
  ];
  it("holds what is inside, also if it is not convex", () => {
    expect(isInside([1, 1], notched)).toBe(true);
    expect(isInside([2, 3], notched)).toBe(false);
    expect(isInside([5, 1], notched)).toBe(false);
  });
});

it("shades go from dark to light, and stay in their range", () => {
  expect([shade(-1), shade(0), shade(1), shade(2)]).toEqual(["#440154", "#440154", "#fde725", "#fde725"]);
});

it("the most confused pairs leave out the diagonal", () => {
  expect(
    mostConfused(
      [
        [0, 0, 9],
        [0, 1, 2],
        [1, 0, 5],
        [2, 1, 3],
      ],
      2,
    ),
  ).toEqual([
    [1, 0, 5],
    [2, 1, 3],
  ]);
});
