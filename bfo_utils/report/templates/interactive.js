/* Of bfo_utils.interactive: makes its pieces answer to pointer and keyboard. Included with each of them; runs once for each. */
(() => {
  "use strict";
  const NONE = "–";

  /* The map whose cells tell their values. */
  function cells(root, data) {
    const stage = root.querySelector(".bfo-stage");
    const svg = stage.querySelector("svg");
    const marker = root.querySelector(".bfo-marker");
    const fields = [...root.querySelectorAll("td[data-k]")];
    const [a, b] = data.vectors;
    const reach = (0.75 * data.every * Math.max(Math.hypot(...a), Math.hypot(...b))) ** 2;
    const place = new Map(data.i.map((i, k) => [`${i} ${data.j[k]}`, k]));
    let current = -1;

    function nearest(x, y) {
      let best = -1, least = reach;
      for (let k = 0; k < data.x.length; k++) {
        const away = (data.x[k] - x) ** 2 + (data.y[k] - y) ** 2;
        if (away < least) [best, least] = [k, away];
      }
      return best;
    }

    function text(quantity, k) {
      const value = quantity.values[k];
      return value === null ? NONE : `${value.toFixed(quantity.digits)} ${quantity.unit}`.trim().replace(" °", "°");
    }

    function show(k) {
      if (k === current) return;
      current = k;
      const told = k < 0 ? fields.map(() => NONE)
        : [`${data.i[k]}, ${data.j[k]}`, ...data.quantities.map(q => text(q, k))];
      fields.forEach((field, n) => { field.textContent = told[n]; });
      const corner = (u, v) => `${data.x[k] + u * a[0] + v * b[0]},${data.y[k] + u * a[1] + v * b[1]}`;
      marker.setAttribute("points", k < 0 ? "" : [[-1, -1], [1, -1], [1, 1], [-1, 1]]
        .map(([u, v]) => corner(u / 2, v / 2)).join(" "));
    }

    function point(event) {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      show(nearest(at.x, at.y));
    }

    function move(event) {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = place.get(`${data.i[current] + step[0] * data.every} ${data.j[current] + step[1] * data.every}`);
      if (next !== undefined) show(next);
    }

    const { width, height } = svg.viewBox.baseVal;
    const middle = () => { if (current < 0) show(nearest(width / 2, height / 2)); if (current < 0) show(0); };
    stage.addEventListener("pointermove", point);
    stage.addEventListener("pointerdown", point);
    stage.addEventListener("keydown", move);
    stage.addEventListener("focus", middle);
  }

  /* Configurations to choose from, by the points of a chart or by a slider. */
  function choices(root, data) {
    const frame = root.querySelector(".bfo-frame");
    const points = [...root.querySelectorAll(".bfo-point")];
    const fields = [...root.querySelectorAll("td[data-k]")];
    const slider = root.querySelector("input[type=range]");

    function show(k) {
      const choice = data.choices[k];
      frame.src = choice.frame;
      points.forEach((point, n) => point.setAttribute("aria-pressed", String(n === k)));
      fields.forEach((field, n) => { field.textContent = choice.values[n]; });
      for (const entry of root.querySelectorAll(".bfo-legend li")) {
        entry.hidden = !(entry.dataset.label in choice.shares);
        entry.querySelector("b").textContent = choice.shares[entry.dataset.label] || "";
      }
      if (!slider) return;
      slider.value = k;
      slider.setAttribute("aria-valuetext", choice.name);
      root.querySelector("output").textContent = choice.name;
    }

    points.forEach((point, k) => {
      point.addEventListener("click", () => show(k));
      point.addEventListener("keydown", event => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        show(k);
      });
    });
    if (slider) slider.addEventListener("input", () => show(Number(slider.value)));
  }

  for (const root of document.querySelectorAll(".bfo-interactive:not([data-ready])")) {
    root.dataset.ready = "";
    const data = JSON.parse(root.querySelector("script").textContent);
    ({ cells, choices })[root.dataset.kind](root, data);
  }
})();
