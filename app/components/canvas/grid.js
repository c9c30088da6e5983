// A matrix with labels on both sides: pointer and arrow keys read its cells.

const LARGEST_CELL = 44;
const LONGEST_LABEL = 12; // characters
const LABEL_PIXELS = 15; // what one line of label text needs

function createGrid(holder, readout, pick) {
  const stage = element("div", "stage");
  const table = element("div", "stage-grid");
  const corner = element("div", "corner");
  const columns = element("div", "columns");
  const rows = element("div", "rows");
  const canvas = element("canvas", "cells");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  table.append(corner, columns, rows, canvas);
  stage.append(table);
  holder.append(stage);

  const grid = { picture: null, cell: null, chosen: null, size: 16, showReadout };
  let pointer = null; // where it rests on the canvas: a new picture is read there at once

  function label(list, side, size) {
    const step = Math.max(1, Math.ceil(LABEL_PIXELS / size));
    side.replaceChildren(
      ...list.map((token, index) => {
        const node = element("span", "", index % step ? "" : shortened(token));
        node.title = token;
        node.style[side === columns ? "width" : "height"] = `${size}px`;
        return node;
      }),
    );
  }

  function layout() {
    const { picture } = grid;
    if (!picture || !stage.clientWidth) return;
    label(picture.rowLabels, rows, LABEL_PIXELS);
    label(picture.columnLabels, columns, LABEL_PIXELS);
    const wide = Math.floor((stage.clientWidth - rows.offsetWidth - 2) / picture.columns);
    const tall = Math.floor((picture.height - columns.offsetHeight) / picture.rows);
    grid.size = Math.max(picture.smallestCell, Math.min(wide, tall, LARGEST_CELL));
    label(picture.rowLabels, rows, grid.size);
    label(picture.columnLabels, columns, grid.size);
    stage.style.maxHeight = `${picture.height}px`;
    draw();
  }

  function draw() {
    const { picture, size } = grid;
    if (!picture) return;
    const density = window.devicePixelRatio || 1;
    canvas.width = Math.round(picture.columns * size * density);
    canvas.height = Math.round(picture.rows * size * density);
    canvas.style.width = `${picture.columns * size}px`;
    canvas.style.height = `${picture.rows * size}px`;
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(cellImage(picture), 0, 0, canvas.width, canvas.height);
    context.scale(density, density);
    if (picture.allowed) hatch(context, picture, size);
    if (size >= 36) writeValues(context, picture, size);
    outline(context);
    highlightLabels();
  }

  function outline(context) {
    const { picture, size, cell, chosen } = grid;
    context.strokeStyle = picture.theme.primary;
    if (chosen) strokeCell(context, chosen, size, 3);
    if (!cell) return;
    context.lineWidth = 1;
    context.strokeRect(0.5, cell.row * size + 0.5, picture.columns * size - 1, size - 1);
    context.strokeRect(cell.column * size + 0.5, 0.5, size - 1, picture.rows * size - 1);
    context.strokeStyle = picture.theme.text;
    strokeCell(context, cell, size, 2);
  }

  function highlightLabels() {
    const { cell } = grid;
    [...rows.children].forEach((node, index) => node.classList.toggle("on", cell?.row === index));
    [...columns.children].forEach((node, index) => node.classList.toggle("on", cell?.column === index));
  }

  function showReadout() {
    const { picture, cell } = grid;
    if (!cell) {
      readout.replaceChildren(element("span", "hint", picture.words["hint.grid"]));
      return;
    }
    const parts = [
      element("span", "side", picture.rowTitle),
      element("b", "token", picture.rowLabels[cell.row]),
      element("span", "arrow", "→"),
      element("span", "side", picture.columnTitle),
      element("b", "token", picture.columnLabels[cell.column]),
    ];
    const { value, error } = picture.valueAt(cell.row, cell.column);
    if (!isAllowed(picture, cell.row, cell.column)) {
      parts.push(element("span", "value", picture.words.hidden));
    } else {
      const sign = error ? "≈" : "=";
      parts.push(element("span", "value", `${picture.valueTitle} ${sign} ${formatNumber(value)}`));
      if (error) parts.push(element("span", "side", `± ${formatNumber(error)}`));
    }
    readout.replaceChildren(...parts.flatMap((part) => [part, " "]));
  }

  function move(cell) {
    const { picture } = grid;
    grid.cell = cell && {
      row: Math.min(picture.rows - 1, Math.max(0, cell.row)),
      column: Math.min(picture.columns - 1, Math.max(0, cell.column)),
    };
    draw();
    showReadout();
  }

  function cellUnder(event) {
    const box = canvas.getBoundingClientRect();
    const size = (grid.size * box.width) / canvas.offsetWidth; // on the screen: a presenter's page is drawn larger
    return {
      row: Math.floor((event.clientY - box.top) / size),
      column: Math.floor((event.clientX - box.left) / size),
    };
  }

  function choose() {
    if (!grid.cell) return;
    grid.chosen = grid.cell;
    draw();
    pick({ row: grid.cell.row, column: grid.cell.column });
  }

  canvas.addEventListener("pointermove", (event) => {
    pointer = { clientX: event.clientX, clientY: event.clientY };
    move(cellUnder(pointer));
  });
  canvas.addEventListener("pointerleave", () => {
    pointer = null;
    move(null);
  });
  canvas.addEventListener("click", (event) => {
    move(cellUnder(event));
    choose();
  });
  canvas.addEventListener("keydown", (event) => {
    const step = ARROWS[event.key];
    if (step) {
      const from = grid.cell || { row: -step[0], column: -step[1] }; // the first press enters at the corner
      move({ row: from.row + step[0], column: from.column + step[1] });
      reveal(stage, grid.cell, grid.size);
    } else if (event.key === "Enter" || event.key === " ") {
      choose();
    } else if (event.key === "Escape") {
      move(null);
    } else {
      return;
    }
    event.preventDefault();
  });
  new ResizeObserver(layout).observe(stage);

  grid.show = (picture) => {
    const fresh = !grid.picture || grid.picture.key !== picture.key;
    grid.picture = picture;
    canvas.setAttribute("aria-label", picture.label);
    corner.replaceChildren(element("span", "", `${picture.rowTitle} ↓`), element("span", "", `${picture.columnTitle} →`));
    if (fresh) {
      grid.cell = null;
      grid.chosen = null;
      layout();
      if (pointer) move(cellUnder(pointer));
    } else {
      draw();
    }
    showReadout();
  };
  return grid;
}

