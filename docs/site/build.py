"""Builds the site, in English and Chinese, without a network:

    pip install -e ".[site]"
    python docs/site/build.py [FOLDER] [--language en|zh] [--without-reference]

The pages lie in FOLDER (``build/site`` by default); open ``index.html`` there, no server is needed.
Fails where a page has a link that leads nowhere.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DOCS = ROOT / "docs"
sys.path[:0] = [str(HERE), str(ROOT / "src")]

from pellucid.course.lessons import Lesson, lessons  # noqa: E402

LANGUAGES = ("en", "zh")
OTHER = {"en": "zh", "zh": "en"}

GUIDES = ("guide", "doctor", "explanations", "effects", "from-pytorch")
"""Documents that are there in both languages."""

PROJECT = ("glossary", "performance", "accuracy", "coverage", "dependencies", "architecture")
"""Documents that are there once."""

WORDS = {
    "en": {
        "contents": "Contents",
        "course": "The course",
        "guides": "Guides",
        "reference": "Reference",
        "project": "The project",
        "course text": "Thirty-three lessons from one neuron to Transformers and agents. Each "
        "answers one question in a quarter to half an hour, with a program that runs in "
        "seconds and exercises that are checked.",
        "reference text": "Every public function and class, with its formula, shapes and source.",
    },
    "zh": {
        "contents": "目录",
        "course": "课程",
        "guides": "使用指南",
        "reference": "API 参考",
        "project": "项目",
        "course text": "三十三课，从一个神经元到 Transformer 和智能体。每课一刻钟到半小时，"
        "回答一个问题，配一个几秒钟就能跑完的程序和可以自动批改的练习。",
        "reference text": "全部公开的函数与类，附公式、形状与出处。文档字符串是英文的。",
    },
}


def written() -> list[Lesson]:
    """The lessons whose texts are there in both languages."""
    return [lesson for lesson in lessons() if lesson.is_there]


def _toctree(caption: str, entries: list[str]) -> str:
    lines = ["```{toctree}", ":hidden:", f":caption: {caption}", "", *entries, "```", ""]
    return "\n".join(lines)


def _document(name: str, language: str) -> str:
    return f"{name}.zh-CN" if language == "zh" and name in GUIDES else name


def course_page(language: str) -> str:
    """The list of all lessons, a card each with its first picture."""
    words = WORDS[language]
    lines = [f"# {words['course']}", "", words["course text"], ""]
    for title, found in itertools.groupby(written(), lambda lesson: lesson.part[language]):
        lines += [f"## {title}", "", '<div class="cards">']
        for lesson in found:
            pictures = lesson.text(language).pictures
            picture = ""
            if pictures:  # Sphinx copies the pictures of pages, not those of raw HTML
                picture = f'<img src="{pictures[0]}" alt="" loading="lazy">'
            lines.append(
                f'<a class="card" href="{lesson.name}.html">{picture}'
                f'<span class="number">{lesson.number}</span> {lesson.titles[language]}</a>'
            )
        lines += ["</div>", ""]
    entries = [lesson.name for lesson in written()]
    return "\n".join([*lines, _toctree(words["course"], entries)])


def _reference_pages(folder: Path, language: str) -> list[str]:
    import reference

    folder.mkdir()
    lines = [f"# {WORDS[language]['reference']}", "", WORDS[language]["reference text"], ""]
    for module, titles in reference.MODULES.items():
        title = titles[language == "zh"]
        pages = list(reference.pages_of(module, title))
        if not pages:
            continue
        lines += [f"## {title}", "", f"`{module}`", ""]
        for page in pages:
            text = reference.written(page, up=WORDS[language]["reference"])
            (folder / f"{page.file}.rst").write_text(text, encoding="utf-8")
            shown = ", ".join(f"`{name}`" for name in page.names[:6])
            more = " …" if len(page.names) > 6 else ""
            lines.append(f"- [{page.title}]({page.file}.rst): {shown}{more}")
        lines.append("")
    (folder / "index.md").write_text("\n".join(lines), encoding="utf-8")
    return ["reference/index"]


def write_sources(folder: Path, language: str, *, with_reference: bool) -> None:
    """All that Sphinx reads, for one language."""
    words = WORDS[language]
    shutil.copytree(DOCS / "images", folder / "images")
    for name in (*GUIDES, *PROJECT):
        source = DOCS / f"{_document(name, language)}.md"
        if source.exists():
            shutil.copy(source, folder)
    for name in ("CHANGELOG", "CONTRIBUTING"):
        text = (ROOT / f"{name}.md").read_text(encoding="utf-8").replace("](docs/", "](")
        (folder / f"{name.lower()}.md").write_text(text, encoding="utf-8")
    (folder / "lessons").mkdir()
    for lesson in written():
        shutil.copy(lesson.path(language), folder / "lessons")
    pictures = DOCS / "lessons" / language / "images"
    if pictures.exists():
        shutil.copytree(pictures, folder / "lessons" / "images")
    (folder / "lessons" / "index.md").write_text(course_page(language), encoding="utf-8")
    _mend_links(folder, language)
    guides = [_document(name, language) for name in GUIDES]
    project = [name for name in PROJECT if (folder / f"{name}.md").exists()]
    trees = [
        _toctree(words["course"], ["lessons/index"]),
        _toctree(words["guides"], guides),
    ]
    if with_reference:
        trees.append(_toctree(words["reference"], _reference_pages(folder / "reference", language)))
    trees.append(_toctree(words["project"], [*project, "changelog", "contributing"]))
    text = "\n".join([f"# {words['contents']}", "", *trees])
    (folder / "contents.md").write_text(text, encoding="utf-8")


def _mend_links(folder: Path, language: str) -> None:
    """Links to the other language lead to its pages; of files without a page the name stays."""
    other = OTHER[language]
    for page in folder.rglob("*.md"):
        depth = len(page.relative_to(folder).parts) - 1
        text = page.read_text(encoding="utf-8")

        def mended(link: re.Match[str], page: Path = page, depth: int = depth) -> str:
            words, target, anchor = link[1], link[2], link[3] or ""
            if "://" in target or (page.parent / target).exists():
                return link[0]
            up = "../" * (depth + 1)
            name = Path(target).name
            if (DOCS / name).exists() and name.endswith(".md"):
                return f'<a href="{up}{other}/{name.removesuffix(".md")}.html{anchor}">{words}</a>'
            if f"../{other}/" in target:
                return f'<a href="{up}{other}/lessons/{name.removesuffix(".md")}.html">{words}</a>'
            inner = (page.parent / name, folder / name.lower(), folder / name)
            for each in inner:
                if each.exists():
                    return f"[{words}]({os.path.relpath(each, page.parent)}{anchor})"
            return f"`{name}`" if "`" in words or words == name else f"{words} (`{name}`)"

        link = r"(?<!!)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)"
        page.write_text(re.sub(link, mended, text), encoding="utf-8")


def build(out: Path, language: str, *, with_reference: bool) -> None:
    """The pages of one language into ``out/language``."""
    with tempfile.TemporaryDirectory() as name:
        sources = Path(name) / "sources"
        sources.mkdir()
        write_sources(sources, language, with_reference=with_reference)
        environment = os.environ | {
            "PELLUCID_SITE": str(HERE),
            "PELLUCID_SITE_LANGUAGE": language,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]),
        }
        command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", "-c", str(HERE)]
        command += ["-d", str(Path(name) / "trees"), str(sources), str(out / language)]
        done = subprocess.run(command, env=environment, check=False)
        if done.returncode:
            raise SystemExit(f"the {language} pages could not be built")
        pictures = sources / "lessons" / "images"
        if pictures.exists():  # those of the cards
            shutil.copytree(pictures, out / language / "lessons" / "images", dirs_exist_ok=True)


def write_entrance(out: Path) -> None:
    """``index.html``: leads to the title page in the reader's language."""
    shutil.copy(HERE / "entrance.html", out / "index.html")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "site")
    parser.add_argument("--language", choices=LANGUAGES, help="only this language")
    parser.add_argument("--without-reference", action="store_true", help="no API reference")
    given = parser.parse_args()
    import links
    import living

    out: Path = given.folder.resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    recording = json.dumps(living.record(), separators=(",", ":"))
    for language in [given.language] if given.language else LANGUAGES:
        build(out, language, with_reference=not given.without_reference)
        script = out / language / "_static" / "recording.js"
        script.write_text(f"const RECORDING = {recording};\n", encoding="utf-8")
    write_entrance(out)
    only_one = given.language is not None
    broken = links.broken(out, languages=LANGUAGES if not only_one else (given.language,))
    for page, link in broken:
        print(f"{page}: {link} leads nowhere", file=sys.stderr)
    print(f"{sum(1 for _ in out.rglob('*.html'))} pages in {out}")
    if broken:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
