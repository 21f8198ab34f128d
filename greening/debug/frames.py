"""Whose a frame is: the user's, or part of the machinery of greening and the stdlib."""

import os
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType, GetSetDescriptorType, MemberDescriptorType, ModuleType

import greening.patches

# The modules whose frames are part of a wait.
_MACHINERY = ("greening", "threading", "queue", "concurrent")

# Where the stdlib is, but for what was installed beside it.
_STDLIB = os.path.join(os.path.dirname(os.__file__), "")
_OURS = tuple(os.path.join(folder, "") for folder in (*greening.__path__[:1], *greening.patches.__path__))
_INSTALLED = tuple(os.path.join(_STDLIB, folder, "") for folder in ("site-packages", "dist-packages"))


def machinery(frame: FrameType | None) -> Iterator[FrameType]:
    """The innermost frames that are part of a wait, from the inside."""
    while frame is not None and is_part_of_wait(frame):
        yield frame
        frame = frame.f_back


def is_part_of_wait(frame: FrameType) -> bool:
    """True for a frame of greening, and of the stdlib's `threading`, `queue` and `concurrent`."""
    return module_of(frame).partition(".")[0] in _MACHINERY


def users_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame that is neither greening's nor the stdlib's; if there is none, the innermost of all."""
    inner = frame
    while frame is not None and is_machinery(frame):
        frame = frame.f_back
    return frame or inner


def programs_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of a function that is no library's either; if there is none, that of `users_frame`."""
    found = frame
    while found is not None and not is_programs(found):
        found = found.f_back
    return found or users_frame(frame)


def is_programs(frame: FrameType) -> bool:
    """True for a function of the program itself. The body of a module may be that of a command that was installed."""
    code = frame.f_code
    return code.co_name != "<module>" and not is_installed_file(code.co_filename) and not is_machinery(frame)


def is_machinery(frame: FrameType) -> bool:
    """True for a frame of greening or of the stdlib."""
    return module_of(frame).partition(".")[0] == "greening" or is_machinery_file(frame.f_code.co_filename)


def is_ours_file(file: str) -> bool:
    """True for a file of greening's."""
    return file.startswith(_OURS)


def is_machinery_file(file: str) -> bool:
    """The same, by the name of the file."""
    if file.startswith(("<frozen ", *_OURS)):
        return True
    return file.startswith(_STDLIB) and not file.startswith(_INSTALLED)


def is_installed_file(file: str) -> bool:
    """True for a file of a package that was installed, and is no program's own."""
    return "/site-packages/" in file or "/dist-packages/" in file


def module_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def dotted(frame: FrameType) -> str:
    return f"{module_of(frame)}.{frame.f_code.co_qualname}"


def name_in(frame: FrameType | None, thing: object) -> str:
    """A name that the code of `frame` has for `thing`: "lock", "self.lock"; "": none was found."""
    if frame is None or thing is None or is_machinery(frame):
        return ""
    for names in (frame.f_locals, frame.f_globals):
        for name, value in tuple(names.items()):
            if value is thing:
                return name
    for name, holder in tuple(frame.f_locals.items()):
        found = None if issubclass(type(holder), ModuleType) else _attribute_of(holder, thing)
        if found is not None:
            return f"{name}.{found}"
    return ""


def _attribute_of(holder: object, thing: object) -> str | None:
    """The attribute or slot of `holder` that is `thing`. No foreign code runs: a proxy may fail when it is asked."""
    for base in type(holder).__mro__:
        names = type.__getattribute__(base, "__dict__")
        if type(names.get("__dict__")) is GetSetDescriptorType:
            attributes = names["__dict__"].__get__(holder)
            found = next((key for key, value in tuple(attributes.items()) if value is thing), None)
            if found is not None:
                return str(found)
        for key, slot in tuple(names.items()) if "__slots__" in names else ():
            if type(slot) is MemberDescriptorType:
                with suppress(AttributeError):  # it is not set
                    if slot.__get__(holder) is thing:
                        return str(key)
    return None
