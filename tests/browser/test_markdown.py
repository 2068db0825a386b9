"""A model's Markdown on a page: what it looks like, and that nothing in it does anything, whatever it is."""

import itertools
from typing import Any

import pytest

from tests.browser.chromium import Visit
from tests.browser.conftest import Opens
from tests.browser.sites import Site

RENDER = """async (texts) => {
  const { render } = await import("/ui/static/markdown.js");
  const place = document.createElement("div");
  document.querySelector("main").append(place);
  const names = new Set(), attributes = new Set();
  let most = 0, deepest = 0;
  const html = [];
  for (const text of texts) {
    place.replaceChildren(render(text));
    const all = place.querySelectorAll("*");
    most = Math.max(most, all.length);
    for (const one of all) {
      names.add(one.localName);
      for (const { name, value } of one.attributes) attributes.add(`${one.localName} ${name}=${value}`);
    }
    for (let last = all[all.length - 1], deep = 0; last; last = last.parentElement, deep += 1) deepest = Math.max(deepest, deep);
    html.push(texts.length < 50 ? place.innerHTML : "");
    for (const button of place.querySelectorAll("button")) button.click();
    for (const link of place.querySelectorAll("a")) attributes.add(`link ${new URL(link.href).protocol} ${link.rel} ${link.target}`);
  }
  place.remove();
  return { html, names: [...names], attributes: [...attributes], most, deepest };
}"""
ELEMENTS = {
    "p", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "s", "hr", "div", "span",
    "button", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
ATTRIBUTES = {
    "p class=md-plain", "div class=md-code", "div class=scroll", "div tabindex=0", "pre tabindex=0", "span class=md-told",
    "span class=md-link", "button class=md-address", "button type=button",
    "button title=Show where this leads, before it is opened",
    "link http: noopener noreferrer _blank", "link https: noopener noreferrer _blank",
}  # fmt: skip
SCRIPTS = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "<iframe srcdoc='<script>alert(1)</script>'>",
    "<a href=javascript:alert(1)>x</a>", "<form action=//evil.example><button>x</button></form>", "<style>*{display:none}</style>",
    "<link rel=stylesheet href=//evil.example/x.css>", "<meta http-equiv=refresh content='0;url=//evil.example'>", "<base href=//evil.example>",
    "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](java\tscript:alert(1))", "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:msgbox)", "![x](http://evil.example/x.png)", "![x](javascript:alert(1))", "[![x](http://evil.example/x)](http://evil.example)",
    "[x](http://evil.example \"onmouseover=alert(1)\")", "[x](http://user:word@evil.example)", "<http://evil.example>", "[x](//evil.example)",
    "[x](http://evil.example/'\"><script>alert(1)</script>)", "[x]: http://evil.example", "&#60;script&#62;", "<!--", "]]>", "\\<b>", "\x00<b>",
    "\u202egnp.exe", "<math><mtext><table><mglyph><style><img src onerror=alert(1)>", "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<input autofocus onfocus=alert(1)>", "<details open ontoggle=alert(1)>", "<video><source onerror=alert(1)>", "{{7*7}}${7*7}<%= 7*7 %>",
)  # fmt: skip
AROUND = (
    "{}", "*{}*", "**{}**", "`{}", "``{}``", "# {}", "> {}", "- {}", "1. {}", "| a |\n|--|\n| {} |", "```{}\n{}\n```", "    {}", "[{}](http://x.example)",
    "![{}](http://x.example)", "[x]({})", "~~{}~~", "- > # **{}**", "___{}___", "text {} text", "{}\n{}", "a\n\n\n{}\n===", "<b>{}</b>", "\\{}", "[{}", "{}](",
    "> ```\n> {}", "1. - 2. {}", "***{}**",
)  # fmt: skip
HOSTILE = [around.replace("{}", script) for around, script in itertools.product(AROUND, SCRIPTS)]
LARGE = [
    *(mark * 100_000 for mark in ("*", "_", "~", "`", "[", "]", "![", "](", "[](", "[a](", "> ", "- ", "#", "|", "\\", "(", "* a ", "**a", "`a` ", "a*b_c~~")),
    *(f"{mark}\n" * 30_000 for mark in (">", "- a", "1. a", "```", "| a |", "|--|", "# a", "---", "    a", "a", "> - a")),
    "~" * 100_000 + "`", "```" + " " * 100_000 + "`", "# " + " " * 100_000 + "\u2028", "[" * 50_000 + "](http://x.example)" * 50_000,
    "\n".join(" " * at + "- a" for at in range(400)), "> " * 2_000 + "a", "| a " * 20_000 + "|\n" + "|-" * 900 + "|\n" + "| b " * 20_000,
    "*a " * 50_000 + "a* " * 50_000, "x" * 2_000_000, "[a](http://x.example/" + "(" * 100_000,
]  # fmt: skip


