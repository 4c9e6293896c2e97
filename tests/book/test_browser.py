"""Every page of the built book, as a reader sees it: in headless Chromium, from files, without a
network.
"""

import functools
import json
from importlib import resources
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

pytestmark = pytest.mark.slow
AXE = {
    "resultTypes": ["violations"],
    "preload": False,
}  # preloading fetches, which browsers refuse to pages that are files
COLORS = AXE | {"runOnly": ["color-contrast", "link-in-text-block"]}
SCROLLED = AXE | {"runOnly": ["scrollable-region-focusable"]}
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
AT_ONCE = (
    "document.head.insertAdjacentHTML('beforeend', '<style>* {transition: none"
    " !important}</style>');"
)
ONE_OF_A_KIND = """
// Hundreds of tokens of code and entries of the contents look alike: the first of each kind stays.
const seen = new Set();
for (const one of document.querySelectorAll('pre span, .sig span, .bd-sidebar-primary li')) {
    const kind = one.parentElement.closest('[class]').className + ' > ' + one.className;
    if (seen.has(kind)) one.style.visibility = 'hidden';
    seen.add(kind);
}
"""
BROKEN = "return [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)"
TOO_WIDE = """
const room = document.documentElement.clientWidth, page = document.scrollingElement.scrollWidth;
const wide = [...document.querySelectorAll('article *')].filter(
    e => !e.closest('pre') && e.getBoundingClientRect().right > room + 1);
const shown = wide.slice(0, 3).map(e => e.outerHTML.slice(0, 80)).join(' | ');
return page > room ? [`${page} px wide: ` + shown] : [];
"""


@pytest.fixture(scope="module")
def html(folder):
    return folder / "html"


@pytest.fixture(scope="module")
def pages(html):
    """The parsed pages by their paths below the book's folder."""
    paths = [p for p in sorted(html.rglob("*.html")) if "_static" not in p.parts]
    return {str(p.relative_to(html)): BeautifulSoup(p.read_text(), "html.parser") for p in paths}


def report(complaints):
    """What is wrong, page by page; fails if anything is."""
    found = {page: list(wrong) for page, wrong in complaints.items()}
    text = "\n".join(f"{page}\n  " + "\n  ".join(wrong) for page, wrong in found.items() if wrong)
    assert not text, f"\n{text}"


# ---- the files -----------------------------------------------------------------------


def targets(soup):
    return {tag.get(key) for tag in soup.find_all() for key in ("id", "name") if tag.get(key)}


def test_links_and_anchors_lead_somewhere(html, pages):
    known = functools.cache(lambda page: targets(pages[page]))

    def broken(page, soup):
        for tag in soup.find_all(lambda t: t.get("href") or t.get("src")):
            link = urlsplit(tag.get("href") or tag.get("src"))
            if link.scheme or link.netloc:
                continue
            file = (
                (html / page).parent.joinpath(unquote(link.path)).resolve()
                if link.path
                else html / page
            )
            name = str(file.relative_to(html.resolve()))
            if not file.is_file() or (
                link.fragment and name in pages and unquote(link.fragment) not in known(name)
            ):
                yield f"{link.geturl()} leads nowhere"

    report({page: broken(page, soup) for page, soup in pages.items()})


def test_nothing_is_loaded_from_the_net(pages):
    def foreign(soup):
        loaded = soup.find_all(["script", "img", "iframe", "link", "source", "video"])
        addresses = [
            tag.get("src") or tag.get("href") or ""
            for tag in loaded
            if "canonical" not in tag.get("rel", [])
        ]
        return [address for address in addresses if urlsplit(address).netloc]

    report({page: foreign(soup) for page, soup in pages.items()})


def test_every_picture_has_words_and_every_figure_a_caption(pages):
    def wordless(soup):
        for picture in soup.select(
            "article img:not(.bfo-frame)"
        ):  # what is drawn over a picture needs no words of its own
            if len(picture.get("alt", "").split()) < 3:
                yield f"{picture['src']}: alt text '{picture.get('alt', '')}'"
            caption = picture.find_parent("figure") and picture.find_parent("figure").find(
                "figcaption"
            )
            if not caption or len(caption.get_text().split()) < 8:
                yield f"{picture['src']}: no caption that says what to see"

    report({page: wordless(soup) for page, soup in pages.items()})


# ---- in the browser ------------------------------------------------------------------


def axe(browser, options):
    """Serious and critical violations of the rules for accessible pages, with the first elements
    that break them.
    """
    script = (
        "const done = arguments[1]; axe.run(document, arguments[0]).then(r => done(r.violations))"
    )
    for rule in browser.execute_async_script(script, options):
        if rule["impact"] in ("serious", "critical"):
            places = [
                f"{node['target']} {node['any'][0]['message'] if node['any'] else ''}"
                for node in rule["nodes"]
            ]
            yield f"{rule['id']} ({len(places)}): " + " | ".join(places[:3])


def messages(browser):
    """Errors of the console, and requests that failed or left this machine, since the last call."""
    yield from (
        entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"
    )
    for entry in browser.get_log("performance"):
        event = json.loads(entry["message"])["message"]
        address = event["params"].get("request", {}).get("url", "file:")
        if event["method"] == "Network.requestWillBeSent" and urlsplit(address).scheme not in (
            "file",
            "data",
            "blob",
        ):
            yield f"asks for {address}"
        if event["method"] == "Network.loadingFailed" and not event["params"].get("canceled"):
            yield f"a {event['params']['type']} failed: {event['params']['errorText']}"


def looks(browser, address):
    """What is wrong with a page on a phone, in light and in dark."""
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    browser.get(address)
    browser.execute_script(
        resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()
    )
    yield from (f"broken picture {source}" for source in browser.execute_script(BROKEN))
    yield from (
        f"at 390 px: {wrong}"
        for wrong in [*browser.execute_script(TOO_WIDE), *axe(browser, SCROLLED)]
    )
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_script(AT_ONCE + ONE_OF_A_KIND)
    browser.execute_script("document.documentElement.dataset.theme = 'light'")
    yield from (f"light: {wrong}" for wrong in axe(browser, AXE))
    browser.execute_script("document.documentElement.dataset.theme = 'dark'")
    yield from (f"dark: {wrong}" for wrong in axe(browser, COLORS))
    yield from messages(browser)


def test_every_page_reads_well(browser, html, pages):
    list(messages(browser))  # of earlier tests
    report({page: looks(browser, (html / page).as_uri()) for page in pages})


def test_the_search_finds_domain_walls(browser, html):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.wait import WebDriverWait

    list(messages(browser))
    browser.get((html / "search.html").as_uri() + "?q=domain+wall")
    found = WebDriverWait(browser, 10).until(
        lambda b: b.find_elements(By.CSS_SELECTOR, "#search-results li a")
    )
    assert "glossary.html" in " ".join(link.get_attribute("href") for link in found)
    assert not list(messages(browser))
