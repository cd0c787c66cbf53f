"""Opens pages in headless Chromium: no console error, nothing loaded, no sideways scroll, tables that sort.

    python3 tools/pages.py PAGE.html...

Each page is shown in a frame of 390 and of 1,440 pixels. A content security policy that forbids every load is put into a
copy of it, so that any attempt to fetch something is a console error. Where no Chromium is installed this says so and ends
with 0; `GYRO_CHROMIUM=required` makes that an error, `GYRO_SHOTS=DIR` keeps pictures (light, dark, narrow).
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

WIDTHS = (390, 1440)
POLICY = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'\">"
)
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--allow-file-access-from-files", "--enable-logging=stderr", "--v=0",
]
# Runs beside the page and writes what it finds into the document, which Chromium then prints.
HARNESS = """<!doctype html><body><iframe id="frame" src="{page}" style="width:{width}px;height:900px;border:0"></iframe>
<pre id="found"></pre><script>
document.getElementById("frame").addEventListener("load", () => {{
  const page = document.getElementById("frame").contentDocument, root = page.documentElement;
  const found = {{ width: root.clientWidth, scroll: root.scrollWidth, unnamed: 0, levels: [] }};
  const wide = [...page.querySelectorAll("body *")].filter((one) => !one.closest(".table, .card, pre, .unseen, .skip"))
    .filter((one) => one.getBoundingClientRect().right > root.clientWidth + 1);
  found.wide = wide.slice(0, 3).map((one) => one.tagName + "." + one.className);
  found.unnamed = page.querySelectorAll("svg:not([aria-label]), svg[aria-label='']").length;
  found.levels = [...page.querySelectorAll("h1, h2, h3")].map((one) => +one.tagName[1]);
  const ids = [...page.querySelectorAll("[id]")].map((one) => one.id);
  found.twice = ids.filter((id, at) => ids.indexOf(id) !== at);
  found.dead = [...page.querySelectorAll("a[href^='#']")].map((one) => one.getAttribute("href").slice(1))
    .filter((id) => !page.getElementById(id));
  const table = [...page.querySelectorAll("table")].find((one) => one.tBodies[0].rows.length > 2 && one.querySelector("th button"));
  if (table) {{
    const button = table.querySelector("th button");
    const column = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent.trim());
    button.click();
    const rising = column();
    button.click();
    found.sorts = JSON.stringify(rising) === JSON.stringify(column().reverse()) && button.parentElement.ariaSort === "descending";
  }}
  document.getElementById("found").textContent = JSON.stringify(found);
}});
</script></body>"""


def chromium():
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def run(browser, *arguments):
    done = subprocess.run([browser, *FLAGS, *arguments], capture_output=True, text=True, timeout=120, check=False)
    return done.stdout, done.stderr


def check(browser, page, folder):
    faults = []
    text = page.read_text(encoding="utf-8")
    copy = folder / "page.html"
    copy.write_text(text.replace("<head>", "<head>" + POLICY, 1), encoding="utf-8")
    for width in WIDTHS:
        harness = folder / "harness.html"
        harness.write_text(HARNESS.format(page=copy.name, width=width), encoding="utf-8")
        out, log = run(browser, "--window-size=1600,1000", "--virtual-time-budget=4000", "--dump-dom", harness.as_uri())
        faults += [f"{width}: console: {line}" for line in re.findall(r"CONSOLE[^\"]*\"([^\n]*)\"", log)]
        match = re.search(r'<pre id="found">(.*?)</pre>', out, re.S)
        if not match or not match.group(1):
            faults.append(f"{width}: the page did not open")
            continue
        found = json.loads(match.group(1).replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&"))
        if found["scroll"] > found["width"]:
            faults.append(f"{width}: scrolls sideways, {found['scroll']} pixels wide: {found['wide']}")
        if found["unnamed"]:
            faults.append(f"{width}: {found['unnamed']} pictures without words")
        if found["levels"][:1] != [1] or any(b > a + 1 for a, b in zip(found["levels"], found["levels"][1:])):
            faults.append(f"{width}: headings leave out a level: {found['levels']}")
        if found["twice"] or found["dead"]:
            faults.append(f"{width}: names twice {found['twice']}, links to nowhere {found['dead']}")
        if found.get("sorts") is False:
            faults.append(f"{width}: a table does not sort")
    return faults


def pictures(browser, page, folder):
    for name, size, more in (
        ("light", "1440,4200", ()),
        ("dark", "1440,4200", ("--blink-settings=preferredColorScheme=0",)),
        ("narrow", "500,4200", ()),
    ):
        target = folder / f"{page.parent.name}-{page.stem}-{name}.png"
        run(browser, f"--window-size={size}", "--hide-scrollbars", *more, f"--screenshot={target}", page.resolve().as_uri())


def main(pages):
    browser = chromium()
    if browser is None:
        print("SKIPPED: no Chromium is installed, so the pages were not opened in one", file=sys.stderr)
        return 1 if os.environ.get("GYRO_CHROMIUM") == "required" else 0
    failed = False
    for page in map(pathlib.Path, pages):
        with tempfile.TemporaryDirectory() as folder:
            faults = check(browser, page, pathlib.Path(folder))
        print(f"{page}: {'sound' if not faults else ''}")
        for fault in faults:
            print(f"  {fault}")
        failed = failed or bool(faults)
        if os.environ.get("GYRO_SHOTS"):
            pictures(browser, page, pathlib.Path(os.environ["GYRO_SHOTS"]))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
