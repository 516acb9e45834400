"""What every command of pretrain reads its words with."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from clipguide.errors import UserError

KINDS = {"int": "a whole number", "float": "a number"}


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as a UserError."""

    def error(self, message: str) -> NoReturn:
        found = re.fullmatch(r"argument (\S+): invalid (int|float) value: (.*)", message)
        told = f"{found[1]} {found[3]}: give {KINDS[found[2]]}" if found else message.removeprefix("argument ")
        raise UserError(f"{told}; see {self.prog} --help")
