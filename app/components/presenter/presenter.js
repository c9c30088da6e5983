// Shows one slide of the page at a time. The page stays as Streamlit drew it: a style sheet hides the rest.

const STAGES = ["mode", "part", "stage", "view", "look"]; // what labs call a knob that picks a part of the experiment
const EXPERIMENT = "present-experiment";
const LARGEST = 2.2; // times the ordinary size
const LEAST = 1.2; // of a figure that is too tall for the screen: it scrolls rather than shrinks
const COLUMN = 860; // width in ordinary pixels that fills the screen
const FRAME = 90; // pixels for the bar and the air above
const states = new WeakMap(); // where each bar is; it outlives a redrawing

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// The lab's figures now on the page, outermost containers only, in reading order.
function figures(lab) {
  const prefix = `st-key-${lab}-figure-`;
  const found = new Map();
  for (const node of document.querySelectorAll(`.st-key-${EXPERIMENT} [class*="${prefix}"]`)) {
    const name = [...node.classList].find((each) => each.startsWith(prefix));
    if (name && !found.has(name)) found.set(name, node.querySelector("strong")?.textContent ?? "");
  }
  return [...found].map(([name, label]) => ({ name, label, figure: true }));
}

// The knobs that pick a stage, the outer one first: their buttons, and which is pressed.
function stages(lab) {
  const found = [];
  for (const knob of STAGES) {
    const group = document.querySelector(`.st-key-${EXPERIMENT} [class*="st-key-${lab}-${knob}-"]`);
    const buttons = group ? [...group.querySelectorAll('[role="radio"]')] : [];
    const at = buttons.findIndex((button) => button.getAttribute("aria-checked") === "true");
    if (at >= 0) found.push({ group, buttons, at });
  }
  const follows = (a, b) => a.group.compareDocumentPosition(b.group) & Node.DOCUMENT_POSITION_FOLLOWING;
  return found.sort((a, b) => (follows(a, b) ? -1 : 1));
}

function slides(data) {
  return data.slides.flatMap(([key, label]) => {
    const slide = { name: `st-key-${key}`, label };
    return key === EXPERIMENT ? [slide, ...figures(data.lab)] : [slide];
  });
}

function sheetFor(slide, data, knobs, zoom) {
  const figure = `[class*="st-key-${data.lab}-figure-"]`;
  const current = slide.figure && knobs ? `.st-key-${EXPERIMENT}` : `.${slide.name}`;
  const keep = `:is(${current}, .st-key-presenter)`;
  const others = slide.figure ? `${figure}:not(.${slide.name}):not(.${slide.name} *)` : figure;
  const inExperiment = current === `.st-key-${EXPERIMENT}`;
  return `
    .stMainBlockContainer *:not(:has(${keep})):not(${keep}):not(${keep} *) { display: none !important; }
    ${inExperiment ? `.st-key-${EXPERIMENT} ${others}, .st-key-${EXPERIMENT} [class*="-take-home"] { display: none !important; }` : ""}
    .stMainBlockContainer {
      max-width: none !important; width: ${100 / zoom}%; padding: 1rem 2rem 4rem !important;
      transform: scale(${zoom}); transform-origin: 0 0; align-self: flex-start; flex-shrink: 0;
    }
    /* Plotly is told the size on the screen, enlarged: its frame is shrunk for the measuring, itself not. */
    [data-testid="stFullScreenFrame"]:has(> .stPlotlyChart) { transform: scale(${1 / zoom}); transform-origin: 0 0; }
    .js-plotly-plot { transform: scale(${zoom}); transform-origin: 0 0; }
    .stSidebar, [data-testid="stHeader"], [data-testid="stExpandSidebarButton"] { display: none !important; }
    .st-key-present-principle, .st-key-present-derivation, .st-key-present-practice { max-width: 46rem; margin: 0 auto; }
  `;
}

