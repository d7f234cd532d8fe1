"""The report's style sheet: one column on a phone, two beside each other on a desk, light or dark
as the reader's system is set."""

CSS = """
:root { color-scheme: light dark;
  --page: #f6f6f4; --card: #ffffff; --ink: #1c1c1a; --soft: #5e5d58; --faint: #8b8a84;
  --line: #e4e3de; --grid: #efeeea; --a: #2a6fdb; --b: #e0662a; --c: #2c9a68; --d: #8a63d2;
  --e: #c9a227; --good: #17794c; --good-bg: #e5f4ec; --warn: #8a5a00; --warn-bg: #fdf1d8;
  --bad: #b3261e; --bad-bg: #fbe9e7; --heat: 42, 111, 219; --miss: 217, 72, 40; }
@media (prefers-color-scheme: dark) { :root {
  --page: #161615; --card: #201f1e; --ink: #eceae4; --soft: #b5b3ab; --faint: #8b8a84;
  --line: #34332f; --grid: #2a2926; --a: #6ea4f4; --b: #f08d57; --c: #5cc493; --d: #b094ec;
  --e: #dfc160; --good: #7fd8a9; --good-bg: #16352a; --warn: #f2c869; --warn-bg: #3a2e12;
  --bad: #ff9a8d; --bad-bg: #431f1b; --heat: 110, 164, 244; --miss: 240, 120, 80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.5;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans SC",
  sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 36px 20px 60px; }
header { margin-bottom: 22px; }
.eyebrow { color: var(--faint); font-size: 13px; margin: 0; }
h1 { font-size: 30px; line-height: 1.2; margin: 4px 0 6px; letter-spacing: -0.01em; }
.lead { color: var(--soft); margin: 0; max-width: 100ch; }
h2 { font-size: 16px; margin: 0 0 4px; }
h3 { font-size: 13px; font-weight: 600; margin: 0 0 2px; }
.note { color: var(--soft); font-size: 13.5px; margin: 0 0 12px; max-width: 110ch; }
.verdict { border-radius: 10px; padding: 12px 16px; margin: 18px 0; font-weight: 500; }
.verdict.good { background: var(--good-bg); color: var(--good); }
.verdict.warn { background: var(--warn-bg); color: var(--warn); }
.verdict.bad { background: var(--bad-bg); color: var(--bad); }
.verdict p { margin: 0; } .verdict p + p { margin-top: 4px; font-weight: 400; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin: 18px 0; }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.tile { padding: 12px 16px; }
.tile b { display: block; font-size: 25px; font-weight: 600; letter-spacing: -0.01em;
  font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.cards { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; }
.card { padding: 18px 20px; min-width: 0; }
.card.wide { grid-column: 1 / -1; }
@media (max-width: 860px) { h1 { font-size: 25px; }
  .cards { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 560px) { .tick { font-size: 17px !important; }
  .title { font-size: 17px !important; } .small .tick { font-size: 11px !important; } }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th, td { text-align: left; padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
tr:last-child > * { border-bottom: 0; }
thead th { color: var(--soft); font-weight: 500; }
tbody th { font-weight: 500; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr > .n:last-child { padding-right: 0; }
.strong { font-weight: 650; } .dim { color: var(--faint); }
.barcell { position: relative; display: inline-block; width: 90px; height: 7px; border-radius: 4px;
  background: var(--grid); margin-left: 8px; vertical-align: 1px; overflow: hidden; }
.barcell.long { width: min(46vw, 420px); margin-left: 0; }
.barcell i { display: block; height: 100%; background: var(--a); }
.barcell u { position: absolute; top: 3px; height: 1.5px; background: var(--ink);
  opacity: 0.75; min-width: 2px; }
svg { display: block; width: 100%; height: auto; }
.grid { stroke: var(--grid); } .axis { stroke: var(--line); }
.zero { stroke: var(--faint); stroke-dasharray: 2 3; }
.tick { font-size: 10.5px; fill: var(--faint); font-variant-numeric: tabular-nums; }
.title { font-size: 11.5px; fill: var(--soft); }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
.curve.a { stroke: var(--a); } .curve.b { stroke: var(--b); } .curve.c { stroke: var(--c); }
.curve.f { stroke: var(--faint); stroke-dasharray: 5 4; } .dot.f { fill: var(--faint); }
.dot.a { fill: var(--a); } .dot.b { fill: var(--b); } .dot.c { fill: var(--c); }
line.mark { stroke: var(--faint); stroke-dasharray: 4 4; }
.point { fill: var(--a); fill-opacity: 0.55; }
.bar { fill: var(--a); } .bar.zeros { fill: var(--faint); }
.outline { fill: none; stroke: var(--b); stroke-width: 1.4; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 12.5px; color: var(--soft);
  margin-bottom: 6px; }
.key { display: inline-block; width: 14px; height: 4px; border-radius: 2px; margin-right: 6px;
  vertical-align: 3px; }
.key.a { background: var(--a); } .key.b { background: var(--b); } .key.c { background: var(--c); }
.key.d { background: var(--d); } .key.e { background: var(--e); }
.key.f, .key.mark { background: var(--faint); }
.stack { display: flex; height: 18px; border-radius: 6px; overflow: hidden; gap: 2px;
  margin-bottom: 8px; }
.stack i { display: block; min-width: 2px; }
.stack .a { background: var(--a); } .stack .b { background: var(--b); }
.stack .c { background: var(--c); } .stack .d { background: var(--d); }
.stack .e { background: var(--e); } .stack .f { background: var(--faint); }
.small { display: grid; gap: 14px 20px;
  grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); }
.small p { margin: 0; color: var(--soft); font-size: 12px; }
.confusion { width: auto; border-spacing: 2px; border-collapse: separate; }
.confusion td { text-align: center; min-width: 34px; padding: 5px 4px; border: 0;
  border-radius: 5px;  font-variant-numeric: tabular-nums; }
.confusion.few td { min-width: 78px; padding: 12px 6px; font-size: 15px; }
.confusion th { border: 0; vertical-align: middle; padding: 4px 8px 4px 0; font-weight: 500;
  white-space: nowrap; }
.confusion thead th { text-align: center; padding: 4px; }
.confusion .none { color: var(--faint); opacity: 0.6; }
.confusion .sum { color: var(--soft); border-left: 0; background: none; }
.key.heat { background: rgb(var(--heat)); } .key.miss { background: rgb(var(--miss)); }
.switch > input { position: absolute; opacity: 0; }
.switch > label { display: inline-block; font-size: 12.5px; color: var(--soft); cursor: pointer;
  border: 1px solid var(--line); border-radius: 6px; padding: 1px 9px; margin: 0 4px 8px 0; }
.switch > input:checked + label { color: var(--ink); border-color: var(--a); }
.switch > input:focus-visible + label { outline: 2px solid var(--a); }
.switch > div { display: none; }
#counts:checked ~ .counts, #shares:checked ~ .shares { display: block; }
.range { stroke: var(--a); stroke-width: 1.6; opacity: 0.55; }
.findings { margin: 0; padding: 0; list-style: none; counter-reset: f; }
.findings > li { padding: 12px 0; border-top: 1px solid var(--line); margin: 0; }
.findings > li:first-child { border-top: 0; padding-top: 0; }
.findings h3 { font-size: 15px; } .findings .note { margin: 2px 0 6px; }
.sure { display: inline-block; width: 64px; height: 6px; border-radius: 3px;
  background: var(--grid); overflow: hidden; vertical-align: 2px; margin-left: 8px; }
.sure i { display: block; height: 100%; background: var(--bad); }
.do { margin: 8px 0 4px; font-size: 14px; }
.diff { margin: 4px 0; font-size: 12.5px; font-family: ui-monospace, Menlo, Consolas, monospace; }
.diff del { color: var(--bad); text-decoration: none; }
.diff ins { color: var(--good); text-decoration: none; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 14px; }
.gallery figure { margin: 0; font-size: 12.5px; }
.gallery img { width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated;
  border-radius: 8px; background: #000; display: block; margin-bottom: 4px; }
.gallery.tight { grid-template-columns: repeat(auto-fill, minmax(58px, 1fr)); gap: 8px;
  margin-bottom: 16px; }
.gallery .dim { font-size: 12px; }
.net { display: flex; flex-wrap: wrap; align-items: center; gap: 6px; margin: 4px 0 14px; }
.net div { border: 1px solid var(--line); border-radius: 8px; padding: 6px 10px; font-size: 12.5px;
  background: var(--page); }
.net div b { display: block; font-size: 14px; font-variant-numeric: tabular-nums; }
.net div.end { border-color: var(--a); } .net > i { color: var(--faint); font-style: normal; }
.chart { margin: 0; position: relative; } .chart svg { touch-action: pan-y; }
.chart svg:focus { outline: none; } .chart svg:focus-visible { outline: 2px solid var(--a);
  outline-offset: 2px; border-radius: 6px; }
.guide { stroke: var(--faint); pointer-events: none; }
.brush { fill: var(--a); opacity: 0.15; pointer-events: none; }
.tip { display: none; position: absolute; pointer-events: none; background: var(--card);
  border: 1px solid var(--line); border-radius: 8px; padding: 6px 10px; font-size: 12.5px;
  box-shadow: 0 2px 10px rgba(0, 0, 0, 0.12); white-space: nowrap;
  font-variant-numeric: tabular-nums; z-index: 2; }
.back { position: absolute; right: 14px; top: 0; font: inherit; font-size: 12px;
  color: var(--soft); background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; padding: 2px 8px; cursor: pointer; }
.scroll.more { box-shadow: inset -14px 0 12px -12px rgba(0, 0, 0, 0.25); }
ul { margin: 0; padding-left: 18px; font-size: 14px; } li { margin: 3px 0; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 12.5px;
  overflow-wrap: anywhere; }
details summary { cursor: pointer; color: var(--soft); font-size: 13.5px; margin-top: 8px; }
footer { color: var(--faint); font-size: 13px; margin-top: 26px; }
@media print { body { background: none; font-size: 12px; } main { padding: 0; max-width: none; }
  .card, .tile, .chart, tr { break-inside: avoid; } .back, .tip { display: none; }
  .scroll { overflow: visible; } details { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
@media (prefers-color-scheme: dark) { :root { --lightness: 70%; } }
"""
_HUES = (217, 20, 152, 265, 45, 330, 190, 95, 0, 290, 60, 240)
"""Of the lines of as many runs in one picture, neighbours far apart."""
CSS += "".join(
    f".curve.r{i} {{ stroke: {colour}; }} .dot.r{i} {{ fill: {colour}; }} "
    f".key.r{i} {{ background: {colour}; }}\n"
    for i, colour in enumerate(f"hsl({hue} 60% var(--lightness, 46%))" for hue in _HUES)
)
