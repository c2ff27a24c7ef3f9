import { expect, it } from "vitest";
import { cropIn } from "../src/workbench/pictures";

it("a crop lies in its box of the whole image", () => {
  expect(cropIn(224, 448, { source: 0, box: [0.25, 0, 0.5, 1] })).toEqual({
    left: 0,
    top: 112,
    width: 224,
    height: 224,
  });
  // Edges are rounded, not lengths: 7 / 3 to 14 / 3 are pixels 2 to 5.
  expect(cropIn(7, 7, { source: 0, box: [1 / 3, 1 / 3, 1 / 3, 1 / 3] })).toEqual({
    left: 2,
    top: 2,
    width: 3,
    height: 3,
  });
  expect(cropIn(10, 10, { source: 0, box: [0, 0, 0.001, 0.001] })).toMatchObject({ width: 1, height: 1 });
});
