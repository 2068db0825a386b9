"""How is a module written? Sizes, names, words, docstrings, state. Each rule: one module in, violations out."""

import ast
import asyncio
import re
from collections.abc import Iterator

from tests.architecture.tree import Function, Module, Violation

MODULE_LINES = 500
FUNCTION_LINES = 70
PARAMETERS = 7
HEADER_LINES = 8
DRAWERS = ("util", "helper", "common", "misc", "manager", "handler", "service", "processor")
REFUSED = frozenset(word + plural for word in DRAWERS for plural in ("", "s"))
VENDORS = frozenset(
    {
        "openai",
        "azure",
        "anthropic",
        "claude",
        "gemini",
        "vertex",
        "bedrock",
        "mistral",
        "cohere",
        "groq",
        "deepseek",
        "openrouter",
        "huggingface",
        "ollama",
        "lmstudio",
        "llamacpp",
        "vllm",
        "sglang",
        "tgi",
        "litellm",
    }
)
# Methods that asyncio and httptools call by name.
CALLBACKS = frozenset(name for kind in (asyncio.Protocol, asyncio.BufferedProtocol) for name in vars(kind)) | {
    "connection_made", "connection_lost", "pause_writing", "resume_writing", "on_message_begin", "on_url", "on_status",
    "on_header", "on_headers_complete", "on_body", "on_message_complete", "on_chunk_header", "on_chunk_complete",
}  # fmt: skip
MUTABLE_CALLS = frozenset({"list", "dict", "set", "bytearray", "defaultdict", "deque", "OrderedDict", "Counter"})
MUTATORS = frozenset(
    {
        "append",
        "appendleft",
        "add",
        "update",
        "pop",
        "popitem",
        "clear",
        "setdefault",
        "extend",
        "insert",
        "remove",
        "discard",
        "sort",
        "reverse",
    }
)


def sizes(module: Module) -> Iterator[Violation]:
    """Modules, functions and parameter lists stay small."""
    lines = len(module.text.splitlines())
    if lines > MODULE_LINES:
        yield module.at(1, f"{lines} lines in a module, at most {MODULE_LINES}")
    for function in module.functions():
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        if length > FUNCTION_LINES:
            yield module.at(function, f"{function.name} has {length} lines, at most {FUNCTION_LINES}")
        count = len(_parameters(function))
        if count > PARAMETERS and not _is_command(module, function):
            yield module.at(function, f"{function.name} takes {count} parameters, at most {PARAMETERS}")


def _parameters(function: Function) -> list[str]:
    args = function.args
    every = [*args.posonlyargs, *args.args, *([args.vararg] if args.vararg else [])]
    every += [*args.kwonlyargs, *([args.kwarg] if args.kwarg else [])]
    return [arg.arg for arg in every if arg.arg not in ("self", "cls")]


def _is_command(module: Module, function: Function) -> bool:
    """A function that becomes a command: its parameters are the command's options, a published interface."""
    return module.package == "cli" and function in module.tree.body and "typer." in ast.unparse(function.args)


def header(module: Module) -> Iterator[Violation]:
    """A module opens with a docstring of at most eight lines; a drawing in it does not count."""
    text = ast.get_docstring(module.tree)
    if not text:
        yield module.at(1, "no header docstring")
        return
    words = [line for line in text.splitlines() if line.strip() and line[0] not in "├│└"]
    if len(words) > HEADER_LINES:
        yield module.at(1, f"{len(words)} lines in the header docstring, at most {HEADER_LINES}")


def docstrings(module: Module) -> Iterator[Violation]:
    """Every public class, function and method says what it does."""
    for owner, node in _definitions(module.tree):
        public = not node.name.startswith("_") and (owner is None or not owner.name.startswith("_"))
        if public and not ast.get_docstring(node) and not _inherits_words(node):
            yield module.at(node, f"{node.name} has no docstring")


def _definitions(tree: ast.Module) -> Iterator[tuple[ast.ClassDef | None, Function | ast.ClassDef]]:
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef):
            yield None, node
        if isinstance(node, ast.ClassDef):
            yield from ((node, member) for member in node.body if isinstance(member, Function))


