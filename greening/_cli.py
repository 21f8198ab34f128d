"""`python -m greening`: run a program as `python` would, with everything patched before its first line.

What the program can see of us is kept at nothing: `__main__` is its own module, `sys.argv` and `sys.path[0]` are what
they would have been, tracebacks begin with its first frame, and it ends with the exit status it would have ended with.

argparse is not used: importing it takes as long as patching does.

A program that starts itself again, as reloaders do, is patched there, too, and so are the child processes that
multiprocessing starts with "spawn" or "forkserver" (see `greening.startup`).
"""

import builtins
import importlib
import os
import runpy
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import BuiltinImporter, SourceFileLoader, SourcelessFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import Any

import greening
import greening.patches
from greening import startup
from greening._core.unhandled import without_ours
from greening._options import answer, parse, refuse, run_command
from greening.monkey import monkey_patch

# Frames that are not the program's own, where a traceback begins.
_SCAFFOLD = frozenset(
    {
        __file__,
        os.path.join(os.path.dirname(__file__), "__main__.py"),
        runpy._run_code.__code__.co_filename,  # type: ignore[attr-defined]
        "<frozen importlib._bootstrap>",
        "<frozen importlib._bootstrap_external>",
    }
)

Run = Callable[[], object]


class _Refused(Exception):
    """runpy's way of saying that there is nothing to run."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program that the arguments (default: those of this process) name.

    Raises:
        SystemExit: as the program does; 2 for a command line that makes no sense or a script that cannot be opened.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    run_command(words)
    options, rest = parse(words)
    if options.inspect:
        try:
            importlib.import_module("greening.debug.inspector").inspect()
        except OSError as error:
            refuse(f"--inspect: {error}")
    if "--graph" in options.values:
        importlib.import_module("greening.debug.graph").draw_deadlocks_to(options.values["--graph"])
    if options.as_eventlet or startup.is_wanted():
        startup.hand_down_alias()
        importlib.import_module("greening.compat.alias").install()
        options.patch = options.patch and bool(options.flags)
    if options.patch:
        monkey_patch(**options.flags)
    if options.info and not rest:
        answer(_info())
    run = _program(rest)
    _begin_instruments(options.values)
    if options.patch:
        startup.hand_down_patch(options.flags, rest)
    status: object = 0
    pid = os.getpid()
    try:
        if options.prompt:
            _run_and_prompt(run)
        else:
            run()
    except SystemExit as end:
        status = end.code or 0
        if sys.flags.interactive:  # it is shown, as any other
            _hide_scaffold()
        raise
    except BaseException:
        status = 1
        _hide_scaffold()
        raise
    finally:
        told = pid == os.getpid()  # the child of a fork is no program of its own
        if options.info and told:
            _tell(_info())
        if options.audit and told:
            _audit(options.json, status)


def _info() -> str:
    info = importlib.import_module("greening.debug").info()
    return "\n".join(f"{name}: {value}" for name, value in info.items())


def _begin_instruments(values: dict[str, str]) -> None:
    try:
        if "--watch" in values:
            importlib.import_module("greening.debug.watchdog").watch_by(values["--watch"])
        if "--profile" in values:
            profiler = importlib.import_module("greening.debug.profiler")
            profiler.profile(values["--profile"], clock=values.get("--profile-clock", "both"))
        if "--trace" in values:
            importlib.import_module("greening.debug.tracer").trace_until_exit(values["--trace"])
    except OSError as error:
        refuse(f"{error.filename} cannot be written: {error.strerror}")
    except ValueError as error:
        refuse(str(error))


def _program(rest: list[str]) -> Run:
    """Set the stage for the program and return what runs it."""
    if not rest:
        sys.argv[:] = [""]
        return _stdin
    what, arguments = rest[0], rest[1:]
    for option, make in (("-m", _module), ("-c", _command)):
        if what.startswith(option):
            if what == option and not arguments:
                refuse(f"argument expected for the {option} option")
            value = what[2:] or arguments.pop(0)
            sys.argv[:] = [option, *arguments]
            return lambda: make(value)
    sys.argv[:] = rest
    return _stdin if what == "-" else lambda: _script(what)


# The four kinds of program


def _script(path: str) -> None:
    full = path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
    if any(_imports_from(hook, full) for hook in sys.path_hooks):
        _folder(full)
        return
    try:
        with open(full, "rb") as file:
            source = file.read()
    except OSError as error:
        print(f"{_python()}: can't open file {full!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)
        raise SystemExit(2) from None
    _set_path(os.path.dirname(os.path.realpath(full)))
    loader = (SourcelessFileLoader if full.endswith(".pyc") else SourceFileLoader)("__main__", full)
    module = _new_main(full, loader)
    if isinstance(loader, SourcelessFileLoader):
        code = loader.get_code("__main__")
        assert code is not None
    else:
        code = _compile(source, full)
    exec(code, vars(module))


def _imports_from(hook: Callable[[str], object], path: str) -> bool:
    """True for a directory or zip file, as far as this entry of `sys.path_hooks` knows them."""
    try:
        hook(path)
    except ImportError:
        return False
    return True


def _folder(path: str) -> None:
    # Where a script's directory would be on the path, and in safe-path mode, where none is: as python does.
    if sys.flags.safe_path:
        sys.path.insert(0, path)
    else:
        sys.path[0] = path
    _run_found("_get_main_module_details")


def _module(name: str) -> None:
    _set_path(os.getcwd())
    _run_found("_get_module_details", name)


def _run_found(finder: str, *arguments: str) -> None:
    """Have runpy find a module and run it as `__main__`; this is what `python -m` itself consists of."""
    try:
        _, spec, code = getattr(runpy, finder)(*arguments, _Refused)
    except _Refused as problem:
        raise SystemExit(f"{sys.executable}: {problem}") from None
    if arguments:
        sys.argv[0] = spec.origin
        startup.hand_down_file(spec.origin)
    module = _new_main(None, None)
    runpy._run_code(code, vars(module), None, "__main__", spec)  # type: ignore[attr-defined]


def _command(source: str) -> None:
    _set_path("")
    module = _new_main(None, BuiltinImporter)
    code = _compile(source, "<string>")
    _show_lines_of(code, source)
    exec(code, vars(module))


def _show_lines_of(code: CodeType, source: str) -> None:
    """From Python 3.13 on tracebacks show the lines of a -c program."""
    if sys.version_info >= (3, 13):
        linecache: Any = importlib.import_module("linecache")
        linecache._register_code(code if hasattr(linecache, "_interactive_cache") else "<string>", source, "<string>")


def _stdin() -> None:
    _set_path("")
    module = _new_main("<stdin>", BuiltinImporter)
    if not sys.stdin.isatty():
        exec(_compile(sys.stdin.buffer.read(), "<stdin>"), vars(module))
    elif not sys.flags.interactive:
        _prompt()


def _run_and_prompt(run: Run) -> None:
    """Run the program, show what it raises (SystemExit included, as `python -i` does), and go on with a prompt."""
    if run is _stdin and sys.stdin.isatty():
        run()
        return
    try:
        run()
    except BaseException as error:  # noqa: BLE001  # whatever a program raises
        _hide_scaffold()
        sys.last_type, sys.last_value = type(error), error
        if sys.version_info >= (3, 12):
            sys.last_exc = error
        sys.excepthook(type(error), error, error.__traceback__)
    _prompt(banner="")


def _prompt(banner: str | None = None) -> None:
    """Read commands and run them in `__main__`."""
    importlib.import_module("greening._prompt").run(vars(sys.modules["__main__"]), without_ours, banner)


def _compile(source: str | bytes, name: str) -> CodeType:
    return compile(source, name, "exec", dont_inherit=True)


def _set_path(first: str) -> None:
    if not sys.flags.safe_path:
        sys.path[0] = first


def _new_main(file: str | None, loader: Any) -> ModuleType:
    """A fresh `__main__`, so that pickle, multiprocessing and the program itself meet the program and not us."""
    module = ModuleType("__main__")
    namespace = vars(module)
    if sys.version_info < (3, 14):
        namespace["__annotations__"] = {}
    namespace.update(__builtins__=builtins, __loader__=loader)
    if file is not None:
        namespace["__file__"] = file
        if sys.version_info < (3, 15):
            namespace["__cached__"] = None
    sys.modules["__main__"] = module
    return module


def _python() -> str:
    return sys.orig_argv[0] if sys.orig_argv else "python"


# The end


def _hide_scaffold() -> None:
    """Have the exception that is on its way out shown without our frames, by whatever hook the program has set.

    It has to leave through the interpreter, which knows what a KeyboardInterrupt means for the exit status; on the way
    our frames are added to its traceback. So a hook that runs once takes them off again.
    """
    theirs = sys.excepthook

    def once(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> object:
        sys.excepthook = theirs
        while trace is not None and trace.tb_frame.f_code.co_filename in _SCAFFOLD:
            trace = trace.tb_next
        if isinstance(error, (KeyboardInterrupt, greening.Deadlock)):
            trace = without_ours(trace)  # where the hub was at Ctrl-C is of no interest
        error.__traceback__ = sys.last_traceback = trace
        return theirs(kind, error, trace)

    sys.excepthook = once


def _audit(as_json: bool, status: object) -> None:
    """Print the audit. Raises SystemExit, if something was found and `status`, the program's own, is 0."""
    auditing = importlib.import_module("greening.debug.auditing")
    findings = auditing.audit()
    _tell(auditing.as_json(findings) if as_json else auditing.as_text(findings).rstrip())
    if findings and status == 0:
        raise SystemExit(auditing.FOUND)


def _tell(text: str) -> None:
    """Write it to standard error, if that is open; `print` would take standard output instead."""
    if sys.stderr is not None:
        print(text, file=sys.stderr)
