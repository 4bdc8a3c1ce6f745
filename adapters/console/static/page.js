// The page: what the post says each second, and how old that is.
import { CityMap, LEGEND } from "./map.js";
import { TEXTS } from "./texts.js";

const element = (id) => document.getElementById(id);
const map = new CityMap(element("map"));
let language = new URLSearchParams(location.search).get("lang") === "en" ? "en" : "fr";
let about = null, status = null, before = null, heard = 0;

const text = (key) => TEXTS[language][key] ?? key;
const number = (value) => value.toLocaleString(language, { maximumFractionDigits: Math.abs(value) < 100 ? 2 : 0 });

function show(value) {
  if (typeof value === "number") return number(value);
  return value === null || value === undefined ? "—" : String(value);
}

function section(title, rows) {
  const head = document.createElement("h2"), table = document.createElement("table");
  head.textContent = title;
  for (const [name, value, bad] of rows) {
    const row = table.insertRow(), th = document.createElement("th");
    th.textContent = name;
    row.append(th);
    row.insertCell().textContent = show(value);
    if (bad) row.className = "bad";
  }
  return [head, table];
}

function figure(name, value) {
  if (typeof value === "boolean") return text(value ? "yes" : "no");
  if (name.endsWith("_utc") && value) return new Date(value / 1000).toLocaleTimeString(language, { timeZone: about?.timezone, timeStyle: "short" });
  return value;
}

function flat(row) {
  return Object.entries(row).map(([name, value]) => [text(name), figure(name, value)]);
}

function render() {
  document.documentElement.lang = language;
  element("language").textContent = text("other");
  element("map").setAttribute("aria-label", text("map"));
  element("legend").replaceChildren(...LEGEND.map(([colour, key]) => {
    const item = document.createElement("li"), dot = document.createElement("i");
    dot.style.background = colour;
    item.append(dot, text(key));
    return item;
  }));
  if (about) {
    element("name").textContent = about.name;
    document.title = `${about.name} — ondijon`;
    element("synthetic").textContent = about.synthetic.length ? `${text("synthetic")} ${about.synthetic.join(" · ")}` : "";
  }
  if (status) renderStatus();
}

function renderStatus() {
  const zone = { timeZone: about?.timezone, dateStyle: "medium", timeStyle: "medium" };
  element("clock").textContent = new Date(status.utc / 1000).toLocaleString(language, zone);
  const edge = status.edges.telemetry ?? {}, old = before?.edges.telemetry ?? edge;
  const refused = (edge.received ?? 0) - (edge.applied ?? 0) - (edge.unchanged ?? 0) - (edge.conflated ?? 0);
  const alarms = Object.entries(status.alarms.active).map(([code, n]) => [text(code), n, true]);
  const parts = [
    ...Object.entries(status.views).flatMap(([view, rows]) => Object.values(rows).flatMap((row) => section(text(view), flat(row)))),
    ...section(text("alarms"), alarms.length ? alarms : [[text("none"), ""]]),
    ...section(text("telemetry"), [
      [text("gateways"), edge.gateways ?? 0],
      [text("received"), edge.received ?? 0],
      [text("perSecond"), (edge.received ?? 0) - (old.received ?? 0)],
      [text("lostSamples"), edge.lost ?? 0, edge.lost > 0],
      [text("refused"), refused, refused > 0],
    ]),
    ...section(text("post"), [
      [text("commands"), status.counts.commands ?? 0],
      [text("journal"), status.journal],
      [text("steps"), status.steps],
      [text("skipped"), status.skipped, status.skipped > 0],
    ]),
    ...section(text("hooks"), Object.entries(status.hooks).map(([name, h]) => [`${name} (p99)`, h.p99_us === null ? "—" : `${number(h.p99_us)} µs`, h.errors > 0])),
  ];
  if (status.faults.length) parts.push(...section(text("faults"), status.faults.slice(-5).map((fault) => [fault, "", true])));
  element("figures").replaceChildren(...parts);
}

function renderLink() {
  const age = (performance.now() - heard) / 1000, link = element("link");
  const lost = heard > 0 && age > 3;
  link.className = lost ? "lost" : "";
  link.textContent = heard === 0 ? text("waiting") : lost ? `⚠ ${text("lost")} ${Math.round(age)} s` : `● ${text("live")}`;
}

function connect() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    heard = performance.now();
    if (typeof data === "string") {
      [before, status] = [status, JSON.parse(data)];
      if (status) renderStatus();
    } else if (new TextDecoder().decode(new Uint8Array(data, 0, 32)).trim() === "lamp.level") {
      map.setLevels(new Uint8Array(data, 32));
    }
  };
  socket.onclose = () => setTimeout(connect, 1000 + Math.random() * 1000);
}

element("language").addEventListener("click", () => {
  language = language === "fr" ? "en" : "fr";
  render();
});
render();
setInterval(renderLink, 500);
connect();
about = await (await fetch("/about.json")).json();
render();
await map.load(["lamp", "junction", "camera"].filter((kind) => about.counts[kind]));
