"use strict";
// sorting, filtering and hovering; without it the page is complete, only still
const FILTERED = 8;

function rowsOf(body) {
  return [...body.rows].filter((row) => !row.classList.contains("group"));
}

function compared(a, b, index, numeric, sign) {
  const [x, y] = [a, b].map((row) => row.cells[index].dataset.value);
  if (x === undefined || y === undefined) return (x === undefined) - (y === undefined); // nothing comes last
  return sign * (numeric ? Number(x) - Number(y) : x.localeCompare(y, "en", { numeric: true }));
}

function sort(table, header, index, order) {
  const numeric = [...table.tBodies].flatMap(rowsOf).every((row) => !isNaN(row.cells[index].dataset.value ?? 0));
  const first = numeric ? "descending" : "ascending";
  const second = numeric ? "ascending" : "descending";
  const before = header.getAttribute("aria-sort");
  const now = before === null ? first : before === first ? second : null; // a third click: as it was
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  if (now) header.setAttribute("aria-sort", now);
  table.classList.toggle("sorted", Boolean(now));
  for (const [body, rows] of order) {
    const sign = now === "ascending" ? 1 : -1;
    body.append(...(now ? [...rows].sort((a, b) => compared(a, b, index, numeric, sign)) : rows));
  }
}

function makeSortable(table) {
  const order = [...table.tBodies].map((body) => [body, rowsOf(body)]);
  [...table.tHead.rows[0].cells].forEach((header, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sort(table, header, index, order));
  });
}

function filter(table, words, output) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  let all = 0;
  for (const body of table.tBodies) {
    const name = body.querySelector(".group");
    const rows = rowsOf(body);
    const title = name ? name.textContent.toLowerCase() : "";
    for (const row of rows) {
      const text = `${title} ${row.textContent.toLowerCase()}`;
      row.hidden = !wanted.every((word) => text.includes(word));
    }
    const left = rows.filter((row) => !row.hidden).length;
    if (name) name.hidden = left === 0;
    shown += left;
    all += rows.length;
  }
  table.classList.toggle("filtered", wanted.length > 0);
  if (table.tFoot) table.tFoot.hidden = wanted.length > 0; // a total of rows that are not all seen
  output.textContent = wanted.length ? `${shown} of ${all} rows` : "";
}

function makeFilterable(table) {
  const tools = document.createElement("div");
  const input = document.createElement("input");
  const output = document.createElement("output");
  tools.className = "tools";
  input.type = "search";
  input.placeholder = "Filter rows";
  input.setAttribute("aria-label", "Filter the rows of this table");
  input.addEventListener("input", () => filter(table, input.value, output));
  tools.append(input, output);
  table.closest(".scroll").before(tools);
}

for (const table of document.querySelectorAll(".table table")) {
  makeSortable(table);
  if ([...table.tBodies].flatMap(rowsOf).length > FILTERED) makeFilterable(table);
}

// values of charts and diagrams beside the pointer, on a touch too; without a script they are plain titles
const tip = document.createElement("div");
tip.id = "tip";
tip.hidden = true;
document.body.append(tip);
for (const title of document.querySelectorAll(".chart > * > title, .chart > * > * > title")) {
  const shape = title.parentNode;
  shape.setAttribute("aria-label", title.textContent);
  shape.dataset.tip = title.textContent;
  title.remove();
}
for (const svg of document.querySelectorAll(".chart > title")) svg.remove(); // the label says it, and no tip covers it

function showTip(event) {
  const shape = event.target.closest ? event.target.closest("[data-tip]") : null;
  tip.hidden = !shape;
  if (!shape) return;
  tip.textContent = shape.dataset.tip;
  const left = Math.min(event.clientX + 12, document.documentElement.clientWidth - tip.offsetWidth - 8);
  const above = event.clientY - tip.offsetHeight - 12;
  tip.style.left = `${Math.max(left, 8)}px`;
  tip.style.top = `${above > 8 ? above : event.clientY + 18}px`;
}
document.addEventListener("pointermove", showTip);
document.addEventListener("pointerdown", showTip);
document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

// the contents stand above the text where there is no room beside it: there they are folded
const contents = document.querySelector(".contents");
if (contents && !matchMedia("(min-width: 76rem)").matches) contents.open = false;

// on paper everything is open
const closed = [];
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details:not([open])")) {
    details.open = true;
    closed.push(details);
  }
});
window.addEventListener("afterprint", () => {
  for (const details of closed.splice(0)) details.open = false;
});
