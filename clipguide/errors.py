"""The one error that is the user's to mend."""


class UserError(ValueError):
    """Bad input.  Its message is one line: what was given, what is allowed, what to do."""


class Notice(UserWarning):
    """Something was done in another way than asked; the message is one line."""
