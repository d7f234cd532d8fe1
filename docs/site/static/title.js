// The living picture: plays the recording of a training; every neuron shows what it answers over the
// whole plane, and the arithmetic of one of them at one point stands below.
"use strict";

const canvas = document.getElementById("network");
const pen = canvas.getContext("2d");
const slider = document.getElementById("frame");
const button = document.getElementById("play");
const chinese = document.documentElement.lang.startsWith("zh");
const sizes = [2, ...RECORDING.frames[0].weights.filter((_, i) => i % 2).map((bias) => bias.length)];
const REACH = 1.15; // the plane goes from -REACH to REACH
let frame = 0, playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
let point = [0.45, 0.2], pinned = null, hovered = null, boxes = [];
slider.max = RECORDING.frames.length - 1;

function colours() {
  const style = getComputedStyle(document.documentElement);
  const dark = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number)[0] < 100;
  return {
    ink: style.getPropertyValue("--ink"), soft: style.getPropertyValue("--soft"),
    line: style.getPropertyValue("--line"), blue: style.getPropertyValue("--blue"),
    orange: style.getPropertyValue("--orange"),
    // from the second class over nothing to the first
    low: dark ? [214, 120, 40] : [221, 107, 32], middle: dark ? [34, 40, 48] : [247, 248, 250],
    high: dark ? [66, 140, 210] : [43, 108, 176],
  };
}

// Sums and values of every neuron at (x, y): one array a layer, the inputs first.
function forward(weights, x, y) {
  const values = [[x, y]], sums = [[x, y]];
  for (let layer = 1; layer < sizes.length; layer++) {
    const matrix = weights[2 * layer - 2], bias = weights[2 * layer - 1], before = values[layer - 1];
    const sum = bias.map((b, row) => {
      let total = b;
      for (let i = 0; i < before.length; i++) total += matrix[row * before.length + i] * before[i];
      return total;
    });
    sums.push(sum);
    values.push(layer < sizes.length - 1 ? sum.map(Math.tanh) : sum.map((s) => 1 / (1 + Math.exp(-s))));
  }
  return { values, sums };
}

// One picture of count × count points for every neuron.
function maps(weights, count, theme, wanted) {
  const pictures = sizes.map((size) => Array.from({ length: size }, () => new ImageData(count, count)));
  for (let row = 0; row < count; row++) {
    for (let column = 0; column < count; column++) {
      const x = ((column + 0.5) / count * 2 - 1) * REACH, y = (1 - (row + 0.5) / count * 2) * REACH;
      const { values } = forward(weights, x, y);
      values.forEach((layer, l) => layer.forEach((value, n) => {
        if (!wanted(l)) return;
        let share = l === sizes.length - 1 ? 2 * value - 1 : value;
        share = Math.max(-1, Math.min(1, share));
        const end = share > 0 ? theme.high : theme.low, strength = Math.abs(share) ** 0.8 * 0.85;
        const at = 4 * (row * count + column), data = pictures[l][n].data;
        for (let c = 0; c < 3; c++) data[at + c] = theme.middle[c] + (end[c] - theme.middle[c]) * strength;
        data[at + 3] = 255;
      }));
    }
  }
  return pictures;
}

const scratch = document.createElement("canvas");
function paint(picture, x, y, side) {
  scratch.width = scratch.height = picture.width;
  scratch.getContext("2d").putImageData(picture, 0, 0);
  pen.imageSmoothingEnabled = true;
  pen.drawImage(scratch, x, y, side, side);
}

function layout(width) {
  const narrow = width < 520;
  const plane = narrow ? Math.min(width, 300) : Math.round(width * 0.45);
  const netWidth = narrow ? width : width - plane - 26;
  const netHeight = narrow ? 250 : Math.max(plane, 300);
  const height = narrow ? netHeight + plane + 20 : netHeight;
  const side = Math.min(narrow ? 30 : 36, netHeight / sizes[1] - 8);
  const layers = sizes.slice(0, -1);
  boxes = [];
  layers.forEach((size, l) => {
    for (let n = 0; n < size; n++) {
      const x = 14 + l * (netWidth - side - 34) / (layers.length - 1 + 0.35);
      const y = netHeight / 2 + (n - (size - 1) / 2) * (netHeight / sizes[1]) * (l ? 1 : 1.7) - side / 2;
      boxes.push({ layer: l, neuron: n, x, y, side });
    }
  });
  const large = narrow
    ? { x: (width - plane) / 2, y: netHeight + 12 }
    : { x: width - plane, y: (height - plane) / 2 };
  boxes.push({ layer: sizes.length - 1, neuron: 0, ...large, side: plane });
  return { height, narrow, netWidth, netHeight };
}

