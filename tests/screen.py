"""What a terminal shows after it was sent something. Not a file of tests."""

import re

# A control sequence, another escape, or one character.
_PIECE = re.compile(r"\x1b\[([?>]?)([\d;]*)([@-~])|\x1b(?:\][^\a\x1b]*(?:\a|\x1b\\)|[ -/]*[0-~])|[\s\S]")


class Screen:
    """As much of a VT100 as line editors use, on a screen that is as high as it has to be.

    Args:
        columns: its width.
    """

    def __init__(self, columns: int = 80) -> None:
        self._columns = columns
        self._lines: list[list[str]] = [[]]
        self._row = self._column = 0

    def feed(self, text: str) -> None:
        """Show what was sent."""
        for piece in _PIECE.finditer(text):
            private, numbers, final = piece.groups()
            if final is None:
                if len(piece.group()) == 1:
                    self._show(piece.group())
            elif not private:
                self._control(final, [int(number or 0) for number in numbers.split(";")])

    def lines(self) -> list[str]:
        """What can be read, without blanks at the ends of lines and empty lines at the end."""
        return "\n".join("".join(line).rstrip() for line in self._lines).rstrip().split("\n")

    def _show(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._go(self._row + 1)
        elif character == "\b":
            self._column = max(0, self._column - 1)
        elif character >= " ":
            if self._column == self._columns:
                self._column = 0
                self._go(self._row + 1)
            self._reach()
            self._lines[self._row][self._column : self._column + 1] = [character]
            self._column += 1

    def _go(self, row: int) -> None:
        self._row = max(0, row)
        while len(self._lines) <= self._row:
            self._lines.append([])

    def _reach(self) -> None:
        line = self._lines[self._row]
        line.extend(" " * (self._column - len(line)))

    def _control(self, final: str, numbers: list[int]) -> None:
        number = max(1, numbers[0])
        line = self._lines[self._row]
        if final == "A":
            self._go(self._row - number)
        elif final == "B":
            self._go(self._row + number)
        elif final == "C":
            self._column += number
        elif final == "D":
            self._column = max(0, self._column - number)
        elif final == "G":
            self._column = number - 1
        elif final == "H":
            self._go(number - 1)
            self._column = max(1, numbers[-1] if len(numbers) > 1 else 1) - 1
        elif final == "@":
            self._reach()
            line[self._column : self._column] = " " * number
        elif final == "P":
            del line[self._column : self._column + number]
        elif final in "KJ" and numbers[0] == 0:
            del line[self._column :]
            if final == "J":
                del self._lines[self._row + 1 :]
        elif final == "J":
            self._lines = [[]]
            self._row = self._column = 0
