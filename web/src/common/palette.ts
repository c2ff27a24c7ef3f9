/** Colours of classes, which are chosen for white paper. */

import { shared } from "./globals";

const LEAST = 0.12; // luminance with a contrast of at least 3 to the dark ground

/** The relative luminance of a colour "#rrggbb", 0 to 1, as WCAG defines it. */
export function luminance(hex: string): number {
  const [red, green, blue] = channels(hex).map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** The colour, mixed with white until it can be told from a dark ground. */
export function lightened(hex: string): string {
  let mixed = hex;
  for (let share = 0.1; luminance(mixed) < LEAST; share += 0.1)
    mixed = `#${channels(hex)
      .map((value) =>
        Math.round(value + (255 - value) * share)
          .toString(16)
          .padStart(2, "0"),
      )
      .join("")}`;
  return mixed;
}

/** The colour of a class on the page as it is now, light or dark. */
export function onGround(hex: string): string {
  return shared.isDark() ? lightened(hex) : hex;
}

function channels(hex: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
}
