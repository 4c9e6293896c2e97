"""First uses of terms become links to the glossary, in running text and nowhere else."""

import os
import re
import subprocess
import sys

import pytest

from bfo_utils.compute import resource_path

EXTENSIONS = resource_path("book") / "_ext"
CONF = f"""
import sys
sys.path.insert(0, {str(EXTENSIONS)!r})
extensions = ["myst_parser", "glossary_links"]
glossary_by_hand = ["order"]
myst_enable_extensions = ["dollarmath"]
html_theme = "basic"
suppress_warnings = ["myst.header"]
"""
INDEX = """
# A domain in a heading

```{toctree}
glossary
other
```

`domain` in code, $domain$ in a formula, [a domain](https://example.org/domain) in a link.

```{code-block} python
:caption: a domain in a caption
domain = 1
```

| domain |
| --- |
| one Domain, and a domain |

Two domain
walls meet in subdomains, on *domain walls* and in domain-like places. A stem of STEM, one
STEM more.
Properties: one property. In this order.

The {term}`seed <seed>` is a seed. An {term}`ARI <adjusted Rand index>` is an ARI.
The *window* before the {term}`window`.
"""
OTHER = "# Other\n\nDomains here, ARIs there, and the adjusted Rand index.\n"
GLOSSARY = """
# Glossary

```{glossary}
domain
  Has a domain wall.

domain wall
  Ends a domain.

STEM
  A microscope.

property
  What it has.

order
  Of domains.

seed
  A number.

window
  A piece.

adjusted Rand index
ARI
  A number, from a seed.
```
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Pages of a small book, built with warnings as errors."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("out")
    for name, text in {
        "conf.py": CONF,
        "index.md": INDEX,
        "other.md": OTHER,
        "glossary.md": GLOSSARY,
    }.items():
        (source / name).write_text(text)
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", str(source), str(out)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONWARNINGS": "ignore"}
    )
    assert done.returncode == 0, done.stderr
    return {
        name: (
            (out / f"{name}.html")
            .read_text()
            .split('role="main"')[1]
            .split("</article>")[0]
            .split('class="sphinxsidebar"')[0]
        )
        for name in ("index", "other", "glossary")
    }


def links(page):
    """Words and targets of links to the glossary."""
    found = re.findall(
        r'<a class="reference internal" href="(?:glossary\.html)?#term-([^"]+)"[^>]*><span'
        r' class="xref[^>]*>([^<]+)<',
        page,
    )
    return [(" ".join(words.split()), target) for target, words in found]


def test_first_uses_link_and_later_ones_do_not(site):
    assert links(site["index"]) == [
        ("Domain", "domain"),
        ("domain walls", "domain-wall"),
        ("STEM", "STEM"),
        ("Properties", "property"),
        ("seed", "seed"),
        ("ARI", "adjusted-Rand-index"),
        ("window", "window"),
        ("window", "window"),
    ]


def test_every_page_begins_anew_and_synonyms_are_terms(site):
    assert links(site["other"]) == [
        ("Domains", "domain"),
        ("ARIs", "ARI"),
        ("adjusted Rand index", "adjusted-Rand-index"),
    ]


def test_the_glossary_does_not_link_to_itself(site):
    assert links(site["glossary"]) == []


@pytest.fixture
def extension(monkeypatch):
    monkeypatch.syspath_prepend(str(EXTENSIONS))
    import glossary_links

    return glossary_links


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("domain walls", "domain walls"),
        ("Domain\n  wall", "Domain\n  wall"),
        ("domain", "domain"),
        ("domain's", "domain"),
        ("the STEM", "STEM"),
        ("a stem", None),
        ("subdomain", None),
        ("domain-like", None),
        ("k-means", "k-means"),
        ("invariances", "invariances"),
        ("BiFeO₃", "BiFeO₃"),
        ("bayesian optimization", "bayesian optimization"),
    ],
)
def test_forms_of_a_term(extension, text, found):
    terms = [
        "domain",
        "domain wall",
        "STEM",
        "k-means",
        "invariance",
        "BiFeO₃",
        "Bayesian optimization",
    ]
    match = extension.pattern(terms).search(text)
    assert (match and match.group()) == found
