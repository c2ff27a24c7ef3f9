import { expect, it } from "vitest";
import { lightened, luminance } from "../src/common/palette";

const contrast = (one: number, other: number) =>
  (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);

it("luminance is that of WCAG", () => {
  expect([luminance("#000000"), luminance("#ffffff")]).toEqual([0, 1]);
  // The contrast of grey #767676 to white is known to be 4.54.
  expect(contrast(luminance("#767676"), 1)).toBeCloseTo(4.54, 2);
});

it("dark colours become light enough for a dark ground, others stay", () => {
  for (const colour of ["#000000", "#990000", "#00008b"])
    expect(contrast(luminance(lightened(colour)), luminance("#0d1117"))).toBeGreaterThan(3);
  expect(lightened("#2b8cee")).toBe("#2b8cee");
});
