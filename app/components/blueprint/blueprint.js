// Draws what app/charts/blueprint.py describes. Opening a block is the browser's own affair; choosing a
// step, a weight or a layer is told to Python.

const LONGEST_SIDE = 48; // CSS pixels of the longest matrix of an open block; the others to the same scale
const pictures = new WeakMap();
let choices = 0; // so that choosing the same thing again is news to the page

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function createBlueprint(root) {
  const stacks = root.querySelector(".stacks");
  const picture = { sheet: null, open: null, focused: null };

  function choosable(node, choice, id, current) {
    node.type = "button";
    node.dataset.id = id;
    if (current) node.setAttribute("aria-current", "true");
    node.addEventListener("click", () => picture.report(choice));
    return node;
  }

  function pickable(id, className) {
    if (!picture.sheet.stops.includes(id)) return make("span", className);
    return choosable(make("button", className), { step: id }, id, id === picture.sheet.selected);
  }

  function result({ id, symbol, name, shape, note }) {
    const node = pickable(id, "result");
    node.append(make("span", "symbol", symbol), make("span", "", name), make("span", "shape", shape));
    if (note) node.append(make("span", "note", note));
    return node;
  }

  function weight(part, scale) {
    const node = pickable(part.id, "weight");
    const sheet = make("span", "sheet");
    sheet.style.width = `${Math.max(2, part.columns * scale)}px`;
    sheet.style.height = `${Math.max(2, part.rows * scale)}px`;
    const label = make("span", "label");
    const [base, below] = part.name.split("_");
    const name = make("b", "", base);
    if (below) name.append(make("sub", "", below));
    label.append(name, ` ${part.count}`, make("br"), part.shape);
    node.append(sheet, label);
    return node;
  }

  function step(entry, scale) {
    const row = make("div", "step");
    const weights = make("div", "weights");
    weights.append(...entry.weights.map((part) => weight(part, scale)));
    row.append(weights);
    if (entry.name) row.append(result(entry));
    return row;
  }

  function measure(kind, share, text) {
    const node = make("span", `measure ${kind}`);
    const bar = make("span", "bar");
    const filled = make("i");
    filled.style.setProperty("--share", share);
    bar.append(filled);
    node.append(bar, make("span", "count", text));
    return node;
  }

  function block(item) {
    const row = make("div", `row block ${item.place || ""}`);
    row.dataset.block = item.id;
    const ids = item.steps.flatMap((entry) => [entry.id, ...entry.weights.map((part) => part.id)]);
    const { selected } = picture.sheet;
    const chosen = Boolean(selected) && (ids.includes(selected) || item.id === selected);
    const card = make("div", chosen ? "card chosen" : "card");
    const head = make("button", "head");
    head.type = "button";
    head.dataset.id = `block ${item.id}`;
    head.append(make("span", "title", item.title), make("span", "shape", item.shape));
    if (item.parameters !== undefined) {
      const measures = make("span", "measures");
      measures.append(
        measure("parameters", item.share.parameters, item.parameters),
        measure("flops", item.share.flops, item.flops),
      );
      head.append(measures);
    }
    card.append(head);
    if (item.steps.length) {
      const opened = picture.open === item.id;
      head.setAttribute("aria-expanded", String(opened));
      head.addEventListener("click", () => {
        picture.open = opened ? null : item.id;
        draw();
      });
      if (opened) card.append(inside(item));
    } else if (picture.sheet.stops.includes(item.id)) {
      head.addEventListener("click", () => picture.report({ step: item.id }));
    } else {
      head.disabled = true;
    }
    row.append(card);
    return row;
  }

  function inside(item) {
    const holder = make("div", "inside");
    const sides = item.steps.flatMap(({ weights }) => weights.flatMap((part) => [part.rows, part.columns]));
    const scale = LONGEST_SIDE / Math.max(1, ...sides);
    if (item.note) holder.append(make("div", "note", item.note));
    holder.append(...item.steps.map((entry) => step(entry, scale)));
    return holder;
  }

  function add(item) {
    const row = make("div", "row add");
    if (item.plus) row.append(make("span", "plus", "+"));
    row.append(result(item));
    return row;
  }

  function layers(item) {
    const holder = make("div", "layers");
    const top = make("div", "row");
    const repeat = make("div", "repeat");
    repeat.append(make("b", "", item.title));
    for (let layer = 0; item.picks && layer < item.count; layer += 1) {
      const pip = choosable(make("button", "pip", String(layer)), { layer }, `layer ${layer}`, false);
      pip.setAttribute("aria-pressed", String(layer === item.layer));
      pip.setAttribute("aria-label", `${picture.sheet.layer} ${layer}`);
      repeat.append(pip);
    }
    top.append(repeat);
    holder.append(make("div", "frame"), top, ...item.items.map(draws));
    return holder;
  }

  function draws(item) {
    return { block, add, layers }[item.type](item);
  }

  function draw() {
    const { sheet } = picture;
    const focused = root.getRootNode().activeElement?.dataset?.id;
    stacks.classList.toggle("two", sheet.stacks.length > 1);
    stacks.replaceChildren(
      ...sheet.stacks.map(({ title, items }) => {
        const stack = make("div", "stack");
        if (title) stack.append(make("div", "stack-title", title));
        stack.append(...items.map(draws));
        return stack;
      }),
    );
    if (focused) stacks.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    connect(root, sheet.bridge);
  }

  new ResizeObserver(() => picture.sheet && connect(root, picture.sheet.bridge)).observe(root);

  picture.show = (sheet) => {
    const moved = picture.sheet?.selected !== sheet.selected || picture.sheet?.kind !== sheet.kind;
    picture.sheet = sheet;
    if (moved && sheet.open) picture.open = sheet.open;
    root.setAttribute("aria-label", sheet.alt);
    draw();
  };
  return picture;
}

// The arrow from an encoder's end to the decoder's cross-attention, where the two stand side by side.
function connect(root, bridge) {
  const [line, tip] = root.querySelectorAll(".bridge path");
  const from = bridge && root.querySelector(`[data-block="${bridge.from}"] .card`);
  const to = bridge && root.querySelector(`[data-block="${bridge.to}"] .card`);
  const home = root.getBoundingClientRect();
  const scale = home.width / root.offsetWidth; // a presenter's page is drawn larger
  const [start, end] = [from, to].map((node) => node?.getBoundingClientRect());
  if (!start || end.left < start.right) {
    line.setAttribute("d", "");
    tip.setAttribute("d", "");
    return;
  }
  const [x0, y0] = [(start.right - home.left) / scale, ((start.top + start.bottom) / 2 - home.top) / scale];
  const [x1, y1] = [(end.left - home.left) / scale - 2, (end.top - home.top) / scale + 12];
  const middle = x0 + 14;
  line.setAttribute("d", `M ${x0} ${y0} H ${middle} V ${y1} H ${x1 - 6}`);
  tip.setAttribute("d", `M ${x1 - 7} ${y1 - 4} L ${x1} ${y1} L ${x1 - 7} ${y1 + 4} Z`);
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".blueprint");
  let picture = pictures.get(root);
  if (!picture) {
    picture = createBlueprint(root);
    pictures.set(root, picture);
  }
  picture.report = (choice) => setStateValue("selection", { ...choice, count: (choices += 1) });
  picture.show(data);
}
