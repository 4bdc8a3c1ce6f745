// The map: streets once into a picture of their own, lamps over it at each change.
const STREET = ["#4a525f", "#434b57", "#3a414c", "#31373f", "#2a3037"];
const WIDTH = [2.2, 1.8, 1.2, 0.9, 0.6];
const UNKNOWN = 255;

// Dark to warm white: brightness carries the level, so no colour has to be told from another.
const COLOURS = Array.from({ length: 256 }, (_, i) => {
  const t = Math.pow(i / 254, 0.6);
  return i === UNKNOWN ? "#6f7f99" : `rgb(${60 + 195 * t | 0},${50 + 172 * t | 0},${45 + 90 * t | 0})`;
});

export class CityMap {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.streets = null;
    this.points = {};
    this.levels = null;
    this.scale = 0;
    this.x = 0;
    this.y = 0;
    this.pending = false;
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.listen();
  }

  async load(kinds) {
    this.streets = readStreets(await bytes("/streets.bin"));
    this.fit();
    this.draw();
    for (const kind of kinds) this.points[kind] = readPoints(await bytes(`/assets/${kind}.bin`));
    this.draw();
  }

  setLevels(levels) { this.levels = levels; this.draw(); }

  fit() {
    const { x, y } = this.streets;
    const [x0, x1] = extent(x), [y0, y1] = extent(y);
    this.x = (x0 + x1) / 2;
    this.y = (y0 + y1) / 2;
    const { width, height } = this.canvas;
    this.scale = 0.95 * Math.min(width / (x1 - x0 || 1), height / (y1 - y0 || 1));
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = this.canvas.clientWidth * ratio;
    this.canvas.height = this.canvas.clientHeight * ratio;
    if (this.streets && !(this.scale > 0 && isFinite(this.scale))) this.fit();
    this.draw();
  }

  draw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.paint(); });
  }

  paint() {
    const { context: c, canvas } = this;
    c.fillStyle = "#14171c";
    c.fillRect(0, 0, canvas.width, canvas.height);
    if (!this.streets) return;
    this.paintStreets();
    if (this.points.lamp) this.paintLamps();
    this.paintMarks("junction", "#b9c2cf", 3);
    this.paintMarks("camera", "#8aa0c0", 2.5);
  }

  paintStreets() {
    const { context: c, streets: s } = this;
    const px = (x) => (x - this.x) * this.scale + this.canvas.width / 2;
    const py = (y) => this.canvas.height / 2 - (y - this.y) * this.scale;
    for (let rank = 4; rank >= 0; rank--) {
      c.beginPath();
      for (let e = 0; e < s.edges; e++) {
        if (s.rank[e] !== rank) continue;
        for (let i = s.start[e]; i < s.start[e + 1]; i++) {
          if (i === s.start[e]) c.moveTo(px(s.x[i]), py(s.y[i])); else c.lineTo(px(s.x[i]), py(s.y[i]));
        }
      }
      c.strokeStyle = STREET[rank];
      c.lineWidth = WIDTH[rank] * Math.max(1, this.scale / 0.15);
      c.stroke();
    }
  }

  paintLamps() {
    const { context: c, canvas, levels } = this;
    const { n, x, y } = this.points.lamp;
    const size = Math.max(1.5, Math.min(6, this.scale * 9));
    // One colour at a time: 34,000 changes of fillStyle would cost more than the points.
    const byLevel = new Map();
    for (let i = 0; i < n; i++) {
      const px = (x[i] - this.x) * this.scale + canvas.width / 2, py = canvas.height / 2 - (y[i] - this.y) * this.scale;
      if (px < 0 || py < 0 || px > canvas.width || py > canvas.height) continue;
      const level = levels ? levels[i] : UNKNOWN, key = level === UNKNOWN ? level : level >> 3 << 3;
      if (!byLevel.has(key)) byLevel.set(key, []);
      byLevel.get(key).push(px, py);
    }
    for (const [level, places] of [...byLevel].sort((a, b) => a[0] - b[0])) {
      c.fillStyle = COLOURS[level];
      for (let i = 0; i < places.length; i += 2) c.fillRect(places[i] - size / 2, places[i + 1] - size / 2, size, size);
    }
  }

  paintMarks(kind, colour, size) {
    const points = this.points[kind];
    if (!points || this.scale < 0.12) return;
    const c = this.context;
    c.strokeStyle = colour;
    c.lineWidth = 1.5;
    for (let i = 0; i < points.n; i++) {
      const px = (points.x[i] - this.x) * this.scale + this.canvas.width / 2;
      const py = this.canvas.height / 2 - (points.y[i] - this.y) * this.scale;
      c.beginPath();
      if (kind === "junction") c.rect(px - size, py - size, 2 * size, 2 * size);
      else { c.moveTo(px, py - size); c.lineTo(px + size, py + size); c.lineTo(px - size, py + size); c.closePath(); }
      c.stroke();
    }
  }

  zoom(factor, px = this.canvas.width / 2, py = this.canvas.height / 2) {
    const gx = this.x + (px - this.canvas.width / 2) / this.scale, gy = this.y - (py - this.canvas.height / 2) / this.scale;
    this.scale = Math.min(20, Math.max(0.005, this.scale * factor));
    this.x = gx - (px - this.canvas.width / 2) / this.scale;
    this.y = gy + (py - this.canvas.height / 2) / this.scale;
    this.draw();
  }

  move(dx, dy) { this.x -= dx / this.scale; this.y += dy / this.scale; this.draw(); }

  listen() {
    const ratio = () => window.devicePixelRatio || 1;
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), event.offsetX * ratio(), event.offsetY * ratio());
    }, { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => this.canvas.setPointerCapture(event.pointerId));
    this.canvas.addEventListener("pointermove", (event) => {
      if (event.buttons) this.move(event.movementX * ratio(), event.movementY * ratio());
    });
    this.canvas.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: [80, 0], ArrowRight: [-80, 0], ArrowUp: [0, 80], ArrowDown: [0, -80] };
      if (moves[event.key]) this.move(...moves[event.key]);
      else if (event.key === "+") this.zoom(1.4);
      else if (event.key === "-") this.zoom(1 / 1.4);
      else return;
      event.preventDefault();
    });
  }
}

async function bytes(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.arrayBuffer();
}

function readStreets(buffer) {
  const [edges, points] = new Uint32Array(buffer, 0, 2);
  let at = 8;
  const start = new Uint32Array(buffer, at, edges + 1); at += 4 * (edges + 1);
  const rank = new Uint32Array(buffer, at, edges); at += 4 * edges;
  const x = new Float32Array(buffer, at, points); at += 4 * points;
  return { edges, start, rank, x, y: new Float32Array(buffer, at, points) };
}

function readPoints(buffer) {
  const [n] = new Uint32Array(buffer, 0, 1);
  return { n, x: new Float32Array(buffer, 4, n), y: new Float32Array(buffer, 4 + 4 * n, n) };
}

function extent(values) {
  let low = Infinity, high = -Infinity;
  for (const v of values) { if (v < low) low = v; if (v > high) high = v; }
  return [low, high];
}

export const LEGEND = [[0, "off"], [127, "50 %"], [254, "full"], [UNKNOWN, "unknown"]].map(([level, text]) => [COLOURS[level], text]);
