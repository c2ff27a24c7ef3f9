import { expect, it } from "vitest";
import {
  amount,
  bytes,
  compactAmount,
  finePercent,
  percent,
  plain,
  roundPercent,
  shorten,
} from "../src/common/format";

it("probabilities are percent, anything else is as it was", () => {
  expect([percent(0.1234), percent(7, "7.0"), percent(null), percent("3", "3")]).toEqual([
    "12.3%",
    "7.0",
    "",
    "3",
  ]);
});

it("shares are never rounded to none or all", () => {
  expect([0, 0.001, 0.5, 0.999, 1].map(roundPercent)).toEqual(["0%", "<1%", "50%", "99%", "100%"]);
  expect([0, 0.0001, 0.25].map(finePercent)).toEqual(["0.0%", "<0.1%", "25.0%"]);
});

it("numbers are short", () => {
  expect([1234567, 0.123456].map(amount)).toEqual(["1,234,567", "0.1235"]);
  expect([9999, 12345, 1.5e8, 2.5e10, 0.12345].map(compactAmount)).toEqual([
    "9,999",
    "12.3k",
    "150M",
    "25G",
    "0.123",
  ]);
});

it("long names keep their ending", () => {
  expect(shorten("abcdefghij", 7)).toBe("abcd…ij");
  expect(shorten("short", 7)).toBe("short");
});

it("text from data is no markup", () => {
  expect(plain("<b>$x$ & y</b>")).toBe("&lt;b&gt;&#36;x&#36; &amp; y&lt;/b&gt;");
});

it("base64 gives bytes", () => {
  expect([...bytes("AP8=")]).toEqual([0, 255]);
});
