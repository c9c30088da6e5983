// Colour maps from hex stops, and the theme around the figure.

function rgb(hex) {
  return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
}

// 256 colours between evenly spaced stops, as [r, g, b].
function colourTable(stops) {
  const points = stops.map(rgb);
  return Array.from({ length: 256 }, (_, code) => {
    const place = (code / 255) * (points.length - 1);
    const below = Math.min(Math.floor(place), points.length - 2);
    return points[below].map((low, i) => Math.round(low + (points[below + 1][i] - low) * (place - below)));
  });
}

function codeOf(value, [low, high]) {
  if (Number.isNaN(value)) return 0;
  const share = (value - low) / (high - low || 1);
  return Math.round(Math.min(1, Math.max(0, share)) * 255);
}

// Codes cover every value, colours only `range`: what lies beyond wears the colour of the nearer end.
function coloursOfCodes(table, { code_range: [low, high], range }) {
  return table.map((_, code) => table[codeOf(low + (code / 255) * (high - low), range)]);
}

function luminance([red, green, blue]) {
  const linear = [red, green, blue].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

// Ink that can be read on a colour of the map: black or white, as only they reach 4.5:1 on every colour.
function inkOn(colour) {
  return luminance(colour) > 0.179 ? "#000000" : "#ffffff";
}

function themeAround(node) {
  const style = getComputedStyle(node);
  const channels = (style.backgroundColor.match(/[\d.]+/g) || [255, 255, 255]).map(Number);
  const read = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
  return {
    dark: luminance(channels.slice(0, 3)) < 0.18,
    text: style.color,
    primary: read("--st-primary-color", "#0f6cb3"),
    background: style.backgroundColor,
    muted: read("--st-border-color", "#8888"),
    font: style.fontFamily,
  };
}

// The root's background fades in a millisecond when the theme changes; the end of that fade is our signal.
function onThemeChange(node, redraw) {
  node.addEventListener("transitionend", (event) => {
    if (event.target === node && event.propertyName === "background-color") redraw();
  });
}

function drawLegend(holder, table, { range: [low, high], code_range: reach = [low, high] }, title) {
  const bar = element("canvas", "legend-bar");
  bar.width = 256;
  bar.height = 1;
  const context = bar.getContext("2d");
  const pixels = context.createImageData(256, 1);
  table.forEach((colour, code) => pixels.data.set([...colour, 255], code * 4));
  context.putImageData(pixels, 0, 0);
  const ends = [reach[0] < low ? `≤ ${formatNumber(low)}` : formatNumber(low)];
  if (low < 0 && high > 0) ends.push("0");
  ends.push(reach[1] > high ? `≥ ${formatNumber(high)}` : formatNumber(high));
  const scale = element("div", "legend-scale");
  scale.append(bar, element("div", "legend-ends"));
  scale.lastChild.append(...ends.map((end) => element("span", "", end)));
  holder.replaceChildren(element("span", "legend-title", title), scale);
}

// Kinds of things, each with its colour.
function drawKinds(holder, kinds) {
  const entries = kinds.map(([label, colour]) => {
    const entry = element("span", "legend-kind");
    const swatch = element("i", "legend-swatch");
    swatch.style.backgroundColor = colour;
    entry.append(swatch, label);
    return entry;
  });
  holder.replaceChildren(...entries);
}
