// When the picture has changed on the screen: watches one figure for drawing, whatever it is drawn with.

(() => {
  const bench = (window.bench = { selector: "", pressed: 0, drawn: 0, painted: 0, first: 0, frames: 0 });
  let inFrame = false;
  let waiting = false;
  const later = (work) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = work;
    channel.port2.postMessage(0);
  };
  const frame = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (work) =>
    frame((time) => {
      inFrame = true;
      later(() => (inFrame = false));
      work(time);
    });
  const painted = () => {
    waiting = false;
    bench.painted = performance.now();
    bench.first ||= bench.painted;
    bench.frames += 1;
  };
  function drawn() {
    bench.drawn = performance.now();
    if (waiting) return;
    waiting = true;
    // What is drawn within a frame is on the screen after it, what is drawn between two after the next.
    if (inFrame) later(painted);
    else frame(() => later(painted));
  }

  const shadowed = (node) => node.getRootNode() instanceof ShadowRoot;
  function belongs(node) {
    for (let at = node; at; at = at.parentNode ?? at.host) {
      if (at.matches?.(bench.selector)) return true;
    }
    return false;
  }
  function counts(change) {
    const { target, type } = change;
    if (type === "attributes") {
      // Streamlit marks what is out of date on the boxes around a picture; that is not the picture.
      return (shadowed(target) || target.closest?.("svg")) && belongs(target);
    }
    if (belongs(target)) return true;
    return [...change.addedNodes].some(
      (node) => node.matches?.(bench.selector) || node.querySelector?.(bench.selector),
    );
  }
  const observer = new MutationObserver((changes) => {
    if (bench.selector && changes.some(counts)) drawn();
  });
  const everything = { subtree: true, childList: true, attributes: true, characterData: true };
  observer.observe(document, everything);
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (options) {
    const root = attach.call(this, options);
    observer.observe(root, everything);
    return root;
  };

  const brushes = {
    CanvasRenderingContext2D: ["clearRect", "fillRect", "fill", "stroke", "drawImage", "putImageData", "fillText"],
    WebGLRenderingContext: ["clear", "drawArrays", "drawElements"],
    WebGL2RenderingContext: ["clear", "drawArrays", "drawElements"],
  };
  for (const [name, strokes] of Object.entries(brushes)) {
    for (const stroke of strokes) {
      const draw = window[name].prototype[stroke];
      window[name].prototype[stroke] = function (...given) {
        if (bench.selector && belongs(this.canvas)) drawn();
        return draw.apply(this, given);
      };
    }
  }

  for (const touch of ["keydown", "click"]) {
    window.addEventListener(touch, () => (bench.pressed ||= performance.now()), true);
  }
  bench.watch = (selector) =>
    Object.assign(bench, { selector, pressed: 0, drawn: 0, painted: 0, first: 0, frames: 0 });
  // Resolves once the picture has changed and then stood still for so long; null if it never changed.
  bench.settled = (quiet, patience) =>
    new Promise((resolve) => {
      const begun = performance.now();
      const look = () => {
        const now = performance.now();
        const still = bench.painted && !waiting && now - bench.drawn > quiet;
        if (still || now - begun > patience) {
          const { pressed, first, painted, frames } = bench;
          bench.selector = "";
          resolve(frames ? { first: first - pressed, last: painted - pressed, frames } : null);
        } else setTimeout(look, 20);
      };
      look();
    });
})();