function boxOf(layer, neuron) { return boxes.find((b) => b.layer === layer && b.neuron === neuron); }

function draw() {
  const theme = colours(), width = canvas.clientWidth, ratio = devicePixelRatio || 1;
  const place = layout(width);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(place.height * ratio)) {
    canvas.width = Math.round(width * ratio); canvas.height = Math.round(place.height * ratio);
    canvas.style.height = place.height + "px";
  }
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, place.height);
  const { weights, loss, right, step } = RECORDING.frames[frame];
  const active = hovered || pinned || { layer: sizes.length - 1, neuron: 0 };
  const last = sizes.length - 1;

  for (let l = 1; l <= last; l++) {
    for (let to = 0; to < sizes[l]; to++) {
      for (let from = 0; from < sizes[l - 1]; from++) {
        const weight = weights[2 * l - 2][to * sizes[l - 1] + from];
        const a = boxOf(l - 1, from), b = boxOf(l, to);
        const lit = active.layer === l && active.neuron === to;
        pen.strokeStyle = weight > 0 ? theme.blue : theme.orange;
        pen.globalAlpha = (lit ? 0.95 : 0.38) * Math.min(1, 0.15 + Math.abs(weight));
        pen.lineWidth = Math.min(5, 0.4 + 1.3 * Math.abs(weight)) * (lit ? 1.3 : 1);
        const x1 = a.x + a.side, y1 = a.y + a.side / 2;
        let x2 = b.x, y2 = b.y + b.side / 2;
        if (l === last && place.narrow) { x2 = b.x + b.side / 2; y2 = b.y; }
        pen.beginPath(); pen.moveTo(x1, y1);
        const bend = (x2 - x1) / 2;
        pen.bezierCurveTo(x1 + bend, y1, x2 - (l === last && place.narrow ? 0 : bend), y2 - (l === last && place.narrow ? 60 : 0), x2, y2);
        pen.stroke();
      }
    }
  }
  pen.globalAlpha = 1;

  const small = maps(weights, 18, theme, (l) => l < last);
  const large = maps(weights, 56, theme, (l) => l === last);
  const { values } = forward(weights, ...point);
  for (const box of boxes) {
    paint((box.layer === last ? large : small)[box.layer][box.neuron], box.x, box.y, box.side);
    const chosen = active.layer === box.layer && active.neuron === box.neuron;
    pen.lineWidth = chosen ? 2 : 1;
    pen.strokeStyle = chosen ? theme.ink : theme.line;
    pen.strokeRect(box.x, box.y, box.side, box.side);
    if (box.layer === 0) {
      pen.fillStyle = theme.soft; pen.font = "13px system-ui, sans-serif"; pen.textAlign = "center";
      pen.fillText(box.neuron ? "y" : "x", box.x + box.side / 2, box.y - 5);
    }
  }

  const plane = boxOf(last, 0);
  const at = ([x, y]) => [plane.x + (x / REACH + 1) / 2 * plane.side, plane.y + (1 - y / REACH) / 2 * plane.side];
  RECORDING.points.forEach((p, i) => {
    const [x, y] = at(p), colour = RECORDING.arms[i] ? theme.high : theme.low;
    pen.beginPath(); pen.arc(x, y, 2.8, 0, 2 * Math.PI);
    pen.fillStyle = `rgb(${colour})`; pen.fill();
    pen.lineWidth = 1; pen.strokeStyle = "rgba(255,255,255,.85)"; pen.stroke();
  });
  const [px, py] = at(point);
  pen.strokeStyle = theme.ink; pen.lineWidth = 1.4; pen.beginPath();
  pen.arc(px, py, 6, 0, 2 * Math.PI); pen.moveTo(px - 10, py); pen.lineTo(px - 3, py);
  pen.moveTo(px + 3, py); pen.lineTo(px + 10, py); pen.stroke();

  lossCurve(theme, place);
  slider.value = frame;
  document.getElementById("numbers").textContent = chinese
    ? `第 ${step} 步  损失 ${loss.toFixed(3)}  正确率 ${Math.round(100 * right)} %`
    : `step ${step}  loss ${loss.toFixed(3)}  ${Math.round(100 * right)} % right`;
  document.getElementById("formula").textContent = arithmetic(weights, active, values);
}

