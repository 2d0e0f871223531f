"""What can go wrong, by who has to act on it."""


class Refused(Exception):
    """The run cannot start, or cannot go on; the message says why and what to do."""


class BadPicture(Exception):
    """One picture cannot be done, on whatever host: it is set aside and the run goes on."""


class HostFailed(Exception):
    """The host refused a prompt or a node of it raised: another host, or another try, may do it."""


class HostGone(Exception):
    """The host ended, or does not answer any more: it has to be started again."""
