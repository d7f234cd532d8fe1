"use strict";
const NS = "http://www.w3.org/2000/svg";
const shape = (name, attributes, text) => {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
};
const figure = (value, digits = 4) => {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString("en");
  return String(Number(value.toPrecision(digits)));
};
const ticks = (low, high, count) => {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map(m => m * power).find(s => s >= rough * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i <= high / step + 1e-9; i++)
    found.push(Number((i * step).toPrecision(12)));
  return found;
};
const logTicks = (low, high) => {
  if (high / low < 3) return ticks(low, high, 4);
  const factors = Math.log10(high / low) > 3 ? [1] : [1, 2, 5], found = [];
  for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); p++)
    for (const f of factors) {
      const tick = Number(`${f}e${p}`);
      if (tick >= low * 0.999 && tick <= high * 1.001) found.push(tick);
    }
  return found;
};
function start(box) {
  const chart = JSON.parse(box.dataset.chart), svg = box.querySelector("svg");
  const axes = svg.querySelector(".axes"), plot = svg.querySelector(".plot");
  const [left, right, top, bottom] = chart.pad;
  const far = chart.w - right, base = chart.h - bottom;
  const clip = "clip" + Math.random().toString(36).slice(2);
  const area = shape("clipPath", {id: clip});
  area.append(shape("rect", {x: left, y: top - 4, width: far - left, height: base - top + 8}));
  svg.append(area);
  plot.setAttribute("clip-path", `url(#${clip})`);
  const guide = shape("line", {class: "guide", y1: top, y2: base, visibility: "hidden"});
  const brush = shape("rect", {class: "brush", y: top, height: base - top, width: 0});
  svg.append(guide, brush);
  const tip = document.createElement("div");
  tip.className = "tip";
  box.append(tip);
  const back = document.createElement("button");
  back.className = "back";
  back.type = "button";
  back.textContent = chart.reset;
  back.hidden = true;
  box.append(back);
  const whole = {x: chart.x, y: chart.y};
  let view = whole;
  const put = (value, [low, high], from, to, log) =>
    from + (log ? Math.log(Math.max(value, 1e-300) / low) / Math.log(high / low)
                : (value - low) / (high - low)) * (to - from);
  const px = value => put(value, view.x, left, far, false);
  const py = value => put(value, view.y, base, top, chart.log);
  const within = (value, [low, high]) => value >= low && value <= high;
  function redraw() {
    for (const old of axes.querySelectorAll(".grid, .tick")) old.remove();
    const rows = chart.log ? logTicks(...view.y) : ticks(...view.y, 7);
    for (const tick of rows) {
      const y = py(tick).toFixed(1);
      axes.append(shape("line", {class: "grid", x1: left, x2: far, y1: y, y2: y}));
      axes.append(shape("text", {class: "tick", x: left - 6, y: +y + 3.5, "text-anchor": "end"},
                        figure(tick, 3)));
    }
    for (const tick of ticks(...view.x, 6)) {
      if (chart.whole && !Number.isInteger(tick)) continue;
      axes.append(shape("text", {class: "tick", x: px(tick).toFixed(1), y: base + 15,
                                 "text-anchor": "middle"}, figure(tick)));
    }
    for (const old of plot.querySelectorAll("[data-v]")) {
      const [x1, y1, x2, y2] = old.dataset.v.split(" ").map(v => v === "" ? null : +v);
      if (old.tagName === "circle") {
        old.setAttribute("cx", px(x1).toFixed(1));
        old.setAttribute("cy", py(y1).toFixed(1));
        continue;
      }
      old.setAttribute("x1", px(x1).toFixed(1));
      old.setAttribute("x2", px(x2 ?? x1).toFixed(1));
      if (y2 !== undefined && y2 !== null) {
        old.setAttribute("y1", py(y1).toFixed(1));
        old.setAttribute("y2", py(y2).toFixed(1));
      }
    }
    for (const curve of plot.querySelectorAll("polyline[data-i]")) {
      const line = chart.lines[+curve.dataset.i];
      curve.setAttribute("points", line.x.map((x, i) => line.y[i] === null ? "" :
        `${px(x).toFixed(1)},${py(line.y[i]).toFixed(1)}`).join(" ").trim());
    }
    back.hidden = view === whole;
  }
  function zoom(low, high, bottomValue, topValue) {
    let y = whole.y;
    if (bottomValue !== undefined) y = [bottomValue, topValue];
    else {
      const seen = chart.lines.flatMap(line => line.y.filter((v, i) => v !== null &&
        within(line.x[i], [low, high])));
      if (!seen.length) return;
      const least = Math.min(...seen), most = Math.max(...seen);
      const margin = (most - least) * 0.06 || Math.abs(most) * 0.05 || 1;
      y = chart.log ? [least / 1.1, most * 1.1] : [least - margin, most + margin];
    }
    view = {x: [low, high], y};
    redraw();
  }
  const place = event => {
    const frame = svg.getBoundingClientRect();
    return [(event.clientX - frame.left) * chart.w / frame.width,
            (event.clientY - frame.top) * chart.h / frame.height];
  };
  const valueX = at => view.x[0] + (at - left) / (far - left) * (view.x[1] - view.x[0]);
  const valueY = at => {
    const share = (base - at) / (base - top), [low, high] = view.y;
    return chart.log ? low * (high / low) ** share : low + share * (high - low);
  };
  const row = (css, text) => {
    const line = document.createElement("div"), key = document.createElement("i");
    key.className = "key " + css;
    line.append(key, text);
    return line;
  };
  function tell(at, lines, head) {
    tip.replaceChildren();
    const title = document.createElement("b");
    title.textContent = head;
    tip.append(title, ...lines);
    const width = svg.getBoundingClientRect().width, x = at / chart.w * width;
    tip.style.display = "block";
    tip.style.left = Math.max(0, Math.min(x + 12, width - tip.offsetWidth)) + "px";
    if (x + 12 + tip.offsetWidth > width) tip.style.left = Math.max(0, x - 12 - tip.offsetWidth) +
      "px";
    tip.style.top = "14px";
  }
  function hide() {
    tip.style.display = "none";
    guide.setAttribute("visibility", "hidden");
  }
  function showCurves(at) {
    const x = valueX(at);
    let nearest = null;
    for (const line of chart.lines)
      for (const v of line.x)
        if (within(v, view.x) && (nearest === null || Math.abs(v - x) < Math.abs(nearest - x)))
          nearest = v;
    if (nearest === null) return hide();
    const lines = [];
    for (const line of chart.lines) {
      const i = line.x.indexOf(nearest);
      if (i >= 0 && line.y[i] !== null) lines.push(row(line.css, `${line.name} ` +
        figure(line.y[i])));
    }
    guide.setAttribute("x1", px(nearest));
    guide.setAttribute("x2", px(nearest));
    guide.setAttribute("visibility", "visible");
    tell(px(nearest), lines, `${chart.xname} ${figure(nearest)}`);
  }
  function showPoint(x, y) {
    let best = null, least = 14 ** 2;
    for (const line of chart.lines)
      line.x.forEach((v, i) => {
        const d = (px(v) - x) ** 2 + (py(line.y[i]) - y) ** 2;
        if (d < least) { least = d; best = [line, i]; }
      });
    if (!best) return hide();
    const [line, i] = best;
    tell(px(line.x[i]), [row(line.css, `${chart.xname} ${figure(line.x[i])}`),
         row(line.css, `${chart.yname} ${figure(line.y[i])}`)], line.labels ? line.labels[i] : "");
  }
  let from = null;
  svg.addEventListener("pointermove", event => {
    const [x, y] = place(event);
    if (from) {
      const low = Math.max(left, Math.min(from[0], x)), high = Math.min(far, Math.max(from[0], x));
      brush.setAttribute("x", low);
      brush.setAttribute("width", Math.max(0, high - low));
      if (chart.points) {
        brush.setAttribute("y", Math.max(top, Math.min(from[1], y)));
        brush.setAttribute("height", Math.abs(y - from[1]));
      }
    }
    if (x < left || x > far) return hide();
    if (chart.points) showPoint(x, y); else showCurves(x);
  });
  svg.addEventListener("pointerdown", event => {
    if (event.pointerType === "touch" || event.button) return;
    from = place(event);
    svg.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  svg.addEventListener("pointerup", event => {
    if (!from) return;
    const [x, y] = place(event), begin = from;
    from = null;
    brush.setAttribute("width", 0);
    if (Math.abs(x - begin[0]) < 8) return;
    const sides = [begin[0], x].map(at => valueX(Math.max(left, Math.min(far, at))));
    sides.sort((a, b) => a - b);
    if (!chart.points) return zoom(...sides);
    const levels = [begin[1], y].map(at => valueY(Math.max(top, Math.min(base, at))));
    levels.sort((a, b) => a - b);
    if (levels[1] > levels[0]) zoom(...sides, ...levels);
  });
  const leave = () => { view = whole; redraw(); };
  svg.addEventListener("dblclick", leave);
  back.addEventListener("click", leave);
  svg.addEventListener("pointerleave", () => { if (!from) hide(); });
  svg.setAttribute("tabindex", "0");
  let index = -1;
  svg.addEventListener("keydown", event => {
    if (event.key === "Escape") { leave(); hide(); return; }
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key], xs = chart.lines[0].x;
    if (!step || chart.points) return;
    index = Math.max(0, Math.min(xs.length - 1, index + step));
    showCurves(px(xs[index]));
    event.preventDefault();
  });
  svg.addEventListener("blur", hide);
}
document.querySelectorAll("[data-chart]").forEach(start);
for (const wide of document.querySelectorAll(".scroll")) {
  const mark = () => wide.classList.toggle("more",
    wide.scrollLeft + wide.clientWidth < wide.scrollWidth - 2);
  wide.addEventListener("scroll", mark);
  addEventListener("resize", mark);
  mark();
}
