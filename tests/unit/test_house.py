"""The house rules that no linter knows: what setup.cfg, the locks, the Makefile and every file must agree on."""

import ast
import configparser
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

CHECKOUT = Path(__file__).resolve().parents[2]
LINES_MAX = 400
FUNCTION_LINES_MAX = 50
PORT_METHODS_MAX = 6
MEANINGLESS_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "misc"})
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-live.lock", "requirements-batch.lock")
FOLDERS_BUILT = frozenset({"build", "dist", "data"})


@cache
def metadata() -> configparser.ConfigParser:
    """setup.cfg, as setuptools reads it."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(CHECKOUT / "setup.cfg", encoding="utf-8")
    return parser


def packages() -> list[str]:
    """The packages that setup.cfg lists, in its order."""
    return metadata()["options"]["packages"].split()


def source_files() -> Iterator[Path]:
    """Every Python file of the checkout, tests included, built folders left out."""
    for folder in sorted(CHECKOUT.iterdir()):
        if folder.is_dir() and not folder.name.startswith(".") and folder.name not in FOLDERS_BUILT:
            yield from sorted(folder.rglob("*.py"))


def product_files() -> Iterator[Path]:
    """Every Python file that the wheel carries."""
    return (path for path in source_files() if path.relative_to(CHECKOUT).parts[0] != "tests")


def relative(path: Path) -> str:
    """The path as the checkout names it."""
    return path.relative_to(CHECKOUT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def pins(lock: str) -> dict[str, Version]:
    """The version that a lock file gives each library."""
    lines = (CHECKOUT / lock).read_text(encoding="utf-8").splitlines()
    found = (Requirement(line.split("\\")[0]) for line in lines if line and line[0] not in "# ")
    return {canonicalize_name(pin.name): Version(str(pin.specifier).removeprefix("==")) for pin in found}


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the `def` to the end, docstring left out: a contract may be as long as it needs."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    match function.body[0]:
        case ast.Expr(value=ast.Constant(value=str())) as docstring:
            assert docstring.end_lineno is not None
            return lines - (docstring.end_lineno - docstring.lineno + 1)
        case _:
            return lines


def test_setup_cfg_lists_every_package() -> None:
    """The packages of setup.cfg are the directories that hold Python files, sorted, without tests."""
    assert sorted({relative(path.parent).replace("/", ".") for path in product_files()}) == packages()


def test_every_package_has_an_init() -> None:
    """A listed package is a regular package, so that a stranger of the same name can't add to it."""
    assert [] == [name for name in packages() if not (CHECKOUT / name.replace(".", "/") / "__init__.py").is_file()]


def test_no_room_has_a_name_of_the_standard_library() -> None:
    """A top-level package never hides a module of the standard library."""
    assert set() == {name.partition(".")[0] for name in packages()} & sys.stdlib_module_names


def test_import_linter_knows_every_room() -> None:
    """A room that import-linter does not know is a room without rules."""
    assert (
        sorted({name.partition(".")[0] for name in packages()}) == metadata()["importlinter"]["root_packages"].split()
    )


def test_pyproject_holds_the_build_system_alone() -> None:
    """Everything but the build system is said in setup.cfg and ruff.toml."""
    text = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    assert ["[build-system]"] == re.findall(r"^\[.*\]$", text, flags=re.MULTILINE)


def test_the_version_has_its_changelog_section() -> None:
    """The version of setup.cfg, or what comes before it, stands in the changelog."""
    text = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## \[([^]]+)]", text, flags=re.MULTILINE)
    assert "Unreleased" == sections[0]
    assert metadata()["metadata"]["version"] in sections


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("requirements.lock", []),
        ("requirements-dev.lock", ["batch", "kafka", "postgres", "scylla", "dev"]),
        ("requirements-live.lock", ["dashboards", "kafka", "postgres", "scylla", "warehouse"]),
        ("requirements-batch.lock", ["batch", "postgres", "scylla"]),
    ],
)
def test_a_lock_pins_what_setup_cfg_asks_for(lock: str, extras: list[str]) -> None:
    """Each library that setup.cfg names is pinned to a version that setup.cfg allows."""
    asked = metadata()["options"]["install_requires"].split("\n")
    for extra in extras:
        asked += metadata()["options.extras_require"][extra].split("\n")
    pinned = pins(lock)
    unmet = [
        line
        for line in filter(None, asked)
        if (version := pinned.get(canonicalize_name(Requirement(line).name))) is None
        or not Requirement(line).specifier.contains(version, prereleases=True)
    ]
    assert [] == unmet


