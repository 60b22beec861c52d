"""The page in a real browser: it sorts, filters, folds and fits a phone, without an error or a request."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import documents
import pytest

from costcalc.report import html

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
pytestmark = pytest.mark.skipif(
    not BROWSER, reason="no chromium, chromium-browser or google-chrome on the path"
)

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--enable-logging=stderr",
    "--virtual-time-budget=5000",
    "--hide-scrollbars",
)
PHONE = 390  # pixels across

# what a person does, and what is seen afterwards
SCRIPT = """
function of(table) {
  const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
  const shown = rows.filter((row) => !row.hidden);
  const head = [...table.tHead.rows[0].cells];
  return {
    names: shown.map((row) => row.cells[0].textContent),
    order: head.map((cell) => cell.getAttribute("aria-sort")),
    total: table.tFoot ? !table.tFoot.hidden : null,
    said: table.closest(".table").querySelector("output")?.textContent ?? null,
  };
}
function sorted(table, label, times) {
  const head = [...table.tHead.rows[0].cells].find((cell) => cell.textContent === label);
  const button = head.querySelector("button");
  button.focus();
  for (let i = 0; i < times; i += 1) button.click();
  return { ...of(table), focused: document.activeElement === button };
}
function filtered(table, words) {
  const input = table.closest(".table").querySelector("input");
  input.value = words;
  input.dispatchEvent(new Event("input"));
  return of(table);
}
function outside() {
  const found = [];
  for (const svg of document.querySelectorAll(".chart")) {
    const box = svg.getBoundingClientRect();
    if (box.width === 0) continue;
    for (const text of svg.querySelectorAll("text")) {
      const at = text.getBoundingClientRect();
      const across = at.left < box.left - 1 || at.right > box.right + 1;
      const down = at.top < box.top - 1 || at.bottom > box.bottom + 1;
      if (at.width && (across || down)) found.push(text.textContent);
    }
  }
  return found;
}
function hovered(selector) {
  const shape = document.querySelector(selector);
  const box = shape.getBoundingClientRect();
  const at = { bubbles: true, clientX: box.left, clientY: box.top };
  shape.dispatchEvent(new PointerEvent("pointermove", at));
  const tip = document.getElementById("tip");
  return tip.hidden ? null : tip.textContent;
}
function measured() {
  const shown = [...document.querySelectorAll("figure > div")].filter((div) => div.offsetWidth);
  return {
    across: innerWidth,
    wide: document.documentElement.scrollWidth,
    outside: outside(),
    ground: getComputedStyle(document.body).backgroundColor,
    charts: shown.map((div) => div.className),
  };
}
"""
TELL = """
document.body.innerHTML = "<pre id=told></pre>";
document.getElementById("told").textContent = JSON.stringify(told);
"""


def browse(folder: Path, page: str, *flags: str) -> tuple[str, str]:
    """What the page has become, and what the browser said about it."""
    path = folder / "page.html"
    path.write_text(page, encoding="utf-8")
    run = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={folder / 'profile'}", *flags, "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout, "\n".join(line for line in run.stderr.splitlines() if "CONSOLE" in line)


def told(text: str) -> Any:
    """What a script wrote into the page."""
    found = re.search(r'<pre id="told">(.*?)</pre>', text, re.DOTALL)
    assert found, text[:1000]
    return json.loads(unescape(found[1]))


def after(folder: Path, script: str, *flags: str) -> tuple[Any, str]:
    """What the script finds in the page, run after the page's own, and what the browser said."""
    ours = f"<script>{SCRIPT}\naddEventListener('load', () => {{ {script}\n{TELL} }});</script>"
    text, console = browse(folder, page().replace("</body>", f"{ours}</body>"), *flags)
    return told(text), console


def page() -> str:
    return html.page([documents.googlenet(), documents.hostile()], "Reports")


