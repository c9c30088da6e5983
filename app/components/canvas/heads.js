// The view of a layer: every head small, one head large, a slider through the frames if there are several.

const LABELS_WIDE = 130; // pixels for the row labels
const LARGE_SHARE = 0.58; // of the width, for the head shown large; as in canvas.css

function createHeads(root, report) {
  const thumbs = element("div", "thumbs");
  const scrubber = element("label", "scrubber");
  const slider = element("input");
  const legend = element("div", "legend");
  const readout = element("p", "readout");
  thumbs.setAttribute("role", "listbox");
  readout.setAttribute("role", "status");
  slider.type = "range";
  const state = { header: null, arrays: null, head: 0, frame: 0, offered: null };
  const stage = element("div", "stage-holder");
  const side = element("div", "heads-side");
  side.append(thumbs, scrubber);
  root.replaceChildren(side, stage, readout, legend);
  const grid = createGrid(stage, readout, (cell) => report({ head: state.head, ...cell }));

  function codes(head) {
    const { shape, values } = state.arrays.codes;
    const [, heads, rows, columns] = shape;
    const start = (state.frame * heads + head) * rows * columns;
    return values.subarray(start, start + rows * columns);
  }

  function valueAt(row, column) {
    const { header, arrays, head } = state;
    const index = row * header.columns.length + column;
    const [low, high] = header.code_range;
    if (arrays.exact && header.exact_head === head) return { value: arrays.exact.values[index], error: 0 };
    const fine = arrays.fine;
    const code = fine ? fine.values[index] : codes(head)[index];
    const steps = fine ? 65535 : 255;
    return { value: low + (code / steps) * (high - low), error: (high - low) / steps / 2 };
  }

  function picture(head) {
    const { header, arrays } = state;
    const theme = themeAround(root);
    return {
      theme,
      table: coloursOfCodes(colourTable(header.maps[theme.dark ? "dark" : "light"]), header),
      codes: codes(head),
      allowed: arrays.mask?.values,
      rows: header.rows.length,
      columns: header.columns.length,
      rowLabels: header.rows,
      columnLabels: header.columns,
      rowTitle: header.row_title,
      columnTitle: header.column_title,
      valueTitle: header.value_title,
      words: header.words,
      height: header.height,
      smallestCell: header.smallest_cell,
      label: [header.alt, header.heads[head]].filter(Boolean).join(" "),
      key: [header.rows, header.columns].map((labels) => labels.join("\u0000")).join("\u0001"),
      valueAt,
    };
  }

  function draw() {
    const shown = picture(state.head);
    drawThumbs();
    grid.show(shown);
    const { maps, value_title: title } = state.header;
    drawLegend(legend, colourTable(maps[shown.theme.dark ? "dark" : "light"]), state.header, title);
    slider.setAttribute("aria-valuetext", state.header.frames[state.frame]);
    scrubber.lastChild.textContent = state.header.frames[state.frame];
  }

  function drawThumbs() {
    const { heads } = state.header;
    thumbs.hidden = heads.length < 2;
    if (thumbs.children.length !== heads.length) {
      thumbs.replaceChildren(...heads.map((_, head) => thumb(head)));
    }
    [...thumbs.children].forEach((node, head) => {
      const chosen = head === state.head;
      const [image, name, chip] = node.children;
      const small = cellImage(picture(head));
      image.width = small.width;
      image.height = small.height;
      image.getContext("2d").drawImage(small, 0, 0);
      name.textContent = heads[head];
      chip.textContent = state.header.patterns[head] || "";
      chip.hidden = !state.header.patterns[head];
      node.setAttribute("aria-selected", String(chosen));
      node.tabIndex = chosen ? 0 : -1;
    });
  }

  function thumb(head) {
    const node = element("button", "thumb");
    node.type = "button";
    node.setAttribute("role", "option");
    node.append(element("canvas", ""), element("span", "name"), element("span", "chip"));
    node.firstChild.setAttribute("aria-hidden", "true");
    node.addEventListener("click", () => chooseHead(head));
    return node;
  }

  function chooseHead(head) {
    const count = state.header.heads.length;
    state.head = (head + count) % count;
    draw();
    thumbs.children[state.head].focus();
    const cell = grid.chosen || { row: null, column: null };
    report({ head: state.head, ...cell });
  }

  thumbs.addEventListener("keydown", (event) => {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    chooseHead(state.head + step[0] + step[1]);
  });
  slider.addEventListener("input", () => {
    state.frame = Number(slider.value);
    draw();
  });
  onThemeChange(root, () => state.header && draw());
  new ResizeObserver(arrange).observe(root);

  // On a wide page the small heads stand beside the large one, if that one does not need the room.
  function arrange() {
    if (!state.header) return;
    const wanted = LABELS_WIDE + state.header.columns.length * state.header.smallest_cell * 1.4;
    const beside = state.header.heads.length > 1 && wanted < root.clientWidth * LARGE_SHARE;
    root.classList.toggle("beside", beside);
  }

  return (header, arrays) => {
    Object.assign(state, { header, arrays });
    if (state.offered !== header.selected) state.head = state.offered = header.selected;
    state.head = Math.min(state.head, header.heads.length - 1);
    state.frame = Math.min(state.frame, header.frames.length - 1);
    thumbs.setAttribute("aria-label", header.words.heads);
    scrubber.hidden = header.frames.length < 2;
    slider.max = String(header.frames.length - 1);
    slider.value = String(state.frame);
    scrubber.replaceChildren(element("span", "", header.words.frame), slider, element("output"));
    arrange();
    draw();
  };
}
