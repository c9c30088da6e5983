// A row of tokens, coloured by a number each, by what the token pointed at gives to all, or by their kind.

function createTokens(root, report) {
  const row = element("div", "tokens");
  const readout = element("div", "readout");
  const legend = element("div", "legend");
  row.setAttribute("role", "listbox");
  readout.setAttribute("role", "status");
  root.replaceChildren(row, readout, legend);
  const state = { header: null, values: null, at: null, chosen: null, offered: undefined };

  function valueOf(token) {
    const { shape, values } = state.values;
    if (shape.length === 1) return values[token];
    const from = state.at ?? state.chosen ?? 0;
    return values[from * shape[1] + token];
  }

  function draw() {
    const { header } = state;
    const theme = themeAround(root);
    const table = header.kinds ? null : colourTable(header.maps[theme.dark ? "dark" : "light"]);
    const kinds = header.kinds && header.kinds.map(([, colour]) => rgb(colour));
    [...row.children].forEach((chip, token) => {
      const colour = kinds ? kinds[valueOf(token)] : table[codeOf(valueOf(token), header.range)];
      chip.style.backgroundColor = `rgb(${colour.join(",")})`;
      chip.style.color = inkOn(colour);
      chip.classList.toggle("on", token === state.at);
      chip.setAttribute("aria-selected", String(token === state.chosen));
      chip.tabIndex = token === (state.at ?? state.chosen ?? 0) ? 0 : -1;
    });
    if (kinds) drawKinds(legend, header.kinds);
    else drawLegend(legend, table, header, header.value_title);
    showReadout();
  }

  function showReadout() {
    const { header } = state;
    const token = state.at ?? state.chosen;
    if (token === null) {
      readout.replaceChildren(element("span", "hint", header.words.hint));
      return;
    }
    const value = valueOf(token);
    const told = header.kinds ? header.kinds[value][0] : `${header.value_title} = ${formatNumber(value)}`;
    const parts = [element("b", "token", header.tokens[token]), " ", element("span", "value", told)];
    const list = element("ol", "details");
    for (const [name, value] of header.details[token] || []) {
      const item = element("li");
      item.append(element("b", "token", name), " ", element("span", "", formatNumber(value)));
      list.append(item);
    }
    if (header.notes) parts.push(" ", element("span", "hint", header.notes[token]));
    readout.replaceChildren(...parts, list);
  }

  function point(token) {
    state.at = token;
    draw();
  }

  function choose(token) {
    state.chosen = token;
    draw();
    report({ token });
  }

  function chip(label, token) {
    const node = element("button", "token-chip", label);
    node.type = "button";
    node.setAttribute("role", "option");
    node.addEventListener("pointerenter", () => point(token));
    node.addEventListener("focus", () => point(token));
    node.addEventListener("click", () => choose(token));
    return node;
  }

  row.addEventListener("pointerleave", () => point(null));
  row.addEventListener("focusout", (event) => row.contains(event.relatedTarget) || point(null));
  row.addEventListener("keydown", (event) => {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    const count = row.children.length;
    row.children[((state.at ?? 0) + step[0] + step[1] + count) % count].focus();
  });
  onThemeChange(root, () => state.header && draw());

  return (header, arrays) => {
    const same = state.header && state.header.tokens.join("\u0000") === header.tokens.join("\u0000");
    Object.assign(state, { header, values: arrays.values });
    row.setAttribute("aria-label", header.alt);
    if (!same) {
      Object.assign(state, { at: null, chosen: null });
      row.replaceChildren(...header.tokens.map(chip));
    }
    if (state.offered !== header.selected) state.chosen = state.offered = header.selected;
    draw();
  };
}
