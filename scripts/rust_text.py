"""A Rust source as the gates see it: its code without comments and literals, its test code, its markers."""

import pathlib
import re

# What may hide a word from the gates: comments, string, byte and character literals. A lifetime is no literal.
TOKEN = re.compile(
    r"""//[^\n]*"""
    r"""|/\*"""
    r"""|\b[bc]?r(?P<hash>\#*)".*?"(?P=hash)"""
    r"""|\b[bc]?"(?:\\.|[^"\\])*\""""
    r"""|"(?:\\.|[^"\\])*\""""
    r"""|\bb?'(?:\\[^u]|\\u\{[^}]*\}|\\x..|[^'\\])'"""
    r"""|'(?:\\[^u]|\\u\{[^}]*\}|\\x..|[^'\\])'""",
    re.S,
)
MARKER = re.compile(r"^//\s*start-up:\s*(.*?)\s*$")
TEST_ATTRIBUTE = re.compile(r"#\[cfg\((?:test|all\(test\b[^\]]*)\)\]")


class Source:
    """One file: its code as one text and split into lines, which keep their numbers."""

    def __init__(self, text):
        self.markers = {}
        alone = set()
        self.text = self._strip(text, alone)
        self.code = self.text.split("\n")
        self.module_comment = self._module_comment(text)
        self.test_modules = re.findall(r"#\[cfg\(test\)\]\s*(?:pub(?:\([^)]*\))?\s+)?mod\s+(\w+)\s*;", self.text)
        self.test_lines = self._test_lines()
        self.start_up = self._covered(alone)

    def _strip(self, text, alone):
        """Blanks comments and literals, notes the markers on the way. Line numbers stay."""
        out, at = [], 0
        while found := TOKEN.search(text, at):
            out.append(text[at : found.start()])
            end = found.end()
            if found[0] == "/*":
                end = end_of_block_comment(text, found.start())
            elif found[0].startswith("//"):
                self._note(found, text, alone)
            piece = text[found.start() : end]
            out.append('""' if piece[0] not in "/" else "")
            out.append("\n" * piece.count("\n"))
            at = end
        out.append(text[at:])
        return "".join(out)

    def _note(self, found, text, alone):
        if not (marker := MARKER.match(found[0])):
            return
        line = text.count("\n", 0, found.start()) + 1
        self.markers[line] = marker[1]
        if not text[text.rfind("\n", 0, found.start()) + 1 : found.start()].strip():
            alone.add(line)

    @staticmethod
    def _module_comment(text):
        lines = []
        for line in text.split("\n"):
            if not line.startswith("//!"):
                break
            lines.append(line)
        return lines

    def _test_lines(self):
        """Numbers of the lines that only a test build sees."""
        lines, text = set(), self.text
        for found in TEST_ATTRIBUTE.finditer(text):
            first = text.count("\n", 0, found.start()) + 1
            last = text.count("\n", 0, end_of_item(text, found.end())) + 1
            lines.update(range(first, last + 1))
        return lines

    def _covered(self, alone):
        """Line -> the marker that covers it."""
        covered = {}
        for marker in self.markers:
            if marker not in alone:
                covered[marker] = marker
                continue
            below = marker + 1
            while below <= len(self.code) and re.fullmatch(r"\s*(#\[.*\])?\s*", self.code[below - 1]):
                below += 1
            if below > len(self.code):
                continue
            last = below
            if re.search(r"\b(fn|impl)\b", self.code[below - 1]):
                start = sum(len(line) + 1 for line in self.code[: below - 1])
                last = self.text.count("\n", 0, end_of_item(self.text, start)) + 1
            covered.update((line, marker) for line in range(below, last + 1))
        return covered


def end_of_block_comment(text, start):
    """Block comments nest in Rust."""
    depth, at = 0, start
    for found in re.finditer(r"/\*|\*/", text[start:]):
        depth += 1 if found[0] == "/*" else -1
        at = start + found.end()
        if depth == 0:
            return at
    return len(text)


def end_of_item(text, start):
    """Where the item that starts here ends: its closing brace, or its semicolon where it has no body."""
    depth = 0
    for at in range(start, len(text)):
        char = text[at]
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
            if depth == 0 and char == "}":
                return at
        elif char == ";" and depth == 0:
            return at
    return len(text) - 1


def module_file(parent, child, known):
    """The file of `mod child;` in `parent`."""
    path = pathlib.PurePosixPath(parent)
    folder = path.parent if path.name in ("lib.rs", "main.rs", "mod.rs") else path.with_suffix("")
    for name in (folder / f"{child}.rs", folder / child / "mod.rs"):
        if str(name) in known:
            return str(name)
    return None