@pytest.mark.parametrize("lock", LOCKS)
def test_every_lock_agrees_with_what_is_tested(lock: str) -> None:
    """What is tested is what is installed: the development lock repeats every pin of the others."""
    tested = pins("requirements-dev.lock")
    assert {} == {name: pin for name, pin in pins(lock).items() if tested.get(name) != pin}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_hashes_and_no_address(lock: str) -> None:
    """Every pin carries hashes; no line says where to download from, so that any index will do."""
    text = (CHECKOUT / lock).read_text(encoding="utf-8")
    entries = re.findall(r"^([a-z0-9._-]+==\S+) \\\n( +--hash=sha256:[0-9a-f]{64})", text, flags=re.MULTILINE)
    assert len(pins(lock)) == len(entries)
    assert [] == re.findall(r"^.*(?:://|--index-url|--find-links|--trusted-host).*$", text, flags=re.MULTILINE)


def test_make_help_lists_every_target() -> None:
    """Each target that a person may call has its sentence in `make help`."""
    text = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^\.PHONY: (.*)$", text, flags=re.MULTILINE)
    explained = re.findall(r"^([a-z]+):.*## \S.*$", text, flags=re.MULTILINE)
    assert sorted(" ".join(phony).split()) == sorted(explained)


def test_a_file_is_one_noun_or_one_verb() -> None:
    """No file is longer than 400 lines, and none has a name that says nothing."""
    too_long = {relative(path) for path in source_files() if len(path.read_bytes().splitlines()) > LINES_MAX}
    meaningless = {relative(path) for path in source_files() if path.stem in MEANINGLESS_NAMES}
    assert (set(), set()) == (too_long, meaningless)


def test_a_function_fits_on_a_screen() -> None:
    """No function is longer than 50 lines, its docstring not counted."""
    too_long = {
        f"{relative(path)}:{node.lineno} {node.name}": code_lines(node)
        for path in source_files()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and code_lines(node) > FUNCTION_LINES_MAX
    }
    assert {} == too_long


def test_a_port_is_small_and_documented() -> None:
    """A port is a Protocol of at most six methods (properties apart), each with its contract."""
    faults = []
    for path in sorted((CHECKOUT / "domain" / "ports").glob("*.py")):
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases):
                members = [part for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]
                methods = [part for part in members if not part.decorator_list]
                if len(methods) > PORT_METHODS_MAX:
                    faults.append(f"{relative(path)}: {node.name} has {len(methods)} methods")
                faults += [f"{node.name}.{m.name} has no contract" for m in members if ast.get_docstring(m) is None]
    assert [] == faults


def test_the_domain_imports_msgspec_and_the_standard_library() -> None:
    """The core stays pure: no library but msgspec, whatever import-linter has been told about."""
    allowed = sys.stdlib_module_names | {"domain", "msgspec"}
    strangers = set()
    for path in product_files():
        if relative(path).startswith("domain/"):
            for node in ast.walk(parsed(path)):
                match node:
                    case ast.Import(names=names):
                        imported = {name.name.partition(".")[0] for name in names}
                    case ast.ImportFrom(module=str(module)):
                        imported = {module.partition(".")[0]}
                    case _:
                        imported = set()
                strangers |= {f"{relative(path)}: {name}" for name in imported - allowed}
    assert set() == strangers


def test_every_relative_link_of_the_documents_leads_somewhere() -> None:
    """A reader who follows a link or a picture of a document finds a file."""
    documents = [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md")]
    dead = [
        f"{relative(document)} -> {target}"
        for document in documents
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
        if "://" not in target and not (document.parent / target).exists()
    ]
    assert [] == dead


def test_glossary_defines_each_word_once() -> None:
    """The glossary's words are sorted and none stands twice."""
    text = (CHECKOUT / "docs" / "GLOSSARY.md").read_text(encoding="utf-8")
    words = re.findall(r"^\*\*([^*]+)\*\*", text, flags=re.MULTILINE)
    assert sorted(set(words), key=str.casefold) == words