DEEDS = """
const [blocks] = document.querySelectorAll("table");
const folded = document.querySelector("details.table");
const grouped = folded.querySelector("table");
const told = {
  start: of(blocks),
  most: sorted(blocks, "MACs", 1), least: sorted(blocks, "MACs", 1), again: sorted(blocks, "MACs", 1),
  shape: sorted(blocks, "output", 1), name: sorted(blocks, "block", 1), other: sorted(blocks, "params", 1),
  share: sorted(blocks, "share", 1),
  filter: filtered(blocks, "inception_4 14×14"), none: filtered(blocks, "no such"), all: filtered(blocks, ""),
  groups: (folded.open = true, filtered(grouped, "star")),
  tip: hovered("#googlenet .wide rect[class=s0]"), off: hovered("h1"),
  requests: performance.getEntriesByType("resource").length,
  headers: document.querySelectorAll("thead th").length,
  buttons: document.querySelectorAll("thead th > button").length,
};
folded.open = false;
dispatchEvent(new Event("beforeprint"));
told.printed = [...document.querySelectorAll("details")].every((details) => details.open);
dispatchEvent(new Event("afterprint"));
told.after = folded.open;
Object.assign(told, measured());
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    return after(tmp_path_factory.mktemp("browser"), DEEDS, "--window-size=1280,900")


def test_no_error_and_no_request(seen: tuple[Any, str]) -> None:
    found, console = seen
    assert console == ""
    assert found["requests"] == 0


def test_an_error_would_be_seen(tmp_path: Path) -> None:
    _, console = browse(
        tmp_path, page().replace("</body>", "<script>nothing.there</script><img src='x.png'></body>")
    )
    assert "nothing is not defined" in console
    assert "Content Security Policy" in console


def rows() -> list[tuple[str, dict[str, Any]]]:
    (grid,) = [e.grid for s in documents.googlenet().sections for e in s.elements if hasattr(e, "grid")]
    keys = [column.key for column in grid.columns]
    return [(str(row[0]), dict(zip(keys, row, strict=True))) for row in grid.rows]


def ordered(key: str, falling: bool) -> list[str]:
    """Names by a value; equal ones stay in their order."""
    sign = -1 if falling else 1
    return [name for name, _ in sorted(rows(), key=lambda row: sign * row[1][key])]


def test_a_click_sorts_by_the_number_and_a_third_undoes_it(seen: tuple[Any, str]) -> None:
    found, _ = seen
    names = [name for name, _ in rows()]
    assert found["start"]["names"] == found["again"]["names"] == names
    assert found["most"]["names"] == ordered("macs", True)
    assert found["least"]["names"] == ordered("macs", False)
    assert found["share"]["names"] == ordered("share", True)
    assert found["other"]["names"] == ordered("params", True)
    assert found["name"]["names"] == sorted(names)
    assert found["shape"]["names"][0] == "conv1"  # 64×112×112 has the most elements


def test_the_order_is_said_to_those_who_do_not_see_it(seen: tuple[Any, str]) -> None:
    found, _ = seen
    marks = [
        [mark for mark in found[deed]["order"] if mark]
        for deed in ("start", "most", "least", "again", "name")
    ]
    assert marks == [[], ["descending"], ["ascending"], [], ["ascending"]]
    assert found["most"]["focused"]
    assert found["buttons"] == found["headers"]


def test_a_filter_leaves_the_rows_with_all_words(seen: tuple[Any, str]) -> None:
    found, _ = seen
    names = [name for name, _ in rows()]
    assert sorted(found["filter"]["names"]) == [name for name in names if name.startswith("inception_4")]
    assert found["filter"]["said"] == f"5 of {len(names)} rows"
    assert (found["start"]["total"], found["filter"]["total"], found["all"]["total"]) == (True, False, True)
    assert found["none"]["names"] == []
    assert found["none"]["said"] == f"0 of {len(names)} rows"
    assert sorted(found["all"]["names"]) == sorted(names)
    assert found["all"]["said"] == ""
    assert len(found["groups"]["names"]) == 2  # the row, and the group above it


def test_a_shape_says_its_value(seen: tuple[Any, str]) -> None:
    found, _ = seen
    assert found["tip"] == "conv1: 34,019,328 · 2.3%"
    assert found["off"] is None


def test_on_paper_everything_is_open(seen: tuple[Any, str]) -> None:
    found, _ = seen
    assert found["printed"]
    assert not found["after"]


def test_a_desktop_shows_wide_charts_with_every_text_inside(seen: tuple[Any, str]) -> None:
    found, _ = seen
    assert found["wide"] <= found["across"]
    assert found["outside"] == []
    assert set(found["charts"]) == {"wide", "scroll"}


def test_a_phone_shows_narrow_charts_and_nothing_runs_out_of_it(tmp_path: Path) -> None:
    """In a frame of that width: the window of a browser is never so narrow."""
    inner = json.dumps(page().replace("</body>", f"<script>{SCRIPT}</script></body>")).replace("</", "<\\/")
    outer = f"""<!doctype html><meta charset="utf-8"><body>
    <iframe id="phone" style="width:{PHONE}px;height:800px;border:0"></iframe>
    <script>
    phone.addEventListener("load", () => {{
      const told = phone.contentWindow.measured();
      told.contents = phone.contentDocument.querySelector(".contents").open;
      {TELL}
    }});
    phone.srcdoc = {inner};
    </script></body>"""
    text, console = browse(tmp_path, outer)
    seen = told(text)
    assert console == ""
    assert seen["across"] == PHONE
    assert seen["wide"] <= PHONE
    assert seen["outside"] == []
    assert set(seen["charts"]) == {"narrow", "scroll"}
    assert not seen["contents"]


@pytest.mark.parametrize(("scheme", "ground"), [(0, "rgb(13, 17, 23)"), (1, "rgb(255, 255, 255)")])
def test_the_page_is_dark_where_the_reader_wants_it(tmp_path: Path, scheme: int, ground: str) -> None:
    flag = f"--blink-settings=preferredColorScheme={scheme}"
    found, _ = after(tmp_path, "const told = measured();", flag)
    assert found["ground"] == ground


def test_it_is_printed(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(html.page([documents.googlenet()], "GoogLeNet"), encoding="utf-8")
    out = tmp_path / "page.pdf"
    subprocess.run(
        [
            BROWSER,
            *FLAGS,
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--print-to-pdf={out}",
            (tmp_path / "page.html").as_uri(),
        ],
        capture_output=True,
        check=True,
        timeout=120,
    )
    data = out.read_bytes()
    assert data.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", data)) <= 10