// Labels keep their beginning; the readout and the tooltip have the whole token.
function shortened(token) {
  const characters = [...token];
  return characters.length > LONGEST_LABEL ? `${characters.slice(0, LONGEST_LABEL - 1).join("")}…` : token;
}

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function reveal(stage, cell, size) {
  const canvas = stage.querySelector("canvas");
  const left = canvas.offsetLeft;
  const top = canvas.offsetTop;
  stage.scrollLeft = Math.max(
    Math.min(stage.scrollLeft, cell.column * size),
    left + (cell.column + 1) * size - stage.clientWidth,
  );
  stage.scrollTop = Math.max(
    Math.min(stage.scrollTop, cell.row * size),
    top + (cell.row + 1) * size - stage.clientHeight,
  );
}

function isAllowed(picture, row, column) {
  return !picture.allowed || bitAt(picture.allowed, row * picture.columns + column) === 1;
}

// One pixel per cell; the caller scales it up.
function cellImage(picture) {
  const image = document.createElement("canvas");
  image.width = picture.columns;
  image.height = picture.rows;
  const context = image.getContext("2d");
  const pixels = context.createImageData(picture.columns, picture.rows);
  for (let index = 0; index < picture.codes.length; index += 1) {
    const [red, green, blue] = picture.table[picture.codes[index]];
    pixels.data.set([red, green, blue, 255], index * 4);
  }
  context.putImageData(pixels, 0, 0);
  return image;
}

function hatch(context, picture, size) {
  context.save();
  context.strokeStyle = picture.theme.muted;
  context.lineWidth = 1;
  context.beginPath();
  for (let row = 0; row < picture.rows; row += 1) {
    for (let column = 0; column < picture.columns; column += 1) {
      if (isAllowed(picture, row, column)) continue;
      context.moveTo(column * size, (row + 1) * size);
      context.lineTo((column + 1) * size, row * size);
    }
  }
  context.stroke();
  context.restore();
}

function writeValues(context, picture, size) {
  context.font = `11px ${picture.theme.font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let row = 0; row < picture.rows; row += 1) {
    for (let column = 0; column < picture.columns; column += 1) {
      if (!isAllowed(picture, row, column)) continue;
      const { value } = picture.valueAt(row, column);
      context.fillStyle = inkOn(picture.table[picture.codes[row * picture.columns + column]]);
      context.fillText(shortNumber(value), (column + 0.5) * size, (row + 0.5) * size);
    }
  }
}

function shortNumber(value) {
  if (!Number.isFinite(value)) return formatNumber(value);
  return (Math.abs(value) < 100 ? value.toFixed(2) : String(+value.toPrecision(3))).replace("-", "−");
}

function strokeCell(context, { row, column }, size, width) {
  context.lineWidth = width;
  const inset = width / 2;
  context.strokeRect(column * size + inset, row * size + inset, size - width, size - width);
}