@pytest.fixture
def tab(visit: Opens, small: Site) -> Visit:
    tab = visit(small)
    tab.go("/ui/playground")
    return tab


def rendered(tab: Visit, *texts: str) -> Any:
    return tab.page.evaluate(RENDER, list(texts))


def only_what_is_known(found: Any) -> None:
    assert set(found["names"]) <= ELEMENTS
    assert {one for one in found["attributes"] if not one.startswith("ol start=")} <= ATTRIBUTES


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one *two* **three** `four` ~~five~~", "<p>one <em>two</em> <strong>three</strong> <code>four</code> <s>five</s></p>"),
        ("***a*** a_b_c __d__ 2 * 3 * 4", "<p><strong><em>a</em></strong> a_b_c <strong>d</strong> 2 * 3 * 4</p>"),
        ("*a **b* c**", "<p><em>a **b</em> c**</p>"),
        ("``a ` b`` \\*c\\* `d", "<p><code>a ` b</code> *c* `d</p>"),
        ("# A\n## B ##\n#no", "<h3>A</h3><h4>B ##</h4><p>#no</p>"),
        ("- a\n- b\n  - c\n\n3. d\n4. e", "<ul><li>a</li><li><p>b</p><ul><li>c</li></ul></li></ul><ol start=\"3\"><li>d</li><li>e</li></ol>"),
        ("> a\n> > b\n\n---", "<blockquote><p>a</p><blockquote><p>b</p></blockquote></blockquote><hr>"),
        ("![a *b*](http://x.example)", "<p><span class=\"md-link\">a <em>b</em></span> [picture, not loaded: http://x.example]</p>"),
        ("[a](ftp://x.example) [b] (c) [d](", "<p><span class=\"md-link\">a</span> (ftp://x.example) [b] (c) [d](</p>"),
    ],
)  # fmt: skip
def test_what_models_write_is_shown_as_it_is_meant(tab: Visit, text: str, html: str) -> None:
    assert rendered(tab, text)["html"] == [html]


def test_code_and_tables_are_text_in_their_places(tab: Visit) -> None:
    code, table = rendered(tab, "```py\n<b>\n*x*\n", "|a|b|\n|:-|-:|\n|1|*2*|3|\n|\\||")["html"]
    assert '<span class="md-told">py</span>' in code and "<code>&lt;b&gt;\n*x*\n</code>" in code
    assert "<th>a</th><th>b</th>" in table and "<td>1</td><td><em>2</em></td></tr><tr><td>|</td>" in table


def test_nothing_in_a_thousand_hostile_texts_does_anything(tab: Visit) -> None:
    assert len(HOSTILE) >= 1_000
    only_what_is_known(rendered(tab, *HOSTILE))
    assert not tab.complaints


def test_what_is_large_or_deep_stays_within_its_bounds(tab: Visit) -> None:
    found = rendered(tab, *LARGE, *HOSTILE[:20])
    only_what_is_known(found)
    assert found["most"] < 25_000 and found["deepest"] < 100
    assert not tab.complaints