def _inherits_words(node: Function | ast.ClassDef) -> bool:
    """Overloads, overrides, setters and a library's callbacks are explained where they are first declared."""
    if node.name in CALLBACKS:
        return True
    marks = {ast.unparse(mark).rpartition(".")[2] for mark in node.decorator_list}
    return bool(marks & {"overload", "override", "setter"})


def refused_names(module: Module) -> Iterator[Violation]:
    """No junk drawers: a file or class named for nothing in particular."""
    for part in module.name.split("."):
        if REFUSED & set(_words(part)):
            yield module.at(1, f"refused file name {part!r}")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef) and REFUSED & set(_words(node.name)):
            yield module.at(node, f"refused class name {node.name!r}")


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def vendor_names(module: Module) -> Iterator[Violation]:
    """Vendors' names are words of wires, providers and the modules that carry them: no other code turns on one.

    Identifiers and strings without a space count (they are compared and looked up); prose for people and docstrings do
    not, nor does a name that an import binds.
    """
    if module.package in ("wires", "providers"):
        return
    carried = set(_words(module.name)) if module.package in ("server", "cli") else set()
    imported = {
        alias.asname or alias.name
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node, word in _code_words(module.tree):
        if word in imported:
            continue
        for vendor in sorted((VENDORS & set(_words(word))) - carried):
            yield module.at(node, f"vendor name {vendor!r} in {word!r}")


def _code_words(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    prose = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=word) | ast.Attribute(attr=word) | ast.arg(arg=word) | ast.keyword(arg=str(word)):
                yield node, word
            case ast.FunctionDef(name=word) | ast.AsyncFunctionDef(name=word) | ast.ClassDef(name=word):
                yield node, word
            case ast.Constant(value=str(word)) if id(node) not in prose and not re.search(r"\s", word):
                yield node, word


def environment(module: Module) -> Iterator[Violation]:
    """The environment is read in config.py, nowhere else."""
    if module.name == "config" or module.package == "config":
        return
    for node in ast.walk(module.tree):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "environb" | "getenv" | "getenvb" as attr):
                yield module.at(node, f"os.{attr} outside config")
            case ast.ImportFrom(module="os", names=names):
                for alias in names:
                    if alias.name in ("environ", "environb", "getenv", "getenvb"):
                        yield module.at(node, f"os.{alias.name} outside config")


def state(module: Module) -> Iterator[Violation]:
    """Nothing at module level changes: no `global`, no container that is filled later or written in lower case."""
    yield from (module.at(node, "global statement") for node in ast.walk(module.tree) if isinstance(node, ast.Global))
    containers = dict(_containers(module.tree))
    for name, node in containers.items():
        if name != name.upper() and not name.startswith("__"):
            yield module.at(node, f"module-level mutable {name!r}; a constant table is upper-case and never changed")
    for node in ast.walk(module.tree):
        if (name := _mutated(node)) in containers:
            yield module.at(node, f"module-level {name!r} is changed")


def _containers(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ):
                literal = isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)
                if literal or (
                    isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] in MUTABLE_CALLS
                ):
                    yield name, node


def _mutated(node: ast.AST) -> str | None:
    """The name whose container this node changes."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if attr in MUTATORS:
            return name
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            return name
        case ast.AugAssign(target=ast.Name(id=name)):
            return name
    return None


def printing(module: Module) -> Iterator[Violation]:
    """Only commands print."""
    if module.package == "cli" or module.name == "testing.__main__":
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield module.at(node, "print outside cli")


def broad_handlers(module: Module) -> Iterator[Violation]:
    """A broad handler stands only at an edge: never in what decides, and never silent."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            broad = bool({"everything", "Exception", "BaseException"} & set(re.findall(r"\w+", caught)))
            silent = all(isinstance(part, ast.Pass | ast.Continue) for part in node.body)
            if node.type is None or (broad and silent):
                yield module.at(node, f"except {caught} that swallows")
