"""A program: prints the public names of the installed eventlet, as JSON, {module: [names]}.

Names that a module has imported from others count only where eventlet's own modules define them.
"""

import importlib
import inspect
import json
import pkgutil
import warnings

warnings.simplefilter("ignore")
import eventlet

found: dict[str, list[str]] = {}
for info in pkgutil.walk_packages(eventlet.__path__, "eventlet."):
    if ".green.http" in info.name or ".zipkin" in info.name:
        continue
    try:
        module = importlib.import_module(info.name)
    except (ImportError, AttributeError):  # of another system, or of a package that is not installed
        found[info.name] = []
        continue
    if info.name.startswith("eventlet.green."):
        found[info.name] = []
        continue
    names = set(getattr(module, "__all__", ()))
    for name, value in vars(module).items():
        if not name.startswith("_") and getattr(value, "__module__", None) == info.name:
            names.add(name)
            if inspect.isclass(value):
                names.update(f"{name}.{member}" for member in vars(value) if not member.startswith("_"))
    found[info.name] = sorted(names)
names = {name for name in vars(eventlet) if not name.startswith("_") and not inspect.ismodule(getattr(eventlet, name))}
found["eventlet"] = sorted(names)
print(json.dumps(found, indent=1))
