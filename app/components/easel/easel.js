// A small sheet to draw on, by pointer or by keys.

const STEPS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
const SCALE = 12; // canvas pixels of a square
const RADIUS = 4.4; // squares from a stamp's middle to its edge, as in the generated pictures
const easels = new WeakMap();

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// Whether a tool covers the square that lies (x, y) from the pointer's.
const COVERS = {
  brush: (x, y) => Math.abs(x) < 1 && Math.abs(y) < 1,
  circle: (x, y) => Math.hypot(x, y) <= RADIUS,
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) <= 0.85 * RADIUS,
  triangle: (x, y) => y <= 0.75 * RADIUS && 0.894 * Math.abs(x) - 0.447 * (y + RADIUS) <= 0.2,
  cross: (x, y) => {
    const [near, far] = [Math.abs(x), Math.abs(y)].sort((a, b) => a - b);
    return far <= RADIUS && near <= 0.36 * RADIUS;
  },
};

function createEasel(root) {
  const state = { tool: "circle", colour: 0, at: null, down: false };
  const canvas = make("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  const tools = make("div", "tools");
  const status = make("div", "quiet");
  status.setAttribute("role", "status");
  root.replaceChildren(canvas, tools);

  function paint() {
    const { side, palette } = state.data;
    const context = canvas.getContext("2d");
    state.cells.forEach((cell, at) => {
      context.fillStyle = palette[cell];
      context.fillRect((at % side) * SCALE, Math.floor(at / side) * SCALE, SCALE, SCALE);
    });
    if (!state.at) return;
    context.strokeStyle = "#747a85";
    context.lineWidth = 2;
    context.strokeRect(state.at[0] * SCALE + 1, state.at[1] * SCALE + 1, SCALE - 2, SCALE - 2);
  }

  function use() {
    const { side } = state.data;
    const [column, row] = state.at;
    state.cells = state.cells.map((cell, at) =>
      COVERS[state.tool]((at % side) - column, Math.floor(at / side) - row) ? state.colour : cell,
    );
    paint();
  }

  function send() {
    state.report(state.cells.join(""));
  }

  function squareOf(event) {
    const box = canvas.getBoundingClientRect();
    const { side } = state.data;
    const place = (offset, size) => Math.min(side - 1, Math.max(0, Math.floor((offset / size) * side)));
    return [place(event.clientX - box.left, box.width), place(event.clientY - box.top, box.height)];
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    state.down = true;
    state.at = squareOf(event);
    use();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!state.down || state.tool !== "brush") return;
    state.at = squareOf(event);
    use();
  });
  const lift = () => {
    if (!state.down) return;
    state.down = false;
    state.at = null;
    paint();
    send();
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const { side } = state.data;
    if (step) {
      const [column, row] = state.at ?? [side / 2, side / 2];
      const within = (place) => Math.min(side - 1, Math.max(0, place));
      state.at = [within(column + step[0]), within(row + step[1])];
      paint();
    } else if (event.key === "Enter" || event.key === " ") {
      state.at ??= [side / 2, side / 2];
      use();
      send();
    } else return;
    event.preventDefault();
  });

  function pressed(buttons, chosen) {
    buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(at === chosen)));
  }

  function build() {
    const { palette, words, side } = state.data;
    canvas.width = canvas.height = side * SCALE;
    canvas.setAttribute("aria-label", words.sheet);
    const swatches = palette.map((colour, at) => {
      const button = make("button", "swatch");
      button.style.background = colour;
      button.setAttribute("aria-label", words.colours[at]);
      button.title = words.colours[at];
      button.addEventListener("click", () => {
        state.colour = at;
        pressed(swatches, at);
      });
      return button;
    });
    const names = Object.keys(COVERS);
    const stamps = names.map((name, at) => {
      const button = make("button", "", words.tools[name]);
      button.addEventListener("click", () => {
        state.tool = name;
        pressed(stamps, at);
      });
      return button;
    });
    const clear = make("button", "", words.clear);
    clear.addEventListener("click", () => {
      state.cells = state.cells.map(() => palette.length - 1);
      paint();
      send();
    });
    pressed(swatches, state.colour);
    pressed(stamps, names.indexOf(state.tool));
    const rows = [swatches, stamps, [clear]].map((buttons) => {
      const row = make("div", "row");
      row.append(...buttons);
      return row;
    });
    status.textContent = words.hint;
    tools.replaceChildren(...rows, status);
  }

  state.show = (data) => {
    // Words follow the language; what has been drawn stays the browser's until it says something else.
    const fresh = !state.data;
    state.data = data;
    if (fresh) state.cells = [...data.cells].map(Number);
    build();
    paint();
  };
  return state;
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".easel");
  if (!easels.has(root)) easels.set(root, createEasel(root));
  const easel = easels.get(root);
  easel.report = (cells) => setStateValue("selection", cells);
  easel.show(data);
}
