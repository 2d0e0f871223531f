"""Many pictures through a saved workflow; and what can go wrong with them, by who has to act on it."""


class Refused(Exception):
    """The run cannot start, or cannot go on; the message says why and what to do."""


class BadPicture(Exception):
    """One picture cannot be done, on whatever host, and is set aside. `kind`: its trouble, worded alike for all."""

    def __init__(self, kind: str, message: str):
        super().__init__(kind, message)
        self.kind = kind

    def __str__(self) -> str:
        return str(self.args[1])
