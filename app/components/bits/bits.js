// Rows of bits; pointer, or arrow keys and Enter, flip one.

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const sheets = new WeakMap();
let flips = 0;

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function createSheet(root) {
  const state = { data: null, buttons: [], at: [0, 0] };

  function flip(row, column) {
    const { format, bits } = state.data.rows[row];
    const other = bits[column] === "1" ? "0" : "1";
    state.report({ format, bits: bits.slice(0, column) + other + bits.slice(column + 1) });
  }

  function reach(row, column) {
    const line = state.buttons[row];
    const target = line?.[Math.min(column, line.length - 1)];
    if (!target) return;
    state.buttons[state.at[0]][state.at[1]].tabIndex = -1;
    state.at = [row, line.indexOf(target)];
    target.tabIndex = 0;
    target.focus();
  }

  function button(row, column, field) {
    const { format, bits } = state.data.rows[row];
    const node = make("button", `bit ${field} ${bits[column] === "1" ? "one" : ""}`, bits[column]);
    node.type = "button";
    node.tabIndex = -1;
    node.disabled = state.data.fixed;
    node.setAttribute("aria-label", `${format}, ${state.data.words[field]}, ${column + 1}: ${bits[column]}`);
    node.addEventListener("click", () => {
      reach(row, column);
      flip(row, column);
    });
    return node;
  }

  function line(entry, row) {
    const node = make("div", "line");
    const groups = make("div", "groups");
    let column = 0;
    for (const [field, count] of entry.fields) {
      const group = make("span", "group");
      for (const end = column + count; column < end; column += 1) {
        const bit = button(row, column, field);
        state.buttons[row].push(bit);
        group.append(bit);
      }
      groups.append(group);
    }
    const told = make("div", "told");
    told.append(make("b", "", entry.value), ` ${entry.note}`);
    node.append(make("div", "name", entry.format), groups, told);
    return node;
  }

  root.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step) return;
    reach(state.at[0] + step[0], Math.max(0, state.at[1] + step[1]));
    event.preventDefault();
  });

  state.show = (data) => {
    const focused = root.contains(root.getRootNode().activeElement);
    state.data = data;
    state.buttons = data.rows.map(() => []);
    const key = make("div", "key");
    for (const field of ["sign", "exponent", "mantissa"]) key.append(make("i", `bit one ${field}`), make("span", "", data.words[field]));
    const lines = data.rows.map(line);
    root.replaceChildren(key, ...lines, make("div", "quiet", data.fixed ? "" : data.words.hint));
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", data.alt);
    for (const [field, colour] of Object.entries(data.colours)) root.style.setProperty(`--${field}`, colour);
    const row = Math.min(state.at[0], data.rows.length - 1);
    state.at = [row, Math.min(state.at[1], state.buttons[row].length - 1)];
    const current = state.buttons[row][state.at[1]];
    current.tabIndex = 0;
    if (focused) current.focus();
  };
  return state;
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".bits");
  let sheet = sheets.get(root);
  if (!sheet) {
    sheet = createSheet(root);
    sheets.set(root, sheet);
  }
  sheet.report = (selection) => setStateValue("selection", { ...selection, count: (flips += 1) });
  if (JSON.stringify(sheet.data) !== JSON.stringify(data)) sheet.show(data);
}
