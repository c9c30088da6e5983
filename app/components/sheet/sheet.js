// Small matrices whose numbers can be edited, or read with their arithmetic.

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const sheets = new WeakMap();
const COMPLAINT_MS = 5000; // a refusal stays readable while the keyboard moves on
const ANSWER_MS = 3000; // until then an answer to an earlier edit does not undo a later one
let edits = 0;

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// A number as people type it, a typeset minus and a decimal comma included; NaN for anything else.
function numberOf(text) {
  const plain = text.trim().replaceAll("−", "-").replace(",", ".");
  return plain === "" ? NaN : Number(plain);
}

function typeset(number) {
  return String(number).replace("-", "−");
}

function createSheet(root) {
  const state = { data: null, matrices: new Map(), pinned: null, complained: -COMPLAINT_MS };

  // Reading a cell.

  function show(id, row, column) {
    for (const { cells } of state.matrices.values()) {
      for (const cell of cells.flat()) cell.classList.remove("first", "second", "here");
    }
    for (const stage of state.stages) stage.readout.replaceChildren();
    const matrix = state.matrices.get(id);
    matrix.cells[row][column].classList.add("here");
    matrix.data.sources.forEach(([name, axis, index], place) => {
      const source = state.matrices.get(name);
      const at = index === "i" ? row : column;
      for (const [r, line] of source.cells.entries()) {
        for (const [c, cell] of line.entries()) {
          const taken = axis === "cell" ? r === row && c === column : axis === "row" ? r === at : c === at;
          if (taken) cell.classList.add(place % 2 ? "second" : "first");
        }
      }
    });
    const lines = matrix.data.told[row][column].split("\n");
    matrix.stage.readout.replaceChildren(...lines.map((line) => make("div", "", line)));
    if (performance.now() - state.complained < COMPLAINT_MS) complain(matrix);
  }

  function complain(matrix) {
    matrix.stage.readout.replaceChildren(make("strong", "", state.data.words.bad));
  }

  function refuse(matrix) {
    state.complained = performance.now();
    complain(matrix);
  }

  function rest() {
    if (state.pinned) return show(...state.pinned);
    for (const { cells } of state.matrices.values()) {
      for (const cell of cells.flat()) cell.classList.remove("first", "second", "here");
    }
    for (const stage of state.stages) stage.readout.replaceChildren(make("span", "quiet", stage.hint));
  }

  function pin(id, row, column) {
    state.pinned = [id, row, column];
    show(id, row, column);
  }

  // Editing a cell.

  function commit(id, row, column, input) {
    const matrix = state.matrices.get(id);
    const value = numberOf(input.value);
    if (!(Math.abs(value) <= state.data.largest)) {
      input.value = typeset(matrix.raw[row][column]);
      return refuse(matrix);
    }
    state.complained = -COMPLAINT_MS;
    if (value === matrix.raw[row][column]) return;
    matrix.raw[row][column] = value;
    send(id, matrix);
  }

  function send(id, matrix) {
    matrix.sent = { values: JSON.stringify(matrix.raw), at: performance.now() };
    state.report({ matrix: id, values: matrix.raw.map((line) => [...line]) });
  }

  // Who types fast is ahead of the answers: what they have just typed stays.
  function isAhead(matrix, fresh) {
    const waits = matrix.sent && performance.now() - matrix.sent.at < ANSWER_MS;
    if (waits && JSON.stringify(fresh.raw) !== matrix.sent.values) return true;
    matrix.sent = null;
    return false;
  }

  // A block copied from a spreadsheet fills the cells from here on.
  function paste(event, id, row, column) {
    const lines = event.clipboardData.getData("text").trim().split(/\r?\n/).map((line) => line.split("\t"));
    if (lines.length === 1 && lines[0].length === 1) return;
    event.preventDefault();
    const matrix = state.matrices.get(id);
    const raw = matrix.raw.map((line) => [...line]);
    lines.forEach((line, r) =>
      line.forEach((text, c) => {
        if (raw[row + r]?.[column + c] !== undefined) raw[row + r][column + c] = numberOf(text);
      }),
    );
    if (raw.flat().every((value) => Math.abs(value) <= state.data.largest)) {
      matrix.raw = raw;
      send(id, matrix);
    } else refuse(matrix);
  }

  // Building, once for every shape; then filling.

  function cellOf(id, row, column, editable, label) {
    const cell = make("td");
    cell.addEventListener("pointerenter", () => show(id, row, column));
    cell.addEventListener("click", () => pin(id, row, column));
    if (editable) {
      const input = make("input");
      input.setAttribute("aria-label", label);
      input.autocomplete = "off";
      input.addEventListener("focus", () => {
        pin(id, row, column);
        input.select();
      });
      input.addEventListener("input", () => (input.dataset.typed = "yes"));
      input.addEventListener("change", () => {
        delete input.dataset.typed;
        commit(id, row, column, input);
      });
      input.addEventListener("paste", (event) => paste(event, id, row, column));
      cell.append(input);
    } else {
      cell.tabIndex = row || column ? -1 : 0;
      cell.addEventListener("focus", () => pin(id, row, column));
    }
    return cell;
  }

  function onKey(event, cells) {
    const typing = event.target.tagName === "INPUT";
    const key = event.key === "Enter" ? "ArrowDown" : event.key;
    if (!STEPS[key] || (typing && (key === "ArrowLeft" || key === "ArrowRight"))) return;
    const [down, right] = STEPS[key];
    const row = cells.findIndex((line) => line.some((cell) => cell.contains(event.target)));
    const column = cells[row]?.findIndex((cell) => cell.contains(event.target));
    const next = cells[row + down]?.[column + right];
    event.preventDefault();
    if (next) (next.querySelector("input") ?? next).focus();
    else if (typing) event.target.blur();
  }

  function tableOf(data, stage) {
    const card = make("figure");
    const caption = make("figcaption");
    caption.append(make("b", "", data.formula), make("span", "quiet", data.meaning));
    const table = make("table");
    table.setAttribute("role", "grid");
    table.setAttribute("aria-label", `${data.formula}. ${data.meaning}`);
    const head = make("tr");
    head.append(make("th"), ...data.columns.map((label) => make("th", "", label)));
    if (data.sums) head.append(make("th", "sum", "Σ"));
    const cells = data.rows.map((label, r) =>
      data.columns.map((name, c) => cellOf(data.id, r, c, data.edit, `${data.symbol} ${label} ${name}`)),
    );
    const sums = data.rows.map(() => make("td", "sum"));
    table.append(
      head,
      ...data.rows.map((label, r) => {
        const line = make("tr");
        const name = make("th", "", label);
        name.title = label;
        line.append(name, ...cells[r]);
        if (data.sums) line.append(sums[r]);
        return line;
      }),
    );
    table.addEventListener("keydown", (event) => onKey(event, cells));
    table.addEventListener("pointerleave", rest);
    const scroller = make("div", "scroller");
    scroller.append(table);
    card.append(caption, scroller);
    state.matrices.set(data.id, { data, cells, sums, stage, raw: null, sent: null });
    return card;
  }

  function build(data) {
    state.matrices.clear();
    state.pinned = null;
    state.stages = data.stages.map(({ title, hint }) => ({ title, hint, readout: make("div", "readout") }));
    root.replaceChildren(
      ...data.stages.map((stage, number) => {
        const section = make("section");
        const cards = make("div", "cards");
        state.stages[number].readout.setAttribute("role", "status");
        cards.append(...stage.matrices.map((matrix) => tableOf(matrix, state.stages[number])));
        section.append(make("h4", "", stage.title), cards, state.stages[number].readout);
        return section;
      }),
    );
  }

  function fill(data) {
    const inner = root.getRootNode().activeElement;
    for (const [number, stage] of data.stages.entries()) {
      state.stages[number].hint = stage.hint;
      for (const fresh of stage.matrices) {
        const matrix = state.matrices.get(fresh.id);
        matrix.data = fresh;
        const ahead = isAhead(matrix, fresh);
        if (!ahead) matrix.raw = fresh.raw.map((line) => [...line]);
        matrix.cells.forEach((line, r) =>
          line.forEach((cell, c) => {
            const input = cell.querySelector("input");
            if (!input) cell.textContent = fresh.shown[r][c];
            else {
              const typing = input === inner && input.dataset.typed;
              if (!ahead && !typing) input.value = typeset(fresh.raw[r][c]);
              input.disabled = fresh.fixed;
            }
            const share = fresh.shares[r][c];
            cell.style.setProperty("--share", Math.abs(share));
            cell.classList.toggle("below", share < 0);
            cell.classList.toggle("hidden", fresh.hidden[r][c]);
          }),
        );
        fresh.sums?.forEach((sum, r) => (matrix.sums[r].textContent = sum));
      }
    }
    rest();
  }

  state.take = (data) => {
    const shape = (sheet) =>
      JSON.stringify(
        sheet.stages.map((stage) => [
          stage.title,
          stage.matrices.map((m) => [m.id, m.formula, m.meaning, m.rows, m.columns, Boolean(m.sums), m.edit]),
        ]),
      );
    const fresh = !state.data || shape(state.data) !== shape(data);
    state.data = data;
    if (fresh) build(data);
    fill(data);
  };
  return state;
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".sheet");
  let sheet = sheets.get(root);
  if (!sheet) {
    sheet = createSheet(root);
    sheets.set(root, sheet);
  }
  sheet.report = (selection) => setStateValue("selection", { ...selection, count: (edits += 1) });
  root.setAttribute("aria-label", data.alt);
  if (JSON.stringify(sheet.data) !== JSON.stringify(data)) sheet.take(data);
}
