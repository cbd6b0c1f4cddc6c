"""Schedules: a learning rate as a pure tensor function of the step."""

from tracelr.schedules.assignment import Assignment as Assignment
from tracelr.schedules.assignment import Loaded as Loaded
from tracelr.schedules.base import REGISTRY as REGISTRY
from tracelr.schedules.base import Schedule as Schedule
