"""What plug-ins do to the classes of a library: methods put on them, errors acted upon, green classes mixed in."""

from collections.abc import Callable, Mapping
from functools import cache, wraps
from types import ModuleType
from typing import Any

from greening.monkey import patch_module
from greening.patcher.spec import Patch

Method = Callable[..., Any]
Methods = dict[str, dict[str, object]]


def patch_methods(module: ModuleType, methods: Mapping[str, Mapping[str, object]]) -> None:
    """Put methods on classes of a module: {"Class": {"method": function}}. `unpatch()` takes them off."""
    # No flag of `monkey_patch` switches a plug-in on.
    patch_module(Patch(target=module.__name__, flag="", replaces={}, methods=methods), module)


def after_error(
    method: Method, then: Callable[[Any, BaseException], object], unless: tuple[type[BaseException], ...] = ()
) -> Method:
    """The method; `then` is called with its object and the error, when an error leaves it. The error goes on.

    Args:
        unless: classes of errors that do not count. Exception: kills and Timeouts are left.
    """

    @wraps(method)
    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except unless:
            raise
        except BaseException as error:
            then(self, error)
            raise

    return watched


def subclasses_on(green: type) -> Callable[[type], type]:
    """A function that gives the green subclass of a class of a library, the same for the same.

    It behaves as the class and passes for it. What is green stands behind the program's own class, and in front of the
    library's: so `super()` finds it.

    Args:
        green: a subclass of the library's class, with the green methods.
    """

    @cache
    def subclass_of(kind: type) -> type:
        bases = (green,) if issubclass(green, kind) else (kind, green)
        names = {name: getattr(kind, name) for name in ("__module__", "__qualname__", "__doc__")}
        return type(kind.__name__, bases, names)

    return subclass_of
