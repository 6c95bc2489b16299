"""What every process is given: settings, clock, centres, addresses, and what operators may ask of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

from domain.centre import Centre
from domain.centre_folder import load_centres
from domain.centres import Centres
from domain.clock import Clock
from domain.shares import WHOLE, Share
from mingjing.clocks import make_clock
from mingjing.database import database_address
from mingjing.settings import Settings
from mingjing.watching import watch_process

if TYPE_CHECKING:
    from alerts.addresses import AddressKind
    from alerts.links import AckLinks
    from mingjing.health import Health

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Context:
    """What every process is given. Costly things are made when first asked for."""

    settings: Settings
    stop: threading.Event = field(default_factory=threading.Event)
    process: str = ""
    share: Share = WHOLE

    @cached_property
    def clock(self) -> Clock:
        return make_clock(self.settings)

    @cached_property
    def centres(self) -> Centres:
        """The centres of the system. Of a folder a broken file is replaced by its last good reading, loudly."""
        centres = load_centres(self.settings.centre_file, kept=self.settings.kept_centres)
        for problem in centres.problems:
            log.error("centre file, last good reading used if there is one: %s", problem)
        return centres

    @property
    def centre(self) -> Centre:
        """The centre, for processes of the demo, which has one."""
        return self.centres.first

    @property
    def dsn(self) -> str:
        return database_address(self.settings)

    @cached_property
    def health(self) -> Health:
        """What operators may ask of this process; its loops beat ``health.pulse``."""
        rules = self.process == "rules"  # one process says whether the calendars are there
        return watch_process(
            self.process,
            self.settings,
            dsn=lambda: self.dsn,
            bases=(lambda: sorted({each.calendar.base for each in self.centres.values()}))
            if rules
            else tuple,
        )

    def beat(self, part: str = "loop") -> Callable[[], None]:
        """What a loop calls at each turn."""
        return partial(self.health.pulse.beat, part)

    @property
    def links(self) -> AckLinks:
        from alerts.links import AckLinks, load_or_create_secret

        return AckLinks(load_or_create_secret(self.settings.ack_secret), self.settings.wall_url)

    @property
    def channel(self) -> str:
        """Name of the hook that messages are planned for and sent through."""
        from mingjing.channels import channel_of

        return channel_of(self.settings)

    @property
    def channel_kinds(self) -> dict[str, AddressKind]:
        """Name of each channel → what it needs to know of a person."""
        from mingjing.channels import address_kinds

        return address_kinds(self.settings)
