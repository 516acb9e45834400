"""The commands: name -> (module, one line).

A command is a module with two names:

    def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None
        Its flags.  words: what was typed after the command's name, for flags that depend on others (`--method`).
    def run(args: argparse.Namespace) -> int
        The work; returns the exit code.  `errors.UserError` becomes one line and exit code 2.

A new command is one such file plus one line in the table.  One that makes a picture hands its flags and its run to
`pictures`; `generate` and `stylise` show how little is left.  A module is imported only when its command is called, so
it may import what it likes.
"""

COMMANDS: dict[str, tuple[str, str]] = {
    "generate": ("clipguide.commands.generate", "make a picture from words"),
    "stylise": ("clipguide.commands.stylise", "put a photo, or a video, into a style"),
    "batch": ("clipguide.commands.batch", "many pictures with one start: photos x styles x seeds, or a table"),
    "upscale": ("clipguide.commands.upscale", "a picture, two to four times as large"),
    "rerun": ("clipguide.commands.rerun", "make a picture again from its own metadata, with changes"),
    "resume": ("clipguide.commands.resume", "go on with a run that was stopped"),
    "score": ("clipguide.commands.score", "how well a picture fits some texts"),
    "methods": ("clipguide.commands.methods", "the ways to make a picture"),
    "models": ("clipguide.commands.models", "the networks: list, pull, verify"),
    "app": ("clipguide.commands.app", "open the web page"),
}
