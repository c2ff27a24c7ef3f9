/** Numbers and names as text. */

export function clamp(value: number, lowest: number, highest: number): number {
  return Math.max(lowest, Math.min(highest, value));
}

/** Plotly reads some HTML in text, and mathematics between "$"; what comes from data is plain text. */
export function plain(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/\$/g, "&#36;");
}

/** Shorten a text in its last third, as names often differ only at their end. */
export function shorten(text: string, longest: number): string {
  const ending = Math.floor((longest - 1) / 3);
  if (text.length <= longest) return text;
  return `${text.slice(0, longest - 1 - ending)}…${text.slice(text.length - ending)}`;
}

/** A probability in percent; `otherwise` for any other value, such as a logit or null. */
export function percent(value: unknown, otherwise: unknown = ""): unknown {
  return typeof value === "number" && value >= 0 && value <= 1 ? `${(100 * value).toFixed(1)}%` : otherwise;
}

/** A share in percent; "<0.1%" for a share that would round to 0.0%. */
export function finePercent(share: number): string {
  return share > 0 && share < 0.0005 ? "<0.1%" : `${(100 * share).toFixed(1)}%`;
}

/** A share in whole percent: 0% only for 0, and 100% only for 1. */
export function roundPercent(share: number): string {
  if (share <= 0) return "0%";
  if (share < 0.005) return "<1%";
  return share >= 1 ? "100%" : `${Math.min(99, Math.round(100 * share))}%`;
}

export function amount(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(4)));
}

/** A number in at most six characters. */
export function compactAmount(value: number): string {
  const rounded = (each: number) => String(Number(each.toPrecision(3)));
  if (!Number.isInteger(value)) return rounded(value);
  if (value >= 1e10) return `${rounded(value / 1e9)}G`;
  if (value >= 1e7) return `${rounded(value / 1e6)}M`;
  return value >= 1e4 ? `${rounded(value / 1e3)}k` : value.toLocaleString("en");
}

/** The bytes of a base64 text. */
export function bytes(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** Numbers from base64 of their little-endian bytes. */
export function unpack<T>(text: string, ArrayType: new (buffer: ArrayBufferLike) => T): T {
  return new ArrayType(bytes(text).buffer);
}
