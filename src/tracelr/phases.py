"""What a schedule does, phase by phase: the short name of `tracelr.schedules.describe.phases`."""

from tracelr.schedules.describe.phases import Phase as Phase
from tracelr.schedules.describe.phases import phases as phases