// The loss so far, a small curve below the inputs.
function lossCurve(theme, place) {
  const box = boxOf(0, 1), width = box.side + 46, height = 40;
  const x0 = box.x, y0 = place.netHeight - height - 4;
  if (y0 < box.y + box.side + 14) return;
  const most = Math.max(...RECORDING.frames.map((f) => f.loss));
  pen.strokeStyle = theme.line; pen.lineWidth = 1;
  pen.beginPath(); pen.moveTo(x0, y0); pen.lineTo(x0, y0 + height); pen.lineTo(x0 + width, y0 + height); pen.stroke();
  pen.strokeStyle = theme.blue; pen.lineWidth = 1.6; pen.beginPath();
  RECORDING.frames.slice(0, frame + 1).forEach((f, i) => {
    const x = x0 + i / (RECORDING.frames.length - 1) * width, y = y0 + height * (1 - f.loss / most);
    if (i) pen.lineTo(x, y); else pen.moveTo(x, y);
  });
  pen.stroke();
  pen.fillStyle = theme.soft; pen.font = "11px system-ui, sans-serif"; pen.textAlign = "left";
  pen.fillText(chinese ? "损失" : "loss", x0 + 4, y0 + 4);
}

function number(value) { return (value < 0 ? "−" : "") + Math.abs(value).toFixed(2); }

function arithmetic(weights, { layer, neuron }, values) {
  if (layer === 0) return `${neuron ? "y" : "x"} = ${number(point[neuron])}`;
  const before = values[layer - 1], row = weights[2 * layer - 2];
  let text = number(weights[2 * layer - 1][neuron]), sum = weights[2 * layer - 1][neuron];
  before.forEach((value, i) => {
    const weight = row[neuron * before.length + i];
    text += ` ${weight < 0 ? "−" : "+"} ${Math.abs(weight).toFixed(2)}·${value < 0 ? `(${number(value)})` : number(value)}`;
    sum += weight * value;
  });
  const name = layer === sizes.length - 1 ? "σ" : "tanh";
  return `${name}(${text}) = ${name}(${number(sum)}) = ${number(values[layer][neuron])}`;
}

function under(event) {
  const area = canvas.getBoundingClientRect(), x = event.clientX - area.left, y = event.clientY - area.top;
  const box = boxes.find((b) => x >= b.x && x <= b.x + b.side && y >= b.y && y <= b.y + b.side);
  return { box, x, y };
}

canvas.addEventListener("pointermove", (event) => {
  const { box, x, y } = under(event);
  hovered = box ? { layer: box.layer, neuron: box.neuron } : null;
  if (box && box.layer === sizes.length - 1) {
    point = [((x - box.x) / box.side * 2 - 1) * REACH, (1 - (y - box.y) / box.side * 2) * REACH];
    if (pinned) hovered = pinned;
  }
  draw();
});
canvas.addEventListener("pointerleave", () => { hovered = null; draw(); });
canvas.addEventListener("click", (event) => {
  const { box } = under(event);
  const same = box && pinned && pinned.layer === box.layer && pinned.neuron === box.neuron;
  pinned = box && !same ? { layer: box.layer, neuron: box.neuron } : null;
  draw();
});
button.addEventListener("click", () => {
  playing = !playing;
  if (playing && frame === RECORDING.frames.length - 1) frame = 0;
  button.textContent = playing ? "❚❚" : "▶";
});
slider.addEventListener("input", () => { playing = false; button.textContent = "▶"; frame = Number(slider.value); draw(); });
addEventListener("resize", draw);
document.getElementById("theme").addEventListener("click", () => {
  const dark = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number)[0] < 100;
  const theme = dark ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("theme", theme); // the pages read the same name
  draw();
});

let waited = 0;
setInterval(() => {
  if (!playing || document.hidden) return;
  const end = RECORDING.frames.length - 1;
  if (frame === end) { if (++waited > 45) { frame = 0; waited = 0; draw(); } return; }
  frame++;
  draw();
}, 90);
if (!playing) { frame = Number(slider.max); button.textContent = "▶"; }
draw();
