/** Heights below are px of the duty screen's left column, where the map stands above the live tiles. */
const header = 36
const mapLeast = 190

/**
 * Height of the live panel so that pictures of 16:9 fill it: one camera wide, two side by side, three
 * as one large beside two small, four as 2x2. The map keeps a third of the column, and 190 px.
 */
export function liveHeight(tiles: number, column: { width: number; height: number }): number {
  if (tiles === 0) return header + 40
  const picture = (column.width * 9) / 16
  const wanted = { 1: picture, 2: picture / 2, 3: (picture * 2) / 3 }[tiles] ?? picture
  const most = Math.max(0, Math.min(column.height * 0.66, column.height - mapLeast))
  return Math.round(Math.min(header + wanted, most))
}

/** A list of rows is as high as its rows, between `least` and all it may have. */
export const listHeight = (rows: number, rowPx: number, least: number) =>
  header + Math.max(least, rows) * rowPx + 6
