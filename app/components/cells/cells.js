// A table of words; pointer and arrow keys read its cells.

const DEEP = 0.75; // shades from here on carry the page's own colour as ink
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const tables = new WeakMap();
let choices = 0;

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function kind([label, colour]) {
  const entry = make("span", "kind quiet");
  const swatch = make("i");
  swatch.style.background = colour;
  entry.append(swatch, label);
  return entry;
}

function createTable(root) {
  const scroller = make("div", "scroller");
  const readout = make("div", "readout");
  const key = make("div", "key");
  readout.setAttribute("role", "status");
  root.replaceChildren(scroller, readout, key);
  const state = { data: null, cells: [], at: [0, 0] };

  function read(row, column) {
    const { data } = state;
    const list = data.cells[row][column].candidates.flatMap(([word, value]) => [make("b", "", word), ` ${value}  `]);
    readout.replaceChildren(
      make("span", "quiet", `${data.rows[row]}, ${data.columns[column]}: `), ...list,
      make("span", "quiet", data.cells[row][column].note),
    );
  }

  function move(row, column) {
    state.cells[state.at[0]]?.[state.at[1]]?.setAttribute("tabindex", "-1");
    state.at = [row, column];
    state.cells[row][column].tabIndex = 0;
    read(row, column);
  }

  function choose(row, column) {
    root.querySelector('[aria-selected="true"]')?.setAttribute("aria-selected", "false");
    state.cells[row][column].setAttribute("aria-selected", "true");
    state.report({ row, column });
  }

  function cell({ word, share, answer, tone }, row, column) {
    const kinds = { deep: share >= DEEP, answer, toned: tone };
    const node = make("td", Object.keys(kinds).filter((name) => kinds[name]).join(" "), word);
    node.style.setProperty("--share", share);
    if (tone) node.style.setProperty("--accent", tone); // a colour of its own: a kind, not an amount
    node.setAttribute("role", "gridcell");
    node.setAttribute("aria-selected", "false");
    node.title = word;
    node.tabIndex = -1;
    node.addEventListener("pointerenter", () => read(row, column));
    node.addEventListener("focus", () => move(row, column));
    node.addEventListener("click", () => choose(row, column));
    return node;
  }

  scroller.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const [row, column] = state.at;
    if (step) state.cells[row + step[0]]?.[column + step[1]]?.focus();
    else if (event.key === "Enter" || event.key === " ") choose(row, column);
    else return;
    event.preventDefault();
  });

  state.show = (data) => {
    // A text is read from `data.first` on, and stays where the reader has moved it while a word changes.
    const text = data.first !== undefined;
    const same = state.data && state.data.columns.length === data.columns.length;
    const left = scroller.scrollLeft;
    state.data = data;
    const table = make("table", data.narrow ? "narrow" : "");
    table.setAttribute("role", "grid");
    table.classList.toggle("text", text);
    table.setAttribute("aria-label", data.alt);
    const heads = make("tr");
    heads.append(make("th", "quiet", data.corner), ...data.columns.map((label) => make("th", "", label)));
    const head = make("thead");
    head.append(heads);
    const body = make("tbody");
    state.cells = data.cells.map((row, r) => row.map((entry, c) => cell(entry, r, c)));
    body.append(
      ...state.cells.map((row, r) => {
        const line = make("tr");
        line.append(make("th", "", data.rows[r]), ...row);
        return line;
      }),
    );
    table.append(head, body);
    scroller.replaceChildren(table);
    const first = text && state.cells[0][data.first];
    if (text) scroller.scrollLeft = same ? left : first.offsetLeft - 2 * first.offsetWidth - heads.firstChild.offsetWidth;
    else if (!data.from_left) scroller.scrollLeft = scroller.scrollWidth; // the last position is the one that answers
    state.at = text ? [0, data.first] : [data.rows.length - 1, data.columns.length - 1];
    state.cells[state.at[0]][state.at[1]].tabIndex = 0;
    readout.replaceChildren(make("span", "quiet", data.hint));
    if (data.legend) key.replaceChildren(...data.legend.map(kind));
    else key.replaceChildren(make("span", "quiet", data.value_title), make("span", "", "0"), make("i"), make("span", "", data.high));
  };
  return state;
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".cells");
  let table = tables.get(root);
  if (!table) {
    table = createTable(root);
    tables.set(root, table);
  }
  table.report = (selection) => setStateValue("selection", { ...selection, count: (choices += 1) });
  if (JSON.stringify(table.data) !== JSON.stringify(data)) table.show(data);
}
