// Streamlit calls this for every new payload; what the learner pointed at and chose stays.

const VIEWS = { grid: createHeads, tokens: createTokens };
const drawn = new WeakMap();
const latest = new WeakMap(); // reading takes a moment: only the newest payload of a picture is drawn
let choices = 0; // so that choosing the same thing again, after a knob changed it, is news to the page

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".canvas-figure");
  latest.set(root, data);
  readPayload(data).then(({ header, arrays }) => {
    if (latest.get(root) === data) draw(root, header, arrays, setStateValue);
  });
}

function draw(root, header, arrays, setStateValue) {
  let figure = drawn.get(root);
  if (figure?.view !== header.view) {
    figure = { view: header.view };
    figure.update = VIEWS[header.view](root, (selection) => figure.report(selection));
    drawn.set(root, figure);
  }
  figure.report = (selection) => setStateValue("selection", { ...selection, count: (choices += 1) });
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", header.alt);
  figure.update(header, arrays);
}
