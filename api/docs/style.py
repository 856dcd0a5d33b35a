"""The page's style sheet: readable on a phone, on a desk, on paper and in the dark."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fff; --ink: #1d2430; --soft: #5b6676; --line: #dde2ea; --raised: #f5f7fa;
  --link: #1756c4; --get: #1f6f43; --post: #1756c4; --put: #8a5300; --delete: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12161d; --ink: #e3e8f0; --soft: #9aa7b8; --line: #2b3442; --raised: #1a212b;
    --link: #86b3ff; --get: #6fd39b; --post: #86b3ff; --put: #f0b866; --delete: #ff9d94;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body {
  margin: 0; color: var(--ink); background: var(--paper);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  display: grid; grid-template-columns: 17rem minmax(0, 1fr);
}
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
code, pre, .path { font-family: ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; }
code { font-size: .88em; overflow-wrap: anywhere; }
p code, td code { background: var(--raised); border-radius: 3px; padding: .1em .3em; }
h1, h2, h3, h4 { line-height: 1.25; }
h2 { margin: 3rem 0 .5rem; padding-bottom: .3rem; border-bottom: 2px solid var(--line); }
h3 { margin: 0 0 .5rem; font-size: 1.15rem; }
h4 { margin: 1.2rem 0 .4rem; font-size: .85rem; color: var(--soft); text-transform: uppercase;
  letter-spacing: .04em; }
h4 code { text-transform: none; }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.25rem 1rem;
  border-right: 1px solid var(--line); background: var(--raised); font-size: .9rem; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav > ul > li { margin-bottom: .8rem; }
nav > ul > li > a { font-weight: 600; color: var(--ink); text-transform: capitalize; }
nav ul ul a { display: flex; align-items: baseline; padding: .12rem 0 .12rem .6rem; }
nav .method { flex: 0 0 2.6rem; font-size: .68rem; }
main { padding: 1.5rem 2.5rem 6rem; max-width: 80rem; }
article { padding: 1.5rem 0; border-bottom: 1px solid var(--line); }
.two { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 28rem); gap: 1rem 2rem; }
.two > * { min-width: 0; }
.path { font-size: .95rem; overflow-wrap: anywhere; }
.method { display: inline-block; font: 700 .75rem ui-monospace, Menlo, Consolas, monospace;
  margin-right: .5rem; }
.get { color: var(--get); } .post { color: var(--post); } .put, .patch { color: var(--put); }
.delete { color: var(--delete); }
.soft { color: var(--soft); }
.must { color: var(--delete); font-size: .8em; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0;
  border-bottom: 1px solid var(--line); }
td:not(:last-child) code { overflow-wrap: normal; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
pre { margin: 0 0 1rem; padding: .8rem 1rem; overflow-x: auto; background: var(--raised);
  border: 1px solid var(--line); border-radius: 6px; font-size: .82rem; line-height: 1.45; }
details, .answer { margin: .3rem 0; }
summary { cursor: pointer; }
@media (max-width: 70rem) { .two { grid-template-columns: minmax(0, 1fr); gap: 1rem; } }
@media (max-width: 50rem) {
  body { display: block; }
  html { scroll-padding-top: 3.5rem; }
  nav { height: auto; padding: .6rem 1rem; border: 0; border-bottom: 1px solid var(--line);
    overflow-x: auto; z-index: 1; }
  nav > ul { display: flex; gap: 1.2rem; white-space: nowrap; }
  nav > ul > li { margin: 0; }
  nav ul ul { display: none; }
  main { padding: 1rem 1rem 4rem; }
}
@media (max-width: 40rem) {
  thead { display: none; }
  tr { display: block; padding: .4rem 0; border-bottom: 1px solid var(--line); }
  td { display: inline; padding: 0 .5rem 0 0; border: 0; }
  td:last-child { display: block; }
}
@media print { nav { display: none; } body { display: block; } pre { white-space: pre-wrap; } }
"""
