"""Meaning of a server's answer for the batch that was sent: delivered, refused or retry later."""


class RefusedError(Exception):
    """The server has refused this batch, and a retry would be refused as well: it is dropped."""


class RetryLaterError(Exception):
    """The server has asked for a retry, not before `seconds` have passed (Retry-After)."""

    def __init__(self, reason: object, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds
