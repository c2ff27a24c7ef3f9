import { describe, expect, it } from "vitest";
import { colourise, mapAt, resample } from "../src/workbench/heat";
import { base64, heat } from "./data";

describe("maps", () => {
  it("are relative to their strongest heat", () => {
    expect([...mapAt(heat, { rank: 0, position: 0 }).values]).toEqual([0, 1]);
    expect(mapAt(heat, { rank: 0, position: 1 }).values[0]).toBeCloseTo(0.2);
  });
  it("have their middle at 128 if signed", () => {
    const signed = { ...heat, signed: true, maps: base64([1, 255, 128, 128]) };
    expect([...mapAt(signed, { rank: 0, position: 0 }).values]).toEqual([-1, 1]);
    expect([...mapAt(signed, { rank: 0, position: 1 }).values]).toEqual([0, 0]);
  });
});

it("maps of other classes come rank by rank", () => {
  expect([...mapAt(heat, { rank: 1, position: 0 }).values]).toEqual([1, 0]);
  expect(mapAt(heat, { rank: 2, position: 0 }).values[1]).toBeCloseTo(0.4);
});

describe("resampling", () => {
  it("keeps the values at the centres of pixels, and repeats the edge", () => {
    const four = resample({ values: Float32Array.of(0, 1), height: 1, width: 2 }, 1, 4);
    // Centres at 0.25, 0.75, 1.25, 1.75 pixels; those of the map are at 0.5 and 1.5.
    expect([...four]).toEqual([0, 0.25, 0.75, 1]);
  });
  it("of a constant map is constant", () => {
    const map = { values: new Float32Array(6).fill(0.5), height: 2, width: 3 };
    expect(new Set(resample(map, 7, 5))).toEqual(new Set([0.5]));
  });
  it("keeps a linear ramp linear between centres", () => {
    const map = { values: Float32Array.of(0, 1, 2, 3), height: 4, width: 1 };
    expect(resample(map, 8, 1)[3]).toBeCloseTo(1.25);
  });
});

describe("colours", () => {
  it("are more opaque the stronger the heat", () => {
    const pixels = colourise(heat, Float32Array.of(0, 1, 0.5), 0.5);
    expect([...pixels.subarray(0, 4)]).toEqual([0, 0, 255, 0]);
    expect([...pixels.subarray(4, 8)]).toEqual([255, 0, 0, 128]);
    expect(pixels[11]).toBe(64);
  });
  it("of signed heat have no heat in the middle", () => {
    const pixels = colourise({ ...heat, signed: true }, Float32Array.of(-1, 0, 1), 1);
    expect([pixels[0], pixels[3], pixels[4], pixels[7], pixels[8], pixels[11]]).toEqual([
      0, 255, 128, 0, 255, 255,
    ]);
  });
});
