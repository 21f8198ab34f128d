"""The children of the supervisor: which there are, which are missing, and which of them are to leave."""

from collections.abc import Iterator

from greening.wsgi.command.channel import Child


class Roster:
    """All children, oldest first.

    Args:
        count: how many workers there should be; may be changed.
    Attributes:
        generation: the present one. proven: a worker of it has been ready.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.generation = 1
        self.proven = False
        self._children: list[Child] = []

    def __iter__(self) -> Iterator[Child]:
        return iter(tuple(self._children))

    def __bool__(self) -> bool:
        return bool(self._children)

    def add(self, child: Child) -> None:
        """It was forked, or will be."""
        self._children.append(child)

    def remove(self, child: Child) -> None:
        """It is dead."""
        self._children.remove(child)

    def present(self) -> list[Child]:
        """Workers of the present generation that are to stay."""
        return [child for child in self._staying() if child.generation == self.generation]

    def previous(self) -> list[Child]:
        """Workers of earlier generations that are to stay."""
        return [child for child in self._staying() if child.generation != self.generation]

    def _staying(self) -> list[Child]:
        return [child for child in self._children if not child.leaving and not child.template]

    def watched(self) -> list[Child]:
        """Those that are to give signs of life, or to become ready in time."""
        return [
            child
            for child in self._children
            if child.deadline is None and not child.failed and not (child.template and child.ready)
        ]

    def templates(self) -> list[Child]:
        """Processes that have the application preloaded, and are to stay."""
        return [child for child in self._children if not child.leaving and child.template]

    def template(self, generation: int | None = None) -> Child | None:
        """The one of a generation; None: of the present one."""
        wanted = self.generation if generation is None else generation
        return next((child for child in self.templates() if child.generation == wanted), None)

    def wanted(self) -> int:
        """The generation of which a worker is missing, and can be forked now; 0: there is none."""
        template = self.template()
        if self.missing() and (template is None or template.ready):
            return self.generation
        # While a new generation has not proven itself, an old worker that is gone comes again, if its application is
        # still at hand.
        if not self.proven and len(self.previous()) < self.count:
            return next((old.generation for old in self.templates() if old.ready and old is not template), 0)
        return 0

    def missing(self) -> bool:
        """A worker of the present generation is wanted.

        The first worker of a generation goes ahead. One of those that want to be replaced has a successor at a time.
        """
        present = self.present()
        if any(child.failed for child in present):
            return False
        retiring = any(child.retiring for child in present)
        return len(present) < (self.count + retiring if self.proven else 1)

    def surplus(self) -> list[Child]:
        """Workers that others have taken the place of: of earlier generations, then those that want to leave."""
        old = self.previous()
        ready = [child for child in self.present() if child.ready]
        retiring = [child for child in ready if child.retiring]
        others = [child for child in reversed(ready) if not child.retiring]
        number = max(len(old) + len(ready) - self.count, 0)
        return [*old, *retiring, *others][:number]

    def keep_previous(self) -> bool:
        """What is ready of earlier generations belongs to the present one from now on. False: there is nothing."""
        kept = [child for child in self.previous() if child.ready]
        if kept:
            self.proven = True
            for child in [*kept, *self.templates()]:
                child.generation = self.generation
        return bool(kept)