// Keys belong to whoever is typing, or turning a knob that listens to them itself.
function isBusy(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  const target = event.composedPath()[0];
  if (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return true;
  const arrow = event.key.startsWith("Arrow");
  if (arrow && target.closest?.('[role="slider"], [role="radio"], [role="gridcell"], [role="listbox"], [role="tab"]')) return true;
  return event.key === " " && target.closest?.("button, a, summary");
}

function present(root, data, state, leave) {
  const sheet = document.head.appendChild(make("style"));
  const scroller = () => document.querySelector('[data-testid="stMain"]');
  let waiting = 0;

  function current() {
    const all = slides(data);
    const at = all.findIndex((slide) => slide.name === state.name);
    if (at >= 0) return { all, at };
    // its figure is gone for the moment, as while a stage is being drawn: the experiment stands in
    return { all, at: all.findIndex((slide) => slide.name === `st-key-${EXPERIMENT}`) };
  }

  // As large as the width allows; a figure no larger than lets the whole of it be seen.
  function zoomFor(slide) {
    const wide = Math.min(LARGEST, Math.max(1, window.innerWidth / COLUMN));
    const node = slide.figure && !state.knobs ? document.querySelector(`.${slide.name}`) : null;
    const tall = node?.getBoundingClientRect().height;
    if (!tall || state.fitted !== slide.name) return wide; // not on the screen yet
    const fits = (window.innerHeight - FRAME) / (tall / state.zoom);
    return Math.min(wide, Math.max(fits, Math.min(wide, LEAST)));
  }

  function draw() {
    const { all, at } = current();
    const slide = all[at];
    const zoom = zoomFor(slide);
    if (state.fitted !== slide.name || Math.abs(zoom - state.zoom) > 0.04) state.zoom = zoom;
    if (state.fitted !== slide.name) later(); // measured once it has been drawn
    state.fitted = slide.name;
    const css = sheetFor(slide, data, state.knobs, Number(state.zoom.toFixed(3)));
    if (sheet.textContent !== css) {
      sheet.textContent = css;
      window.dispatchEvent(new Event("resize")); // a picture that was hidden measures itself again
    }
    const inside = slide.figure || slide.name === `st-key-${EXPERIMENT}`;
    const where = inside ? stages(data.lab).map(({ buttons, at }) => buttons[at].textContent.trim()) : [];
    if (!root.matches(":popover-open")) root.showPopover(); // above the page, and not enlarged with it
    const told = JSON.stringify([all, at, where, state.knobs]);
    if (told === state.told && root.childNodes.length) return;
    state.told = told;
    const back = make("button", "", "‹");
    const on = make("button", "", "›");
    const knobs = make("button", "", data.words.knobs);
    const out = make("button", "", data.words.leave);
    back.title = back.ariaLabel = data.words.back;
    on.title = on.ariaLabel = data.words.next;
    knobs.setAttribute("aria-pressed", String(state.knobs));
    knobs.hidden = !slide.figure;
    back.onclick = () => step(-1);
    on.onclick = () => step(1);
    knobs.onclick = toggle;
    out.onclick = leave;
    const title = make("span", "title", [data.title, ...where, slide.label].join(" · "));
    title.setAttribute("role", "status");
    const place = make("span", "place", `${at + 1} / ${all.length}`);
    root.replaceChildren(back, place, on, title, knobs, out);
  }

  function go(name) {
    state.name = name;
    scroller()?.scrollTo(0, 0);
    draw();
  }

  function toggle() {
    state.knobs = !state.knobs;
    draw();
  }

  // One slide on or back; over the end of a stage, into the next one.
  function step(by) {
    const { all, at } = current();
    const experiment = all.findIndex((slide) => slide.name === `st-key-${EXPERIMENT}`);
    const last = experiment + all.filter((slide) => slide.figure).length;
    const over = by > 0 ? at === last : at === experiment;
    const open = stages(data.lab).map((knob) => knob.buttons[knob.at + by]).filter((button) => button && !button.disabled);
    if (over && open.length) {
      open.at(-1).click(); // the inner knob first, as the last wheel of a counter
      go(`st-key-${EXPERIMENT}`);
    } else if (all[at + by]) {
      go(all[at + by].name);
    }
  }

  // A remote pages through a long text before it turns the slide.
  function page(by) {
    const node = scroller();
    const rest = by > 0 ? node.scrollHeight - node.clientHeight - node.scrollTop : node.scrollTop;
    if (rest > 8) node.scrollBy(0, by * 0.85 * node.clientHeight);
    else step(by);
  }

  function onKey(event) {
    if (isBusy(event)) return;
    const acts = {
      ArrowRight: () => step(1), ArrowLeft: () => step(-1), PageDown: () => page(1), PageUp: () => page(-1),
      " ": () => page(event.shiftKey ? -1 : 1), k: toggle, Escape: leave,
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  function later() {
    clearTimeout(waiting);
    waiting = setTimeout(draw, 120);
  }

  const observer = new MutationObserver(later);
  const main = document.querySelector('[data-testid="stMain"]') ?? document.body;
  observer.observe(main, { childList: true, subtree: true, attributes: true, attributeFilter: ["aria-checked"] });
  window.addEventListener("keydown", onKey, true);
  window.addEventListener("resize", later);
  state.told = null;
  draw();
  return () => {
    observer.disconnect();
    clearTimeout(waiting);
    window.removeEventListener("keydown", onKey, true);
    window.removeEventListener("resize", later);
    sheet.remove();
  };
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".bar");
  let state = states.get(root);
  if (!state) {
    state = { name: `st-key-${data.slides[0][0]}`, knobs: false, zoom: 1, fitted: null };
    states.set(root, state);
  }
  state.stop?.();
  state.stop = present(root, data, state, () => setTriggerValue("leave", true));
  return () => {
    state.stop?.();
    state.stop = null;
  };
}
